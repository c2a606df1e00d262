"""Reads and checks ``config.yaml``: every problem found at once, each with what was expected and the fix."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml
from clarifai_grpc.grpc.api import resources_pb2

from clarifai_emulator.models.compute_section import read_compute
from clarifai_emulator.models.fields import parse_section, shown

CONFIG_FILE = "config.yaml"
DEFAULT_APP_ID = "main"
DEFAULT_MODEL_TYPE_ID = "any-to-any"

# The platform's build images exist for these (SDK 12.5, clarifai/runners/utils/const.py).
PLATFORM_PYTHON_VERSIONS = ("3.11", "3.12")
# Only these model types may list concepts (same file).
CONCEPT_MODEL_TYPES = (
    "text-classifier",
    "visual-classifier",
    "visual-detector",
    "visual-keypointer",
    "visual-segmenter",
)

_TEXT_FIELDS = ("id", "user_id", "app_id", "model_type_id")
_ID = re.compile(r"[A-Za-z0-9_-]+")
_PYTHON_VERSION = re.compile(r"3\.\d+(\.\d+)?")


@dataclass(slots=True)
class ConfigFile:
    """The content of ``config.yaml``, with the platform's defaults where it is silent.

    ``problems``: why the platform would refuse the file; empty when it is usable. ``warnings``: what works here but
    not there. ``instance``: the instance type of a ``compute`` section (``instance``, or the older ``gpu``), empty
    when there is none or when ``inference_compute_info`` is given, which wins.
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
    warnings: list[str] = field(default_factory=list[str])

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


def read_config_file(file: Path) -> ConfigFile:
    """Parse and check one ``config.yaml``. Never raises for its contents: look at ``problems``."""
    config = ConfigFile()
    values = _load(file, config)
    if values is not None:
        config.values = values
        for check in (_model, _build_info, _num_threads, _compute, _concepts, _checkpoints, _secrets):
            check(config)
    return config


def _load(file: Path, config: ConfigFile) -> dict[str, Any] | None:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        config.problem(f"cannot be read: {error}")
        return None
    try:
        values: object = yaml.safe_load(text)
    except yaml.YAMLError as error:
        config.problems.append(_yaml_problem(text, error))
        return None
    if values is None:
        config.problem('is empty; it needs at least a "model:" section with an "id:"')
        return None
    if not isinstance(values, dict):
        config.problem(f'must be sections such as "model:", got {shown(values)}')
        return None
    return cast("dict[str, Any]", values)


def _yaml_problem(text: str, error: yaml.YAMLError) -> str:
    """Line, column and the line itself, as a person needs it to find the mistake."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return f"{CONFIG_FILE} is not valid YAML: {error}"
    said = (getattr(error, "context", None), getattr(error, "problem", None))
    reason = " ".join(str(part) for part in said if part)
    lines = text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    fix = "; YAML is indented with spaces, never tabs" if "\t" in line else ""
    shown = line.replace("\t", " ")
    return (
        f"{CONFIG_FILE}, line {mark.line + 1}, column {mark.column + 1}: not valid YAML: {reason}{fix}\n"
        f"        {shown}\n"
        f"        {' ' * mark.column}^"
    )


def _model(config: ConfigFile) -> None:
    if "model" not in config.values:
        config.problem('the "model:" section is missing; add it with an "id:"')
        return
    section = config.section("model")
    if not section and config.problems:
        return
    for problem in parse_section("model", section, resources_pb2.Model(), skip=_TEXT_FIELDS):
        config.problem(problem)
    config.model_id = _text(config, section, "id")
    config.user_id = _text(config, section, "user_id")
    config.app_id = _text(config, section, "app_id") or DEFAULT_APP_ID
    config.model_type_id = _text(config, section, "model_type_id") or DEFAULT_MODEL_TYPE_ID
    if "id" not in section:
        config.problem('model.id is missing; add "id: my-model" under "model:"')
    elif config.model_id and not _ID.fullmatch(config.model_id):
        config.problem(
            f'model.id may have only letters, digits, "-" and "_", got {shown(config.model_id)};'
            f" for example {re.sub(r'[^A-Za-z0-9_-]+', '-', config.model_id)}"
        )


def _text(config: ConfigFile, section: dict[str, Any], key: str) -> str:
    """Return a key of the model section that must be text; a missing one is empty, an empty one is a problem."""
    if key not in section:
        return ""
    value = section[key]
    if isinstance(value, str) and value.strip():
        return value
    if value is None or isinstance(value, str):
        way_out = "give it a value" if key == "id" else "give it a value or remove the line"
        config.problem(f"model.{key} is empty; {way_out}")
    else:
        config.problem(f"model.{key} must be text, got {shown(value)}; put it in quotes")
    return ""


def _build_info(config: ConfigFile) -> None:
    section = config.section("build_info")
    version = section.get("python_version")
    if isinstance(section.get("dereference_symlinks", False), bool) is False:
        config.problem(
            f"build_info.dereference_symlinks must be true or false, got {shown(section['dereference_symlinks'])}"
        )
    if version is None:
        return
    if not isinstance(version, str):
        config.problem(
            f'build_info.python_version must be text, got {shown(version)}; put it in quotes, for example "3.12"'
            " (without them YAML reads 3.10 as 3.1)"
        )
    elif not _PYTHON_VERSION.fullmatch(version.strip()):
        config.problem(f'build_info.python_version must be a version such as "3.12", got {shown(version)}')
    else:
        config.python_version = version.strip()
        if config.python_version not in PLATFORM_PYTHON_VERSIONS:
            config.warnings.append(
                f"build_info.python_version is {config.python_version}; the platform builds images for"
                f" {' and '.join(PLATFORM_PYTHON_VERSIONS)} only"
            )


def _num_threads(config: ConfigFile) -> None:
    value = config.values.get("num_threads")
    if value is None:
        return
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        config.num_threads = value
    else:
        config.problem(f"num_threads must be an integer >= 1, got {shown(value)}")


def _compute(config: ConfigFile) -> None:
    read = read_compute(config.section("inference_compute_info"), config.section("compute"))
    config.compute_info, config.instance = read.info, read.instance
    config.warnings.extend(read.warnings)
    for problem in read.problems:
        config.problem(problem)


def _concepts(config: ConfigFile) -> None:
    values = config.values.get("concepts")
    if not values:
        return
    if not isinstance(values, list):
        config.problem(f'concepts must be a list of "id:" and "name:" pairs, got {shown(values)}')
        return
    if config.model_type_id not in CONCEPT_MODEL_TYPES:
        config.problem(
            f"concepts are given but model_type_id {config.model_type_id} has none;"
            f" remove them or use one of {', '.join(CONCEPT_MODEL_TYPES)}"
        )
    concepts: list[resources_pb2.Concept] = []
    for index, value in enumerate(cast("list[Any]", values)):
        if not isinstance(value, dict) or not {"id", "name"} <= set(cast("dict[str, Any]", value)):
            config.problem(f'concepts[{index}] must have "id" and "name", got {shown(value)}')
            continue
        concepts.append(resources_pb2.Concept(id=str(value["id"]), name=str(value["name"])))
    config.concepts = tuple(concepts)


def _checkpoints(config: ConfigFile) -> None:
    section = config.section("checkpoints")
    if not section:
        return
    kind = section.get("type", "huggingface" if "repo_id" in section else None)
    if kind != "huggingface":
        config.problem(f'checkpoints.type must be "huggingface", got {shown(kind)}')
    elif not section.get("repo_id"):
        config.problem('checkpoints.repo_id is missing; add it, for example "repo_id: owner/name"')
    when = section.get("when", "runtime")
    if when not in ("upload", "build", "runtime"):
        config.problem(f"checkpoints.when must be upload, build or runtime, got {shown(when)}")


def _secrets(config: ConfigFile) -> None:
    values = config.values.get("secrets")
    if values is None:
        return
    if not isinstance(values, list):
        config.problem(f"secrets must be a list, got a {type(values).__name__}")
        return
    for index, value in enumerate(cast("list[Any]", values)):
        # The value of a secret is never shown, only its keys.
        secret = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        missing = [key for key in ("id", "env_var") if not secret.get(key)]
        if missing:
            config.problem(f"secrets[{index}] must have a non-empty {' and '.join(missing)}")
        if (secret.get("type") or "env") != "env":
            config.problem(f'secrets[{index}].type must be "env", got {shown(secret["type"])}')
