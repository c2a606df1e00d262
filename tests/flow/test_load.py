"""Many clients call at once, over many streams at once: each gets its own answers."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import grpc.aio
import pytest

from clarifai_emulator.api.rpc import rpc_table
from flow.driver import MODELS, Client, figure, inference_request, running, text_of

CLIENTS, REQUESTS = 200, 5
STREAMS, CONNECTIONS = 1000, 10


@pytest.mark.slow
def test_two_hundred_clients_each_on_a_connection_of_its_own_get_their_own_answers() -> None:
    with running(queue_size=CLIENTS) as emulator:
        emulator.deploy(MODELS / "hello")
        answers: dict[int, list[str]] = {}
        clients = [Client(emulator.url) for _ in range(CLIENTS)]
        together = threading.Barrier(CLIENTS)

        def ask(number: int) -> None:
            together.wait(timeout=30)
            request = inference_request("hello", prompt=str(number))
            responses = [clients[number].call("PostModelOutputs", request, timeout=60) for _ in range(REQUESTS)]
            answers[number] = [text_of(response) for response in responses]

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(CLIENTS)]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.monotonic() - began
        figure(f"{CLIENTS} clients: {CLIENTS * REQUESTS} predicts in {took:.1f} s")
        assert answers == {number: [f"Hello, {number}!"] * REQUESTS for number in range(CLIENTS)}
        for client in clients:
            client.close()


async def _converse(url: str) -> tuple[list[list[str]], float]:
    """Open all streams, wait until each was answered once, then send each a second message and end it."""
    rpc = rpc_table()["StreamModelOutputs"]
    channels = [
        grpc.aio.insecure_channel(url.removeprefix("http://"), options=[("grpc.use_local_subchannel_pool", 1)])
        for _ in range(CONNECTIONS)
    ]
    methods = [
        channel.stream_stream(
            rpc.path,
            request_serializer=rpc.request_type.SerializeToString,
            response_deserializer=rpc.response_type.FromString,
        )
        for channel in channels
    ]
    open_now, all_open = 0, asyncio.Event()

    async def one(number: int) -> list[str]:
        nonlocal open_now
        call: Any = methods[number % CONNECTIONS](metadata=[("authorization", "Key any-token")], timeout=90)
        await call.write(inference_request("hello", "stream", prompts=f"{number}a"))
        first = await call.read()
        open_now += 1
        if open_now == STREAMS:
            all_open.set()
        await all_open.wait()
        await call.write(inference_request("hello", "stream", prompts=f"{number}b"))
        second = await call.read()
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF  # pyright: ignore[reportAttributeAccessIssue]
        return [text_of(first), text_of(second)]

    began = time.monotonic()
    answers = await asyncio.gather(*(one(number) for number in range(STREAMS)))
    took = time.monotonic() - began
    for channel in channels:
        await channel.close()
    return answers, took


@pytest.mark.slow
def test_a_thousand_streams_are_open_at_once_and_none_gets_anothers_answer() -> None:
    with running(queue_size=STREAMS, num_threads=250, hold_seconds=60) as emulator:
        emulator.deploy(MODELS / "hello", min_replicas=4, max_replicas=4)
        answers, took = asyncio.run(_converse(emulator.url))
        figure(f"{STREAMS} streams open at once, two messages each: {took:.1f} s")
        assert answers == [[f"Hello, {number}a!", f"Hello, {number}b!"] for number in range(STREAMS)]
