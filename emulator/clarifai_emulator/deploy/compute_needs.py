"""Works out what compute a model is given, and says what of it this machine lacks."""

from __future__ import annotations

from collections.abc import Sequence

from clarifai_grpc.grpc.api.resources_pb2 import ComputeInfo, ModelVersion, Nodepool

from clarifai_emulator.catalogue import LOCAL_INSTANCE, without_accelerators
from clarifai_emulator.deploy.nodepool_choice import DeployNodepools
from clarifai_emulator.messages.address import ModelKey
from clarifai_emulator.models.directory import ModelDirectory
from clarifai_emulator.nodepools.overcommit import doing_without_gpu, overcommitment


class ComputeNeeds:
    """Answers for the models of one emulator. ``is_strict``: nothing runs without what it asks for."""

    def __init__(self, nodepools: DeployNodepools, *, is_strict: bool) -> None:
        self._nodepools = nodepools
        self._is_strict = is_strict

    def asked_for(self, directory: ModelDirectory, instance: str = "") -> ComputeInfo:
        """Return what a directory's model asks for: what the instance type it is deployed to has, if one was named,
        else what its config.yaml says."""
        if instance or directory.instance == LOCAL_INSTANCE:
            return self._nodepools.instance(instance or directory.instance).needs
        return directory.compute_info

    def given(self, directory: ModelDirectory, instance: str = "") -> ComputeInfo:
        """Return what a directory's model is given: what it asks for, without a GPU that this machine does not have
        and its code has no use for."""
        asked = self.asked_for(directory, instance)
        return without_accelerators(asked) if not instance and self._does_without_gpu(directory) else asked

    def missing_gpu(self, directory: ModelDirectory, instance: str) -> Sequence[str]:
        """Say that a model runs without the GPU of the instance type that its config.yaml names; say nothing of any
        other model."""
        if instance or not self._does_without_gpu(directory):
            return ()
        return (doing_without_gpu(directory.model_id, directory.instance, directory.compute_info),)

    def overcommitment(self, model: ModelKey, version: ModelVersion, nodepool: Nodepool) -> Sequence[str]:
        """Say by how much a model asks for more than this machine has; say nothing where it is refused for that."""
        if self._is_strict:
            return ()
        text = overcommitment(model[2], version.inference_compute_info, nodepool)
        return (text,) if text else ()

    def _does_without_gpu(self, directory: ModelDirectory) -> bool:
        is_strict = self._is_strict or self._nodepools.has_accelerators()
        return directory.only_names_a_gpu and not is_strict
