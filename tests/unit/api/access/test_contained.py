"""Code in containers has the part of the API that changes nothing."""

from __future__ import annotations

import pytest

from clarifai_emulator.api.access.contained import contained, for_replicas, refusing_mount
from clarifai_emulator.api.access.replica_rights import changes
from clarifai_emulator.api.transport.http2 import Serve
from clarifai_emulator.api.transport.http_exchange import HttpProblem
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


class Asking:
    """A request that brings this token, over gRPC or over HTTP."""

    def __init__(self, token: str) -> None:
        self.metadata = self.headers = {"authorization": f"Key {token}"}


async def test_where_other_machines_reach_it_and_every_token_is_accepted_only_replicas_are_let_in() -> None:
    served: list[object] = []

    async def serve(stream: object) -> None:
        served.append(stream)

    def find(path: str) -> Serve | None:
        return serve if path == "/clarifai.api.V2/GetModel" else None

    look = for_replicas(find)
    assert look("/grpc.health.v1.Health/Check") is None
    get_model = look("/clarifai.api.V2/GetModel")
    assert get_model is not None
    await get_model(Asking("replica-1"))  # pyright: ignore[reportArgumentType]
    assert len(served) == 1
    said = (
        "Other machines reach the address at which these containers see the emulator, and it accepts every token: "
        "here it takes the credential of a replica only, the CLARIFAI_PAT that the model finds in its environment. "
        "For other tokens, start it with --pats FILE, which names them."
    )
    for token in ("any-token", "", "run-token"):
        with pytest.raises(TransportError) as refused:
            await get_model(Asking(token))  # pyright: ignore[reportArgumentType]
        assert str(refused.value).endswith(said)
    mount = refusing_mount()
    assert not mount.takes(Asking("replica-1"))  # pyright: ignore[reportArgumentType]
    assert mount.takes(Asking("any-token"))  # pyright: ignore[reportArgumentType]
    with pytest.raises(HttpProblem) as problem:
        await mount.make().serve(Asking("any-token"))  # pyright: ignore[reportArgumentType]
    assert (problem.value.status, str(problem.value)) == (403, said)


def test_a_gateway_and_the_loopback_address_are_not_exposed_and_others_are() -> None:
    assert not Meeting("172.18.0.1", "172.18.0.1", may_come_later=True).is_exposed
    assert not Meeting("127.0.0.1", "host.docker.internal").is_exposed
    assert Meeting("192.0.2.7", "192.0.2.7").is_exposed
