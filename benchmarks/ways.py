"""Lists the ways in which a model can be served, and what each may cost next to the SDK's own server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way to serve a model. ``options`` are those of ``clarifai-emulator up``. Targets are the most a ratio may
    be, of ``throughput`` the least; None is measured without one. ``processes`` and
    ``threads`` say how often a request and its answer must go to another one beside the SDK's own two ends."""

    name: str
    options: tuple[str, ...]
    processes: int = 0
    threads: int = 0
    predict_p50: float
    predict_p99: float
    generate: float | None = None
    first_chunk: float | None = None
    payload: float | None = None
    throughput: float | None = None
    emulator_time: float | None = None
    replica_time: float | None = None


WAYS = (
    Way(
        name="lean runner",
        options=("--runner", "lean"),
        processes=1,
        predict_p50=1.3,
        predict_p99=1.5,
        generate=1.0,
        first_chunk=1.5,
        payload=1.5,
        throughput=0.95,
        emulator_time=0.6,
        replica_time=0.6,
    ),
    Way(
        name="in process",
        options=("--backend", "inprocess"),
        threads=1,
        predict_p50=1.15,
        predict_p99=1.4,
    ),
    Way(name="genuine runner", options=("--runner", "genuine"), processes=1, predict_p50=2.2, predict_p99=2.5),
)
