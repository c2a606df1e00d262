"""Finds what a model uses and its image lacks, since it lies beside the folder `1` and no Dockerfile copies it."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.finding import Finding, Location
from clarifai_emulator.contracts.rules.rule import Severity
from clarifai_emulator.contracts.signatures.model_source import parsed
from clarifai_emulator.inside.stub_main import is_guarded
from clarifai_emulator.models.config_content import CONFIG_FILE, ConfigFile
from clarifai_emulator.models.directory import REQUIREMENTS_FILE, part_files
from clarifai_emulator.models.image_content import ImageContent, image_content

_RULE = "not-in-image"
_REQUIREMENT = re.compile(
    r"\s*(?:(?:-r|--requirement|-c|--constraint|-e|--editable)(?:\s+|=)|(?=\.{0,2}/)|(?=file:))"
    r"(?:file:(?://)?)?(?P<path>[^\s;#\[]+)"
)
_LARGEST = 1024 * 1024
_MOST_FILES = 1000


def beside_findings(path: Path, config: ConfigFile | None) -> Iterator[Finding]:
    """Yield uses of what is not in the image: by imports, by requirements, by paths in code and in config.yaml."""
    content = image_content(path)
    yield from _requirements(path, content)
    if not content.beside:
        return
    if "model.py" in content.beside:
        message = (
            "model.py beside config.yaml is not in the image, where 1/model.py runs; the SDK's upload reads the "
            "method signatures from it all the same."
        )
        yield found(
            _RULE, message, Location(path / "model.py", 1, 1), hint="Move it into the folder 1, or remove it."
        )
    for file in _code(path):
        yield from _imports(file, content)
        yield from _paths(file, path, content)
    if config is not None:
        yield from _configured(path, config, content)


def imported_names(content: ImageContent) -> dict[str, str]:
    """Return the modules that could be imported if they were in the image, each with its file or folder."""
    names = {name.removesuffix(".py"): name for name in content.beside if name.endswith(".py")}
    return {**names, **{name: f"{name}/" for name in content.beside if name.isidentifier()}}


def _code(path: Path) -> Iterator[Path]:
    files = (each for each in sorted(part_files(path)) if each.parts[0] == "1" and each.suffix == ".py")
    for number, each in enumerate(files):
        if number >= _MOST_FILES:
            return
        file = path / each
        if file.is_file() and file.stat().st_size <= _LARGEST:
            yield file


def _imports(file: Path, content: ImageContent) -> Iterator[Finding]:
    names = imported_names(content)
    own = {each.removesuffix(".py") for each in os.listdir(file.parent)}
    tree = parsed(file)
    for node in ast.walk(tree) if tree is not None else ():
        modules: list[str] = []
        if isinstance(node, ast.Import):
            modules = [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules = [node.module]
        for module in modules:
            top = module.partition(".")[0]
            if top not in names or top in own or is_guarded(str(file), node.lineno):  # pyright: ignore[reportAttributeAccessIssue]
                continue
            message = (
                f"Module '{top}' is {names[top]} beside the folder 1: it is not in the platform's image, and "
                "cannot be imported there."
            )
            yield found(_RULE, message, Location(file, node.lineno, node.col_offset + 1))  # pyright: ignore[reportAttributeAccessIssue]


def _paths(file: Path, root: Path, content: ImageContent) -> Iterator[Finding]:
    """Yield what is written like a path of something that is there: it may be one, so that is a warning."""
    tree = parsed(file)
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _is_beside(node.value, root, content):
            message = f"'{node.value}' lies beside the folder 1: it is not in the platform's image."
            where = Location(file, node.lineno, node.col_offset + 1)
            yield found(_RULE, message, where, severity=Severity.WARNING)


def _is_beside(text: str, root: Path, content: ImageContent) -> bool:
    if not text or len(text) > 200 or "\0" in text or "\n" in text or ("/" not in text and "." not in text):
        return False
    parts = [part for part in PurePosixPath(text).parts if part not in (".", "..")]
    if not parts or parts[0] not in content.beside or text.startswith("/"):
        return False
    try:
        return root.joinpath(*parts).exists()
    except OSError:
        return False


def _requirements(path: Path, content: ImageContent) -> Iterator[Finding]:
    """Yield what requirements.txt names in the directory: an image is given that file alone to install from."""
    file = path / REQUIREMENTS_FILE
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return  # told elsewhere
    for number, line in enumerate(lines, 1):
        named = _REQUIREMENT.match(line)
        target = PurePosixPath(os.path.normpath(named["path"])) if named is not None else PurePosixPath()
        if not target.parts or content.brings_all or "://" in line:
            continue
        if content.has(target.parts[0]) and target.parts[0] != "1":
            continue
        if (path / target).exists():
            message = (
                f"'{line.strip()}' needs {target}, which is not there when the platform installs requirements.txt: "
                "it is given that file alone."
            )
            hint = "Write the requirements into requirements.txt itself, or copy it in a Dockerfile of your own."
            yield found(_RULE, message, Location(file, number, 1), hint=hint)


def _configured(path: Path, config: ConfigFile, content: ImageContent) -> Iterator[Finding]:
    """Yield arguments of an MCP server's command that are not in the image."""
    for text in _texts(config.values.get("mcp_server")):
        if _is_beside(text, path, content):
            message = (
                f"mcp_server names '{text}', which lies beside the folder 1: it is not in the platform's image."
            )
            yield found(_RULE, message, Location(path / CONFIG_FILE, 1, 1))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():  # pyright: ignore[reportUnknownVariableType]
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:  # pyright: ignore[reportUnknownVariableType]
            yield from _texts(each)
