"""Tells what ``check`` says of a folder of cases with their right answers, as a table.

calls/NAME.py      with calls/truth.json: ``{NAME: {"right": true, …}}``
holding/NAME.py    one wrong call each, of a model that is held in some way
notebooks/         shown as found
models/            the models that all of them call
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ground.client_checks import said_of

_LOUD = ("error", "warning")


def cases_table(folder: Path) -> str:
    """Return a line for each kind of answer, and one for each case that is answered otherwise than it should be."""
    models = [str(each) for each in sorted((folder / "models").iterdir()) if (each / "config.yaml").is_file()]
    found = said_of([folder / name for name in ("calls", "holding", "notebooks")], models)
    said = {Path(file): each.findings for file, each in found.items()}
    truth = json.loads((folder / "calls" / "truth.json").read_text())
    return "\n".join([*_calls(folder, truth, said), *_holding(folder, said), *_notebooks(folder, said)])


def _calls(
    folder: Path, truth: Mapping[str, Any], said: Mapping[Path, Sequence[Mapping[str, Any]]]
) -> Iterator[str]:
    became: dict[str, list[str]] = {}
    for name, case in truth.items():
        loud, named = _heard(said.get(folder / "calls" / f"{name}.py", ()))
        if case["right"]:
            word = (
                f"right, called wrong ({', '.join(loud)})" if loud else "right, named" if named else "right, passed"
            )
        else:
            word = "wrong, found" if loud else "wrong, named" if named else "wrong, silent"
        became.setdefault(word, []).append(name)
    yield from _lines("calls", became, ("called wrong", "silent", "named"))


def _holding(folder: Path, said: Mapping[Path, Sequence[Mapping[str, Any]]]) -> Iterator[str]:
    became: dict[str, list[str]] = {}
    for file in sorted((folder / "holding").glob("*.py")):
        loud, named = _heard(said.get(file, ()))
        became.setdefault("found" if loud else "named" if named else "silent", []).append(file.stem)
    yield from _lines("holding", became, ("silent",))


def _notebooks(folder: Path, said: Mapping[Path, Sequence[Mapping[str, Any]]]) -> Iterator[str]:
    for file in sorted((folder / "notebooks").glob("*.ipynb")):
        loud, named = _heard(said.get(file, ()))
        yield f"| notebooks | {file.name}: {', '.join([*loud, *named]) or 'nothing'} |"


def _heard(findings_of_case: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    loud = sorted({each["rule"] for each in findings_of_case if each["severity"] in _LOUD})
    return loud, sorted({each["rule"] for each in findings_of_case if each["severity"] == "unchecked"})


def _lines(kind: str, became: Mapping[str, Sequence[str]], listed: Sequence[str]) -> Iterator[str]:
    for word, names in sorted(became.items()):
        those = f": {', '.join(names)}" if any(each in word for each in listed) else ""
        yield f"| {kind} | {len(names)} {word}{those} |"
