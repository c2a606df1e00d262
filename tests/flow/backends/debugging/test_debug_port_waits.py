"""An editor that comes before there is anything to debug waits for it, and is told when nothing came."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from clarifai_emulator.backends.debugging import debug_port
from clarifai_emulator.backends.debugging.debug_port import DebugPort

SAID: list[str] = []  # what a port told of editors


@pytest.fixture
async def port() -> AsyncIterator[DebugPort]:
    port = DebugPort(contextlib.nullcontext, SAID.append)
    SAID.clear()
    await port.open(0)
    yield port
    await port.close()


async def test_an_editor_that_comes_before_the_replica_gets_it_once_it_is_there(port: DebugPort) -> None:
    async def debugger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(5))
        writer.close()

    async with await asyncio.start_server(debugger, "127.0.0.1") as replica:
        reader, writer = await asyncio.open_connection("127.0.0.1", port.port)
        writer.write(b"hello")
        await asyncio.sleep(0.05)  # it is there, and waits
        port.attach("r1", replica.sockets[0].getsockname()[1], waits=False)
        assert await reader.read() == b"hello"
        writer.close()


async def test_an_editor_for_which_no_replica_comes_is_sent_away_and_the_log_says_why(
    port: DebugPort, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debug_port, "_REPLICA_SECONDS", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", port.port)
    assert await reader.read() == b""
    writer.close()
    assert SAID == ["a debugger was sent away: no replica runs that it could attach to"]
