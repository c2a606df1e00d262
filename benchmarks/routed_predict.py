"""What the spine costs: predict and generate through the emulator, against the SDK's own server.

Same model, same client class, both servers in processes of their own, alternating rounds in one run. The
emulator adds a control plane, routing and the runner protocol, and takes its answer from the genuine runner.
"""

from __future__ import annotations

import os

from benchmarks.figures import Figure, compared, interleave
from benchmarks.peers import deploy, emulator, environ, free_port, sdk_server

# A throw-away prototype over the genuine runner stood here; the spine has to be below it.
PROTOTYPE_RATIO = 3.1


def measure(*, quick: bool = False) -> list[Figure]:
    """The figures. ``quick``: fewer repeats, to see that it works."""
    return [figure for runner in ("genuine", "lean") for figure in _measure(runner, quick=quick)]


def _measure(runner: str, *, quick: bool) -> list[Figure]:
    ours_port, theirs_port = free_port(), free_port()
    os.environ.update(environ(ours_port))
    with emulator(ours_port, "--runner", runner), sdk_server("hello", theirs_port):
        url = deploy("hello", ours_port)["model_url"]
        from clarifai.client import Model
        from clarifai.client.model_client import ModelClient

        ours = Model(url=url, base_url=f"http://127.0.0.1:{ours_port}")
        theirs = ModelClient.from_local_grpc(theirs_port)
        rounds = 4 if quick else 40
        predict = interleave(
            lambda: ours.predict(prompt="x"), lambda: theirs.predict(prompt="x"), rounds=rounds, calls=50
        )
        text = " ".join(["word"] * 99)
        generate = interleave(
            lambda: list(ours.generate(prompt=text)),
            lambda: list(theirs.generate(prompt=text)),
            rounds=rounds // 2,
            calls=5,
            warmup=5,
        )
    target = PROTOTYPE_RATIO if runner == "genuine" else None
    return [
        compared(f"{runner} runner: routed predict p50", *predict, unit="ms", target=target),
        compared(f"{runner} runner: routed predict p99", *predict, unit="ms", target=None, quantile=0.99),
        compared(f"{runner} runner: generate, 100 chunks, p50", *generate, unit="ms", target=None),
    ]
