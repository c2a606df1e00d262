"""Reports how many replicas deployments and runners want and have live, and their pods, read off the fleets."""

from __future__ import annotations

from clarifai_grpc.grpc.api.resources_pb2 import Deployment, DeploymentMetrics, Runner, RunnerMetrics

from clarifai_emulator.nodepools.fleet import ReplicaState
from clarifai_emulator.nodepools.supervisor import Supervisor


class FleetMetrics:
    """The numbers that clients poll for readiness (``live_replicas``, ``pods_running``)."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    def served(self, deployment: Deployment) -> Deployment:
        """The deployment as it serves now, while it is on its way to what it was told; else itself."""
        return self._supervisor.rollouts.served(deployment)

    def deployment_metrics(self, deployment: Deployment) -> DeploymentMetrics:
        """Replicas of the deployment, in all and by nodepool."""
        metrics = DeploymentMetrics()
        rollout = self._supervisor.rollouts.get((deployment.user_id, deployment.id))
        by_nodepool: dict[tuple[str, str, str], list[int]] = {}
        for fleet in self._supervisor.fleets.of_deployment(deployment.user_id, deployment.id):
            adopted = fleet.adopted
            is_leaving = fleet.retired or (rollout is not None and fleet is rollout.old and not rollout.moves)
            metrics.desired_replicas += 0 if is_leaving else max(fleet.wanted, len(fleet.active), len(adopted))
            metrics.live_replicas += len(fleet.live) + len(adopted)
            metrics.rollout_in_progress |= rollout is not None or (fleet.retired and bool(fleet.records))
            own = [(record.nodepool, record.state is ReplicaState.LIVE) for record in fleet.active]
            for nodepool, is_live in (*own, *((nodepool, True) for nodepool, _ in adopted)):
                counts = by_nodepool.setdefault(nodepool, [0, 0])
                counts[0] += not is_leaving
                counts[1] += is_live
        metrics.aggregate.desired_replicas = metrics.desired_replicas
        metrics.aggregate.live_replicas = metrics.live_replicas
        for (_, cluster, nodepool), (desired, live) in by_nodepool.items():
            entry = metrics.nodepool_metrics.add(compute_cluster_id=cluster, nodepool_id=nodepool)
            entry.metrics.desired_replicas, entry.metrics.live_replicas = desired, live
        return metrics

    def runner_metrics(self, runner: Runner) -> RunnerMetrics:
        """Pods of the runner: those that exist, and those that serve."""
        cluster = runner.nodepool.compute_cluster
        key = (cluster.user_id, cluster.id, runner.nodepool.id, runner.id)
        fleet = self._supervisor.fleet_of_runner(key)
        records = [each for each in fleet.records.values() if each.runner_key == key] if fleet else []
        return RunnerMetrics(
            pods_total=len(records),
            pods_running=sum(record.state is ReplicaState.LIVE for record in records),
        )
