"""Makes one call of a client wrong, in its source: mutants, and the probe that shows if a call is looked at."""

from __future__ import annotations

import ast
import copy
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

# No model has an argument of that name.
UNKNOWN = "zzz_not_there"
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Edit:
    """A text in place of the source between two places; lines count from 1, columns in bytes of UTF-8."""

    line: int
    column: int
    end_line: int
    end_column: int
    text: str


def edited(source: str, edits: list[Edit]) -> str:
    """Return the source with all edits, none of which may lie in another."""
    lines = [each.encode() for each in source.split("\n")]
    for edit in sorted(edits, key=lambda each: (each.line, each.column), reverse=True):
        head, tail = lines[edit.line - 1][: edit.column], lines[edit.end_line - 1][edit.end_column :]
        lines[edit.line - 1 : edit.end_line] = (head + edit.text.encode() + tail).split(b"\n")
    return b"\n".join(lines).decode()


def rewritten(call: ast.Call, change: Callable[[ast.Call], None]) -> Edit | None:
    """Return the edit that writes a call anew after a change, on as many lines as it has; None without a change."""
    other = copy.deepcopy(call)
    change(other)
    if ast.dump(other) == ast.dump(call):
        return None
    end_line, end_column = call.end_lineno or call.lineno, call.end_col_offset or 0
    text = ast.unparse(other)
    # The lines below keep their numbers: the call ends where it ended.
    padding = "\n" * (end_line - call.lineno - text.count("\n"))
    text = text[:-1] + padding + ")" if padding and text.endswith(")") else text
    return Edit(call.lineno, call.col_offset, end_line, end_column, text)


def probe(call: ast.Call, kind: str) -> Edit | None:
    """Return the edit that makes a call wrong whatever its model is; None where nothing literal can be changed."""
    if kind in ("openai", "framework"):
        return rewritten(call, _another_model)
    if kind == "mcp":
        return rewritten(call, _another_tool)
    return rewritten(call, lambda other: other.keywords.append(ast.keyword(UNKNOWN, ast.Constant(1))))


def _another_model(call: ast.Call) -> None:
    for keyword in call.keywords:
        if keyword.arg in ("model", "id", "model_name", "model_url") and _is_text(keyword.value):
            keyword.value = ast.Constant(f"{keyword.value.value}/{UNKNOWN}")  # pyright: ignore[reportAttributeAccessIssue]


def _another_tool(call: ast.Call) -> None:
    if call.args and _is_text(call.args[0]):
        call.args[0] = ast.Constant(f"{call.args[0].value}_{UNKNOWN}")  # pyright: ignore[reportAttributeAccessIssue]


def _is_text(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def mutants(call: ast.Call, method: Mapping[str, Any], rolls: random.Random) -> dict[str, Edit]:
    """Return the ways to make a right call wrong, by name. ``method``: its signature."""
    fields = list(method.get("input_fields", []))
    changes: dict[str, Callable[[ast.Call], None]] = {
        "method misspelt": lambda other: _misspell_method(other, rolls),
        "argument misspelt": lambda other: _misspell_argument(other, rolls),
        "argument dropped": lambda other: _drop(other, fields),
        "argument extra": lambda other: other.keywords.append(ast.keyword("extra", ast.Constant(1))),
        "position extra": lambda other: _too_many(other, len(fields)),
        "wrong type": lambda other: _retype(other, fields),
    }
    found = {name: rewritten(call, change) for name, change in changes.items()}
    return {name: edit for name, edit in found.items() if edit is not None}


def _misspell(word: str, rolls: random.Random) -> str:
    place = rolls.randrange(1, len(word)) if len(word) > 1 else 0
    letter = rolls.choice([each for each in _LETTERS if each != word[place]])
    return word[:place] + letter + word[place + 1 :]


def _misspell_method(call: ast.Call, rolls: random.Random) -> None:
    assert isinstance(call.func, ast.Attribute)
    call.func.attr = _misspell(call.func.attr, rolls)


def _misspell_argument(call: ast.Call, rolls: random.Random) -> None:
    named = [each for each in call.keywords if each.arg]
    if named:
        chosen = rolls.choice(named)
        chosen.arg = _misspell(chosen.arg or "", rolls)


def _drop(call: ast.Call, fields: list[Mapping[str, Any]]) -> None:
    required = {each["name"] for each in fields if each.get("required")}
    for keyword in call.keywords:
        if keyword.arg in required:
            call.keywords.remove(keyword)
            return
    if (
        call.args
        and fields
        and fields[0].get("required")
        and not any(isinstance(a, ast.Starred) for a in call.args)
    ):
        call.args.clear()


def _too_many(call: ast.Call, takes: int) -> None:
    if not call.keywords and call.args and not any(isinstance(each, ast.Starred) for each in call.args):
        call.args.extend(ast.Constant(0) for _ in range(takes - len(call.args) + 1))


def _retype(call: ast.Call, fields: list[Mapping[str, Any]]) -> None:
    types = {each["name"]: str(each.get("type", "")) for each in fields}
    given = [(each.arg or "", each) for each in call.keywords]
    for name, keyword in given:
        if types.get(name) in _OTHER:
            keyword.value = ast.Constant(_OTHER[types[name]])
            return
    if call.args and fields and types[fields[0]["name"]] in _OTHER and not isinstance(call.args[0], ast.Starred):
        call.args[0] = ast.Constant(_OTHER[types[fields[0]["name"]]])


_OTHER: Mapping[str, str | int] = {
    "STR": 12,
    "INT": "twelve",
    "FLOAT": "1.5",
    "BOOL": "yes",
    "IMAGE": 12,
    "TEXT": 12,
}
