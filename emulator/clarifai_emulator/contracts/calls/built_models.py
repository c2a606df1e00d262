"""Checks the arguments of `Model(…)`: those that the SDK takes and ignores, and those that it refuses together."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import Model

from clarifai_emulator.contracts.calls.call_targets import MODEL, Built
from clarifai_emulator.contracts.calls.client_source import Source
from clarifai_emulator.contracts.calls.constants import Evaluator, UnknownValue
from clarifai_emulator.contracts.calls.edits import Edits
from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.finding import Edit, Finding
from clarifai_emulator.contracts.rules.rule import Severity
from clarifai_emulator.contracts.stubs.sdk_surface import SdkSurface
from clarifai_emulator.contracts.stubs.sdk_versions import versions_with
from clarifai_emulator.spelling import nearest

# Whose presence means that a call was to go to a place.
_PLACING = ("deployment", "cluster", "nodepool", "runner", "base", "host", "token", "pat")
_UNKNOWN = object()


class BuiltModels:
    """Checks them in one file."""

    def __init__(self, source: Source, evaluator: Evaluator, surface: SdkSurface) -> None:
        self._source = source
        self._evaluator = evaluator
        self._edits = Edits(source)
        self._version = surface.version
        parameters = surface.model.get("__init__", ())
        self._names = [each.name for each in parameters if not each.star]
        self._of_record = {each.name for each in Model.DESCRIPTOR.fields}

    def check(self, built: Built) -> Iterator[Finding]:
        """Yield what is wrong with a call that builds a model."""
        if built.builder != MODEL:
            return
        call = built.call
        given: dict[str, ast.expr] = dict(zip(self._names, call.args, strict=False))
        given.update((each.arg, each.value) for each in call.keywords if each.arg)
        if any(isinstance(each, ast.Starred) for each in call.args) or any(not each.arg for each in call.keywords):
            return
        values = {name: self._value(node) for name, node in given.items()}
        yield from self._ignored(call, given, values)
        yield from self._places(given, values)
        if values.get("url") and values.get("model_id") and _UNKNOWN not in (values["url"], values["model_id"]):
            yield self._say("sdk-value", "Model() takes a url or a model_id, not both: the SDK refuses it.", call)

    def _ignored(
        self, call: ast.Call, given: Mapping[str, ast.expr], values: Mapping[str, Any]
    ) -> Iterator[Finding]:
        for keyword in call.keywords:
            name = keyword.arg or ""
            if name in self._names or name in self._of_record or name in ("user_id", "app_id"):
                continue
            if values[name] is None:
                continue
            near = nearest(name, [each for each in self._names if each not in given])
            near = near or next((each for each in self._names if each.startswith(name)), "")
            is_place = bool(near) or any(word in name for word in _PLACING)
            later = versions_with("__init__", name)
            since = f" clarifai has it from {later[0]} on." if later else ""
            guess = f" Did you mean '{near}'?" if near else ""
            yield self._say(
                "ignored-argument",
                f"Model() of clarifai {self._version} has no argument '{name}', and ignores it: the call is made "
                f"without it.{since}{guess}",
                keyword,
                f"Write '{near}'." if near else None,
                severity=Severity.ERROR if is_place else Severity.WARNING,
                edit=self._edits.renamed(keyword, near),
            )

    def _places(self, given: Mapping[str, ast.expr], values: Mapping[str, Any]) -> Iterator[Finding]:
        """Yield what is wrong with where the call is to go."""

        def named(name: str) -> bool:
            return name in given and name in self._names and bool(values[name])

        def known(name: str) -> bool:
            return named(name) and values[name] is not _UNKNOWN

        others = [name for name in ("nodepool_id", "compute_cluster_id") if known(name)]
        if known("deployment_id") and others:
            yield self._say(
                "sdk-value",
                f"Model() takes a deployment_id, or a compute_cluster_id with a nodepool_id: with '{others[0]}' "
                "beside deployment_id the SDK refuses it.",
                given["deployment_id"],
            )
            return
        for name, other in (
            ("nodepool_id", "compute_cluster_id"),
            ("compute_cluster_id", "nodepool_id"),
        ):
            if named(name) and "deployment_id" not in given and (other not in given or values[other] is None):
                yield self._say(
                    "ignored-argument",
                    f"Model() ignores '{name}' without '{other}': the call goes where a call without them would.",
                    given[name],
                    f"Give {other} too.",
                )

    def _value(self, node: ast.expr) -> Any:
        try:
            return self._evaluator.value(node)
        except UnknownValue:
            return _UNKNOWN

    def _say(
        self,
        rule: str,
        message: str,
        at: Any,
        hint: str | None = None,
        severity: Severity | None = None,
        edit: Edit | None = None,
    ) -> Finding:
        return found(rule, message, self._source.location(at), hint=hint, severity=severity, edit=edit)
