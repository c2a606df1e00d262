"""The pages work in a real browser: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from clarifai_emulator.control.thread import EmulatorThread
from real_browser import browser as browser


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """Open a page, and fail the test if its script fails or is blocked; ``asked`` has every URL it asks for."""
    page = browser.new_page()
    said: list[str] = []
    asked: list[str] = []

    def say(message: Any) -> None:
        said.append(message.text)

    def fail(error: Any) -> None:
        said.append(str(error))

    def ask(request: Any) -> None:
        asked.append(request.url)

    page.on("console", say)
    page.on("pageerror", fail)
    page.on("request", ask)
    page.asked = asked
    yield page
    page.close()
    assert said == []


def test_the_start_page_shows_the_address_and_leads_to_the_api(page: Any, emulator: EmulatorThread) -> None:
    page.goto(emulator.url)
    assert f"export CLARIFAI_API_BASE={emulator.url}" in page.inner_text("body")
    page.set_viewport_size({"width": 360, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360  # nothing is cut off on a small screen
    page.click("text=read")
    page.wait_for_selector("section")
    assert page.url == f"{emulator.url}/docs"
    assert all(url.startswith(emulator.url) for url in page.asked)


def test_the_api_is_found_and_read(page: Any, emulator: EmulatorThread) -> None:
    page.goto(f"{emulator.url}/docs")
    page.wait_for_selector("section")
    page.fill("#filter", "post outputs PostModelOutputs")
    rows = page.locator("section:not([hidden]) > details:not([hidden])")
    assert page.inner_text("#count").endswith("operations")
    assert 0 < rows.count() < 20
    rows.first.locator("summary").first.click()
    rows.first.get_by_text("curl -X POST").wait_for()
    said = rows.first.inner_text()
    assert "model_id" in said
    assert "runner_selector" in said
