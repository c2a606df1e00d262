"""Reads the map of scenarios, and which tests a module has."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

MAP: Any = yaml.safe_load(Path(__file__).with_name("scenarios.yaml").read_text(encoding="utf-8"))
MODULES: dict[str, dict[str, Any]] = MAP["modules"]


def names_in(module: Path) -> Iterator[str]:
    """Yield the tests of a module as pytest names them, parametrised ones once."""

    def inside(body: list[ast.stmt], prefix: str) -> Iterator[str]:
        for each in body:
            if isinstance(each, ast.ClassDef):
                yield from inside(each.body, f"{prefix}{each.name}::")
            elif isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and is_test(each):
                yield f"{prefix}{each.name}"

    def is_test(each: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
        is_fixture = any("fixture" in ast.unparse(decorator).partition("(")[0] for decorator in each.decorator_list)
        return each.name.startswith("test") and not is_fixture

    yield from inside(ast.parse(module.read_text(encoding="utf-8")).body, "")
