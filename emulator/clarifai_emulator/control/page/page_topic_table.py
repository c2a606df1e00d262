"""Lists the topics of the page."""

from __future__ import annotations

from clarifai_emulator.control.page.page_calls import PageCalls
from clarifai_emulator.control.page.page_contracts import PageContracts
from clarifai_emulator.control.page.page_faults import PageFaults
from clarifai_emulator.control.page.page_resources import PageResources
from clarifai_emulator.control.page.page_state import PageState
from clarifai_emulator.control.page.page_topics import PageTopic
from clarifai_emulator.control.page.page_tries import PageTries

TOPICS: tuple[type[PageTopic], ...] = (PageState, PageCalls, PageTries, PageFaults, PageContracts, PageResources)
