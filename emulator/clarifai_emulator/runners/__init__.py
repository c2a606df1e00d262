"""Places replicas of the genuine runner: on this machine as processes, later elsewhere. Knows no queue."""
