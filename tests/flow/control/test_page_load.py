"""Nonsense that a browser sends, in any amount, is answered in words, and nobody else waits for it."""

from __future__ import annotations

import dataclasses
import http.client
import itertools
import json
import logging
import random
import socket
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import h2.config
import h2.connection
import h2.events
import pytest

from clarifai_emulator.control.page import page_site
from clarifai_emulator.control.page.page_topic_table import TOPICS
from clarifai_emulator.control.page.page_topics import Asked, PageContext, PageTopic
from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.faults.fault import Fault
from flow.control.test_page_site import Stream, enter, serving
from flow.driver import MODELS, Client, figure, inference_request
from flow.processes import emulator_process

JSON = "application/json"
# What a browser, or somebody at its console, may put into a field: of each type one that is likely, and odd ones.
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 3.7, 1e308, 10**400, "", "x", "me", "me/demo/hello", "predict", "\ud800", "\x00\r\n",
    "²", "../../etc/passwd", "<script>", "🎉" * 3, "x" * 100_000, [], [None], [[]], ["x"] * 1000, {}, {"": {}},
    {"x": [{}]}, [{"id": "x"}], {"prompt": "x"}, json.loads("[" * 400 + "]" * 400), float("nan"), float("inf"),
)  # fmt: skip
# What is right in the fields beside the one that is odd.
LIKELY: dict[str, Any] = {
    "model": "me/demo/hello", "method": "predict", "arguments": {"prompt": "x"}, "deployment": "deploy-hello",
    "user": "me", "way": "output", "kind": "MODEL", "message": 0, "input": 0,
}  # fmt: skip
FAULTS = [each.name for each in dataclasses.fields(Fault)]
# Fields that are objects, and what can stand in them.
OBJECTS = {"fault": FAULTS, "add": FAULTS, "arguments": ["prompt", "other"]}
NOT_JSON = (
    b"", b"x", b"[]", b"null", b"3", b'"x"', b"{", b'{"a":}', b"\xff\xfe\x00", b'{"a": "\xff"}', b"[" * 10_000,
    b'{"a":' * 10_000, b'{"a":' * 10_000 + b"1" + b"}" * 10_000, b"{}" * 2, b'{"n": ' + b"9" * 50_000 + b"}",
)  # fmt: skip


class WaitingTopic(PageTopic):
    """Gives a line at once, and then waits until it is closed."""

    closed: threading.Event
    begun: threading.Event

    def acts(self) -> Mapping[str, Any]:
        return {"test-act": self._act}

    def streams(self) -> Mapping[str, Any]:
        return {"test-waiting": self._wait, "test-pouring": self._pour}

    def reads(self) -> Mapping[str, Any]:
        return {"test-numbers": self._numbers}

    async def _wait(self, asked: Asked) -> AsyncGenerator[dict[str, Any]]:
        import asyncio

        try:
            yield {"begun": True}
            self.begun.set()
            await asyncio.Event().wait()
        finally:
            self.closed.set()

    async def _pour(self, asked: Asked) -> AsyncGenerator[dict[str, Any]]:
        """Give lines without end."""
        try:
            while True:
                self.begun.set()
                yield {"text": "x" * 100_000}
        finally:
            self.closed.set()

    async def _act(self, asked: Asked) -> dict[str, Any]:
        return {"text": asked.text("model").encode().decode(), "number": asked.number("number")}

    async def _numbers(self, asked: Asked) -> dict[str, Any]:
        return {"nan": float("nan"), "in": [{"deep": float("-inf")}], "fine": 1.5}


class Recorded(dict[str, Any]):
    """Notes which fields a topic asks for."""

    asked_for: set[str]

    def __getitem__(self, name: str) -> Any:
        self.asked_for.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.asked_for.add(name)
        return super().get(name, default)

    def __contains__(self, name: object) -> bool:
        self.asked_for.add(str(name))
        return super().__contains__(name)


@pytest.fixture(scope="module")
def fields() -> set[str]:
    return set()


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory, fields: set[str]) -> Iterator[EmulatorThread]:
    WaitingTopic.closed, WaitingTopic.begun = threading.Event(), threading.Event()
    patch = pytest.MonkeyPatch()
    patch.setattr(page_site, "TOPICS", (*TOPICS, WaitingTopic))

    def recording(given: Mapping[str, Any], peer: Any) -> Asked:
        recorded = Recorded(given)
        recorded.asked_for = fields
        return Asked(recorded, peer)

    patch.setattr(page_site, "Asked", recording)
    with serving(tmp_path_factory.mktemp("run")) as thread:
        thread.deploy(MODELS / "hello")
        yield thread
    patch.undo()


@pytest.fixture
def likely(emulator: EmulatorThread, fields: set[str]) -> dict[str, Any]:
    """Return what is right in each field, now that ``fields`` begins anew."""
    fields.clear()
    client = Client(emulator.url)
    client.call("PostModelOutputs", inference_request("hello", prompt="x"))
    client.close()
    return {**LIKELY, "id": emulator.run(lambda each: each.api.kept_calls.all()[-1].request_id)}


@pytest.fixture
def failed(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[str]]]:
    """Return a function that gives what failed inside the emulator; nothing may have at the end of the test."""
    caplog.set_level(logging.ERROR)

    def seen() -> list[str]:
        return [f"{each.getMessage()}\n{each.exc_text or ''}"[-1500:] for each in caplog.records]

    yield seen
    assert seen() == []


def names_of(table: str) -> list[str]:
    """Return the names of all topics' reads, acts, streams or files."""

    class Nothing(PageContext):
        def __init__(self) -> None:
            self.emulator: Any = None

    found: list[str] = []
    for topic in TOPICS:
        bare = topic.__new__(topic)
        PageTopic.__init__(bare, Nothing())
        found += getattr(bare, table)()
    return sorted(found)


READS, FILES = names_of("reads"), names_of("files")
ACTS, STREAMS = [*names_of("acts"), "test-act"], [*names_of("streams"), "test-waiting"]


class Browser:
    """Asks the page as a browser does that was let in, over one connection."""

    def __init__(self, emulator: EmulatorThread, **headers: str) -> None:
        self._netloc = urlsplit(emulator.url).netloc
        self._headers = {"cookie": enter(emulator), **headers}
        self._connection = http.client.HTTPConnection(self._netloc, timeout=10)

    def ask(self, method: str, path: str, body: bytes | None = None, seconds: float = 10, **headers: str) -> int:
        """Return the status; of an answer that goes on, after the first bytes."""
        sent = {**self._headers, **({"content-type": JSON} if body is not None else {})}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection(self._netloc, timeout=seconds)
        try:
            connection.request(method, f"/_page/{path}", body, sent)
            answer = connection.getresponse()
            self.said = answer.read(2_000)
            return answer.status
        except TimeoutError:
            return 0  # it waits for more, and was told that nothing comes
        finally:
            connection.close()

    def post(self, name: str, given: Any, seconds: float = 10) -> int:
        return self.ask("POST", name, json.dumps(given).encode(), seconds)


# ── nonsense ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", [*ACTS, *STREAMS])
def test_a_body_that_is_no_json_object_is_refused_in_words(
    emulator: EmulatorThread, failed: Callable[[], list[str]], name: str
) -> None:
    browser = Browser(emulator)
    for body in NOT_JSON:
        status = browser.ask("POST", name, body, seconds=2)
        assert status == 400, (body[:20], status, browser.said)
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        assert browser.ask("POST", name, b"{}", content_type=kind) == 400


@pytest.mark.parametrize("name", [*ACTS, *STREAMS])
def test_whatever_stands_in_a_field_of_an_act_it_is_answered(
    emulator: EmulatorThread,
    fields: set[str],
    likely: dict[str, Any],
    failed: Callable[[], list[str]],
    name: str,
) -> None:
    browser = Browser(emulator)
    for given in tried(fields, likely, ODD):
        status = browser.post(name, given, seconds=0.05 if name in STREAMS else 10)
        assert status < 500, (given, browser.said)
        assert failed() == [], given
    assert browser.post("faults", {"clear": True}) == 200


@pytest.mark.parametrize("name", [*READS, *FILES])
def test_whatever_stands_in_a_query_it_is_answered(
    emulator: EmulatorThread,
    fields: set[str],
    likely: dict[str, Any],
    failed: Callable[[], list[str]],
    name: str,
) -> None:
    browser = Browser(emulator)
    texts = [each for each in ODD if isinstance(each, str) and len(each) < 10_000]
    texts += ["nan", "inf", "1e400", "9" * 5000, "-1", "[]", "{}", "null"]
    for given in tried(fields, likely, texts):
        query = urlencode({key: str(value) for key, value in given.items()}, errors="surrogatepass")
        status = browser.ask("GET", f"{name}?{query}")
        assert status < 500, (given, browser.said)
        assert failed() == [], given


def tried(fields: set[str], likely: dict[str, Any], values: Any) -> Iterator[dict[str, Any]]:
    """Give objects to send: each odd value in each field that has been asked for until then, then some together."""
    yield {}
    yield likely
    done: set[str] = set()
    while left := sorted(fields - done):
        for name in left:
            right = {key: value for key, value in likely.items() if key in fields and key != name}
            for value in values:
                yield {**right, name: value}
            for inner, value in itertools.product(OBJECTS.get(name, ()), values):
                yield {**right, name: {inner: value}}
        done.update(left)
    draw = random.Random(7)
    for _ in range(40):
        yield {name: draw.choice(values) for name in sorted(fields) if draw.random() < 0.5}


def test_numbers_that_json_has_not_reach_a_browser_as_something_that_it_reads(emulator: EmulatorThread) -> None:
    browser = Browser(emulator)
    assert browser.ask("GET", "test-numbers") == 200

    def refuse(text: str) -> None:
        raise AssertionError(f"{text} is no JSON")

    told = json.loads(browser.said, parse_constant=refuse)
    assert told == {"nan": "NaN", "in": [{"deep": "-Infinity"}], "fine": 1.5}


def test_a_huge_body_is_refused_before_it_is_read(emulator: EmulatorThread) -> None:
    name = ACTS[0]
    connection = http.client.HTTPConnection(urlsplit(emulator.url).netloc, timeout=10)
    headers = {"cookie": enter(emulator), "content-type": JSON, "content-length": str(10**12)}
    connection.request("POST", f"/_page/{name}", headers=headers)
    answer = connection.getresponse()
    assert (answer.status, b"may have" in answer.read()) == (400, True)
    connection.close()


# ── who gets in, whatever there is ──────────────────────────────────────────────────────────────────────

FROM_ELSEWHERE = [
    {"cookie": ""},
    {"cookie": "clarifai-emulator-1=0123456789"},
    {"origin": "http://127.0.0.1:1"},
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"sec_fetch_site": "cross-site"},
    {"sec_fetch_site": "same-site"},
    {"host": "rebound.example"},
]


@pytest.mark.parametrize("headers", FROM_ELSEWHERE, ids=str)
def test_nobody_else_reads_or_does_anything(emulator: EmulatorThread, headers: dict[str, str]) -> None:
    """Every read, file, act and stream of every topic: one that is added is held to it, too."""
    browser = Browser(emulator)
    for name in (*READS, *FILES, "events"):
        assert browser.ask("GET", name, **headers) in (401, 403), name
    for name in (*ACTS, *STREAMS):
        assert browser.ask("POST", name, b"{}", **headers) in (401, 403), name
        assert browser.ask("GET", name, **headers) in (401, 403), name


def test_a_cookie_of_another_emulator_opens_nothing(tmp_path: Path) -> None:
    """Both have one key, and a browser sends each the cookies of both."""
    with serving(tmp_path) as one, serving(tmp_path) as other:
        cookie = enter(one)
        _, _, value = cookie.partition("=")
        renamed = f"clarifai-emulator-{urlsplit(other.url).port}={value}"
        for given in (cookie, renamed):
            browser = Browser(other, cookie=given)
            assert {browser.ask("GET", name) for name in (*READS, *FILES, "events")} == {401}
            assert {browser.ask("POST", name, b"{}") for name in (*ACTS, *STREAMS)} == {401}


@pytest.mark.parametrize("name", [*ACTS, *STREAMS])
def test_what_does_something_is_no_get_and_no_form(emulator: EmulatorThread, name: str) -> None:
    browser = Browser(emulator)
    for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"):
        assert browser.ask(method, name) == 405, method
    assert browser.ask("POST", name, b"x=1", content_type="application/x-www-form-urlencoded") == 400
    assert browser.ask("POST", name, b"{}", content_type="text/plain") == 400


# ── streams ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["test-waiting", "test-pouring"])
def test_a_stream_is_closed_at_once_when_its_browser_leaves(emulator: EmulatorThread, name: str) -> None:
    WaitingTopic.closed.clear()
    WaitingTopic.begun.clear()
    connection = http.client.HTTPConnection(urlsplit(emulator.url).netloc, timeout=10)
    headers = {"cookie": enter(emulator), "content-type": JSON}
    connection.request("POST", f"/_page/{name}", b"{}", headers)
    answer = connection.getresponse()
    assert answer.status == 200
    answer.readline()
    assert WaitingTopic.begun.wait(5)
    assert connection.sock is not None or answer.fp is not None
    answer.close()
    connection.close()
    left = time.monotonic()
    assert WaitingTopic.closed.wait(5)
    assert time.monotonic() - left < 0.5


@pytest.mark.parametrize("how", ["reset", "hang up"])
@pytest.mark.parametrize("name", ["test-waiting", "test-pouring"])
def test_over_http2_too(emulator: EmulatorThread, name: str, how: str) -> None:
    WaitingTopic.closed.clear()
    WaitingTopic.begun.clear()
    netloc = urlsplit(emulator.url).netloc
    host, _, port = netloc.partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as sock:
        client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        client.initiate_connection()
        head = [
            (":method", "POST"), (":path", f"/_page/{name}"), (":scheme", "http"), (":authority", netloc),
            ("cookie", enter(emulator)), ("content-type", JSON),
        ]  # fmt: skip
        client.send_headers(1, head)
        client.send_data(1, b"{}", end_stream=True)
        sock.sendall(client.data_to_send())
        has_data = False
        while not has_data:
            for event in client.receive_data(sock.recv(65536)):
                if isinstance(event, h2.events.ResponseReceived):
                    assert (b":status", b"200") in event.headers
                has_data = has_data or isinstance(event, h2.events.DataReceived)
        assert WaitingTopic.begun.wait(5)
        assert not WaitingTopic.closed.is_set()
        if how == "reset":
            client.reset_stream(1)
            sock.sendall(client.data_to_send())
            assert WaitingTopic.closed.wait(1)
    assert WaitingTopic.closed.wait(1)


# ── load ────────────────────────────────────────────────────────────────────────────────────────────────


def emit(emulator: EmulatorThread, number: int, text: str = "") -> None:
    emulator.run(lambda each: [each.events.emit("test.much", text=text) for _ in range(number)])


def test_a_reader_that_stands_still_costs_little_and_holds_up_no_other(tmp_path: Path) -> None:
    """The debugger of a browser stops a page with its connection open."""
    with serving(tmp_path) as thread:
        still, awake = Stream(thread), Stream(thread)
        awake.message()
        before = resident()
        seen, text = 0, "x" * 2_000
        began = time.monotonic()
        for _ in range(100):
            emit(thread, 200, text)
            while seen % 200 or not seen:
                message = awake.message()
                seen += len(message["data"]) if "id" in message else message["data"]
            seen = 0
        took = time.monotonic() - began
        grown = resident() - before
        figure(f"20,000 events of 2 kB beside a reader that stands still: {took:.1f} s, {grown} MiB")
        assert took < 60
        # The bus keeps 10,000 events, of one text; the still one's queue 5,000 of them, the sockets some MiB.
        assert grown < 40
        still.close()
        awake.close()


def test_memory_does_not_grow_with_the_calls_that_pass(tmp_path: Path) -> None:
    """Two emulators have the same traffic; the one without the page keeps nothing."""
    kept = memory_after_traffic(tmp_path / "page")
    bare = memory_after_traffic(tmp_path / "bare", "--no-page")
    figure(f"after 250 MB of calls each time: {kept} MiB with the page, {bare} MiB without")
    # 32 MiB are kept, of 750; where large messages went, memory has gaps, which are not the same each time.
    assert max(kept) - max(bare) < 4 * 32


def memory_after_traffic(folder: Path, *options: str) -> list[int]:
    """Return the memory of an emulator, in MiB, after each of three times the same calls."""
    folder.mkdir()
    with emulator_process(folder, "types", options=options) as process:
        client, found = process.client(), list[int]()
        for _ in range(3):
            for size, times in ((10_000, 500), (1_000_000, 60), (7_000_000, 8), (20_000_000, 3)):
                request = inference_request("types", "echo_bytes", value=b"x" * size)
                for _ in range(times):
                    assert len(client.call("PostModelOutputs", request).outputs) == 1
            found.append(resident(process.pid))
        client.close()
    return found


def test_whatever_passes_the_calls_that_are_kept_stay_within_their_bound(tmp_path: Path) -> None:
    def held(each: Emulator) -> int:
        calls = each.api.kept_calls.all()
        return sum(len(one.data or b"") for call in calls for one in (*call.inputs, *call.outputs))

    with serving(tmp_path) as thread:
        thread.deploy(MODELS / "types")
        client = Client(thread.url)
        for size, times in ((100, 300), (1_000_000, 40), (7_000_000, 6), (20_000_000, 2)):
            request = inference_request("types", "echo_bytes", value=b"x" * size)
            for _ in range(times):
                client.call("PostModelOutputs", request)
            assert 0 < thread.run(held) <= 32 * 1024 * 1024
        client.close()


def resident(pid: int | str = "self") -> int:
    """Return the memory of a process, in MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 // 1024 // 1024
