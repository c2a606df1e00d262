"""Measures the kit: its processor time beside that of its requests alone, and what interrupted runs leave.

    python -m benchmarks.conform [--interrupt N] [--seed N]

Written to ``conform.json``. Both figures of processor time hold the emulator that is asked, in the same process.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc

from clarifai_emulator.clock import SystemClock
from clarifai_emulator.conformance.budget import Budget
from clarifai_emulator.conformance.cleaning import strays
from clarifai_emulator.conformance.ledger import Ledger, MadeThing
from clarifai_emulator.conformance.own_target import own_accounts, own_emulator, probed
from clarifai_emulator.conformance.platform_client import Connections, PlatformClient, RunScope
from clarifai_emulator.conformance.probe import all_probes
from clarifai_emulator.conformance.probe_runs import run_probes

RESULTS = Path(__file__).with_name("conform.json")
# What is interrupted: long enough to be met at work, short enough to be repeated.
INTERRUPTED = ("--only", "ids", "--only", "listing", "--only", "requests", "--only", "reading")
_LONGEST_SECONDS = 6.0
# A call that waits for a replica costs no processor time while it does.
_CALL_SECONDS = 10.0


@dataclass(frozen=True)
class SentCall:
    """Holds a call that a run made: its kind and method, and its messages, as they were sent."""

    kind: str
    method: str
    messages: list[bytes]
    metadata: tuple[tuple[str, str], ...]


class RecordingChannel:
    """Passes calls on, and keeps what they send. It stands for a channel where a run makes its calls."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.sent: list[SentCall] = []
        self._channel: Any = channel

    def unary_unary(self, method: str, serialise: Any, read: Any) -> Any:
        return self._recorded("unary_unary", method, serialise, read)

    def unary_stream(self, method: str, serialise: Any, read: Any) -> Any:
        return self._recorded("unary_stream", method, serialise, read)

    def stream_stream(self, method: str, serialise: Any, read: Any) -> Any:
        return self._recorded("stream_stream", method, serialise, read)

    def close(self) -> None:
        self._channel.close()

    def _recorded(self, kind: str, method: str, serialise: Any, read: Any) -> Any:
        call = getattr(self._channel, kind)(method, _as_it_is, read)
        start = call.with_call if kind == "unary_unary" else call

        def begin(request: Any, *, metadata: Any = (), timeout: float | None = None) -> Any:
            sent = SentCall(kind, method, [], tuple((str(name), str(value)) for name, value in metadata or ()))
            self.sent.append(sent)
            if kind == "stream_stream":
                return start(_kept(request, serialise, sent.messages), metadata=metadata, timeout=timeout)
            sent.messages.append(serialise(request))
            return start(sent.messages[0], metadata=metadata, timeout=timeout)

        return SimpleNamespace(with_call=begin) if kind == "unary_unary" else begin


class RecordingHttp:
    """Passes requests over HTTP on, and keeps them."""

    def __init__(self, http: Any) -> None:
        self.sent: list[tuple[Any, ...]] = []
        self._http = http

    def ask(self, *words: Any, timeout: float) -> Any:
        self.sent.append(words)
        return self._http.ask(*words, timeout=timeout)

    def close(self) -> None:
        self._http.close()


def processor_time() -> dict[str, float]:
    """Return the seconds of a whole run of the level free, and of the same requests alone."""
    probes = [each for each in all_probes().values() if each.level == "free"]
    with own_emulator() as emulator, probed(emulator) as target:  # imports, and what is made once in a process
        run_probes(target.client, probes[:5])
    with own_emulator() as emulator, probed(emulator) as target:
        connections: Any = target.client.scope.connections
        rpcs = connections.channel = RecordingChannel(connections.channel)
        http = connections.http = RecordingHttp(connections.http)
        whole = _processor_seconds(lambda: (run_probes(target.client, probes), target.clean()))
    with own_emulator() as emulator:
        me, _ = own_accounts(emulator.url)
        again = Connections(me)
        alone = _processor_seconds(lambda: _replay(again, rpcs.sent, http.sent))
        again.close()
    facts = {"probes": len(probes), "rpcs": len(rpcs.sent), "http_requests": len(http.sent)}
    return {**facts, "whole": whole, "alone": alone, "ratio": round(whole / alone, 2)}


def _replay(connections: Connections, rpcs: Sequence[SentCall], http: Sequence[tuple[Any, ...]]) -> None:
    channel: Any = connections.channel
    for sent in rpcs:
        call = getattr(channel, sent.kind)(sent.method, _as_it_is, _as_it_is)
        request = iter(sent.messages) if sent.kind == "stream_stream" else sent.messages[0]
        with contextlib.suppress(grpc.RpcError):  # as it was answered when it was recorded
            answer = call(request, metadata=sent.metadata, timeout=_CALL_SECONDS)
            if sent.kind != "unary_unary":
                list(answer)
    for words in http:
        connections.http.ask(*words, timeout=_CALL_SECONDS)


def _as_it_is(data: Any) -> Any:
    return data


def _kept(requests: Iterable[Any], serialise: Any, kept: list[bytes]) -> Iterator[bytes]:
    for request in requests:
        kept.append(serialise(request))
        yield kept[-1]


def _processor_seconds(what: Callable[[], object]) -> float:
    began = time.process_time()
    what()
    return round(time.process_time() - began, 3)


def interrupted_runs(times: int, seed: int, *, longest: float = _LONGEST_SECONDS) -> dict[str, int]:
    """Break ``times`` runs off at random moments, clean up after them, and count what is left at the target. A run
    that had ended by itself is not counted."""
    draw = random.Random(seed)
    left_before_clean = met = 0
    with (
        tempfile.TemporaryDirectory(prefix="clarifai-emulator-conform-runs-") as folder,
        own_emulator() as emulator,
    ):
        while met < times:
            ending = draw.choice([signal.SIGINT, signal.SIGKILL])
            process = _conform(folder, "--target", emulator.url, "--yes", *INTERRUPTED)
            time.sleep(draw.uniform(0.3, longest))
            met += process.poll() is None
            process.send_signal(ending)
            process.wait(timeout=120)
            left_before_clean += bool(left_at(emulator.url, Path(folder)))
            _conform(folder, "--target", emulator.url, "--clean").wait(timeout=120)
        left = len(left_at(emulator.url, Path(folder)))
        ledgers = len(list(Path(folder).rglob("*.jsonl")))
    facts = {"interrupted": met, "seed": seed, "left_before_clean": left_before_clean}
    return {**facts, "left": left, "ledgers": ledgers}


def _conform(folder: str, *words: str) -> subprocess.Popen[bytes]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CLARIFAI_")}
    account = {"CLARIFAI_PAT": "conformer-token", "CLARIFAI_OTHER_PAT": "stranger-token"}
    return subprocess.Popen(
        [sys.executable, "-m", "clarifai_emulator", "conform", *words],
        env={**kept, **account, "XDG_STATE_HOME": folder},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def left_at(url: str, folder: Path) -> list[MadeThing]:
    """List what runs of the kit have left at an emulator."""
    me, _ = own_accounts(url)
    connections = Connections(me)
    ledger = Ledger(folder / "look.ledger", prefix="cfm-000000-", target=url, user_id=me.user_id)
    try:
        scope = RunScope("cfm-000000-", ledger, Budget(SystemClock(), requests=1, minutes=1), connections)
        return strays(PlatformClient(me, scope))
    finally:
        ledger.close()
        connections.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write the figures."""
    parser = argparse.ArgumentParser(prog="benchmarks.conform", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--interrupt", type=int, default=0, metavar="N", help="break off N runs, too")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    figures: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    figures["processor_time"] = processor_time()
    if options.interrupt:
        figures["interrupted"] = interrupted_runs(options.interrupt, options.seed)
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
