"""Says what resources need to know of what runs, for answers that show it."""

from __future__ import annotations

from typing import Protocol

from clarifai_grpc.grpc.api.resources_pb2 import Deployment, DeploymentMetrics, Runner, RunnerMetrics


class LiveMetrics(Protocol):
    """Tells what is running right now (``nodepools.metrics.FleetMetrics``)."""

    def served(self, deployment: Deployment) -> Deployment:
        """Return the deployment as it serves now, while it is on its way to what it was told; else itself."""
        ...

    def deployment_metrics(self, deployment: Deployment) -> DeploymentMetrics:
        """Return desired and live replicas, in all and per nodepool."""
        ...

    def runner_metrics(self, runner: Runner) -> RunnerMetrics:
        """Return pods (replicas) of a runner."""
        ...
