"""Tells what the decorators of a method leave of it, as far as their source tells."""

from __future__ import annotations

import ast
from typing import Any

from clarifai_emulator.contracts.signatures.model_source import parsed
from clarifai_emulator.contracts.signatures.static_modules import ParsedModules

# They give back the function, or one that says of itself what that says.
_TRANSPARENT = frozenset(
    {
        "abc.abstractmethod",
        "contextlib.contextmanager",
        "functools.cache",
        "functools.lru_cache",
        "functools.wraps",
        "typing.final",
        "typing.no_type_check",
        "typing.override",
        "typing_extensions.override",
    }
)
# Packages whose decorators are made with functools.wraps.
_TRANSPARENT_PACKAGES = frozenset(
    {"torch", "tenacity", "backoff", "numba", "retry", "retrying", "tensorflow", "jax"}
)
_BOUND = frozenset({"staticmethod", "classmethod", "property", "functools.cached_property"})


def hides_method(function: Any) -> bool:
    """Tell whether a decorator makes it something that the SDK does not take for a method."""
    return any(_path(each.value) in _BOUND for each in function.decorators)


def unknown_decorator(function: Any, modules: ParsedModules) -> str:
    """Return the first decorator that may make another function of it, as it is written; empty where there is
    none."""
    for each in function.decorators:
        if modules.is_method_decorator(each.value, function.module) or _path(each.value) in _BOUND:
            continue
        if not _is_transparent(each.value, function, modules):
            return str(each.value)
    return ""


def makes_method(function: Any, modules: ParsedModules) -> bool:
    """Tell whether a decorator of the model's own may make a method of it."""
    for each in function.decorators:
        target = modules.decorator_target(each.value, function.module)
        if target is None or not target.is_function or str(target.path).startswith("clarifai."):
            continue
        node = _definition(target)
        if node is not None and ".method" in ast.unparse(node):
            return True
    return False


def _is_transparent(decorator: Any, function: Any, modules: ParsedModules) -> bool:
    path = _path(decorator)
    if path in _TRANSPARENT or path.partition(".")[0] in _TRANSPARENT_PACKAGES:
        return True
    target = modules.decorator_target(decorator, function.module)
    if target is None or not target.is_function:
        return False
    is_call = type(decorator).__name__ == "ExprCall"
    node = _definition(target)
    return node is not None and (_gives_made(node) if is_call else _gives_same(node))


def _path(expression: Any) -> str:
    function = getattr(expression, "function", expression)
    path = str(getattr(function, "canonical_path", function))
    return path.removeprefix("builtins.")


def _definition(target: Any) -> ast.FunctionDef | None:
    tree = parsed(target.filepath)
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.FunctionDef) and node.name == target.name and target.lineno in _lines(node):
            return node
    return None


def _lines(node: ast.FunctionDef) -> tuple[int, ...]:
    return (node.lineno, *(each.lineno for each in node.decorator_list))


def _gives_made(node: ast.FunctionDef) -> bool:
    """Tell whether a function gives decorators that leave a function as it is: ``@retry(times=3)``."""
    inner = {each.name: each for each in node.body if isinstance(each, ast.FunctionDef)}
    given = [each.value for each in _returns(node)]
    return bool(given) and all(
        isinstance(each, ast.Name) and each.id in inner and _gives_same(inner[each.id]) for each in given
    )


def _gives_same(node: ast.FunctionDef) -> bool:
    """Tell whether a decorator gives back its argument, or a function that looks like it by functools.wraps."""
    if not node.args.args:
        return False
    argument = node.args.args[0].arg
    inner = {each.name: each for each in node.body if isinstance(each, ast.FunctionDef)}
    given = [each.value for each in _returns(node)]
    return bool(given) and all(
        isinstance(each, ast.Name)
        and (each.id == argument or (each.id in inner and _wraps(inner[each.id], argument)))
        for each in given
    )


def _returns(node: ast.FunctionDef) -> list[ast.Return]:
    """Return the returns of a function itself, and not those of functions in it."""
    found: list[ast.Return] = []
    left: list[ast.AST] = list(node.body)
    while left:
        each = left.pop()
        if isinstance(each, ast.Return):
            found.append(each)
        if not isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            left.extend(ast.iter_child_nodes(each))
    return found


def _wraps(node: ast.FunctionDef, argument: str) -> bool:
    texts = {ast.unparse(each) for each in node.decorator_list}
    return bool(texts & {f"functools.wraps({argument})", f"wraps({argument})"})
