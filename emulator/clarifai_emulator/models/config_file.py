"""Reads and checks ``config.yaml``: every problem found at once, each with what was expected and the fix."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import yaml
from clarifai_grpc.grpc.api import resources_pb2

from clarifai_emulator.models.compute_section import read_compute
from clarifai_emulator.models.config_content import (
    CONFIG_FILE,
    DEFAULT_APP_ID,
    DEFAULT_MODEL_TYPE_ID,
    ConfigFile,
)
from clarifai_emulator.models.fields import parse_section, shown

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
# More than anybody writes, and than a classifier has concepts.
_MOST_VALUES = 200_000
_DEEPEST = 50
# Of every id on the platform (docs/fidelity.md, "Resources: ids").
MAX_ID_LENGTH = 48
# ``num_threads`` of a model version is an unsigned number of 32 bits.
_MOST_THREADS = 2**32 - 1
_PYTHON_VERSION = re.compile(r"3\.\d+(\.\d+)?")


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
    except RecursionError:
        config.problem("is nested too deeply to be read; write it with fewer brackets")
        return None
    if _unfolded(values, _MOST_VALUES) > _MOST_VALUES:
        config.problem(
            f"refers to itself, or unfolds to more than {_MOST_VALUES} values; write them out without anchors"
        )
        return None
    if values is None:
        config.problem('is empty; it needs at least a "model:" section with an "id:"')
        return None
    if not isinstance(values, dict):
        config.problem(f'must be sections such as "model:", got {shown(values)}')
        return None
    return cast("dict[str, Any]", values)


def _unfolded(value: object, most: int, depth: int = 0) -> int:
    """Count the values that a file has with its references written out, up to one more than ``most``."""
    if depth > _DEEPEST:
        return most + 1
    inner: list[object] = []
    if isinstance(value, dict):
        inner = list(cast("dict[object, object]", value).values())
    elif isinstance(value, list):
        inner = cast("list[object]", value)
    count = 1
    for each in inner:
        count += _unfolded(each, most - count, depth + 1)
        if count > most:
            return most + 1
    return count


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
    config.model_type_id = _model_type(config, section)
    if "id" not in section:
        config.problem('model.id is missing; add "id: my-model" under "model:"')
    elif len(config.model_id) > MAX_ID_LENGTH:
        config.problem(
            f"model.id has {len(config.model_id)} characters; the platform takes {MAX_ID_LENGTH}, shorten it"
        )
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


def _model_type(config: ConfigFile, section: dict[str, Any]) -> str:
    """Return the type; the SDK sends an empty one as it is, and what the platform takes it for is not known."""
    if "model_type_id" in section and section["model_type_id"] in (None, ""):
        config.warnings.append(
            f"model.model_type_id is empty; give it a value, {DEFAULT_MODEL_TYPE_ID} is taken here"
        )
        return DEFAULT_MODEL_TYPE_ID
    return _text(config, section, "model_type_id") or DEFAULT_MODEL_TYPE_ID


def _build_info(config: ConfigFile) -> None:
    section = config.section("build_info")
    if "build_info" in config.values and config.values["build_info"] is None:
        config.refused.append("build_info is empty; give it a python_version or remove the line")
    if not isinstance(section.get("dereference_symlinks") or False, bool):
        config.problem(
            f"build_info.dereference_symlinks must be true or false, got {shown(section['dereference_symlinks'])}"
        )
    for key, example in (("image", "python:3.12"), ("platform", "linux/amd64")):
        value = section.get(key)
        if value and not isinstance(value, str):
            config.problem(
                f'build_info.{key} must be text such as "{example}", got {shown(value)}; put it in quotes'
            )
    if "python_version" in section:
        _python_version(config, section["python_version"])


def _python_version(config: ConfigFile, version: object) -> None:
    """Check the version; the upload does not look at that of a model with a base image of its own."""
    if version is None:
        if not config.has_own_image:
            config.refused.append("build_info.python_version is empty; give it a value or remove the line")
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
        if version not in PLATFORM_PYTHON_VERSIONS and not config.has_own_image:
            said = version if version == config.python_version else shown(version)
            config.refused.append(
                f"build_info.python_version is {said}; the platform builds images for"
                f" {' and '.join(PLATFORM_PYTHON_VERSIONS)} only"
            )


def _num_threads(config: ConfigFile) -> None:
    value = config.values.get("num_threads")
    if value is None or value in ("", []):  # the SDK takes its own number then
        return
    if isinstance(value, int) and not isinstance(value, bool) and value > _MOST_THREADS:
        config.problem(f"num_threads must be a number of threads, got {value}; 1 to 100 are usual")
    elif isinstance(value, int) and not isinstance(value, bool) and value >= 1:
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
        where = f"concepts[{index}]"
        concept = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        if not {"id", "name"} <= set(concept):
            config.problem(f'{where} must have "id" and "name", got {shown(value)}')
            continue
        config.refused += parse_section(where, concept, resources_pb2.Concept())
        concepts.append(resources_pb2.Concept(id=str(concept["id"]), name=str(concept["name"])))
    config.concepts = tuple(concepts)


def _checkpoints(config: ConfigFile) -> None:
    section = config.section("checkpoints")
    if not section:
        if config.values.get("checkpoints", section) in (None, {}) and "checkpoints" in config.values:
            config.refused.append("checkpoints is empty; give it a repo_id or remove the line")
        return
    if "type" in section and not section["type"]:
        config.warnings.append("checkpoints.type is empty, so that no checkpoint is loaded; write huggingface")
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
        if "secrets" in config.values:
            config.refused.append("secrets is empty; list what the model needs or remove the line")
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
