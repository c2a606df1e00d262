"""Compares two versions of a ``model.py`` by their syntax trees: may the new class replace the old behind an
instance?"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from clarifai_emulator.models.written import named
from clarifai_emulator.python_source import parse_module

Function = ast.FunctionDef | ast.AsyncFunctionDef

# Models of SDKs before 11.1 are runners.
_BASES = ("ModelClass", "ModelRunner")
LOADS = frozenset({"__init__", "__new__", "__post_init__", "load_model"})
# What may decorate a method: others may keep it, or what it returned.
_DECORATORS = frozenset(
    {"ModelClass.method", "staticmethod", "classmethod", "property", "override", "typing.override"}
)
# Called in defaults of arguments, where they describe an argument.
_DESCRIBING = frozenset({"Param", "Field", "data_types.Param"})
DYNAMIC = frozenset({"getattr", "setattr", "vars", "dir", "eval", "exec", "globals", "locals", "type"})


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison. ``doubt``: why the edit needs more than a swap; empty when a swap is right. ``summary``: what
    has changed."""

    doubt: str = ""
    summary: str = ""
    class_name: str = ""
    may_change_signatures: bool = False


def compare(before: str, after: str) -> Comparison:
    """Compare two sources of a ``model.py``."""
    try:
        old, new = parse_module(before), parse_module(after)
    except (SyntaxError, ValueError):
        return Comparison(doubt="it cannot be parsed")
    olds, news = model_classes(old), model_classes(new)
    if len(olds) != 1 or len(news) != 1:
        return Comparison(
            doubt="it has not exactly one class that inherits from ModelClass", may_change_signatures=True
        )
    old_class, new_class = olds[0], news[0]
    changed = _changed_methods(old_class, new_class)
    doubt = _outside(old, new, old_class, new_class) or _inside(old_class, new_class, changed)
    visible = any(_head(old_class, name) != _head(new_class, name) for name in changed)
    if doubt:
        return Comparison(doubt=doubt, may_change_signatures=visible)
    return Comparison(
        summary=_summary(old_class, new_class, changed),
        class_name=new_class.name,
        may_change_signatures=visible,
    )


def model_classes(module: ast.Module) -> list[ast.ClassDef]:
    return [
        node
        for node in module.body
        if isinstance(node, ast.ClassDef) and any(dotted(base).rpartition(".")[2] in _BASES for base in node.bases)
    ]


def _changed_methods(old: ast.ClassDef, new: ast.ClassDef) -> list[str]:
    """Names of methods that are new, gone, or different."""
    olds, news = _methods(old), _methods(new)
    return sorted(name for name in {*olds, *news} if dump(olds.get(name, [])) != dump(news.get(name, [])))


def _methods(node: ast.ClassDef) -> dict[str, list[Function]]:
    """Return the methods by name; the setter of a property has the name of its getter."""
    found: dict[str, list[Function]] = {}
    for each in node.body:
        if isinstance(each, Function):
            found.setdefault(each.name, []).append(each)
    return found


def _outside(old: ast.Module, new: ast.Module, old_class: ast.ClassDef, new_class: ast.ClassDef) -> str:
    """Say why what stands around the methods needs more than a swap."""
    around_old = [node for node in old.body if node is not old_class]
    around_new = [node for node in new.body if node is not new_class]
    if dump(around_old) != dump(around_new):
        return "code at its top level has changed"
    if old.body.index(old_class) != new.body.index(new_class):
        return "the model class has moved"
    if (
        dump([*old_class.bases, *old_class.keywords, *old_class.decorator_list])
        != dump([*new_class.bases, *new_class.keywords, *new_class.decorator_list])
        or old_class.name != new_class.name
    ):
        return "the head of the model class has changed"
    if len(new_class.bases) != 1 or new_class.keywords or new_class.decorator_list:
        return "the model class has further bases, keywords or decorators"
    if any(_names(node, new_class.name) for node in around_new if not _is_main_guard(node)):
        return f"code at its top level names {new_class.name}"
    if dump(_fields(old_class)) != dump(_fields(new_class)):
        return f"what {new_class.name} has beside methods has changed"
    return ""


def _inside(old: ast.ClassDef, new: ast.ClassDef, changed: Iterable[str]) -> str:
    """Say why the class itself needs more than a swap."""
    loading = reached(old, LOADS) | reached(new, LOADS)
    doubts = [
        *(_class_doubt(node, loading) for node in (old, new)),
        *(_method_doubt(name, (old, new), loading) for name in changed),
    ]
    return next(filter(None, doubts), "")


def _class_doubt(node: ast.ClassDef, loading: set[str]) -> str:
    if any(_calls(each) for each in _fields(node)):
        return f"{node.name} calls something in its body"
    functions = list(_functions(node))
    odd = (_odd_method(node, function) for function in functions)
    let_go = (_lets_go(function, is_loading=function.name in loading) for function in functions)
    return next(filter(None, (*odd, *let_go)), "")


def _method_doubt(name: str, classes: Iterable[ast.ClassDef], loading: set[str]) -> str:
    if name in LOADS or name.startswith("__"):
        return f"{name} has changed"
    if name in loading:
        return f"{name} has changed, which loading the model uses"
    if any(_is_kept(node, name) for node in classes):
        return f"{name} has changed, which is used otherwise than called"
    return ""


def _odd_method(node: ast.ClassDef, function: Function) -> str:
    for decorator in function.decorator_list:
        name = dotted(decorator)
        if name not in _DECORATORS and not name.endswith((".setter", ".deleter")):
            return f"{function.name} has a decorator that may keep it"
    defaults = [*function.args.defaults, *(each for each in function.args.kw_defaults if each is not None)]
    if any(dotted(call.func) not in _DESCRIBING for default in defaults for call in _calls(default)):
        return f"a default of {function.name} calls something"
    if _names(function, node.name):
        return f"{function.name} names {node.name} itself"
    return ""


def _lets_go(function: Function, *, is_loading: bool) -> str:
    """Say why the instance, or one of its methods, may be known elsewhere once this method has run."""
    first = function.args.args[0].arg if function.args.args else "self"
    bases = {id(node.value) for node in ast.walk(function) if isinstance(node, ast.Attribute)}
    for node in ast.walk(function):
        if isinstance(node, ast.Name):
            if node.id == first and id(node) not in bases:
                return f"{function.name} hands {first} on"
            if is_loading and node.id in DYNAMIC:
                return f"{function.name} uses {node.id}()"
    return ""


def reached(node: ast.ClassDef, roots: Iterable[str]) -> set[str]:
    """Return the methods that these use, directly or not."""
    methods, found = _methods(node), set[str]()
    left = list(roots)
    while left:
        name = left.pop()
        if name in found:
            continue
        found.add(name)
        for function in methods.get(name, []):
            left += [each.attr for each in ast.walk(function) if isinstance(each, ast.Attribute)]
    return found


def _is_kept(node: ast.ClassDef, name: str) -> bool:
    """Tell whether a method is used otherwise than called: whoever has it would go on with the old one."""
    if any(
        dotted(each) == "property" for function in _methods(node).get(name, []) for each in function.decorator_list
    ):
        return False
    called = {id(each.func) for each in ast.walk(node) if isinstance(each, ast.Call)}
    for each in ast.walk(node):
        if isinstance(each, ast.Attribute) and each.attr == name and id(each) not in called:
            return True
        if isinstance(each, ast.Constant) and each.value == name:
            return True  # getattr(self, "name"), or a table of names
    return False


def _functions(node: ast.ClassDef) -> Iterator[Function]:
    return (each for each in node.body if isinstance(each, Function))


def _fields(node: ast.ClassDef) -> list[ast.stmt]:
    """Return what a class has beside its methods and its docstring."""
    return [each for each in node.body if not isinstance(each, Function) and not _is_docstring(each)]


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _is_main_guard(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "__name__" in ast.dump(node.test)


def _calls(node: ast.AST) -> list[ast.Call]:
    return [each for each in ast.walk(node) if isinstance(each, ast.Call)]


def _names(node: ast.AST, name: str) -> bool:
    return any(
        (isinstance(each, ast.Name) and each.id == name) or (isinstance(each, ast.Constant) and each.value == name)
        for each in ast.walk(node)
    )


def _head(node: ast.ClassDef, name: str) -> list[str]:
    """Return what clients see of a method: decorators, arguments, result and docstring."""
    return [
        dump([*function.decorator_list, function.args, *([function.returns] if function.returns else [])])
        + repr(ast.get_docstring(function))
        for function in _methods(node).get(name, [])
    ]


def dotted(node: ast.expr) -> str:
    """Return ``a.b.c``; empty for anything that is not a name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = dotted(node.value)
        return f"{base}.{node.attr}" if base else ""
    return ""


def dump(nodes: Iterable[ast.AST]) -> str:
    return "\n".join(ast.dump(node) for node in nodes)


def _summary(old: ast.ClassDef, new: ast.ClassDef, changed: list[str]) -> str:
    if not changed:
        return "only comments or layout have changed"
    olds, news = _methods(old), _methods(new)
    verb = {True: "is new", False: "has changed"}
    parts = [f"{name} is gone" if name not in news else f"{name} {verb[name not in olds]}" for name in changed]
    return named(parts)
