"""Finds what modules of the emulator import, in their source: what the light distribution has to have."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "clarifai_emulator"
# A context manager around imports that the light distribution does without.
LEFT_OUT = "of_the_whole"
# A script that a model's interpreter runs is named by its file, and names others so.
SCRIPTS = f"{PACKAGE}.inside"
_SCRIPT = re.compile(r"(\w+_main)(\.py)?")


@dataclass(frozen=True, slots=True)
class Needs:
    """The needs of a set of modules. ``modules``: of the emulator, they themselves among them. ``outside``: modules
    of other packages, by their dotted names."""

    modules: frozenset[str]
    outside: frozenset[str]


class ModuleGraph:
    """The modules in a folder of sources, and who imports whom. ``folder``: holds the package. ``instead``: modules
    that are written from the file of another module. ``without``: modules that are named and never asked for."""

    def __init__(self, folder: Path, instead: Mapping[str, str], without: Collection[str] = ()) -> None:
        files = {module: file for module, file in _modules(folder) if module not in without}
        self._files = {module: files[instead.get(module, module)] for module in files}

    def file(self, module: str) -> Path:
        """Return the file of a module."""
        return self._files[module]

    def needs_of(self, roots: Iterable[str]) -> Needs:
        """Return what these modules need to run, whenever they import it. Raises ``KeyError`` for a root that is
        not there."""
        modules: set[str] = set()
        outside: set[str] = set()
        waiting = list(roots)
        while waiting:
            module = waiting.pop()
            if module in modules:
                continue
            modules.add(module)
            # The package itself is another one there.
            waiting += [each for each in _above(module) if each in self._files and each != PACKAGE]
            for name in self._named(module):
                if name in self._files and name != PACKAGE:
                    waiting.append(name)
                elif name.partition(".")[0] not in (PACKAGE, *sys.stdlib_module_names):
                    outside.add(name)
        return Needs(frozenset(modules), frozenset(outside))

    def _named(self, module: str) -> Iterator[str]:
        """Yield the modules that a module imports, those that it names in texts among them."""
        is_script = module.startswith(f"{SCRIPTS}.")
        for node in _nodes(ast.parse(self._files[module].read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                # A script runs with the packages of the model.
                yield from () if is_script else self._imported(node)
            elif isinstance(node, ast.JoinedStr):
                yield from self._all_below(node)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                script = _SCRIPT.fullmatch(node.value)
                yield from [node.value] if node.value in self._files else ()
                yield from (
                    [f"{SCRIPTS}.{script[1]}"] if script and f"{SCRIPTS}.{script[1]}" in self._files else ()
                )

    def _imported(self, node: ast.Import | ast.ImportFrom) -> Iterator[str]:
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif node.module and node.module != "__future__":
            inside = [f"{node.module}.{each.name}" for each in node.names]
            yield node.module
            yield from (each for each in inside if each in self._files or _is_message_module(each))

    def _all_below(self, text: ast.JoinedStr) -> Iterator[str]:
        """Yield the modules of a package of which any is imported: ``f"clarifai_emulator.somewhere.{name}"``."""
        first = text.values[0] if text.values else None
        if not isinstance(first, ast.Constant) or not str(first.value).endswith("."):
            return
        package = str(first.value).rstrip(".")
        yield from (each for each in self._files if each.rpartition(".")[0] == package != PACKAGE)


def _is_message_module(name: str) -> bool:
    return name.startswith("clarifai_grpc.") and name.endswith("_pb2")


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a module, but for imports that are for type checkers or for the whole emulator only."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.With) and any(f"{LEFT_OUT}(" in ast.unparse(each) for each in node.items):
            continue
        yield node
        yield from _nodes(node)


def _above(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]


def _modules(folder: Path) -> Iterator[tuple[str, Path]]:
    for file in sorted((folder / PACKAGE).rglob("*.py")):
        parts = file.relative_to(folder).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), file
