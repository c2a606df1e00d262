"""Finds the commands in a Makefile: the lines of its recipes, with make's variables as the shell's.

API := https://api.clarifai.com       ─► API="https://api.clarifai.com"
\t@curl $(API)/v2/… -d '$$BODY'       ─► curl ${API}/v2/… -d '$BODY'
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from clarifai_emulator.contracts.endpoints.embedded_code import EmbeddedCode, assign, lines_from, with_assignments

_ASSIGNED = re.compile(
    r"(?:(?:export|override|private)\s+)*(?P<name>[A-Za-z_]\w*)\s*(?:::?:?|\?|\+)?=\s*(?P<value>.*)"
)
# Behind the colon of a rule a recipe may begin in the same line.
_INLINE = re.compile(r"[^\s#=][^=#;]*:[^=;]*;[ \t@+-]*(?P<recipe>.*)")
_RECIPE = re.compile(r"\t[ \t@+-]*")
_SPECIAL = re.compile(r"\$\((?P<name>[A-Za-z_]\w*)\)|\$\$")


def makefile_commands(text: str) -> Iterator[EmbeddedCode]:
    """Yield the commands: each is a shell of its own, as make runs it."""
    assignments = EmbeddedCode("bash")
    commands: list[EmbeddedCode] = []
    command: EmbeddedCode | None = None
    for number, line in lines_from(text):
        if command is not None:
            # Make removes the tab of a line that goes on.
            start = len(line) - len(line.removeprefix("\t"))
        elif recipe := _RECIPE.match(line):
            command, start = EmbeddedCode("bash"), recipe.end()
        elif inline := _INLINE.match(line):
            command, start = EmbeddedCode("bash"), inline.start("recipe")
        else:
            assigned = _ASSIGNED.match(line)
            if assigned is not None:
                value = _SPECIAL.sub(_as_shell, re.sub(r"(^|\s)#.*", "", assigned["value"]))
                assign(assignments, assigned["name"], value, number, 1 + assigned.start("value"))
            continue
        _add(command, line, start, number)
        if line.endswith("\\"):
            command.end_line()
        else:
            commands.append(command)
            command = None
    yield from (with_assignments(assignments, each) for each in [*commands, *([command] if command else [])])


def _add(command: EmbeddedCode, line: str, start: int, number: int) -> None:
    for found in _SPECIAL.finditer(line, start):
        command.add(line[start : found.start()], number, start + 1)
        command.add(_as_shell(found), number, found.start() + 1)
        start = found.end()
    command.add(line[start:], number, start + 1)


def _as_shell(found: re.Match[str]) -> str:
    return f"${{{found['name']}}}" if found["name"] else "$"
