"""Attacks of the table, in short: each keeps to its stated bound. ``make attacks`` makes all, for longer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from attack.__main__ import made
from attack.every_attack import ATTACKS
from attack.scene import Scene

pytestmark = pytest.mark.slow

SHORT = [name for name, attack in ATTACKS.items() if attack.short]


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with Scene(short=True) as scene:
        yield scene


@pytest.mark.parametrize("name", SHORT)
def test_others_notice_no_more_than_the_stated_bound(scene: Scene, name: str) -> None:
    result = made(ATTACKS[name], scene, tries=6)  # beside what else CI runs
    if result.not_tried:
        pytest.skip(result.not_tried)
    assert result.broken == []
