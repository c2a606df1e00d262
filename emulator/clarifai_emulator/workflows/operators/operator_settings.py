"""Reads the settings of an operator: the params and concepts of its output info, with what is wrong in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import Concept, OutputInfo
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.errors import CallerError


def settings_with(own: OutputInfo, override: OutputInfo) -> OutputInfo:
    """Return the output info of a model's version with what a node overrides: single params, the whole of its data
    (the concepts), single fields of its output config."""
    made = OutputInfo()
    made.CopyFrom(own)
    made.params.update({name: _plain(value) for name, value in override.params.fields.items()})
    if override.HasField("data"):
        made.data.CopyFrom(override.data)
    if override.HasField("output_config"):
        selected = override.output_config.select_concepts
        if selected:
            del made.output_config.select_concepts[:]
        made.output_config.MergeFrom(override.output_config)
    return made


class OperatorSettings:
    """Gives the settings of one operator, each checked when it is asked for. Raises ``CallerError``, whose text
    names the setting, what was expected and what is there."""

    def __init__(self, type_id: str, info: OutputInfo) -> None:
        self.type_id = type_id
        self._info = info

    def text(self, name: str) -> str:
        """Return a param that must be there, and be text."""
        value = self._param(name)
        if not isinstance(value, str) or not value:
            raise self.wrong(name, "a text that is not empty", value)
        return value

    def number(self, name: str, default: float | None, *, least: float, most: float) -> float:
        """Return a param that must be a number; ``default`` where it is not given, None: it must be."""
        value = self._param(name)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise self.wrong(name, f"a number from {least:g} to {most:g}", value)
        return float(value)

    def choice(self, name: str, choices: Mapping[str, int], default: str) -> str:
        """Return the name of a choice, which is given by name or by number: as param, or in the older place,
        ``output_config.model_metadata``."""
        value = self._param(name)
        if value is None:
            value = _plain(self._info.output_config.model_metadata.fields.get(name))
        if value is None:
            return default
        by_number = {number: choice for choice, number in choices.items()}
        if isinstance(value, str) and value in choices:
            return value
        if isinstance(value, float) and value.is_integer() and int(value) in by_number:
            return by_number[int(value)]
        raise self.wrong(name, f"one of {', '.join(choices)}", value)

    def concepts(self) -> list[Concept]:
        """Return the concepts that the operator is about, which must be there."""
        found = list(self._info.data.concepts)
        if not found:
            raise self.refusal("output_info.data.concepts", "has no concepts; list those that it is about")
        return found

    def wrong(self, name: str, expected: str, value: object) -> CallerError:
        """Return the refusal of a param."""
        got = "nothing" if value is None else f"{value!r:.200}"
        return self.refusal(f"output_info.params.{name}", f"must be {expected}, got {got}")

    def refusal(self, field: str, problem: str) -> CallerError:
        """Return the refusal of a setting."""
        return CallerError(
            StatusCode.MODEL_INVALID_ARGUMENT,
            f"Operator {self.type_id}: {field} {problem}.",
            hint="Give the model's version this output_info, or the node an output_info_override.",
            row="workflows.operator-settings",
        )

    def _param(self, name: str) -> Any:
        return _plain(self._info.params.fields.get(name))


def _plain(value: Any) -> Any:
    """Return a value of a struct as Python has it; None for none."""
    if value is None:
        return None
    kind = value.WhichOneof("kind")
    if kind in (None, "null_value"):
        return None
    if kind == "struct_value":
        return {name: _plain(each) for name, each in value.struct_value.fields.items()}
    if kind == "list_value":
        return [_plain(each) for each in value.list_value.values]
    return getattr(value, kind)
