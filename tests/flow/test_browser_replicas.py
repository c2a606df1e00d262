"""People look at replicas: the life of each as a bar and in words, its traceback, its build, and its log."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flow.driver import Client, figure, wait_for, write_model
from flow.page_driver import LIGHT_AND_DARK, PLANTED, ask, deployed, opened, violations
from flow.page_driver import page as page
from flow.processes import EmulatorProcess
from real_browser import browser as browser

pytestmark = pytest.mark.of_processes("what the page shows is the same for containers")

FLOOD = """
import threading, time

from clarifai.runners.models.model_class import ModelClass

class Flood(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        threading.Thread(target=self.print_much, daemon=True).start()
        return "printing"

    def print_much(self) -> None:
        began, number = time.monotonic(), 0
        while (past := time.monotonic() - began) < 12:
            while number < past * 1700:  # 102,000 a minute
                number += 1
                print(f"flood {number} " + "x" * 60)
            time.sleep(0.01)
"""
DYING = f"""
import os

from clarifai.runners.models.model_class import ModelClass

class Dying(ModelClass):
    def load_model(self) -> None:
        if os.path.exists({{gate!r}}):
            raise RuntimeError("no weights " + {PLANTED!r})

    @ModelClass.method
    def predict(self, prompt: str) -> str:
        os._exit(3)
"""


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorProcess]:
    folder = tmp_path_factory.mktemp("emulator")
    flood = write_model(folder, "flood", FLOOD)
    dying = write_model(folder, "dying", DYING.replace("{gate!r}", repr(str(folder / "gate"))))
    with deployed(folder, "hello", "slow", flood, dying) as process:
        yield process


@pytest.fixture(scope="module")
def client(emulator: EmulatorProcess) -> Iterator[Client]:
    client = Client(emulator.url)
    ask(client, "hello")
    yield client
    client.close()


def test_each_replica_has_its_life_in_words_beside_the_bar(page: Any, client: Client) -> None:
    page.get_by_role("link", name="Replicas").click()
    row = page.get_by_role("row").filter(has_text="deploy-hello")
    row.get_by_text(re.compile(r"starting .* s, loading .* s, ready \d+")).wait_for()
    ask(client, "hello")
    row.get_by_text(re.compile(r"busy .+ of that")).wait_for()
    page.get_by_label("1 minute").check()
    begin, end = page.get_by_role("columnheader").last.inner_text().split(" to ")
    assert seconds_of(end) - seconds_of(begin) in (60, 60 - 86_400)
    page.get_by_label("60 minutes").check()
    begin, end = page.get_by_role("columnheader").last.inner_text().split(" to ")
    assert seconds_of(end) - seconds_of(begin) in (3600, 3600 - 86_400)


def seconds_of(time: str) -> int:
    hours, minutes, seconds = map(int, time.split(":"))
    return 3600 * hours + 60 * minutes + seconds


def test_lives_are_known_when_their_events_are_long_gone(
    browser: Any, emulator: EmulatorProcess, client: Client
) -> None:
    """A page that comes later gets the newest events only."""
    for _ in range(900):
        ask(client, "hello")
    with opened(browser, emulator) as page:
        page.get_by_role("link", name="Replicas").click()
        row = page.get_by_role("row").filter(has_text="deploy-slow")
        row.get_by_text(re.compile(r"loading .* s, ready \d+")).wait_for()


def test_a_replica_that_dies_says_how_and_shows_its_traceback_as_text(
    page: Any, emulator: EmulatorProcess, client: Client, tmp_path_factory: pytest.TempPathFactory
) -> None:
    page.get_by_role("link", name="Replicas").click()
    Path(emulator.temporary.parent / "gate").touch()
    ask(client, "dying")
    row = page.get_by_role("row").filter(has_text="deploy-dying").filter(has_text="crashed").first
    row.get_by_text(re.compile(r"crashed \d+ s ago: .*code 3")).wait_for()
    loading = page.get_by_role("row").filter(has_text="deploy-dying").filter(has_text="code 1").first
    loading.get_by_role("link").click()
    page.get_by_role("heading", name="Its last traceback").wait_for()
    page.get_by_text(f"RuntimeError: no weights {PLANTED}").first.wait_for()
    assert "planted" not in page.title()
    assert page.locator("img").count() == 0
    page.get_by_role("link", name="Map").click()
    card = page.get_by_role("listitem").filter(has_text=re.compile("^deploy-dying")).last
    card.get_by_text("failed", exact=True).wait_for(timeout=30_000)
    card.get_by_text("Mend the model and deploy it again").wait_for()
    card.get_by_text("What it printed last").click()
    card.get_by_text("RuntimeError: no weights").last.wait_for()
    assert "planted" not in page.title()


def test_a_replica_says_of_what_it_is_and_how_that_was_built(page: Any) -> None:
    page.get_by_role("link", name="Replicas").click()
    page.get_by_role("row").filter(has_text="deploy-hello").get_by_role("link").click()
    page.get_by_role("link", name="me/demo/hello").wait_for()
    page.get_by_text("How its version was built").click()
    page.get_by_text("Environment: ").wait_for()


def test_the_page_stays_usable_in_a_flood_of_log_lines(page: Any, client: Client) -> None:
    page.get_by_role("link", name="Replicas").click()
    page.get_by_role("row").filter(has_text="deploy-flood").get_by_role("link").click()
    page.evaluate(
        """() => { window.longest = 0; let last = performance.now();
        const look = now => { window.longest = Math.max(window.longest, now - last); last = now;
                              requestAnimationFrame(look); };
        requestAnimationFrame(look); }"""
    )
    ask(client, "flood")
    page.get_by_text(re.compile(r"flood \d{4}")).first.wait_for()
    page.wait_for_timeout(4_000)
    page.get_by_label("Search the log").fill("flood 99")
    page.get_by_text(re.compile(r"^\d+ of \d+ lines")).wait_for()
    page.get_by_label("Search the log").fill("")
    page.get_by_role("button", name="Show 500 older lines").click()
    longest = page.evaluate("window.longest")
    figure(f"the page's longest frame while 100,000 log lines a minute come: {longest:.0f} ms")
    assert longest < 2_000
    wait_for(lambda: ask(client, "hello").status.code == 10000)


@pytest.mark.parametrize(("scheme", "width"), LIGHT_AND_DARK)
def test_it_is_read_light_and_dark_on_small_and_large_screens(
    browser: Any, emulator: EmulatorProcess, client: Client, scheme: str, width: int
) -> None:
    with opened(browser, emulator, color_scheme=scheme, viewport={"width": width, "height": 900}) as page:
        page.get_by_role("link", name="Replicas").click()
        page.get_by_role("row").filter(has_text="deploy-hello").get_by_role("link").click()
        page.get_by_role("heading", name="Its log").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert violations(page) == []
