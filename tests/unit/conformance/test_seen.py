"""The canonical form of observations."""

from __future__ import annotations

import pytest
from clarifai_grpc.grpc.api.service_pb2 import SingleAppResponse

from clarifai_emulator.conformance.seen import Canonical, HttpAnswer, RpcAnswer, picked

CANONICAL = Canonical({"ada": "<me>"}, "http://127.0.0.1:7878")


def missing_app(details: str = "") -> RpcAnswer:
    message = SingleAppResponse()
    message.status.code = 11101  # pyright: ignore[reportAttributeAccessIssue]
    message.status.details = details
    return RpcAnswer(message)


def test_answers_are_seen_as_their_status() -> None:
    rest = HttpAnswer(404, {}, b'{"status": {"code": 11101}}')
    seen = {
        "rpc": missing_app(),
        "rest": rest,
        "none": RpcAnswer(grpc_status="UNIMPLEMENTED"),
        "page": HttpAnswer(502, {}, b"<html>"),
    }
    assert CANONICAL.of(seen) == {
        "rpc": "11101 CONN_DOES_NOT_EXIST",
        "rest": "404, 11101 CONN_DOES_NOT_EXIST",
        "none": "gRPC UNIMPLEMENTED",
        "page": "502",
    }


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("cfm-a1b2c3-0f3e-app of ada", "app of <me>"),
        ("canada/ada-2", "canada/ada-2"),
        ("at 2024-05-01T10:11:12.123Z", "at <time>"),
        ("version 0123456789abcdef0123456789abcdef", "version <id>"),
        ("Replica 9f000eb2 ended", "Replica <id> ended"),
        ("http://127.0.0.1:7878/v2", "<url>/v2"),
    ],
)
def test_what_is_of_one_run_is_rewritten(text: str, canonical: str) -> None:
    assert CANONICAL.of(text) == canonical


def test_texts_are_kept_beside() -> None:
    observed = {"a": [missing_app("no app cfm-a1b2c3-x")]}
    assert dict(CANONICAL.texts(observed)) == {"a.0": "no app x"}


def test_what_is_no_data_is_a_mistake_of_the_probe() -> None:
    with pytest.raises(TypeError, match="A probe returns JSON and answers, not object"):
        CANONICAL.of(object())


def test_picking_by_paths() -> None:
    data = {"apps": [{"id": "a"}]}
    assert picked(data, "apps.0.id", "apps.1.id", "none.at.all") == {
        "apps.0.id": "a",
        "apps.1.id": None,
        "none.at.all": None,
    }
