"""Finds the server programs and modules that a model's code starts, and tells whether they are here.

The official templates of some toolkits wait for theirs for half a minute, or for ever.

Reads the source, runs nothing. A result is a reason to say so early and to wait less long, never to refuse: the
code may well do without.
"""

from __future__ import annotations

import ast
import importlib.machinery
import itertools
import shutil
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from clarifai_emulator.python_source import parse_module

# Programs that serve models, where they come from.
_PROGRAMS = {
    "ollama": "https://ollama.com/download",
    "lms": "https://lmstudio.ai (then `lms bootstrap`)",
    "llama-server": "https://github.com/ggml-org/llama.cpp",
}
# Modules that serve models, and what they take: `python -m vllm…`.
_SERVERS = {"vllm", "sglang", "lmdeploy", "llama_cpp", "text_generation_launcher", "tensorrt_llm"}
_LARGEST = 1024 * 1024

Which = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that a model's code starts and that is not here. ``way_out``: what to do about it."""

    name: str
    file: str
    line: int
    is_program: bool
    way_out: str

    @property
    def text(self) -> str:
        """Return a sentence without its full stop."""
        what = f"the program '{self.name}'" if self.is_program else f"the Python module '{self.name}'"
        where = "on the PATH" if self.is_program else "in its environment"
        return f"{self.file} (line {self.line}) starts {what}, which is not {where}"


def missing_needs(directory: Path, python: Path, *, which: Which = shutil.which) -> list[Missing]:
    """Find what the code of a model directory starts and what is not here. ``python``: the interpreter that runs
    it."""
    found: dict[str, Missing] = {}
    for file in (*sorted((directory / "1").glob("*.py")), *sorted(directory.glob("*.py"))):
        for name, line, is_program in _started(file):
            if name in found or (which(name) if is_program else _has_module(name, python)):
                continue
            place = str(file.relative_to(directory))
            found[name] = Missing(name, place, line, is_program, _way_out(name, is_program=is_program))
    return list(found.values())


def foreseen_needs(directory: Path, names: Collection[str]) -> list[Missing]:
    """Return the missing needs before the model's environment is built, which may take minutes. ``names``: what its
    requirements name; a module of these will be there."""
    found = missing_needs(directory, Path(sys.executable))
    return [each for each in found if each.is_program or each.name not in names]


def _way_out(name: str, *, is_program: bool) -> str:
    if is_program:
        return f"Install it ({_PROGRAMS[name]}), and deploy again."
    return (
        f"Add {name} to requirements.txt, or run the model in its container: `clarifai-emulator up "
        "--backend docker`, on a machine with a GPU if it needs one."
    )


def _started(file: Path) -> Iterator[tuple[str, int, bool]]:
    """Names of programs and modules that a file starts, each with its line and whether it is a program."""
    try:
        if file.stat().st_size > _LARGEST:
            return
        tree = parse_module(file.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError, RecursionError):  # whoever imports it says so
        return
    for node in ast.walk(tree):
        if isinstance(node, (ast.List, ast.Tuple)):
            yield from _of_words(node.elts)
        elif isinstance(node, ast.Call):
            yield from _of_commands(node.args)


def _of_words(words: list[ast.expr]) -> Iterator[tuple[str, int, bool]]:
    """Yield needs of ``["ollama", "list"]`` and ``[python, "-m", "vllm.entrypoints…"]``."""
    texts = [each.value if isinstance(each, ast.Constant) else None for each in words]
    for before, module in itertools.pairwise(texts):
        if before == "-m" and isinstance(module, str) and module.partition(".")[0] in _SERVERS:
            yield module.partition(".")[0], words[0].lineno, False
    if texts and texts[0] in _PROGRAMS and len(texts) > 1:
        yield str(texts[0]), words[0].lineno, True


def _of_commands(arguments: Iterable[ast.expr]) -> Iterator[tuple[str, int, bool]]:
    """Yield needs of ``run("ollama serve")`` and ``run(f"lms load {name}")``."""
    for each in arguments:
        first = each.values[0] if isinstance(each, ast.JoinedStr) and each.values else each
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            word, _, rest = first.value.partition(" ")
            if word in _PROGRAMS and rest:
                yield word, each.lineno, True


def _has_module(name: str, python: Path) -> bool:
    if python == Path(sys.executable):
        paths = sys.path
    else:
        paths = [str(each) for each in python.parent.parent.glob("lib/python*/site-packages")]
    try:
        return importlib.machinery.PathFinder.find_spec(name, paths) is not None
    except (ImportError, ValueError):
        return False
