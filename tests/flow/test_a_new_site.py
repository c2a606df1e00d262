"""A site that is no part of the product: its page and its gRPC service answer at the one port, beside the API."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import grpc
import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.transport.grpc_stream import GrpcStream
from clarifai_emulator.api.transport.http_exchange import Exchange, HttpProblem
from clarifai_emulator.api.transport.mounts import GrpcMount, HttpMount
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.emulator import Emulator


class Census:
    """Tells how many kinds of events there were: on a page, and one line a kind over gRPC."""

    def __init__(self, emulator: Emulator) -> None:
        self._events = emulator.events

    def kinds(self) -> list[str]:
        return sorted({event.kind for event in self._events.recent()})

    async def serve(self, exchange: Exchange) -> None:
        if exchange.path != "/census":
            raise HttpProblem(404, StatusCode.CONN_DOES_NOT_EXIST, f"The census has no {exchange.path}.")
        await exchange.answer(200, f"<h1>{len(self.kinds())} kinds</h1>".encode(), "text/html")

    async def list_kinds(self, stream: GrpcStream) -> None:
        prefix = (await stream.read() or b"").decode()
        for kind in self.kinds():
            if kind.startswith(prefix):
                await stream.write(kind.encode())


def with_census(emulator: Emulator) -> None:
    census = Census(emulator)
    emulator.mount(HttpMount.below("/census", lambda: census))
    emulator.mount(GrpcMount("example.Census", {"ListKinds": census.list_kinds}.get))


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorThread]:
    thread = EmulatorThread(EmulatorConfig(port=0, cors=("https://ui.example",)))
    thread.before_start(with_census)
    with thread:
        thread.run(lambda emulator: [emulator.events.emit(kind) for kind in ("census.one", "census.two")])
        yield thread


def ask(
    emulator: EmulatorThread, path: str, method: str = "GET", **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(urlsplit(emulator.url).netloc, timeout=10)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


def list_kinds(emulator: EmulatorThread, prefix: str, method: str = "ListKinds") -> list[str]:
    with grpc.insecure_channel(urlsplit(emulator.url).netloc) as channel:
        call = channel.unary_stream(f"/example.Census/{method}")
        return [kind.decode() for kind in call(prefix.encode(), timeout=10)]


def test_its_page_and_its_service_answer_at_the_one_port(emulator: EmulatorThread) -> None:
    number = len(list_kinds(emulator, ""))
    answer, page = ask(emulator, "/census")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html")
    assert page == f"<h1>{number} kinds</h1>".encode()
    assert list_kinds(emulator, "census.") == ["census.one", "census.two"]


def test_the_api_goes_on_beside_it(emulator: EmulatorThread) -> None:
    answer, body = ask(emulator, "/v2/users/me", authorization="Key any")
    assert answer.status == 200
    assert json.loads(body)["user"]["id"] == emulator.user_id
    assert ask(emulator, "/health")[0].status == 200
    assert json.loads(ask(emulator, "/censuses")[1])["status"]["details"].startswith("There is no path /censuses")


def test_what_it_refuses_is_told_as_the_platform_tells_it(emulator: EmulatorThread) -> None:
    answer, body = ask(emulator, "/census/of/1900")
    assert answer.status == 404
    assert json.loads(body)["status"]["details"] == "The census has no /census/of/1900."
    with pytest.raises(grpc.RpcError) as caught:
        list_kinds(emulator, "", method="Abolish")
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert caught.value.details() == "There is no method /example.Census/Abolish at this address."


def test_pages_of_others_are_kept_away_from_it_as_from_every_site(emulator: EmulatorThread) -> None:
    assert ask(emulator, "/census", host="rebound.example")[0].status == 403
    assert ask(emulator, "/census", origin="https://evil.example")[0].status == 403
    allowed = ask(emulator, "/census", origin="https://ui.example")[0]
    assert (allowed.status, allowed.headers["access-control-allow-origin"]) == (200, "https://ui.example")


def test_a_site_comes_before_the_start_or_not_at_all(emulator: EmulatorThread) -> None:
    with pytest.raises(RuntimeError, match="Sites are mounted before the emulator starts"):
        emulator.run(with_census)
