"""Finds statements of model.py at which importing it ends: imports that fail, ``raise`` and exits."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.finding import Finding, Location
from clarifai_emulator.contracts.signatures.model_source import parsed
from clarifai_emulator.contracts.signatures.static_modules import ParsedModules


def failing_statements(file: Path, modules: ParsedModules) -> Iterator[Finding]:
    """Yield the first statement at the top level of model.py that fails whatever was before it."""
    tree = parsed(file)
    for node in tree.body if tree is not None else ():
        if isinstance(node, ast.ImportFrom) and node.level:
            message = "model.py cannot be used: ImportError: attempted relative import with no known parent package"
            yield found("import-failed", message, location=Location(file, node.lineno, node.col_offset + 1))
            return
        end = _end(node)
        if end:
            message = f"model.py cannot be used: it ends with `{end}` while it is imported"
            yield found("import-failed", message, location=Location(file, node.lineno, node.col_offset + 1))
            return
        problem = _problem(node, modules)
        if problem:
            message = f"model.py cannot be used: {problem}"
            hint = "Name the clarifai in requirements.txt that the code was written for, or import what it has."
            yield found("import-failed", message, Location(file, node.lineno, node.col_offset + 1), hint=hint)
            return


def _end(node: ast.stmt) -> str:
    """Return a statement that ends the import, as it is written; empty for any other."""
    if isinstance(node, ast.Raise):
        return ast.unparse(node)[:80]
    call = node.value if isinstance(node, ast.Expr) else None
    if isinstance(call, ast.Call) and ast.unparse(call.func) in (
        "sys.exit",
        "exit",
        "quit",
        "os._exit",
        "os.abort",
    ):
        return ast.unparse(call)[:80]
    return ""


def _problem(node: ast.stmt, modules: ParsedModules) -> str:
    if isinstance(node, ast.Import):
        names = [each.name for each in node.names if each.name.startswith("clarifai.")]
        gone = next((each for each in names if not modules.has_module(each)), "")
        return f"ModuleNotFoundError: No module named '{gone}'" if gone else ""
    if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("clarifai."):
        return ""
    module = node.module or ""
    if not modules.has_module(module):
        return f"ModuleNotFoundError: No module named '{module}'"
    for each in node.names:
        if each.name != "*" and not modules.has_name(module, each.name):
            return f"ImportError: cannot import name '{each.name}' from '{module}'"
    return ""
