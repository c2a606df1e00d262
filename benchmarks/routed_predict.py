"""Measures what the emulator costs a request: predict, generate and a large payload, against the SDK's own server.

Same models, same client, both servers in processes of their own, alternating rounds in one run. The emulator adds
a control plane, routing and the way to a replica. The floor of each figure is what the SDK's own two ends take, and
the way to another process or thread that this way of serving needs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from benchmarks.figures import Figure, compared, interleave
from benchmarks.machine import PAYLOAD
from benchmarks.machine import measure as measured_machine
from benchmarks.peers import SERVICE_URL, deploy, direct_client, emulator, free_port, routed_client, sdk_service
from benchmarks.ways import WAYS, Way

_CHUNKS = " ".join(["word"] * 99)  # hello answers with one chunk more
_PAYLOAD = b"x" * PAYLOAD


def measure(*, quick: bool = False) -> list[Figure]:
    """Return the figures; times are milliseconds. ``quick``: fewer repeats, to see that it works."""
    rounds = 4 if quick else 40
    return [_bare_client(rounds), *(figure for way in WAYS for figure in _measure(way, rounds=rounds))]


def _bare_client(rounds: int) -> Figure:
    """Return what the SDK's usual client, with its authorised stub, adds to a bare channel."""
    port = free_port()
    with sdk_service("hello", port):
        usual, bare = routed_client(SERVICE_URL, port), direct_client(port)
        times = interleave(
            lambda: usual.predict(prompt="x"), lambda: bare.predict(prompt="x"), rounds=rounds, calls=50
        )
    return compared("the SDK's server: predict p50, beside a bare channel", *times, unit="ms", target=None)


def _measure(way: Way, *, rounds: int) -> list[Figure]:
    port, hello_port, types_port = free_port(), free_port(), free_port()
    machine = measured_machine()
    with emulator(port, *way.options), sdk_service("hello", hello_port), sdk_service("types", types_port):
        ours = routed_client(deploy("hello", port)["model_url"], port)
        theirs = routed_client(SERVICE_URL, hello_port)
        predict = interleave(
            lambda: ours.predict(prompt="x"), lambda: theirs.predict(prompt="x"), rounds=rounds, calls=50
        )

        def chunks(
            measure: Callable[[Callable[[], object]], float] | None = None,
        ) -> tuple[list[float], list[float]]:
            return interleave(
                lambda: ours.generate(prompt=_CHUNKS),
                lambda: theirs.generate(prompt=_CHUNKS),
                rounds=rounds // 2,
                calls=5,
                warmup=0,
                measure=measure,
            )

        chunks(_all_chunks)
        generate, first_chunk = chunks(_all_chunks), chunks(_first_chunk)
        our_types = routed_client(deploy("types", port)["model_url"], port)
        their_types = routed_client(SERVICE_URL, types_port)
        payload = interleave(
            lambda: our_types.echo_bytes(value=_PAYLOAD),
            lambda: their_types.echo_bytes(value=_PAYLOAD),
            rounds=max(rounds // 2, 4),
            calls=2,
            warmup=3,
        )

    def figure(name: str, times: tuple[list[float], list[float]], target: float | None, **options: Any) -> Figure:
        extra = machine.way(way.processes, way.threads, copies=times is payload)
        name = f"{way.name}: {name}"
        return compared(name, *times, unit="ms", target=target, floor=lambda theirs: theirs + extra, **options)

    return [
        figure("predict p50", predict, way.predict_p50),
        figure("predict p99", predict, way.predict_p99, quantile=0.99),
        figure("generate, 100 chunks", generate, way.generate),
        figure("generate, first chunk", first_chunk, way.first_chunk),
        figure("10 MiB there and back", payload, way.payload),
    ]


def _all_chunks(generate: Callable[[], Any]) -> float:
    """Return the milliseconds until the last chunk."""
    began = time.perf_counter()
    count = sum(1 for _ in generate())
    took = (time.perf_counter() - began) * 1000
    assert count == 100, f"hello answered with {count} chunks"
    return took


def _first_chunk(generate: Callable[[], Any]) -> float:
    """Return the milliseconds until the first chunk; the others are read, so that nothing is left for the next
    call."""
    began = time.perf_counter()
    chunks = iter(generate())
    next(chunks)
    took = (time.perf_counter() - began) * 1000
    for _ in chunks:
        pass
    return took
