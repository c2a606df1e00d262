"""Decides whether an edit of a module beside ``model.py`` may be put into the loaded one. Pure.

An edit may if loading did not use what it changes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

from clarifai_emulator.models.written import named
from clarifai_emulator.python_source import parse_module
from clarifai_emulator.reload.syntax import DYNAMIC, LOADS, Function, dotted, dump, model_classes, reached

_METHOD_DECORATORS = frozenset({"staticmethod", "classmethod", "property"})
_IMPORTING = frozenset({"importlib", "__import__", "import_module", "runpy"})


@dataclass(frozen=True, slots=True)
class HelperEdit:
    """An edit of one module. ``doubt``: why it needs more than a swap. ``functions``, ``methods`` (``Class.name``)
    and ``constants`` are those that differ; ``names``: where else a constant is held: (file, name, constant).
    """

    doubt: str = ""
    functions: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    constants: tuple[str, ...] = ()
    names: tuple[tuple[str, str, str], ...] = ()

    @property
    def changed(self) -> tuple[str, ...]:
        """Return the names of all that differ."""
        return (*self.functions, *self.methods, *self.constants)

    def reason(self, name: str) -> str:
        """Say in words why a swap of the module ``name`` is right."""
        if not self.changed:
            return f"only comments or the layout of {name} have changed"
        verb = "has" if len(self.changed) == 1 else "have"
        return f"{named(self.changed)} of {name} {verb} changed, which loading did not use"


class Helpers:
    """Compares the modules of one directory before and after it was edited: Python sources by path. What several
    edits need is worked out once."""

    def __init__(self, model_file: str, before: Mapping[str, str], after: Mapping[str, str]) -> None:
        self._model_file = model_file
        self._before = before
        self._after = after

    def edit(self, name: str) -> HelperEdit:
        """Say what an edit did to the module ``name``, which is there before and after."""
        if self._uses is None:
            return HelperEdit(doubt="a module cannot be parsed")
        old, new = self._uses
        edit = _difference(old.modules[name], new.modules[name])
        if edit.doubt or not edit.changed:
            return edit
        for use in (old, new):
            doubt = use.doubt(name, edit)
            if doubt:
                return HelperEdit(doubt=doubt)
        names = tuple(_holders(name, edit.constants, old.modules))
        return HelperEdit("", edit.functions, edit.methods, edit.constants, names)

    @cached_property
    def _uses(self) -> tuple[_Use, _Use] | None:
        """Return the modules before and after; None where one cannot be parsed."""
        try:
            olds = {file: parse_module(text) for file, text in self._before.items()}
            news = {
                file: olds[file] if self._before.get(file) == text else parse_module(text)
                for file, text in self._after.items()
            }
        except (SyntaxError, ValueError):
            return None
        return _Use(olds, self._model_file), _Use(news, self._model_file)


# ── what differs ───────────────────────────────────────────────────────────────────────────────────────────


def _difference(old: ast.Module, new: ast.Module) -> HelperEdit:
    olds, old_rest = _items(old)
    news, new_rest = _items(new)
    if dump(old_rest) != dump(new_rest):
        return HelperEdit(doubt="code at its top level has changed")
    gone = sorted({*olds} - {*news})
    if gone:
        return HelperEdit(doubt=f"{gone[0]} is gone")
    functions, methods, constants = list[str](), list[str](), list[str]()
    for name, node in news.items():
        known = olds.get(name)
        if known is not None and dump([known]) == dump([node]):
            continue
        if known is not None and type(known) is not type(node):
            return HelperEdit(doubt=f"{name} is of another kind now")
        if isinstance(node, Function):
            functions.append(name)
            doubt = _function_doubt(known, node)
        elif isinstance(node, ast.ClassDef):
            if not isinstance(known, ast.ClassDef):
                return HelperEdit(doubt=f"class {name} is new")
            changed, doubt = _class_difference(known, node)
            methods += [f"{name}.{each}" for each in changed]
        else:
            constants.append(name)
            doubt = ""
        if doubt:
            return HelperEdit(doubt=doubt)
    return HelperEdit("", tuple(functions), tuple(methods), tuple(constants))


_Item = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign


def _items(module: ast.Module) -> tuple[dict[str, _Item], list[ast.stmt]]:
    """Functions, classes and constants by name, and all other statements. A name that is given twice is neither."""
    found: dict[str, list[_Item]] = {}
    rest: list[ast.stmt] = []
    for node in module.body:
        if isinstance(node, Function | ast.ClassDef):
            found.setdefault(node.name, []).append(node)
        elif (name := _constant(node)) and isinstance(node, ast.Assign | ast.AnnAssign):
            found.setdefault(name, []).append(node)
        elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            rest.append(node)
    rest += [node for nodes in found.values() if len(nodes) > 1 for node in nodes]
    return {name: nodes[0] for name, nodes in found.items() if len(nodes) == 1}, rest


def _constant(node: ast.stmt) -> str:
    """Return the name that a statement gives to a literal; empty for any other statement."""
    targets = (
        node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    )
    value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
    if len(targets) != 1 or not isinstance(targets[0], ast.Name) or value is None:
        return ""
    try:
        ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return ""
    return targets[0].id


def _function_doubt(old: ast.AST | None, new: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    nodes = [each for each in (old, new) if isinstance(each, Function)]
    if any(node.decorator_list for node in nodes):
        return f"{new.name} has a decorator that may keep it"
    return "" if all(map(_has_plain_head, nodes)) else f"the arguments of {new.name} call something"


def _has_plain_head(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return not any(isinstance(each, ast.Call) for each in ast.walk(node.args))


def _class_difference(old: ast.ClassDef, new: ast.ClassDef) -> tuple[list[str], str]:
    olds, old_rest = _items(ast.Module(old.body, []))
    news, new_rest = _items(ast.Module(new.body, []))
    head = ("bases", "keywords", "decorator_list")
    if any(dump(getattr(old, part)) != dump(getattr(new, part)) for part in head) or dump(old_rest) != dump(
        new_rest
    ):
        return [], f"what class {new.name} has beside methods has changed"
    changed: list[str] = []
    for name in {**olds, **news}:
        was, now = olds.get(name), news.get(name)
        if was is not None and now is not None and dump([was]) == dump([now]):
            continue
        if not isinstance(now, Function) or not (was is None or isinstance(was, Function)):
            return [], f"what class {new.name} has beside methods has changed"
        if was is None or name.startswith("__") or _names_in(now) & {"super", "__class__"}:
            return [], f"{new.name}.{name} is not only another body of a method"
        if dump(was.decorator_list) != dump(now.decorator_list) or not _are_known(now.decorator_list):
            return [], f"{new.name}.{name} has a decorator that may keep it"
        if not (_has_plain_head(was) and _has_plain_head(now)):
            return [], f"the arguments of {new.name}.{name} call something"
        changed.append(name)
    return changed, ""


def _are_known(decorators: list[ast.expr]) -> bool:
    return all(dotted(each) in _METHOD_DECORATORS for each in decorators)


# ── what loading used ──────────────────────────────────────────────────────────────────────────────────────


class _Use:
    """Finds what code that ran while the model was loaded uses of the model's own modules."""

    def __init__(self, modules: Mapping[str, ast.Module], model_file: str) -> None:
        self.modules = modules
        self._model_file = model_file

    def doubt(self, name: str, edit: HelperEdit) -> str:
        """Say why an edit of this module may have had a part in loading the model; empty when it had none."""
        if isinstance(self._loading, str):
            return self._loading
        own = self._at_import(self.modules[name])
        changed = {*edit.functions, *edit.constants, *(each.partition(".")[0] for each in edit.methods)}
        if own & changed:
            return f"{sorted(own & changed)[0]} has changed, which {name} uses itself when it is imported"
        if name in self._loading:
            return f"{name} has changed, which loading the model uses"
        return ""

    @cached_property
    def _bindings(self) -> Mapping[str, Mapping[str, set[str]]]:
        """Return by file the names in it that stand for another module or for something of it, with those files."""
        found: dict[str, dict[str, set[str]]] = {file: {} for file in self.modules}
        for file, tree in self.modules.items():
            for name, bound in _bindings(file, tree, self.modules):
                found[file].setdefault(name, set()).add(bound)
        return found

    @cached_property
    def _loading(self) -> set[str] | str:
        """Return the modules that loading the model uses, with all that they import; text is why nobody can
        tell."""
        if any("" in files for names in self._bindings.values() for files in names.values()):
            return "a module imports everything of another (`import *`)"
        used = set[str]()
        for file, tree in self.modules.items():
            names = self._at_import(tree)
            if file == self._model_file:
                found = self._at_load(tree)
                if isinstance(found, str):
                    return found
                names |= found
            used = used.union(*(self._bindings[file].get(each, ()) for each in names))
        return self._closed(used)

    def _closed(self, used: Iterable[str]) -> set[str]:
        """Add to these modules all that they import of the model's own."""
        found, left = set[str](), list(used)
        while left:
            file = left.pop()
            if file and file not in found:
                found.add(file)
                left += (each for files in self._bindings[file].values() for each in files)
        return found

    def _at_import(self, tree: ast.Module) -> set[str]:
        """Names that a module uses when it is imported, itself or in a function of its own that it then calls."""
        return self._reached_from(tree, {name for node in _run_at_import(tree.body) for name in _names_in(node)})

    def _at_load(self, tree: ast.Module) -> set[str] | str:
        """Names that loading the model uses; text is why nobody can tell."""
        classes = model_classes(tree)
        if len(classes) != 1:
            return "model.py has not exactly one class that inherits from ModelClass"
        (model,) = classes
        loading = reached(model, LOADS)
        nodes = [each for each in model.body if isinstance(each, Function) and each.name in loading]
        names = {name for node in nodes for name in _names_in(node)}
        found = self._reached_from(tree, names)
        dynamic = found & (DYNAMIC | _IMPORTING)
        return f"loading the model uses {sorted(dynamic)[0]}" if dynamic else found

    def _reached_from(self, tree: ast.Module, names: set[str]) -> set[str]:
        """Return these names, and those in the module's functions and classes that they name."""
        known = {each.name: each for each in tree.body if isinstance(each, Function | ast.ClassDef)}
        is_model = {id(each) for each in model_classes(tree)}
        found, left = set(names), list(names)
        while left:
            node = known.get(left.pop())
            if node is not None and id(node) not in is_model:
                fresh = _names_in(node) - found
                found |= fresh
                left += fresh
        return found


def _run_at_import(body: Iterable[ast.stmt]) -> Iterator[ast.AST]:
    """Yield the code of a module, or of a class in it, that runs when it is imported; annotations only name
    things."""
    for node in body:
        if isinstance(node, Function):
            yield from (*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults))
        elif isinstance(node, ast.ClassDef):
            yield from (*node.decorator_list, *node.bases, *(each.value for each in node.keywords))
            yield from _run_at_import(node.body)
        elif not isinstance(node, ast.Import | ast.ImportFrom):
            yield node


def _names_in(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)}


def _bindings(file: str, tree: ast.Module, modules: Mapping[str, ast.Module]) -> Iterator[tuple[str, str]]:
    """Names in a module that stand for another of the model's own, or for something of it, with its file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                parts = alias.name.split(".")
                names = (".".join(parts[: n + 1]) for n in range(len(parts)))  # each of them is imported
                for found in (file for name in names for file in _files_of(name, modules)):
                    yield alias.asname or alias.name.partition(".")[0], found
        elif isinstance(node, ast.ImportFrom):
            base = _base_of(file, node)
            for alias in node.names:
                places = [*_files_of(f"{base}.{alias.name}".strip("."), modules), *_files_of(base, modules)]
                for found in places:
                    yield alias.asname or alias.name, "" if alias.name == "*" else found


def _base_of(file: str, node: ast.ImportFrom) -> str:
    """Return the module that a `from … import` names, dotted; of a relative one, below the directory."""
    if not node.level:
        return node.module or ""
    folder = PurePosixPath(file).parents[min(node.level, len(PurePosixPath(file).parents)) - 1]
    return ".".join([*folder.parts, *((node.module or "").split("."))]).strip(".")


def _files_of(module: str, modules: Mapping[str, ast.Module]) -> Iterator[str]:
    """Yield the files that a dotted name may be: those whose path ends so."""
    wanted = tuple(module.split(".")) if module else ()
    for file in modules:
        parts = PurePosixPath(file).with_suffix("").parts
        parts = parts[:-1] if parts[-1:] == ("__init__",) else parts
        if wanted and parts[-len(wanted) :] == wanted:
            yield file


def _holders(
    name: str, constants: Iterable[str], modules: Mapping[str, ast.Module]
) -> Iterator[tuple[str, str, str]]:
    """Yield where a constant of this module was copied to, by a `from … import` at the top of another."""
    wanted = set(constants)
    for file, tree in modules.items():
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and name in _files_of(_base_of(file, node), modules):
                yield from (
                    (file, each.asname or each.name, each.name) for each in node.names if each.name in wanted
                )
