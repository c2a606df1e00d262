"""Finds the nodepool of a deploy: the one it names, or one of the instance type it names, made where it is missing.

Cluster and nodepool of an instance type are called as ``clarifai model deploy --instance`` calls them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from clarifai_grpc.grpc.api.resources_pb2 import ComputeCluster, InstanceType, Nodepool
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.catalogue import LOCAL_INSTANCE, Catalogue
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.deploy.deploy_request import DEFAULT_NODEPOOL, DeployRequest
from clarifai_emulator.deploy.first_compute import private_cluster, private_nodepool
from clarifai_emulator.errors import CallerError, NoRoom
from clarifai_emulator.machine.machine import Machine
from clarifai_emulator.models.compute_section import Instance, find_instance
from clarifai_emulator.nodepools.backend_choice import backend_of
from clarifai_emulator.resources.identifiers import id_hint
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.store import Key, Kind

_MAX_INSTANCES = 5  # as the SDK makes such a nodepool


class DeployNodepools:
    """Finds, and makes, the nodepools that deploys go to. ``elsewhere``: the other machines that there are."""

    def __init__(
        self,
        *,
        config: EmulatorConfig,
        resources: Resources,
        catalogue: Catalogue,
        elsewhere: Callable[[], Sequence[Machine]] = tuple,
    ) -> None:
        self._elsewhere = elsewhere
        self._config = config
        self._store = resources.store
        self._resources = resources
        self._catalogue = catalogue

    def of_request(self, request: DeployRequest) -> Key:
        """Return the key of the nodepool that a deploy goes to, whether it is there or not. Raises
        ``CallerError``."""
        user = request.user_id or self._config.user_id
        if request.instance:
            return self.of_instance(user, request.instance)
        return self.find(user, request.nodepool_id, request.compute_cluster_id)

    def backend(self, key: Key, instance: str) -> str:
        """Return the name of the backend that runs replicas of a nodepool. Raises ``CallerError``."""
        try:
            return backend_of(self.message(key, instance), self._config.backend)
        except NoRoom as error:
            raise CallerError(StatusCode.NODEPOOL_INVALID_REQUEST, f"{error}.") from None

    def find(self, user_id: str, nodepool_id: str, cluster_id: str) -> Key:
        """Return the nodepool's key; its cluster may be left out when the id is unique. Raises ``CallerError``."""
        everywhere = list(self._store.keys(Kind.NODEPOOL, (user_id,)))
        if cluster_id and self._store.get(Kind.COMPUTE_CLUSTER, (user_id, cluster_id)) is None:
            clusters = (key[1] for key in self._store.keys(Kind.COMPUTE_CLUSTER, (user_id,)))
            raise CallerError(
                StatusCode.COMPUTE_CLUSTER_DOES_NOT_EXIST,
                f"There is no compute cluster '{cluster_id}' of user '{user_id}'.",
                hint=id_hint(cluster_id, clusters, noun="compute cluster"),
            )
        known = [key for key in everywhere if cluster_id in ("", key[1])]
        found = [key for key in known if key[2] == nodepool_id]
        if len(found) == 1:
            return found[0]
        names = ", ".join(sorted(f"{key[1]}/{key[2]}" for key in known or everywhere)) or "none"
        if found:
            raise CallerError(
                StatusCode.NODEPOOL_INVALID_REQUEST,
                f"Several clusters have a nodepool '{nodepool_id}': {names}.",
                hint="Name the cluster too (--cluster).",
            )
        where = f" in compute cluster '{cluster_id}'" if cluster_id else ""
        raise CallerError(
            StatusCode.NODEPOOL_DOES_NOT_EXIST,
            f"There is no nodepool '{nodepool_id}' of user '{user_id}'{where}. There are: {names}.",
            hint="`clarifai-emulator deploy DIR --instance TYPE` makes one of an instance type; or create it with "
            "the SDK or the clarifai CLI, or start the emulator with a --topology that has it.",
        )

    def of_instance(self, user_id: str, name: str) -> Key:
        """Return the key of the user's nodepool for an instance type, whether it is there or not. Raises
        ``CallerError``."""
        kind = self.instance(name).kind
        if kind.id == LOCAL_INSTANCE:
            return self.find(user_id, DEFAULT_NODEPOOL, "")
        cluster_id = f"deploy-cc-{kind.cloud_provider.id}-{kind.region}"
        return (user_id, cluster_id, f"deploy-np-{re.sub(r'[^a-zA-Z0-9_]+', '-', kind.id)}")

    def message(self, key: Key, instance: str) -> Nodepool:
        """Return a nodepool that is there, or as ``ensure`` would make it for this instance type."""
        stored: Nodepool | None = self._store.get(Kind.NODEPOOL, key)
        return stored if stored is not None else _nodepool(key[2], self.instance(instance).kind)

    def ensure(self, key: Key, instance: str) -> None:
        """Make the nodepool of an instance type, and its cluster, where they are not there."""
        if self._store.get(Kind.NODEPOOL, key) is not None:
            return
        user_id, cluster_id, nodepool_id = key
        kind = self.instance(instance).kind
        if self._store.get(Kind.COMPUTE_CLUSTER, (user_id, cluster_id)) is None:
            self._resources.post(Kind.COMPUTE_CLUSTER, user_id, (), [_cluster(cluster_id, kind)])
        self._resources.post(Kind.NODEPOOL, user_id, (cluster_id,), [_nodepool(nodepool_id, kind)])

    def has_accelerators(self) -> bool:
        """Tell whether this machine, or another one, has a GPU, a simulated one included."""
        machine = self._catalogue.find(LOCAL_INSTANCE)
        is_here = machine is not None and machine.compute_info.num_accelerators > 0
        return is_here or any(each.accelerators for each in self._elsewhere())

    def instance(self, name: str) -> Instance:
        """Return the instance type that a user names (``g5.xlarge``, ``A10G``, ``cpu``, ``local``). Raises
        ``CallerError``."""
        if name.strip().lower() == LOCAL_INSTANCE and (machine := self._catalogue.find(LOCAL_INSTANCE)) is not None:
            return Instance(machine, machine.compute_info)
        found = find_instance(name)
        if found is not None:
            return found
        raise CallerError(
            StatusCode.NODEPOOL_INVALID_REQUEST,
            f"There is no instance type '{name}'.",
            hint=id_hint(name, self._catalogue.instance_type_ids(), noun="instance type")
            + " `clarifai list-instances` lists all; `cpu` and the name of a GPU (A10G) are understood too.",
        )


def _cluster(cluster_id: str, kind: InstanceType) -> ComputeCluster:
    provider = kind.cloud_provider.id
    description = f"Made by deploy --instance, for {provider}/{kind.region}"
    return private_cluster(cluster_id, description, provider=provider, region=kind.region, managed_by="clarifai")


def _nodepool(nodepool_id: str, kind: InstanceType) -> Nodepool:
    return private_nodepool(nodepool_id, f"Made by deploy --instance {kind.id}", kind, most=_MAX_INSTANCES)
