"""A link to a content is good for that content, for an hour, and cannot be made by anybody else."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest

from clarifai_emulator.api.content_links import ContentLinks
from resource_api import StillClock

VERSION = ("ada", "app", "a/b", "v 1")


def read(links: ContentLinks, link: str) -> tuple[str, ...] | None:
    path, _, query = link.partition("?")
    return links.version_of(path, dict(parse_qsl(query)))


def test_it_says_which_version_for_an_hour() -> None:
    clock = StillClock()
    links = ContentLinks(clock)
    link = links.link(VERSION)
    assert read(links, link) == VERSION
    clock.seconds += 3601
    assert read(links, link) is None


@pytest.mark.parametrize(
    "odd", ["", "?expires=9999999999", "?expires=x&signature=x", "?signature=\u00e9&expires=1"]
)
def test_what_was_not_signed_here_is_none(odd: str) -> None:
    links = ContentLinks(StillClock())
    path = links.link(VERSION).partition("?")[0]
    assert read(links, f"{path}{odd}") is None
    assert read(ContentLinks(StillClock()), links.link(VERSION)) is None
