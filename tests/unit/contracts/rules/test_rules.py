"""The registry: every rule has an id of its own and everything a reader needs; the pages are generated from it."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

from clarifai_emulator.contracts.rules import RULES, SUBJECTS

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
