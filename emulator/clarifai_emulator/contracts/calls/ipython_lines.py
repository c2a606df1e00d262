"""Turns what a cell of a notebook may hold besides Python into Python: magics, shell commands, help, prompts.

Every line stays a line. Where only a part of it is Python (`%time model.predict("x")`), that part is left, and the
line says how many characters stood before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from clarifai_emulator.contracts.calls.client_reading import UnreadableClient, parse_client
from clarifai_emulator.python_source import parse_module

# Line magics that run the Python behind them, with those of their options that take a value.
_CODE_MAGICS = {"time": "", "timeit": "nrp", "prun": "lsTD", "memit": "rt", "mprun": "fT", "lprun": "fmTDsu"}
# Line magics that IPython takes without `%`, where the line is no Python.
_BARE = frozenset(
    [
        "cat",
        "cd",
        "conda",
        "cp",
        "env",
        "load_ext",
        "ls",
        "matplotlib",
        "mkdir",
        "mv",
        "pip",
        "rm",
        "run",
        "time",
        "uv",
    ]
)
_MAGIC = re.compile(r"(?P<mark>%{1,2})\s*(?P<name>[\w.]+)?(?P<rest>.*)", re.DOTALL)
_HELP = re.compile(r"\?{1,2}\s*%{0,2}[\w.*\[\]]*\s*$|%{0,2}(?!\d)[\w*]+(?:\.[\w*]+|\[-?\d+\])*\s*\?{1,2}\s*;?\s*$")
_ASSIGNED = re.compile(r"(?P<target>[^=!%#\"'(]+(?:\[[^\]]*\])?\s*=\s*)(?P<mark>!!?|%)(?P<rest>.*)", re.DOTALL)
_CELL_MAGIC = re.compile(r"%%(?P<name>[\w.!]+)[ \t]*(?P<arguments>.*)")
_PROMPT = re.compile(r"(?:>>>|\.\.\.)(?: |$)|(?:In \[\d+\]|\s+\.\.\.): ?")
_MODULE = re.compile(r"(?:\./)?(?P<path>[A-Za-z_]\w*(?:/[A-Za-z_]\w*)*)\.py\b")
_TOKEN = re.compile(r"#.*|\"\"\"|'''|[\"'()\[\]{}]")
_ENDS = {quote: re.compile(rf"\\.|{quote}", re.DOTALL) for quote in ('"""', "'''", '"', "'")}
# The value of a magic or a shell command, of which nothing is known.
_UNKNOWN = "get_ipython()"


@dataclass(frozen=True, slots=True)
class PythonLine:
    """A line as Python. ``shift``: characters that stand before it in the cell, and not here."""

    text: str
    shift: int = 0


@dataclass(frozen=True, slots=True)
class CellMagic:
    """The magic in a cell's first line, and in which line of the cell that is, from 0."""

    name: str
    arguments: str
    line: int


def cell_magic(lines: list[str], start: int = 0) -> CellMagic | None:
    """Return the magic that a cell begins with, from this line on; blank lines and comments may stand before it."""
    for number in range(start, len(lines)):
        line = lines[number].strip()
        if line and not line.startswith("#"):
            match = _CELL_MAGIC.match(line)
            return CellMagic(match["name"], match["arguments"].strip(), number) if match else None
    return None


def python_lines(lines: list[str]) -> list[PythonLine]:
    """Return the lines of a cell as Python. Raises ``UnreadableClient`` for a cell that is not Python even so."""
    try:
        parse_client("\n".join(lines))
        return [PythonLine(each) for each in lines]
    except UnreadableClient:
        translated = list(_translated(_without_prompts(lines)))
    parse_client("\n".join(each.text for each in translated))
    return translated


def _without_prompts(lines: list[str]) -> list[PythonLine]:
    """Leave out what IPython does: the prompts of pasted sessions, and the indentation of the first line."""
    first = next((each for each in lines if each.strip()), "")
    indentation = first[: len(first) - len(first.lstrip())]
    if _PROMPT.match(first):
        ends = [match.end() if (match := _PROMPT.match(each)) else 0 for each in lines]
    else:
        ends = [len(indentation) if each.startswith(indentation) else 0 for each in lines]
    return [PythonLine(each[end:], end) for each, end in zip(lines, ends, strict=True)]


def _translated(lines: list[PythonLine]) -> Iterator[PythonLine]:
    scanner = _Scanner()
    in_magic = False
    for line in lines:
        if in_magic:
            in_magic = line.text.endswith("\\")
            yield PythonLine("")
            continue
        new = _python(line) if scanner.is_between else None
        if new is None:
            scanner.read(line.text)
            yield line
        else:
            in_magic = line.text.endswith("\\")
            yield new


def _python(line: PythonLine) -> PythonLine | None:
    """Return what stands for the line at the beginning of a statement; None where it is left as it is."""
    body = line.text.lstrip()
    indentation = line.text[: len(line.text) - len(body)]
    if body.startswith("!") or _HELP.match(body):
        return PythonLine(f"{indentation}pass")
    if body.startswith("%"):
        return _magic(line, indentation, body)
    assigned = _ASSIGNED.match(body)
    if assigned is not None:
        code = _code(f"{assigned['mark']}{assigned['rest']}") if assigned["mark"] == "%" else ""
        if code and assigned["rest"].split()[0] == "time":
            space = " " * (len(body) - len(assigned["target"]) - len(code))
            return PythonLine(f"{indentation}{assigned['target']}{space}{code}", line.shift)
        return PythonLine(f"{indentation}{assigned['target']}{_UNKNOWN}", line.shift)
    word = body.split(None, 1)[0] if body.strip() else ""
    if word in _BARE and not _is_python(body):
        return _magic(PythonLine(f"{indentation}%{body}", line.shift - 1), indentation, f"%{body}")
    return None


def _magic(line: PythonLine, indentation: str, body: str) -> PythonLine:
    code = _code(body)
    if code:
        return PythonLine(f"{indentation}{code}", line.shift + len(body) - len(code))
    match = _MAGIC.match(body)
    ran = _MODULE.match(match["rest"].strip().strip("\"'")) if match and match["name"] == "run" else None
    if ran is not None and not indentation:
        return PythonLine(f"from {ran['path'].replace('/', '.')} import *")
    return PythonLine(f"{indentation}pass")


def _code(body: str) -> str:
    """Return the Python that a magic runs, to the end of the line; an empty text where it runs none."""
    match = _MAGIC.match(body)
    with_value = _CODE_MAGICS.get(match["name"] or "") if match else None
    if match is None or with_value is None:
        return ""
    rest = match["rest"].lstrip()
    while option := re.match(r"-(-[\w-]+|\w)(\S*)\s*", rest):
        rest = rest[option.end() :]
        if option[1] in with_value and not option[2]:
            rest = rest.partition(" ")[2].lstrip()
    return rest


def _is_python(text: str) -> bool:
    try:
        parse_module(text)
        return True
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # The head of a block (`with time as x:`) is Python, too.
        return text.rstrip().endswith(":")


class _Scanner:
    """Follows strings and brackets over lines, to know where a statement may begin."""

    def __init__(self) -> None:
        self._quote = ""
        self._depth = 0
        self._continued = False

    @property
    def is_between(self) -> bool:
        return not (self._quote or self._depth or self._continued)

    def read(self, line: str) -> None:
        position = 0
        self._continued = False
        while position < len(line):
            if self._quote:
                position = self._string(line, position)
                continue
            token = _TOKEN.search(line, position)
            if token is None or token[0].startswith("#"):
                self._continued = token is None and line.endswith("\\")
                return
            position = token.end()
            if token[0] in "([{":
                self._depth += 1
            elif token[0] in ")]}":
                self._depth = max(0, self._depth - 1)
            else:
                self._quote = token[0]
        if len(self._quote) == 1 and not line.endswith("\\"):
            self._quote = ""
        self._continued = not self._quote and line.endswith("\\")

    def _string(self, line: str, position: int) -> int:
        for match in _ENDS[self._quote].finditer(line, position):
            if not match[0].startswith("\\"):
                self._quote = ""
                return match.end()
        return len(line)
