"""Measures what the emulator costs a request: predict, generate and a large payload, against the SDK's own server.

Same models, same client class, both servers in processes of their own, alternating rounds in one run. The emulator
adds a control plane, routing and the way to a replica.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from benchmarks.figures import Figure, compared, interleave
from benchmarks.peers import deploy, direct_client, emulator, free_port, routed_client, sdk_server
from benchmarks.ways import WAYS, Way

_CHUNKS = " ".join(["word"] * 99)  # hello answers with one chunk more
_PAYLOAD = b"x" * (10 * 1024 * 1024)


def measure(*, quick: bool = False) -> list[Figure]:
    """Return the figures; times are milliseconds. ``quick``: fewer repeats, to see that it works."""
    return [figure for way in WAYS for figure in _measure(way, rounds=4 if quick else 40)]


def _measure(way: Way, *, rounds: int) -> list[Figure]:
    port, hello_port, types_port = free_port(), free_port(), free_port()
    with emulator(port, *way.options), sdk_server("hello", hello_port), sdk_server("types", types_port):
        ours = routed_client(deploy("hello", port)["model_url"], port)
        theirs = direct_client(hello_port)
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
        their_types = direct_client(types_port)
        payload = interleave(
            lambda: our_types.echo_bytes(value=_PAYLOAD),
            lambda: their_types.echo_bytes(value=_PAYLOAD),
            rounds=max(rounds // 2, 4),
            calls=2,
            warmup=3,
        )
    return [
        compared(f"{way.name}: predict p50", *predict, unit="ms", target=way.predict_p50),
        compared(f"{way.name}: predict p99", *predict, unit="ms", target=way.predict_p99, quantile=0.99),
        compared(f"{way.name}: generate, 100 chunks", *generate, unit="ms", target=way.generate),
        compared(f"{way.name}: generate, first chunk", *first_chunk, unit="ms", target=way.first_chunk),
        compared(f"{way.name}: 10 MiB there and back", *payload, unit="ms", target=way.payload),
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
