"""Tests signatures that are read from the source alone."""

from __future__ import annotations

from pathlib import Path

from clarifai_emulator.contracts.signatures.read_signatures import read_many, read_signatures
from written_models import HEAD, REFUSED, method, told, write


def test_what_the_sdk_refuses_is_refused_by_the_same_rule_at_the_same_place(tmp_path: Path) -> None:
    models = [method(tmp_path / name, code) for name, code, *_ in REFUSED]
    for (name, _, rule, *_), by_source in zip(REFUSED, read_many(models, static=True), strict=True):
        assert [each.rule for each in told(by_source)] == ["variadic-parameter" if name == "args" else rule], name
        location = told(by_source)[0].location
        assert location is not None
        assert location.line == 10, name


def test_what_only_running_the_code_can_tell_is_said(tmp_path: Path) -> None:
    head = "import os\nfrom absent import Special\n" + HEAD
    code = """
        @ModelClass.method
        def predict(self, a: str, where: str = os.environ.get("WHERE", "here")) -> str: ...

        @ModelClass.method
        def other(self, a: Special) -> str: ...
    """
    contract = read_signatures(write(tmp_path / "dynamic", code, head=head), static=True)
    assert [(each.rule, each.severity.value, each.message) for each in told(contract)] == [
        (
            "unknown-default",
            "unchecked",
            "The default of 'where' of predict() is computed: os.environ.get('WHERE', 'here').",
        ),
        (
            "unknown-type",
            "unchecked",
            "The type of 'a' of other() cannot be read from the source: Special is not written here.",
        ),
    ]
