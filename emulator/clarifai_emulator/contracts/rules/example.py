"""Reads the examples of rules, and writes them as blocks of code for documentation, terminals and reports.

Each file in ``examples/`` has the examples of one module of rules, by rule.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

_FOLDER = Path(__file__).with_name("examples")
# What the examples in a file are parts of, where they do not say it themselves.
_FILES = {"model_code": "model.py", "config_files": "config.yaml", "contract_changes": "model.py"}
_LANGUAGES = {".py": "python", ".ipynb": "python", ".yaml": "yaml", ".yml": "yaml"}
_SHELL = "shell"


@dataclass(frozen=True, slots=True)
class Example:
    """Code that breaks a rule, and the same mended.

    ``file``: what it is written in, such as ``client.py``; also ``shell`` for a command, ``model directory`` for
    the paths in one, ``models`` for the names of models. ``right`` is empty where nothing has to be mended.
    ``model``: the methods that the model has, where that is not ``predict``, ``generate`` and ``stream`` of a
    text. ``old``: of a change, what was before. ``beside``: other files that are there, by name."""

    file: str
    wrong: str
    right: str = ""
    model: str = ""
    old: str = ""
    beside: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of an example to show. ``title``: what it is; ``language``: as Markdown names it, or empty."""

    title: str
    language: str
    text: str


def example_of(rule: str) -> Example:
    """Return the example of a rule. Raises ``KeyError`` for a rule that there is not."""
    for file in sorted(_FOLDER.glob("*.yaml")):
        # Parsing all of them would be felt by whoever asks for one.
        if f"\n{rule}:\n" in f"\n{_text(file)}":
            return _examples(file)[rule]
    raise KeyError(rule)


def examples() -> dict[str, Example]:
    """Return every example, by rule."""
    return {rule: each for file in sorted(_FOLDER.glob("*.yaml")) for rule, each in _examples(file).items()}


def blocks(example: Example) -> Iterator[Block]:
    """Yield what to show of an example: the files that it needs, the wrong code, and the right code."""
    for name, text in example.beside.items():
        yield Block(name, _language(name), text)
    named = "" if example.file in ("client.py", "model.py") else f" ({example.file})"
    if example.old:
        yield Block(f"Found{named}", "diff", _difference(example.old, example.wrong))
        if example.right:
            yield Block(f"Not found{named}", "diff", _difference(example.old, example.right))
        return
    language = _language(example.file)
    yield Block(f"Wrong{named}", language, example.wrong)
    yield Block(f"Right{named}", language, example.right)


def in_markdown(example: Example) -> str:
    """Return the example as Markdown: each block under its title."""
    parts = [f"The model has `{example.model}`."] if example.model else []
    parts += [f"{each.title}:\n\n```{each.language}\n{each.text}\n```" for each in blocks(example)]
    return "\n\n".join(parts)


def _language(file: str) -> str:
    return _SHELL if file == _SHELL else _LANGUAGES.get(Path(file).suffix, "text")


def _difference(old: str, new: str) -> str:
    before, after = old.splitlines(), new.splitlines()
    lines = list(difflib.unified_diff(before, after, n=len(before) + len(after), lineterm=""))[3:]
    return "\n".join(lines or (f" {line}" for line in after))


@cache
def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


@cache
def _examples(file: Path) -> dict[str, Example]:
    entries: dict[str, dict[str, Any]] = yaml.safe_load(_text(file))
    return {rule: _example(_FILES.get(file.stem, "client.py"), entry) for rule, entry in entries.items()}


def _example(file: str, entry: Mapping[str, Any]) -> Example:
    beside = {name: text.rstrip("\n") for name, text in entry.get("beside", {}).items()}
    texts = {name: str(entry.get(name, "")).rstrip("\n") for name in ("wrong", "right", "model", "old")}
    return Example(entry.get("file", file), beside=beside, **texts)
