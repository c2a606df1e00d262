"""Tells a browser of … ."""

from __future__ import annotations

from clarifai_emulator.control.page.page_topics import PageTopic


class PageContracts(PageTopic):
    """Tells of … ."""
