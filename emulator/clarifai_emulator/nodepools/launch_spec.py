"""What a replica is started with: its code, made ready for its backend, its secrets, devices and variables."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from clarifai_grpc.grpc.api.resources_pb2 import Secret

from clarifai_emulator.backends.backend import Backend, Debugging, ReplicaSpec
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.machine.accelerators import AcceleratorPool
from clarifai_emulator.models.directory import ModelSource, read_model_directory
from clarifai_emulator.nodepools.fleet import Fleet, ReplicaRecord
from clarifai_emulator.store import Kind, Store

Tell = Callable[[str], None]


class Outfitter:
    """``runner_url`` is where replicas pull their work, ``api_base`` what a model sees as the platform's address.
    A ``tell`` is told what the replica's log should say."""

    def __init__(self, *, config: EmulatorConfig, store: Store, accelerators: AcceleratorPool) -> None:
        self.runner_url = ""
        self.api_base = ""
        self._config = config
        self._store = store
        self._accelerators = accelerators
        self._prepared: dict[tuple[ModelSource, str], ModelSource] = {}

    async def prepare(self, fleet: Fleet, backend: Backend, tell: Tell) -> ModelSource:
        """The model's code, ready for this backend: a deployment may span nodepools of several."""
        source = fleet.target.source
        assert source is not None
        if source.backend == backend.name:
            return source
        known = self._prepared.get((source, backend.name))
        if known is None:
            directory = await asyncio.to_thread(read_model_directory, source.path)
            known = await backend.prepare(directory, tell, is_watched=source.watched is not None)
            known = replace(known, content_hash=source.content_hash, watched=source.watched)
            self._prepared[source, backend.name] = known
        return known

    def secrets(self, fleet: Fleet, source: ModelSource, tell: Tell = lambda line: None) -> dict[str, str]:
        """What config.yaml asks for, from the secrets of the model's owner."""
        found: dict[str, str] = {}
        for wanted in source.secrets:
            secret = self._store.get(Kind.SECRET, (fleet.target.model.user_id, wanted.id))
            value = secret.value if isinstance(secret, Secret) else wanted.value
            if value:
                found[wanted.variable] = value
            else:
                owner = fleet.target.model.user_id
                missing = f"[emulator] config.yaml wants secret '{wanted.id}' as {wanted.variable}: user '{owner}' "
                tell(f"{missing}has no such secret, and the variable is not set")
        return found

    def outfit(
        self,
        fleet: Fleet,
        record: ReplicaRecord,
        source: ModelSource,
        tell: Tell,
        debugging: Debugging | None = None,
    ) -> ReplicaSpec:
        """All that its backend has to know."""
        user_id, cluster_id, nodepool_id = record.nodepool
        required = fleet.target.version.inference_compute_info
        record.secrets = self.secrets(fleet, source, tell)
        devices = self._accelerators.devices(record.devices)
        if devices.simulated:
            names = ", ".join(devices.ids)
            tell(f"[emulator] its accelerators are simulated, there is no device: {names}")
        return ReplicaSpec(
            replica_id=record.replica_id,
            source=source,
            base_url=self.runner_url,
            num_threads=self._config.num_threads or fleet.target.version.num_threads,
            lean=self._config.runner == "lean",
            devices=devices,
            secrets=record.secrets,
            cpu=required.cpu_limit or required.cpu_requests,
            memory=required.cpu_memory or required.cpu_memory_requests,
            successor_of=record.successor_of.process if record.successor_of is not None else None,
            debugging=debugging,
            environ={
                "CLARIFAI_USER_ID": user_id,
                "CLARIFAI_COMPUTE_CLUSTER_ID": cluster_id,
                "CLARIFAI_NODEPOOL_ID": nodepool_id,
                "CLARIFAI_RUNNER_ID": record.runner.id,
                "CLARIFAI_API_BASE": self.api_base,
                "CLARIFAI_PAT": record.credential.token,
                "CLARIFAI_RUNNER_REPLICA_ID": record.replica_id,
            },
        )
