"""Ids that do not come again."""

from __future__ import annotations

import random
import re

from clarifai_emulator.unique_ids import unique_id


def test_ids_are_32_digits_and_do_not_come_again_whatever_a_test_seeds() -> None:
    made: set[str] = set()
    for _ in range(1_000):
        random.seed(1)
        made.add(unique_id())
    assert len(made) == 1_000
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in made)
