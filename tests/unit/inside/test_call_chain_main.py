"""Calls name the item that they are made for, to the emulator's address only, whoever makes them and from where."""

from __future__ import annotations

import asyncio
import concurrent.futures
import http.client
import importlib
import sys
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from types import ModuleType
from typing import Any

import pytest

from clarifai_emulator.inside import call_chain_main
from clarifai_emulator.inside.call_chain_main import HEADER, CallChain, place_of

ITEM: ContextVar[str | None] = ContextVar("item of a test", default=None)


@pytest.fixture
def chain(monkeypatch: pytest.MonkeyPatch) -> Iterator[CallChain]:
    monkeypatch.setattr(call_chain_main, "own_variable", lambda: ITEM)
    chain = CallChain("http://127.0.0.1:7878")
    end = chain.install()
    token = ITEM.set("an-item")
    yield chain
    ITEM.reset(token)
    end()


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://127.0.0.1:7878", ("localhost", 7878)),
        ("localhost:7878", ("localhost", 7878)),
        ("http://[::1]:7878/v2", ("localhost", 7878)),
        ("https://Emulator.example.", ("emulator.example", 443)),
        ("http://10.0.0.3", ("10.0.0.3", 80)),
    ],
)
def test_one_place_has_several_names(url: str, place: tuple[str, int]) -> None:
    assert place_of(url) == place


@pytest.mark.parametrize(
    ("host", "port", "is_own"),
    [
        ("127.0.0.1", 7878, True),
        ("localhost", 7878, True),
        ("localhost", 7879, False),
        ("api.clarifai.com", 7878, False),
        ("localhost.evil.example", 7878, False),
        ("", None, False),
    ],
)
def test_only_the_emulators_address_is_told(chain: CallChain, host: str, port: int | None, is_own: bool) -> None:
    assert chain.is_own(host, port) is is_own


def test_threads_pools_and_tasks_work_for_who_started_them(chain: CallChain) -> None:
    seen: list[str | None] = []
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        assert pool.submit(chain.item).result() == "an-item"
        token = ITEM.set(None)
        assert pool.submit(chain.item).result() is None, "the pool grew for the item, and does not work for it now"
        ITEM.reset(token)
    thread = threading.Thread(target=lambda: seen.append(chain.item()))
    thread.start()
    thread.join()

    async def task() -> str | None:
        return await asyncio.create_task(asyncio.to_thread(chain.item))

    assert [*seen, asyncio.run(task())] == ["an-item", "an-item"]


def test_outside_of_an_item_nothing_changes(chain: CallChain) -> None:
    token = ITEM.set(None)
    thread = threading.Thread(target=int)
    run = thread.run
    thread.start()
    thread.join()
    assert thread.run == run
    ITEM.reset(token)


def test_an_error_in_a_thread_is_the_models_own(chain: CallChain) -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as pool, pytest.raises(ZeroDivisionError):
        pool.submit(lambda: 1 // 0).result()
    assert call_chain_main.lent_item.get() is None


def sent_over_http(host: str, port: int) -> bytes:
    """Return what http.client writes for a request to an address."""
    sent = bytearray()

    class Socket:
        def sendall(self, data: bytes) -> None:
            sent.extend(data)

    connection = http.client.HTTPConnection(host, port)
    connection.sock = Socket()
    connection.request("GET", "/", headers={"a": "b"})
    return bytes(sent)


def test_http_names_the_item_to_the_emulator_and_to_nobody_else(chain: CallChain) -> None:
    assert f"{HEADER}: an-item\r\n".encode() in sent_over_http("localhost", 7878)
    assert HEADER.encode() not in sent_over_http("localhost", 7879)
    assert HEADER.encode() not in sent_over_http("example.org", 7878)


def test_a_redirect_takes_nothing_elsewhere(chain: CallChain) -> None:
    class Request:
        def __init__(self, url: Any, headers: dict[str, str]) -> None:
            self.url, self.headers = url, headers

    class Url:
        def __init__(self, host: str) -> None:
            self.host, self.port, self.scheme = host, 7878, "http"

    first = Request(Url("localhost"), {})
    chain.name_in(first)
    assert first.headers == {HEADER: "an-item"}
    second = Request(Url("elsewhere.example"), dict(first.headers))
    chain.name_in(second)
    assert second.headers == {}


@pytest.mark.parametrize(
    ("args", "named", "expected"),
    [
        (("r",), {}, (("r",), {"metadata": ((HEADER, "an-item"),)})),
        (("r",), {"metadata": [("a", "b")]}, (("r",), {"metadata": (("a", "b"), (HEADER, "an-item"))})),
        (("r", 3, [("a", "b")], None), {}, (("r", 3, (("a", "b"), (HEADER, "an-item")), None), {})),
        ((), {"metadata": None}, ((), {"metadata": ((HEADER, "an-item"),)})),
    ],
)
def test_metadata_is_added_to_wherever_it_stands(
    chain: CallChain, args: tuple[Any, ...], named: dict[str, Any], expected: tuple[tuple[Any, ...], dict[str, Any]]
) -> None:
    def call(*args: Any, **named: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return args, named

    assert call_chain_main.NamingCall(call, chain.item)(*args, **named) == expected


def test_a_message_is_sent_for_who_made_it_whoever_made_the_connection(chain: CallChain) -> None:
    class SessionMessage:
        def __init__(self, message: str) -> None:
            self.message = message

    class StreamableHTTPTransport:
        async def _handle_post_request(self, context: Any) -> str | None:
            if context.session_message.message == "fails":
                raise OSError
            return chain.item()

    class Context:
        def __init__(self, message: Any) -> None:
            self.session_message = message

    async def sent(message: Any) -> str | None:
        return await StreamableHTTPTransport()._handle_post_request(Context(message))  # pyright: ignore[reportPrivateUsage]

    older = SessionMessage("older")
    module: Any = ModuleType("mcp")
    chain.wrap_messages(module)  # of a version that has none
    module.SessionMessage, module.StreamableHTTPTransport = SessionMessage, StreamableHTTPTransport
    chain.wrap_messages(module)
    chain.wrap_sending(module)
    mine = SessionMessage(message="mine")
    token = ITEM.set(None)
    nobodys = SessionMessage("nobody's")
    ITEM.reset(token)
    token = ITEM.set("that of the connection")
    assert [asyncio.run(sent(each)) for each in (mine, nobodys, older)] == [
        "an-item",
        None,
        "that of the connection",
    ]
    with pytest.raises(OSError):
        asyncio.run(sent(SessionMessage("fails")))
    assert chain.item() == "that of the connection"
    ITEM.reset(token)


def test_a_module_that_is_imported_later_is_wrapped_then(
    chain: CallChain, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "late_client.py").write_text("class Client:\n    pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    wrapped: list[ModuleType] = []
    finder = call_chain_main.LateImports({"late_client": wrapped.append, "not_there_at_all": wrapped.append})
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    late = importlib.import_module("late_client")
    assert wrapped == [late]
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("not_there_at_all")


def test_what_was_put_in_place_is_taken_away_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_chain_main, "own_variable", lambda: ITEM)
    before = threading.Thread.start, concurrent.futures.ThreadPoolExecutor.submit, list(sys.meta_path)
    end = CallChain("http://127.0.0.1:7878").install()
    assert threading.Thread.start is not before[0]
    end()
    after = threading.Thread.start, concurrent.futures.ThreadPoolExecutor.submit, list(sys.meta_path)
    assert after == before
