"""Tests that a client that leaves ends its stream, over the network."""

from __future__ import annotations

import asyncio

from http_port import HttpClient
from unit.api.rest.test_gateway import Handlers
from unit.api.rest.test_gateway import client as client
from unit.api.rest.test_gateway import handlers as handlers
from unit.api.rest.test_gateway import heard as heard


async def test_a_client_that_leaves_ends_its_stream(client: HttpClient, handlers: Handlers) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", await client.port.listen("127.0.0.1", 0))
    path = "/v2/users/me/apps/a/models/m/versions/1000000/outputs/generate"
    writer.write(f"POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Key a\r\n\r\n".encode())
    await asyncio.wait_for(reader.readuntil(b'"id":"3"'), 10)
    assert not handlers.closed.is_set()
    writer.close()
    await asyncio.wait_for(handlers.closed.wait(), 10)
    assert next(iter(client.events.recent("request.finished"))).fields["cancelled"] is True
