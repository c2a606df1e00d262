"""Checks config.yaml and requirements.txt of a model directory; findings have their lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.finding import Finding, Location
from clarifai_emulator.contracts.rules.rule import Severity
from clarifai_emulator.contracts.signatures.beside_files import beside_findings
from clarifai_emulator.contracts.signatures.compute_fit import Offer, why_unmet
from clarifai_emulator.contracts.signatures.upload_files import RULE as UPLOAD_REFUSED
from clarifai_emulator.contracts.signatures.upload_files import upload_findings
from clarifai_emulator.models.config_content import CONFIG_FILE, ConfigFile
from clarifai_emulator.models.config_file import CONCEPT_MODEL_TYPES, read_config_file
from clarifai_emulator.models.directory import REQUIREMENTS_FILE
from clarifai_emulator.models.image_content import model_file_of
from clarifai_emulator.models.requirements import Line, UnreadableRequirements, names_clarifai, read_lines

_SUBJECT = re.compile(r"(?:config\.yaml: )?(?P<key>[a-z_]+(?:\.[a-z_]+|\[\d+\])*)\b")
_YAML_PLACE = re.compile(r"config\.yaml, line (\d+), column (\d+): ")
_AGENTIC = "AgenticModelClass"


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The files beside model.py. ``config``: None when there is no config.yaml."""

    path: Path
    config: ConfigFile | None
    lines: tuple[Line, ...]
    findings: tuple[Finding, ...]

    @property
    def model_id(self) -> str:
        return self.config.model_id if self.config is not None else ""

    @property
    def user_id(self) -> str:
        return self.config.user_id if self.config is not None else ""

    @property
    def app_id(self) -> str:
        return self.config.app_id if self.config is not None else "main"

    def about_classes(self, bases: Iterable[str]) -> Iterator[Finding]:
        """Yield findings that depend on the classes that the model inherits from."""
        if _AGENTIC not in bases:
            return
        named = {_name(line.text) for line in self.lines}
        missing = [name for name in ("fastmcp", "mcp") if name not in named]
        if missing:
            yield found(
                "agentic-requirements",
                f"The model inherits from {_AGENTIC}, and requirements.txt does not name {' and '.join(missing)}.",
                location=Location(self.path / REQUIREMENTS_FILE, 1, 1),
            )


def read_model_files(path: Path, offers: Sequence[Offer] = (), *, upload: bool = False) -> ModelFiles:
    """Read and check them; ``offers``: the compute there is. ``upload``: what the SDK's upload refuses is an error,
    whether the model runs or not. Never raises for what is in them."""
    findings: list[Finding] = []
    config = None
    if not path.is_dir():
        findings.append(found("model-directory", f"{path} is not a directory.", location=Location(path)))
        return ModelFiles(path, None, (), tuple(findings))
    if (path / CONFIG_FILE).is_file():
        config = read_config_file(path / CONFIG_FILE)
        findings.extend(_config(path / CONFIG_FILE, config, offers, upload))
    else:
        findings.append(_missing(path, CONFIG_FILE))
    lines: tuple[Line, ...] = ()
    if (path / REQUIREMENTS_FILE).is_file():
        lines = _requirements(path / REQUIREMENTS_FILE, findings, config is not None and config.has_own_image)
    else:
        findings.append(_missing(path, REQUIREMENTS_FILE))
    if not model_file_of(path).is_file():
        findings.append(_missing(path, "1/model.py"))
    findings.extend(beside_findings(path, config))
    if upload:
        findings.extend(upload_findings(path, config))
    return ModelFiles(path, config, lines, tuple(findings))


def _missing(path: Path, name: str) -> Finding:
    return found("model-directory", f"{name} is missing in {path}.", location=Location(path))


def _config(file: Path, config: ConfigFile, offers: Sequence[Offer], upload: bool) -> Iterator[Finding]:
    nodes = _nodes(file) if config.values or not config.problems else {}
    for problem in config.problems:
        yield found("config-invalid", _said(problem), hint="", location=_location(file, nodes, problem))
    for warning in config.warnings:
        yield found("config-doubtful", f"{warning}.", hint="", location=_location(file, nodes, warning))
    for refused in config.refused:
        rule = UPLOAD_REFUSED if upload else "config-doubtful"
        yield found(rule, f"{refused}.", hint=None if upload else "", location=_location(file, nodes, refused))
    if not nodes or config.problems:
        return
    if not config.names_compute:
        yield found(
            "compute-missing",
            "config.yaml does not say what compute the model needs.",
            location=Location(file, 1, 1),
            severity=Severity.ERROR if upload else None,
        )
    unmet = why_unmet(config.compute_info, offers)
    if unmet:
        where = _location(file, nodes, "inference_compute_info" if "inference_compute_info" in nodes else "compute")
        yield found("compute-unmet", f"No nodepool of the topology fits the model: {unmet}.", location=where)
    if (
        config.model_type_id in CONCEPT_MODEL_TYPES
        and config.values.get("concepts") is None
        and not config.values.get("checkpoints")
    ):
        yield found(
            "concepts-missing",
            f"A model of type {config.model_type_id} needs concepts, and config.yaml has none.",
            location=_location(file, nodes, "model.model_type_id"),
        )


def _said(problem: str) -> str:
    first = _YAML_PLACE.sub("config.yaml: ", problem).splitlines()[0]
    return first if first.endswith(".") else f"{first}."


def _nodes(file: Path) -> dict[str, Node]:
    """Return every key of the file with its node: ``model.id``, ``concepts[0].name``."""
    nodes: dict[str, Node] = {}
    try:
        root: Any = yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError):
        return nodes
    _walk(root, "", nodes)
    return nodes


def _walk(node: Any, path: str, nodes: dict[str, Node]) -> None:
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if isinstance(key, ScalarNode):
                name = f"{path}.{key.value}" if path else str(key.value)
                nodes[name] = key
                _walk(value, name, nodes)
    elif isinstance(node, SequenceNode):
        for index, value in enumerate(node.value):
            nodes[f"{path}[{index}]"] = value
            _walk(value, f"{path}[{index}]", nodes)


def _location(file: Path, nodes: dict[str, Node], problem: str) -> Location:
    place = _YAML_PLACE.match(problem)
    if place is not None:
        return Location(file, int(place[1]), int(place[2]))
    subject = _SUBJECT.match(problem)
    key = subject["key"] if subject is not None else ""
    while key and key not in nodes:
        key = re.sub(r"(\.[a-z_]+|\[\d+\]|^[a-z_]+)$", "", key)
    if not key:
        return Location(file, 1, 1)
    mark = nodes[key].start_mark
    return Location(file, mark.line + 1, mark.column + 1)


def _requirements(file: Path, findings: list[Finding], own_image: bool) -> tuple[Line, ...]:
    try:
        lines = tuple(read_lines(file))
    except UnreadableRequirements as error:
        findings.append(found("requirements-invalid", f"{error}.", location=Location(file, 1, 1)))
        return ()
    for line in lines:
        if not line.is_direct and not _is_valid(line.text):
            findings.append(
                found(
                    "requirements-invalid",
                    f"'{line.text}' cannot be read as a requirement.",
                    location=_line_of(file, line.text),
                )
            )
    findings.extend(_clarifai(file, lines, own_image))
    return lines


def _clarifai(file: Path, lines: tuple[Line, ...], own_image: bool) -> Iterator[Finding]:
    if not names_clarifai(list(lines)):
        severity = Severity.WARNING if own_image else None  # the image may have it
        message = "requirements.txt does not name clarifai."
        yield found("clarifai-missing", message, location=Location(file, 1, 1), severity=severity)
        return
    named = [line for line in lines if _name(line.text) == "clarifai" and _is_valid(line.text)]
    pinned = any(_is_pinned(line.text) for line in named)
    if named and not pinned:
        yield found(
            "clarifai-unpinned",
            f"'{named[0].text}' takes whichever clarifai is newest when the model is built.",
            location=_line_of(file, named[0].text),
        )


def _is_valid(text: str) -> bool:
    try:
        Requirement(text)
    except InvalidRequirement:
        return False
    return True


def _is_pinned(text: str) -> bool:
    requirement = Requirement(text)
    exact = any(each.operator in ("==", "===") and "*" not in each.version for each in requirement.specifier)
    return exact or requirement.url is not None


def _name(text: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", text)
    return canonicalize_name(match[0]) if match is not None else ""


def _line_of(file: Path, text: str) -> Location:
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip().startswith(text):
            return Location(file, number, line.index(text) + 1, number, line.index(text) + len(text) + 1)
    return Location(file, 1, 1)
