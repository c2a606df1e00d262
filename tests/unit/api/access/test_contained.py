"""Code in containers has the part of the API that changes nothing."""

from __future__ import annotations

import pytest

from clarifai_emulator.api.access.contained import changes, contained, exposed
from clarifai_emulator.api.transport.http2 import Serve
from clarifai_emulator.backends.docker.engine import Meeting
from clarifai_emulator.errors import CallerError, TransportError


@pytest.mark.parametrize("rpc", ["GetModel", "ListSecrets", "PostModelOutputs", "StreamModelOutputs", "MyScopes"])
def test_looking_up_and_asking_models_is_as_from_everywhere(rpc: str) -> None:
    def handler(_call: object, _request: object) -> None:
        return None

    assert not changes(rpc)
    assert contained({rpc: handler}) == {rpc: handler}


async def test_what_changes_something_is_refused_unary_and_streamed() -> None:
    handlers = contained({"PostNodepools": print, "PostModelVersionsUpload": print})
    with pytest.raises(CallerError, match="PostNodepools changes something on the platform"):
        handlers["PostNodepools"](None, None)  # pyright: ignore[reportArgumentType]
    with pytest.raises(CallerError, match="PostModelVersionsUpload changes something on the platform"):
        await anext(aiter(handlers["PostModelVersionsUpload"](None, None)))  # pyright: ignore


async def test_where_other_machines_reach_it_and_every_token_is_accepted_the_api_says_what_to_do() -> None:
    async def work(_stream: object) -> None:
        return None

    def find(path: str) -> Serve | None:
        return work if path == "/clarifai.api.V2/ProcessRunnerItems" else None

    look = exposed(find)
    assert look("/clarifai.api.V2/ProcessRunnerItems") is work
    assert look("/grpc.health.v1.Health/Check") is None
    refuse = look("/clarifai.api.V2/GetModel")
    assert refuse is not None
    with pytest.raises(TransportError, match="Start it with --pats FILE"):
        await refuse(None)  # pyright: ignore[reportArgumentType]


def test_a_gateway_and_the_loopback_address_are_not_exposed_and_others_are() -> None:
    assert not Meeting("172.18.0.1", "172.18.0.1", may_come_later=True).is_exposed
    assert not Meeting("127.0.0.1", "host.docker.internal").is_exposed
    assert Meeting("192.0.2.7", "192.0.2.7").is_exposed
