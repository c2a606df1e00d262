"""Finds what the SDK's upload refuses in the files of a model directory, without running it.

Source: ``ModelBuilder`` of clarifai 12.5.0 (``clarifai/runners/models/model_builder.py``). The emulator runs such a
model all the same, so these findings are for whoever asks whether it can be uploaded.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.finding import Finding, Location
from clarifai_emulator.models.config_content import ConfigFile
from clarifai_emulator.models.directory import REQUIREMENTS_FILE

RULE = "upload-refused"
_DOCKERFILE = "Dockerfile"
# The order in which the SDK looks for one of them in a line.
_SEPARATORS = ("==", ">=", ">", "<=", "<", "@")
_MOST_LINKS = 10_000


def upload_findings(path: Path, config: ConfigFile | None) -> Iterator[Finding]:
    """Yield what is wrong with requirements.txt, the Dockerfile and links, as the upload reads them."""
    if config is None or not config.has_own_image:
        yield from _requirements(path / REQUIREMENTS_FILE)
    yield from _dockerfile(path / _DOCKERFILE)
    yield from _links(path)


def _requirements(file: Path) -> Iterator[Finding]:
    """The upload does not read requirements as pip does: it splits each line at the first sign that it has."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return  # told elsewhere
    names: list[str] = []
    for number, line in enumerate(lines, 1):
        text = re.split(r"\s+#", line.strip())[0]
        if not text or text.startswith("#"):
            continue
        sign = next((each for each in _SEPARATORS if each in text), "")
        parts = text.split(sign, 1 if sign == "@" else -1) if sign else [text]
        names.append(parts[0].strip())
        if len(parts) > 2:
            message = f"'{text}': the SDK's upload cannot read a line with '{sign}' in it twice."
            hint = "Write one limit of each kind, such as `numpy>=1.26,<3`."
            yield found(RULE, message, Location(file, number, 1), hint=hint)
    said = next((name for name in names if re.match(r"clarifai\b(?!-)", name, re.IGNORECASE)), "")
    if names and names[0].startswith("\ufeff"):  # told elsewhere
        return
    if "clarifai" not in names and (said or any("clarifai" in name.lower() for name in names) or _includes(lines)):
        message = (
            "requirements.txt names clarifai in a way that the SDK's upload does not see: it looks for a line with "
            f"`clarifai` and then ==, >=, >, <=, < or @{f', and this is {said!r}' if said else ''}."
        )
        hint = "Write `clarifai==12.5.0`, with the version you test with, in requirements.txt itself."
        yield found(RULE, message, Location(file, 1, 1), hint=hint)


def _includes(lines: list[str]) -> bool:
    return any(re.match(r"\s*(-r|--requirement)\b", line) for line in lines)


def _dockerfile(file: Path) -> Iterator[Finding]:
    if not file.exists():
        return
    try:
        file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"The Dockerfile cannot be read: {error}."
        yield found(RULE, message, Location(file), hint="Make it a file with text in UTF-8, or remove it.")


def _links(path: Path) -> Iterator[Finding]:
    """The upload packs what links point at, everywhere in the directory."""
    seen = 0
    for folder, folders, names in os.walk(path):
        for name in (*folders, *names):
            entry = Path(folder) / name
            if not entry.is_symlink():
                continue
            seen += 1
            problem = _link_problem(entry)
            if problem:
                hint = "Remove the link, or put there what it is to point at."
                yield found(RULE, f"{entry.relative_to(path)} is a link {problem}.", Location(entry), hint=hint)
            if seen > _MOST_LINKS:
                return


def _link_problem(entry: Path) -> str:
    try:
        target = entry.resolve(strict=True)
    except (OSError, RuntimeError):  # RuntimeError: a loop, before Python 3.13
        return "that leads nowhere, and the SDK's upload ends there"
    if entry.parent.resolve().is_relative_to(target):
        return "to a folder that it is in itself, and the SDK's upload would pack it without end"
    return ""
