"""Holds what ``config.yaml`` says, and what was found wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

from clarifai_grpc.grpc.api import resources_pb2

from clarifai_emulator.models.fields import shown

CONFIG_FILE = "config.yaml"
DEFAULT_APP_ID = "main"
DEFAULT_MODEL_TYPE_ID = "any-to-any"


@dataclass(slots=True)
class ConfigFile:
    """The content of ``config.yaml``, with the platform's defaults where it is silent.

    ``problems``: why the platform would refuse the file; empty when it is usable. ``refused``: what the SDK's
    upload refuses and a model runs with all the same. ``warnings``: what is doubtful. ``instance``: the instance
    type of a ``compute`` section (``instance``, or the older ``gpu``), empty when there is none or when
    ``inference_compute_info`` is given, which wins.
    """

    values: dict[str, Any] = field(default_factory=dict[str, Any])
    user_id: str = ""
    app_id: str = DEFAULT_APP_ID
    model_id: str = ""
    model_type_id: str = DEFAULT_MODEL_TYPE_ID
    python_version: str = ""
    num_threads: int | None = None
    compute_info: resources_pb2.ComputeInfo = field(default_factory=resources_pb2.ComputeInfo)
    instance: str = ""
    concepts: tuple[resources_pb2.Concept, ...] = ()
    problems: list[str] = field(default_factory=list[str])
    refused: list[str] = field(default_factory=list[str])
    warnings: list[str] = field(default_factory=list[str])

    @property
    def names_compute(self) -> bool:
        """Tell whether it says what compute the model needs, as the SDK's upload wants it."""
        if "inference_compute_info" in self.values:
            return bool(self.values["inference_compute_info"])
        return bool(self.instance) and self.compute_info != resources_pb2.ComputeInfo()

    @property
    def has_own_image(self) -> bool:
        """Tell whether the model's image begins with one of its own: what is in that is not known here."""
        section = self.values.get("build_info")
        return isinstance(section, dict) and bool(cast("dict[str, Any]", section).get("image"))

    def problem(self, text: str) -> None:
        self.problems.append(f"{CONFIG_FILE}: {text}")

    def section(self, name: str) -> dict[str, Any]:
        """Return the mapping under a top-level key; empty (and a problem, if it is something else) when absent."""
        value = self.values.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.problem(f"{name} must be a section of indented keys, got {shown(value)}")
            return {}
        return cast("dict[str, Any]", value)
