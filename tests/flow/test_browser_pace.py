"""People look at an emulator in which much happens at once: what they read stays where it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from flow.driver import Client, wait_for
from flow.page_driver import ask, deployed, opened, violations
from flow.processes import EmulatorProcess
from real_browser import browser as browser

pytestmark = pytest.mark.of_processes("what the page shows is the same for containers")


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorProcess]:
    with deployed(tmp_path_factory.mktemp("emulator"), "hello") as process:
        yield process


@pytest.fixture(scope="module")
def client(emulator: EmulatorProcess) -> Iterator[Client]:
    client = Client(emulator.url)
    for number in range(120):
        ask(client, "hello", str(number))
    yield client
    client.close()


@pytest.fixture
def page(browser: Any, emulator: EmulatorProcess, client: Client) -> Iterator[Any]:
    with opened(browser, emulator) as page:
        wait_for(lambda: page.get_by_role("row").count() > 100)
        yield page


def test_a_list_that_is_scrolled_stays_still_and_counts_what_came(page: Any, client: Client) -> None:
    rows = page.get_by_role("row")
    first = rows.nth(1).inner_text()
    page.mouse.move(400, 400)
    page.mouse.wheel(0, 1_200)
    page.wait_for_timeout(300)
    before = rows.nth(60).bounding_box()["y"]
    for _ in range(3):
        ask(client, "hello")
    newer = page.get_by_role("button", name="Show 3 newer requests")
    newer.wait_for()
    assert rows.nth(60).bounding_box()["y"] == pytest.approx(before, abs=2)
    assert rows.nth(1).inner_text() == first
    assert violations(page) == []
    newer.click()
    wait_for(lambda: rows.nth(4).inner_text() == first)
    assert newer.count() == 0


def test_rows_that_are_kept_still_tell_how_their_requests_ended(page: Any, client: Client) -> None:
    """A row is drawn again when something has become known, and only then."""
    page.get_by_label("Filter requests").fill("status:ok")
    rows = page.get_by_role("row")
    wait_for(lambda: rows.count() > 100)
    before = rows.count()
    ask(client, "hello")
    wait_for(lambda: rows.count() == before + 1)
    page.get_by_role("link", name="hello.predict").nth(2).click()
    assert rows.nth(3).get_by_role("link").get_attribute("aria-current") == "true"
    page.get_by_role("link", name="hello.predict").nth(4).click()
    wait_for(lambda: rows.nth(5).get_by_role("link").get_attribute("aria-current") == "true")
    assert rows.nth(3).get_by_role("link").get_attribute("aria-current") is None
