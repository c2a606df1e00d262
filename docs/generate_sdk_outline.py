"""Writes the outline of the SDK that models are read with where no SDK is installed. Run by ``make docs``.

An outline has the names, bases, decorators and parameters of the SDK's classes, and no code. What a published
method says of itself stays: it is the description that the platform shows of it.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from clarifai_emulator.contracts.stubs.sdk_surface import OUTLINE

# What models inherit from, what their annotations name, and what clients import.
FILES = (
    "client/__init__.py",
    "runners/__init__.py",
    "runners/models/*_class.py",
    "runners/utils/data_types/*.py",
    "runners/utils/data_utils.py",
)
HEAD = "# An outline of clarifai {version}, which is under the Apache License 2.0. Written by `make docs`.\n"


def outline() -> dict[str, str]:
    """Return the files of the outline, by their paths below the SDK's package, as they should be."""
    spec = importlib.util.find_spec("clarifai")
    assert spec is not None
    assert spec.origin is not None
    folder, head = Path(spec.origin).parent, HEAD.format(version=metadata.version("clarifai"))
    files = sorted({file for pattern in FILES for file in folder.glob(pattern)})
    return {
        file.relative_to(folder).with_suffix(".pyi").as_posix(): head + _module(ast.parse(file.read_text()))
        for file in files
    }


def main() -> None:
    """Write it."""
    folder = OUTLINE / "clarifai"
    for old in folder.rglob("*.pyi"):
        old.unlink()
    for name, text in outline().items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def _module(tree: ast.Module) -> str:
    defined = [each for each in tree.body if isinstance(each, ast.ClassDef) and not each.name.startswith("_")]
    classes = [_class(each) for each in defined]
    used = {each.id for made in classes for each in ast.walk(made) if isinstance(each, ast.Name)}
    body = [*_imports(tree, used, exports=not classes), *classes]
    return "".join(ast.unparse(each) + "\n" for each in body)


def _imports(tree: ast.Module, used: set[str], *, exports: bool) -> Iterator[ast.stmt]:
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            kept = [each for each in node.names if exports or (each.asname or each.name.split(".")[0]) in used]
            if kept:
                node.names = kept
                yield node


def _class(node: ast.ClassDef) -> ast.ClassDef:
    body = [made for each in node.body for made in _member(each)]
    return ast.ClassDef(node.name, node.bases, node.keywords, body or [_dots()], node.decorator_list)


def _member(node: ast.stmt) -> Iterator[ast.stmt]:
    if isinstance(node, ast.AnnAssign):
        yield (
            node
            if isinstance(node.value, ast.Constant)
            else ast.AnnAssign(node.target, node.annotation, None, node.simple)
        )
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        kept = [ast.Expr(ast.Constant(text))] if _is_published(node) and (text := ast.get_docstring(node)) else []
        node.body = [*kept, *_attributes(node)] or [_dots()]
        yield node


def _attributes(function: ast.AST) -> list[ast.stmt]:
    """Return statements that set the attributes of ``self`` that the function sets."""
    names = {
        each.attr: None
        for each in ast.walk(function)
        if isinstance(each, ast.Attribute)
        and isinstance(each.ctx, ast.Store)
        and isinstance(each.value, ast.Name)
        and each.value.id == "self"
    }
    return list(ast.parse("\n".join(f"self.{name} = ..." for name in names)).body)


def _is_published(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(ast.unparse(each).endswith("ModelClass.method") for each in node.decorator_list)


def _dots() -> ast.stmt:
    return ast.Expr(ast.Constant(...))


if __name__ == "__main__":
    main()
