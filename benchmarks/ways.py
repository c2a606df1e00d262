"""Lists the ways in which a model can be served, and what each may cost next to the SDK's own server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way to serve a model. ``options`` are those of ``clarifai-emulator up``. Targets are the most a ratio may
    be, of ``throughput`` the least; None is measured without one."""

    name: str
    options: tuple[str, ...]
    predict_p50: float
    predict_p99: float
    generate: float | None = None
    first_chunk: float | None = None
    payload: float | None = None
    throughput: float | None = None


WAYS = (
    Way(name="genuine runner", options=("--runner", "genuine"), predict_p50=2.5, predict_p99=2.5),
    Way(
        name="lean runner",
        options=("--runner", "lean"),
        predict_p50=1.6,
        predict_p99=1.6,
        generate=1.3,
        first_chunk=1.5,
        payload=1.5,
        throughput=0.9,
    ),
    Way(name="in process", options=("--backend", "inprocess"), predict_p50=1.2, predict_p99=1.3),
)
