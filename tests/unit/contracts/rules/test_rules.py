"""The registry: every rule has an id of its own and everything a reader needs; the pages are generated from it."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
from click.testing import CliRunner

from clarifai_emulator.cli.main import cli
from clarifai_emulator.contracts.rules import RULES, SUBJECTS
from clarifai_emulator.contracts.rules.example import Example, blocks, example_of, examples, in_markdown
from clarifai_emulator.contracts.rules.rule import Severity

DOCS = Path(__file__).parents[4] / "docs"


def test_ids_are_unique_and_kebab_case() -> None:
    every = [rule.id for rules in SUBJECTS.values() for rule in rules]
    assert len(every) == len(set(every)) == len(RULES)
    assert len(every) >= 30
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", each) for each in every)


def test_every_rule_says_what_it_is_and_what_happens() -> None:
    for rule in RULES.values():
        assert rule.title, rule.id
        assert not rule.title.endswith("."), rule.id
        assert rule.explanation.endswith((".", ":")), rule.id
        assert rule.fix.endswith((".", ":")) or not rule.fix, rule.id


def test_the_documented_page_is_the_generated_one() -> None:
    generator = runpy.run_path(str(DOCS / "generate_rules.py"))
    assert (DOCS / "rules.md").read_text() == generator["page"](), "run `make docs`"


def test_every_rule_has_an_example_and_every_example_a_rule() -> None:
    assert examples().keys() == RULES.keys()
    for rule in RULES.values():
        example = example_of(rule.id)
        assert example.wrong, rule.id
        assert example.right != example.wrong, rule.id
        # Only of what breaks nobody there is nothing to mend.
        assert example.right or rule.severity is Severity.NOTE, rule.id
        assert max(map(len, f"{example.wrong}\n{example.right}".splitlines())) <= 115, rule.id


def test_there_is_no_example_of_a_rule_that_is_not_there() -> None:
    with pytest.raises(KeyError, match="no-such-rule"):
        example_of("no-such-rule")


def test_an_example_is_shown_with_what_it_needs() -> None:
    example = Example("notebook.ipynb", "wrong()", "right()", "f(a: int) -> str", beside={"config.yaml": "a: 1"})
    assert in_markdown(example).split("\n\n") == [
        "The model has `f(a: int) -> str`.",
        "config.yaml:",
        "```yaml\na: 1\n```",
        "Wrong (notebook.ipynb):",
        "```python\nwrong()\n```",
        "Right (notebook.ipynb):",
        "```python\nright()\n```",
    ]


def test_a_change_is_shown_as_a_difference_and_what_stays_as_it_is_as_it_is() -> None:
    example = Example("model.py", "def f(a): ...", "def f(a, b=1): ...", old="def f(a, b=1): ...")
    assert [(each.title, each.language, each.text) for each in blocks(example)] == [
        ("Found", "diff", "-def f(a, b=1): ...\n+def f(a): ..."),
        ("Not found", "diff", " def f(a, b=1): ..."),
    ]


def test_the_command_shows_what_is_wrong_and_the_same_mended() -> None:
    shown = CliRunner().invoke(cli, ["contract", "rules", "text-for-list"]).stdout
    assert shown.splitlines() == [
        "text-for-list: A str is given for a list",
        "  severity  error",
        "  breaks    all clients",
        "",
        "  The model gets a list of its letters, silently.",
        "",
        "  Next: Put it in a list.",
        "",
        "  The model has tag(texts: List[str]) -> List[str].",
        "",
        "  Wrong:",
        "",
        '      model.tag(texts="Hello")',
        "",
        "  Right:",
        "",
        '      model.tag(texts=["Hello"])',
    ]
