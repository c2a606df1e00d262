"""Runs replicas as processes of this machine, forked from warm parents."""
