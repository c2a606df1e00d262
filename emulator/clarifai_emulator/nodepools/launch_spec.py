"""Makes the specification that a replica is started by: its code, ready for its backend, secrets and devices."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from clarifai_grpc.grpc.api.resources_pb2 import Secret

from clarifai_emulator.backend_table import abilities_of
from clarifai_emulator.backends.backend import Backend, Debugging, ReplicaSpec
from clarifai_emulator.backends.replica_environ import wanted_variables
from clarifai_emulator.config import SET_FOR_REPLICAS, EmulatorConfig
from clarifai_emulator.machine.pools import Pools
from clarifai_emulator.models.progress import Progress
from clarifai_emulator.models.version_source import ModelSource
from clarifai_emulator.nodepools.fleet import Fleet, ReplicaRecord
from clarifai_emulator.store import Kind, Store

_PAT = "CLARIFAI_PAT"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Tells where an emulator is, once it listens. ``runner_url()``: where replicas pull their work;
    ``api_base()``: the platform's address as models see it."""

    runner_url: Callable[[], str]
    api_base: Callable[[], str]


class LaunchSpecs:
    """Makes the launch specifications of one emulator's replicas. What is written to a ``progress`` goes into the
    replica's log."""

    def __init__(self, *, config: EmulatorConfig, store: Store, pools: Pools, addresses: Addresses) -> None:
        self._config = config
        self._store = store
        self._pools = pools
        self._addresses = addresses
        self._prepared: dict[tuple[ModelSource, str], ModelSource] = {}

    async def prepare(self, fleet: Fleet, backend: Backend, progress: Progress) -> ModelSource:
        """Prepare the model's code for this backend: a deployment may span nodepools of several."""
        source = fleet.target.source
        assert source is not None
        if source.backend == backend.name:
            return source
        known = self._prepared.get((source, backend.name))
        if known is None:
            # Read for a nodepool of another backend than its model was deployed to, which is rare.
            from clarifai_emulator.models.directory import read_model_directory

            directory = await asyncio.to_thread(read_model_directory, source.path)
            known = await backend.prepare(directory, progress, is_watched=source.watched is not None)
            known = replace(known, content_hash=source.content_hash, watched=source.watched)
            self._prepared[source, backend.name] = known
        return known

    def secrets(self, fleet: Fleet, source: ModelSource, progress: Progress = lambda line: None) -> dict[str, str]:
        """Return the secrets that config.yaml asks for, from those of the model's owner."""
        found: dict[str, str] = {}
        for wanted in source.secrets:
            secret = self._store.get(Kind.SECRET, (fleet.target.model.user_id, wanted.id))
            value = secret.value if isinstance(secret, Secret) else wanted.value
            if wanted.variable in SET_FOR_REPLICAS:
                progress(
                    f"[emulator] config.yaml wants secret '{wanted.id}' as {wanted.variable}, which is set for "
                    "each replica: the secret is not used. Give it another name, and read that in the model"
                )
            elif value:
                found[wanted.variable] = value
            else:
                owner = fleet.target.model.user_id
                missing = f"[emulator] config.yaml wants secret '{wanted.id}' as {wanted.variable}: user '{owner}' "
                progress(f"{missing}has no such secret, and the variable is not set")
        return found

    def why_genuine(self, backend: str) -> str:
        """Say why replicas on this backend are to fetch their work themselves; empty where it is handed to them."""
        if not abilities_of(backend).lean:
            return f"it is on the {backend} backend, which runs what the platform runs"
        return "" if self._config.runner == "lean" else "the settings ask for it (--runner genuine)"

    def make(
        self,
        fleet: Fleet,
        record: ReplicaRecord,
        source: ModelSource,
        progress: Progress,
        debugging: Debugging | None = None,
    ) -> ReplicaSpec:
        """Make the launch spec: all that the replica's backend has to know."""
        user_id, cluster_id, nodepool_id = record.nodepool
        required = fleet.target.version.inference_compute_info
        record.secrets = self.secrets(fleet, source, progress)
        devices = self._pools[record.placement.machine].devices(record.devices)
        if devices.simulated:
            names = ", ".join(devices.ids)
            progress(f"[emulator] its accelerators are simulated, there is no device: {names}")
        return ReplicaSpec(
            replica_id=record.replica_id,
            source=source,
            base_url=self._addresses.runner_url(),
            num_threads=self._config.num_threads or fleet.target.version.num_threads,
            lean=not self.why_genuine(source.backend),
            devices=devices,
            secrets=record.secrets,
            cpu=required.cpu_limit or required.cpu_requests,
            memory=required.cpu_memory or required.cpu_memory_requests,
            machine=record.placement.machine,
            replaces=record.replaces.process if record.replaces is not None else None,
            debugging=debugging,
            environ={
                "CLARIFAI_USER_ID": user_id,
                "CLARIFAI_COMPUTE_CLUSTER_ID": cluster_id,
                "CLARIFAI_NODEPOOL_ID": nodepool_id,
                "CLARIFAI_RUNNER_ID": record.runner.id,
                "CLARIFAI_API_BASE": self._addresses.api_base(),
                "CLARIFAI_PAT": self._pat_of_model(record),
                "CLARIFAI_RUNNER_REPLICA_ID": record.replica_id,
            },
            credential=record.credential.token,
        )

    def _pat_of_model(self, record: ReplicaRecord) -> str:
        """Return the token that the model finds: a secret's, or one that the settings name, or else the credential
        that its work is fetched with."""
        named = wanted_variables(self._config.environ(), (each for each in self._config.env if _is_pat(each)))
        return {_PAT: record.credential.token, **named, **record.secrets}[_PAT]


def _is_pat(wanted: str) -> bool:
    return wanted.partition("=")[0] == _PAT
