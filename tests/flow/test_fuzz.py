"""Bad input at scale breaks nothing: no crash, no hang, and nothing that is refused has changed anything.

Every RPC gets messages made from its descriptor, and bytes that are no message; the port gets bytes that are no
gRPC.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clarifai_emulator.api.rpc import Rpc, rpc_table
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.store import Kind
from flow.driver import Client, running, wait_for
from messages import Sample, samples

pytestmark = pytest.mark.slow

SERVED = sorted(Emulator(EmulatorConfig(port=0)).rpcs)
MISSING = sorted(set(rpc_table()) - set(SERVED))
EXAMPLES = 30  # of each RPC
QUICK = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)
NAMES = [
    "ada",
    "app",
    "model",
    "v1",
    "cluster",
    "pool",
    "deployment",
    "runner-1",
    "key-1",
    "secret-1",
    "local",
    "cpu",
]


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[EmulatorThread]:
    with running(user_id="ada", hold_seconds=0, request_seconds=5) as emulator:
        yield emulator


@pytest.fixture
def wire(fuzzed: EmulatorThread, caplog: pytest.LogCaptureFixture) -> Iterator[Wire]:
    """Return the emulator with one of everything. It logs no error."""
    fuzzed.reset()
    wire = Wire(fuzzed)
    wire.furnish()
    yield wire
    wire.close()
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


class Wire:
    """Sends requests as bytes, of whatever kind an RPC is."""

    def __init__(self, emulator: EmulatorThread) -> None:
        self.emulator = emulator
        self.channel = grpc.insecure_channel(emulator.url.removeprefix("http://"))

    def close(self) -> None:
        self.channel.close()

    def furnish(self) -> None:
        client = Client(self.emulator.url)
        cluster = {
            "id": "cluster", "cloud_provider": {"id": "aws"}, "region": "us-east-1", "cluster_type": "dedicated",
            "managed_by": "clarifai",
        }  # fmt: skip
        pool = {"id": "pool", "instance_types": [{"id": "t3a.medium"}], "max_instances": 1}
        worker = {"model": {"id": "model", "app_id": "app"}}
        where = {"compute_cluster_id": "cluster", "nodepool_id": "pool"}
        in_app: dict[str, Any] = {"user_app_id": {"user_id": "me", "app_id": "app"}}
        deployed = {"id": "deployment", "worker": worker, "nodepools": [{"id": "pool"}]}
        for name, fields in {
            "PostApps": {"apps": [{"id": "app"}]},
            "PostModels": {**in_app, "models": [{"id": "model"}]},
            "PostModelVersions": {**in_app, "model_id": "model", "model_versions": [{"id": "v1"}]},
            "PostComputeClusters": {"compute_clusters": [cluster]},
            "PostNodepools": {"compute_cluster_id": "cluster", "nodepools": [pool]},
            "PostDeployments": {"deployments": [deployed]},
            "PostRunners": {**where, "runners": [{"id": "runner-1", "worker": worker}]},
            "PostKeys": {"keys": [{"id": "key-1"}]},
            "PostSecrets": {"secrets": [{"id": "secret-1", "value": "v"}]},
        }.items():
            status = client.call(name, **fields).status  # pyright: ignore[reportArgumentType]
            assert status.code == StatusCode.SUCCESS, (name, status)
        client.close()

    def state(self) -> dict[Any, bytes]:
        """Return every resource, as bytes."""

        def dump(emulator: Emulator) -> dict[Any, bytes]:
            store = emulator.store
            return {
                (kind, key): store.get(kind, key).SerializeToString(deterministic=True)  # type: ignore[union-attr]
                for kind in store.kinds
                if kind != Kind.SOURCE
                for key in store.keys(kind)
            }

        return self.emulator.run(dump)

    def send(self, rpc: Rpc, data: bytes) -> list[Any]:
        """Return the answers to one message of bytes; fail when they do not come in time."""
        shape = f"{'stream' if rpc.client_streaming else 'unary'}_{'stream' if rpc.server_streaming else 'unary'}"
        method = getattr(self.channel, shape)(rpc.path, response_deserializer=rpc.response_type.FromString)
        request = iter([data]) if rpc.client_streaming else data
        metadata = [("authorization", "Key any")]
        answers = method(request, metadata=metadata, timeout=10)
        return list(answers) if rpc.server_streaming else [answers]

    def check(self, rpc: Rpc, data: bytes) -> None:
        """Send a message; check that no answer tells of a bug, and that a refused message changed nothing."""
        before = self.state()
        answers = self.send(rpc, data)
        for answer in answers:
            status = answer.status
            assert status.code not in (StatusCode.ZERO, StatusCode.INTERNAL_UNCATEGORIZED), (rpc.name, status)
            assert status.code == StatusCode.SUCCESS or status.details or status.description, (rpc.name, status)
            assert "Traceback" not in str(status), (rpc.name, status)
            assert len(status.details) < 20_000, (rpc.name, len(status.details))
        if any(answer.status.code != StatusCode.SUCCESS for answer in answers):
            assert self.state() == before, (rpc.name, answers[0].status)


@pytest.mark.parametrize("name", SERVED)
def test_a_message_of_any_content_is_answered(wire: Wire, name: str) -> None:
    rpc = rpc_table()[name]

    @QUICK
    @given(samples(rpc.request_type, NAMES))
    def run(sample: Sample) -> None:
        wire.check(rpc, sample.message.SerializeToString())

    run()


def test_bytes_that_are_no_message_are_refused(wire: Wire) -> None:
    @settings(QUICK, max_examples=8)
    @given(st.binary(min_size=1, max_size=200))
    def run(data: bytes) -> None:
        for name in SERVED:
            if name != "ProcessRunnerItems":
                wire.check(rpc_table()[name], b"\xff" + data)

    run()


def test_an_rpc_that_is_not_there_answers_unimplemented_whatever_it_is_sent(wire: Wire) -> None:
    before = wire.state()
    for name in MISSING:
        for data in (b"", b"\xff\xfe garbage", b"\x0a\x02me"):
            with pytest.raises(grpc.RpcError) as raised:
                wire.send(rpc_table()[name], data)
            assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED  # pyright: ignore[reportAttributeAccessIssue]
            assert name in str(raised.value)
    assert wire.state() == before


def test_any_bytes_on_the_port_leave_the_others_served(wire: Wire) -> None:
    port = int(wire.emulator.url.rpartition(":")[2])
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    settings_frame = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
    http2 = [preface[:5], preface, preface + settings_frame]
    starts = st.sampled_from([b"", *http2, b"GET / HTTP/1.1\r\n", b"\x16\x03"])

    @settings(QUICK, max_examples=60)
    @given(starts, st.binary(max_size=2000))
    def run(start: bytes, data: bytes) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(start + data)
            connection.shutdown(socket.SHUT_WR)
            try:
                while connection.recv(65536):
                    pass
            except ConnectionResetError:
                pass

    run()
    client = Client(wire.emulator.url)
    assert wait_for(lambda: client.call("GetUser").status.code == StatusCode.SUCCESS)
    client.close()
