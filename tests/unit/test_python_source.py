"""Python is parsed in one thread at a time, by whatever parses it."""

from __future__ import annotations

import ast
import threading
from pathlib import Path

import pytest

from clarifai_emulator.python_source import parse_expression, parse_module

ROOT = Path(__file__).parents[2]


def test_threads_parse_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    genuine, inside, most = ast.parse, list[int](), list[int]()

    def watched(*given: object, **more: object) -> object:
        inside.append(1)
        most.append(len(inside))
        try:
            return genuine(*given, **more)  # pyright: ignore[reportArgumentType, reportCallIssue]
        finally:
            inside.pop()

    monkeypatch.setattr(ast, "parse", watched)
    text = Path(ast.__file__).read_text(encoding="utf-8")
    start = threading.Barrier(4)

    def parse() -> None:
        start.wait()
        assert isinstance(parse_module(text, "ast.py"), ast.Module)
        assert isinstance(parse_expression("1 + 1"), ast.Expression)

    threads = [threading.Thread(target=parse) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert most == [1] * 8


def test_nothing_parses_past_it() -> None:
    sources = [*(ROOT / "emulator").rglob("*.py"), *(ROOT / "pytest_plugin").rglob("*.py")]
    # Inside a model's interpreter nothing of ours can be imported.
    past = [
        path.relative_to(ROOT).as_posix()
        for path in sources
        if "ast.parse(" in path.read_text(encoding="utf-8")
        and path.parent.name != "inside"
        and path.name != "python_source.py"
    ]
    assert past == []
