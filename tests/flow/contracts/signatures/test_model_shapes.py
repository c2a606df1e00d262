"""`--static` reads the shapes that a model's code may have as an import does, or says what it could not know."""

from __future__ import annotations

from pathlib import Path

import pytest

from clarifai_emulator.contracts.rules.rule import Severity
from clarifai_emulator.contracts.signatures.read_signatures import ModelContract, read_many
from flow.contracts.signatures.model_shapes import NAMED, SAME
from flow.driver import write_model

UNKNOWN = {"unread-method", "unknown-type", "unknown-default"}


def read(tmp_path: Path, shapes: dict[str, str]) -> dict[str, tuple[ModelContract, ModelContract]]:
    """Return what an import and the source say of each shape."""
    paths = [write_model(tmp_path, name, source) for name, source in shapes.items()]
    return dict(zip(shapes, zip(read_many(paths), read_many(paths, static=True), strict=True), strict=True))


def errors(contract: ModelContract) -> bool:
    return any(each.severity is Severity.ERROR for each in contract.findings)


def unknown(contract: ModelContract) -> set[str]:
    """Return the methods that are said to be not known; empty text stands for all of them."""
    return {each.method for each in contract.findings if each.rule in UNKNOWN}


def test_what_the_source_says_is_what_an_import_says(tmp_path: Path) -> None:
    differing: list[str] = []
    for name, (imported, static) in read(tmp_path, SAME).items():
        one = {each.signature.name: each.signature for each in imported.methods}
        other = {each.signature.name: each.signature for each in static.methods}
        not_known = unknown(static)
        if errors(imported) != errors(static) or "" in not_known:
            differing.append(name)
        if any(one.get(each) != other.get(each) for each in {*one, *other} - not_known):
            differing.append(name)
    assert not differing


def test_what_only_running_it_tells_is_said(tmp_path: Path) -> None:
    found = {name: unknown(static) for name, (_, static) in read(tmp_path, NAMED).items()}
    assert [name for name, methods in found.items() if not methods] == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "if-env",
            "other of A is under the condition of line 8, `os.environ.get('X')`: what a client can call cannot be "
            "told without running it.",
        ),
        (
            "no-wraps-outer",
            "predict() is decorated with timed, which may change it: what a client can call cannot be told without "
            "running it.",
        ),
        ("exec", "Which class is the model is not known: line 3 calls exec()."),
    ],
)
def test_the_reason_is_said(tmp_path: Path, name: str, message: str) -> None:
    [contract] = read_many([write_model(tmp_path, name, NAMED[name])], static=True)
    assert message in [each.message for each in contract.findings]
