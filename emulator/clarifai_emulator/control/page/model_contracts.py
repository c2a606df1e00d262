"""Describes what the models of an emulator promise: their methods as they are deployed, and how often each was
called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import MethodSignature

from clarifai_emulator.api.call_counts import OTHERS
from clarifai_emulator.catalogue import CLARIFAI_USER
from clarifai_emulator.contracts.signatures.shapes import KINDS, MethodShape, method_shape
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.messages.address import ModelKey
from clarifai_emulator.models.version_source import ModelSource
from clarifai_emulator.store import Kind

_MOST_METHODS = 200
_LONGEST = 4_000


class ModelContracts:
    """Describes the models of one emulator as they are now."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._served: dict[ModelKey, dict[str, list[str]]] = {}
        for key, fleet in emulator.supervisor.fleets.items():
            model = fleet.target.model
            versions = self._served.setdefault((model.user_id, model.app_id, model.id), {})
            versions.setdefault(fleet.target.version.id, []).append(key.deployment_id)

    def version(self, model: ModelKey) -> Any | None:
        """Return the version that answers: of those that are deployed the newest, else the newest; None without
        any."""
        store, served = self._emulator.store, self._served.get(model, {})
        newest: Any = store.newest(Kind.MODEL_VERSION, model)
        if newest is None or not served or newest.id in served:
            return newest
        versions = (each for each in store.list(Kind.MODEL_VERSION, model) if each.id in served)
        return next(versions, newest)

    def source(self, model: ModelKey) -> ModelSource | None:
        """Return the code of the version that answers, where there is some."""
        version = self.version(model)
        return self._emulator.store.get(Kind.SOURCE, (*model, version.id)) if version is not None else None

    def kind(self, model: ModelKey) -> str:
        """Say in words what kind of model it is."""
        has_code = self.source(model) is not None
        if self._emulator.nodepools.routing_view.is_hosted(*model):
            if has_code:
                return "stand-in for a hosted model"
            return "model of Clarifai without a stand-in" if model[0] == CLARIFAI_USER else "hosted model"
        return "model with code on this machine" if has_code else "model without code on this machine"

    def summary(self, model: ModelKey) -> dict[str, Any]:
        """Return what a list shows of a model."""
        version = self.version(model)
        names = {each.name for each in version.method_signatures} if version is not None else set[str]()
        calls = self._calls(model)
        return {
            "model": "/".join(model),
            "kind": self.kind(model),
            "is_deployed": model in self._served,
            "methods": len(names),
            "never_called": sum(not calls.get(name) for name in names),
            "calls": sum(calls.values()),
        }

    def detail(self, model: ModelKey) -> dict[str, Any]:
        """Return a model's methods, its versions, and the calls of methods that it does not have."""
        version, calls = self.version(model), self._calls(model)
        signatures: Sequence[MethodSignature] = version.method_signatures if version is not None else ()
        names = {each.name for each in signatures}
        newest: Any = self._emulator.store.newest(Kind.MODEL_VERSION, model)
        return {
            **self.summary(model),
            "version_id": version.id if version is not None else "",
            "newest_version_id": newest.id if newest is not None else "",
            "served": [
                {"version_id": each, "deployments": ids} for each, ids in self._served.get(model, {}).items()
            ],
            "methods": [_method(each, calls.get(each.name, 0)) for each in signatures[:_MOST_METHODS]],
            "methods_left_out": max(0, len(signatures) - _MOST_METHODS),
            "unknown_calls": [
                {"method": name if name != OTHERS else "other names", "calls": number}
                for name, number in calls.items()
                if name not in names
            ],
        }

    def _calls(self, model: ModelKey) -> Mapping[str, int]:
        return self._emulator.api.kept_calls.call_counts.of(model)


def _method(signature: MethodSignature, calls: int) -> dict[str, Any]:
    told = {"name": signature.name, "docstring": signature.description[:_LONGEST], "calls": calls}
    try:
        shape = method_shape(signature)
        text = str(shape)
    except (RecursionError, ValueError):  # whoever made the version wrote what they liked
        return {**told, "signature": f"{signature.name}(…)", "kind": "", "limits": []}
    more = "" if len(text) <= _LONGEST else " …"
    return {
        **told,
        "signature": text[:_LONGEST] + more,
        "kind": KINDS.get(shape.kind, "called in a way that is not known"),
        "limits": _limits(shape),
    }


def _limits(shape: MethodShape) -> list[str]:
    """Say which values each parameter takes, where that is limited."""
    found: list[str] = []
    for each in shape.inputs.values():
        words = [each.limits] if each.limits else []
        if each.choices:
            words.append(f"one of {', '.join(each.choices)}")
        if words:
            found.append(f"{each.name}: {'; '.join(words)}"[:_LONGEST])
    return found
