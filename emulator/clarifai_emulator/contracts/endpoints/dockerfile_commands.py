"""Finds the commands in a Dockerfile: RUN, CMD, ENTRYPOINT, HEALTHCHECK, with what ENV and ARG say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, cast

from clarifai_emulator.contracts.endpoints.embedded_code import (
    CommandWord,
    EmbeddedCode,
    assign,
    lines_from,
    listed_command,
    with_assignments,
)

_INSTRUCTION = re.compile(
    r"[ \t]*(?:ONBUILD[ \t]+)?(?P<name>RUN|CMD|ENTRYPOINT|HEALTHCHECK|ENV|ARG)[ \t]+", re.IGNORECASE
)
_OPTIONS = re.compile(r"(?:[ \t]*--[\w-]+(?:=\S+)?)*[ \t]*(?:CMD\b)?[ \t]*")
_HERE = re.compile(r"<<-?[ \t]*[\"']?(?P<name>\w+)[\"']?")
_ASSIGNED = re.compile(r"(?P<name>[A-Za-z_]\w*)(?:=(?P<value>\"(?:\\.|[^\"])*\"|'[^']*'|\S*)|[ \t]+(?P<rest>.+))")
_WORD = re.compile(r"\"(?:\\.|[^\"\\])*\"")
_Lines = list[tuple[int, int, str]]  # number, column from 0, text


def dockerfile_commands(text: str) -> Iterator[EmbeddedCode]:
    """Yield the commands, each with the variables that the file sets."""
    assignments = EmbeddedCode("bash")
    commands: list[EmbeddedCode] = []
    for name, lines in _instructions(text):
        if name in ("ENV", "ARG"):
            for number, column, line in lines:
                for found in _ASSIGNED.finditer(line.rstrip("\\")):
                    assign(assignments, found["name"], found["value"] or found["rest"] or "", number, column + 1)
        else:
            commands.append(_command(lines))
    yield from (with_assignments(assignments, each) for each in commands)


def _instructions(text: str) -> Iterator[tuple[str, _Lines]]:
    """Yield each instruction with its lines, without comments between them."""
    name, found, ends = "", _Lines(), list[str]()
    for number, line in lines_from(text):
        if ends:  # in a here-document
            found.append((number, 0, line))
            ends = ends[1:] if line.strip() == ends[0] else ends
        elif found and (not line.strip() or line.lstrip().startswith("#")):
            continue
        else:
            instruction = _INSTRUCTION.match(line) if not found else None
            if instruction is not None:
                name = instruction["name"].upper()
            elif not found:
                continue
            start = instruction.end() if instruction is not None else 0
            found.append((number, start, line[start:]))
            ends = _HERE.findall(line) if name == "RUN" else []
        if not ends and not line.rstrip().endswith("\\"):
            yield name, found
            found = []
    if found:
        yield name, found


def _command(lines: _Lines) -> EmbeddedCode:
    lines = _without_options(lines)
    words = _words(lines)
    if words is not None:
        return listed_command(words)
    code = EmbeddedCode("bash")
    here = _HERE.match(lines[0][2]) if lines else None
    for number, column, text in lines[1:-1] if here is not None else lines:
        code.add(text, number, column + 1)
        code.end_line()
    return code


def _without_options(lines: _Lines) -> _Lines:
    """Return the lines without options of the instruction, which may be lines of their own."""
    for index, (number, column, text) in enumerate(lines):
        options = _OPTIONS.match(text)
        start = options.end() if options is not None else 0
        if text[start:].strip() not in ("", "\\"):
            return [(number, column + start, text[start:]), *lines[index + 1 :]]
    return []


def _words(lines: _Lines) -> Sequence[CommandWord] | None:
    """Return the words of a command that is a JSON list; None for one that is not."""
    text = " ".join(each.rstrip("\\") for _, _, each in lines)
    try:
        content: Any = json.loads(text)
    except ValueError:
        return None
    if not isinstance(content, list):
        return None
    places = [
        (number, column + found.start() + 1) for number, column, line in lines for found in _WORD.finditer(line)
    ]
    listed = cast("list[Any]", content)
    return [CommandWord(str(each), *place) for each, place in zip(listed, places, strict=False)]
