"""The page stays usable on bad days: floods, huge answers, restarts, other pages, and whoever wants to get in."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from clarifai_emulator.control.page.page_topic_table import TOPICS
from clarifai_emulator.control.page.page_topics import PageContext, PageTopic
from flow.driver import Client, figure, inference_request, wait_for, write_model
from flow.page_driver import ask, deployed, opened, printed_address
from flow.processes import EmulatorProcess
from flow.served_files import serving_files
from real_browser import CHROMIUM
from real_browser import browser as browser

pytestmark = pytest.mark.of_processes("what the page shows is the same for containers")

PANELS = ("Requests", "Map", "Replicas", "Try it", "Traffic", "Faults", "Contracts", "Resources")
TALKER = """
import threading, time

from clarifai.runners.models.model_class import ModelClass

class Talker(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        threading.Thread(target=self.talk, daemon=True).start()
        return "it talks"

    def talk(self):
        number, end = 0, time.monotonic() + 15
        while time.monotonic() < end:
            for _ in range(170):
                number += 1
                print(f"line {number} of a model that has much to say", flush=True)
            time.sleep(0.1)
"""
BIG = """
from clarifai.runners.models.model_class import ModelClass

class Big(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        return "<b>" + "word \\N{SNOWMAN} " * (int(prompt) // 9)

    @ModelClass.method
    def blob(self, prompt: str) -> bytes:
        return bytes(range(256)) * (int(prompt) // 256)
"""
FIFTY_MB = "50000000"


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorProcess]:
    folder = tmp_path_factory.mktemp("emulator")
    models = [str(write_model(folder, name, source)) for name, source in (("talker", TALKER), ("big", BIG))]
    with deployed(folder, "hello", *models) as process:
        yield process


@pytest.fixture(scope="module")
def client(emulator: EmulatorProcess) -> Iterator[Client]:
    client = Client(emulator.url)
    ask(client, "hello")
    yield client
    client.close()


@pytest.fixture
def other_site(tmp_path: Path) -> Iterator[str]:
    """Serve a page at another port of this host. A browser would not let one that came from no server ask this
    machine for anything."""
    (tmp_path / "index.html").write_text("<!doctype html><title>other</title><body>other</body>")
    with serving_files(tmp_path) as address:
        yield address


def within_a_second(do: Callable[[], Any], shows: Callable[[], Any]) -> float:
    """Do what a person does, and fail where what they wait for is not there within a second. Return how long it
    took."""
    began = time.monotonic()
    do()
    shows()
    took = time.monotonic() - began
    assert took < 1, f"it took {took:.1f} s"
    return took


def predicts(client: Client, times: int = 20) -> float:
    """Return the longest of some predictions, in seconds."""
    longest = 0.0
    for _ in range(times):
        began = time.monotonic()
        ask(client, "hello")
        longest = max(longest, time.monotonic() - began)
    return longest


# ── much ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_model_that_prints_100000_lines_a_minute_leaves_the_page_usable(
    browser: Any, emulator: EmulatorProcess, client: Client
) -> None:
    with opened(browser, emulator) as page:
        page.get_by_role("link", name="Replicas").click()
        page.get_by_role("row").filter(has_text="deploy-talker").get_by_role("link").click()
        region = page.get_by_role("region", name="Replica ").last
        ask(client, "talker")
        region.get_by_text("of a model that has much to say").first.wait_for()
        took: list[float] = []
        longest = 0.0
        box = region.get_by_label("Search the log")
        found = region.get_by_role("status").filter(has_text="0 of ")
        until = time.monotonic() + 10
        while time.monotonic() < until:
            took.append(within_a_second(lambda: box.fill("is never printed"), found.wait_for))
            took.append(within_a_second(lambda: box.fill(""), lambda: found.wait_for(state="hidden")))
            longest = max(longest, predicts(client))
        region.get_by_text("older lines are not shown").wait_for()
        figure(f"100,000 lines a minute: answered within {max(took):.2f} s, predict within {longest:.3f} s")
        assert longest < 1
        requests = page.get_by_role("link", name="Requests")
        within_a_second(requests.click, page.get_by_role("link", name="hello.predict").first.wait_for)


@pytest.mark.parametrize("method", ["predict", "blob"])
def test_an_answer_of_50_mb_leaves_the_page_and_the_emulator_usable(
    browser: Any, emulator: EmulatorProcess, client: Client, method: str
) -> None:
    with opened(browser, emulator) as page:
        answer = client.call("PostModelOutputs", inference_request("big", method, prompt=FIFTY_MB), timeout=60)
        assert answer.ByteSize() > 49_000_000
        page.get_by_role("link", name=f"big.{method}").first.click()
        detail = page.get_by_role("region", name=f"big.{method}")
        detail.get_by_text("owner_default").first.wait_for()
        longest = predicts(client)
        newest = page.get_by_role("link", name="hello.predict").first
        took = within_a_second(newest.click, page.get_by_role("region", name="hello.predict").wait_for)
        heap = page.evaluate("performance.memory.usedJSHeapSize") / 1e6
        figure(f"50 MB by {method}: a click {took:.2f} s, predict {longest:.3f} s, the page {heap:.0f} MB")
        assert longest < 1
        assert heap < 150


# ── the emulator goes and comes ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_each_panel_goes_on_when_the_emulator_is_back(browser: Any, tmp_path: Path, number: signal.Signals) -> None:
    first = EmulatorProcess(tmp_path, "hello")
    client = first.client()
    ask(client, "hello")
    client.close()
    opens = [opened(browser, first) for _ in PANELS]
    pages = [each.__enter__() for each in opens]
    for page, panel in zip(pages, PANELS, strict=True):
        page.get_by_role("link", name=panel, exact=True).click()
        page.get_by_role("heading", name=panel, exact=True).wait_for()
    first.end(number)
    for page, panel in zip(pages, PANELS, strict=True):
        page.get_by_role("alert").get_by_text("The emulator does not answer").wait_for()
        page.get_by_role("heading", name=panel, exact=True).wait_for()
    second = EmulatorProcess(tmp_path, "hello", port=first.port)
    try:
        client = second.client()
        ask(client, "hello")
        client.close()
        for page, panel in zip(pages, PANELS, strict=True):
            page.get_by_text("The emulator was started again").wait_for(timeout=20_000)
            assert page.get_by_role("alert").count() == 0, panel
            page.get_by_role("heading", name=panel, exact=True).wait_for()
            page.get_by_role("link", name="Requests", exact=True).click()
            wait_for(lambda page=page: page.get_by_role("link", name="hello.predict").count() == 1)
        for each in opens:
            each.__exit__()
    finally:
        second.end(signal.SIGTERM)


# ── two pages ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_page_in_a_debugger_holds_up_neither_the_other_nor_the_emulator(
    browser: Any, emulator: EmulatorProcess, client: Client
) -> None:
    with opened(browser, emulator) as awake, opened(browser, emulator) as still:
        debugger = still.context.new_cdp_session(still)
        debugger.send("Debugger.enable")
        debugger.send("Debugger.pause")
        before = resident(emulator.pid)
        requests = inference_request("hello", prompt="x")
        began = time.monotonic()
        for _ in range(5_000):
            client.call("PostModelOutputs", requests)
        took = time.monotonic() - began
        longest = predicts(client)
        ask(client, "hello", metadata=[("authorization", "Key any"), ("x-clarifai-request-id-prefix", "the-last")])
        box = awake.get_by_label("Filter requests")
        box.fill("the-last")
        wait_for(lambda: awake.get_by_role("row").count() == 2, seconds=5)
        grown = resident(emulator.pid) - before
        figure(f"5,000 requests beside a page that stands still: {took:.1f} s, {grown} MiB more")
        assert longest < 1
        assert grown < 60
        debugger.send("Debugger.resume")
        debugger.send("Debugger.disable")
        still.get_by_label("Filter requests").fill("the-last")
        wait_for(lambda: still.get_by_role("row").count() == 2, seconds=20)


def test_two_browsers_see_the_same(browser: Any, emulator: EmulatorProcess, client: Client) -> None:
    with opened(browser, emulator) as one, opened(browser, emulator) as other:
        ask(client, "hello", metadata=[("authorization", "Key any"), ("x-clarifai-request-id-prefix", "for-both")])
        for page in (one, other):
            page.get_by_label("Filter requests").fill("for-both")
            wait_for(lambda page=page: page.get_by_role("row").count() == 2)


# ── who wants to get in ─────────────────────────────────────────────────────────────────────────────────


def names_of(table: str) -> list[str]:
    """Return the names of all topics' reads, acts, streams or files."""
    found: list[str] = []
    for topic in TOPICS:
        bare = topic.__new__(topic)
        PageTopic.__init__(bare, PageContext(None))  # pyright: ignore[reportArgumentType]
        found += getattr(bare, table)()
    return found


ELSEWHERE = """
async ({url, reads, acts}) => {
    const wait = milliseconds => new Promise(done => setTimeout(done, milliseconds));
    for (const name of [...reads, ...acts]) {
        const image = new Image();
        image.src = `${url}/_page/${name}`;
        document.body.append(image);
        await fetch(`${url}/_page/${name}`, {credentials: 'include', mode: 'no-cors'}).catch(() => 0);
    }
    for (const name of acts) {
        const post = {method: 'POST', credentials: 'include', body: '{}'};
        for (const type of ['text/plain', 'application/x-www-form-urlencoded']) {
            const simple = {...post, mode: 'no-cors', headers: {'content-type': type}};
            await fetch(`${url}/_page/${name}`, simple).catch(() => 0);
        }
        const json = {...post, headers: {'content-type': 'application/json'}};
        await fetch(`${url}/_page/${name}`, json).catch(() => 0);
        const frame = document.createElement('iframe');
        frame.name = `frame-${name}`;
        const form = document.createElement('form');
        Object.assign(form, {action: `${url}/_page/${name}`, method: 'post', enctype: 'text/plain'});
        form.target = frame.name;
        const field = document.createElement('input');
        Object.assign(field, {name: '{"a":"', value: '"}'});
        form.append(field);
        document.body.append(frame, form);
        form.submit();
        navigator.sendBeacon(`${url}/_page/${name}`, '{}');
    }
    const socket = new EventSource(`${url}/_page/events`, {withCredentials: true});
    await wait(1500);
    return socket.readyState;
}
"""


def test_a_page_of_another_origin_reads_and_does_nothing_whatever_it_tries(
    browser: Any, emulator: EmulatorProcess, other_site: str
) -> None:
    """The other page is at another port of the same host: browsers take both for one site, and send the cookie."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(printed_address(emulator))
    page.get_by_role("heading", name="Requests").wait_for()
    page.close()
    statuses: dict[str, set[int]] = {}
    with_cookie: set[bool] = set()
    other = context.new_page()
    other.goto(other_site)
    answers: list[Any] = []
    context.on("response", lambda answer: answers.append(answer))
    acts = [*names_of("acts"), *names_of("streams")]
    reads = [*names_of("reads"), *names_of("files")]
    asked = {"url": emulator.url, "reads": reads, "acts": acts}
    assert other.evaluate(ELSEWHERE, asked) in (0, 2), "the stream of events is not open"
    for each in answers:
        if each.url.startswith(emulator.url):
            statuses.setdefault(each.url.removeprefix(emulator.url), set()).add(each.status)
            with_cookie.add("cookie" in each.request.all_headers())
    assert {f"/_page/{name}" for name in (*reads, *acts)} <= set(statuses)
    assert set().union(*statuses.values()) <= {401, 403}, statuses
    assert True in with_cookie, "the browser sent the cookie, and it did not help"
    context.close()


def test_a_name_that_was_made_to_point_at_this_machine_gets_nothing(
    browser: Any, emulator: EmulatorProcess
) -> None:
    with rebinding(browser) as bound:
        page = bound.new_page()
        token = printed_address(emulator).partition("?")[2]
        answer = page.goto(f"http://rebound.example:{emulator.port}/?{token}")
        assert answer.status == 403
        assert page.context.cookies() == []
        said = page.evaluate("fetch('/_page/state').then(answer => answer.status)")
        assert said == 403


@contextmanager
def rebinding(browser: Any) -> Iterator[Any]:
    """Start a browser for which a name of another is this machine."""
    arguments = ["--no-sandbox", "--host-resolver-rules=MAP rebound.example 127.0.0.1"]
    bound = browser.browser_type.launch(executable_path=CHROMIUM, args=arguments)
    try:
        yield bound
    finally:
        bound.close()


def test_a_browser_that_was_not_let_in_gets_no_data(browser: Any, emulator: EmulatorProcess) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(emulator.url)
    tried = """async names => {
        const found = [];
        for (const name of names)
            for (const method of ['GET', 'POST']) {
                const more = method === 'POST' ? {headers: {'content-type': 'application/json'}, body: '{}'} : {};
                found.push((await fetch(`/_page/${name}`, {method, ...more})).status);
            }
        return [...new Set(found)];
    }"""
    names = [each for table in ("reads", "acts", "streams", "files") for each in names_of(table)]
    assert page.evaluate(tried, [*names, "events"]) == [401]
    context.close()


def resident(pid: int) -> int:
    """Return the memory of a process, in MiB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 // 1024 // 1024
