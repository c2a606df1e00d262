"""A failed test says who called whom, and for how long."""

from __future__ import annotations

from plugin.conftest import Nested
from plugin.group_models import GROUP

TESTS = """
def test_router(clarifai):
    clarifai.deploy("ranker")
    router = clarifai.deploy("router")
    assert router.model.predict(query="a") == "something else"


def test_alone(clarifai):
    ranker = clarifai.deploy("ranker")
    assert ranker.model.predict(query="a") == "something else"
"""


def test_a_failed_test_shows_the_tree_of_its_calls(nested: Nested) -> None:
    run = nested({**GROUP, "test_group.py": TESTS})
    lines = [line.strip() for line in run.text.splitlines()]
    assert lines.count("Who called whom:") == 1, "of calls that have none inside them nothing is said"
    at = lines.index("Who called whom:")
    assert lines[at + 1].split()[:2] == ["router", "ok"], run.text
    assert lines[at + 2].split()[2:4] == ["ranker", "ok"]
    assert lines[at + 2].startswith("+")
