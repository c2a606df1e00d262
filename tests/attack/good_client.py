"""Calls GetUser as a client does that means no harm, and notes how long each call took."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import grpc
from benchmarks.figures import quantile_of

GET_USER = "/clarifai.api.V2/GetUser"
_PATIENCE_SECONDS = 30.0


@dataclass(slots=True)
class Calls:
    """The calls of some time: milliseconds of each, and those that failed."""

    times: list[float] = field(default_factory=list[float])
    errors: list[str] = field(default_factory=list[str])

    def quantile(self, share: float) -> float:
        return quantile_of(self.times, share)

    @property
    def slowest(self) -> float:
        return max(self.times)


class GoodClient(AbstractContextManager["GoodClient"]):
    """Has one connection, and a token that is accepted."""

    def __init__(self, port: int, token: str = "local-emulator-token") -> None:
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_reconnect_backoff_ms", 500)]
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=options)
        self._call = self._channel.unary_unary(GET_USER)
        self._asked: dict[str, Any] = {"metadata": [("authorization", f"Key {token}")], "wait_for_ready": True}

    def calls(self, seconds: float, *, until: Callable[[], bool] = lambda: True) -> Calls:
        """Call for so long, and until a condition holds; rest a millisecond after each call."""
        made, deadline = Calls(), time.monotonic() + seconds
        while time.monotonic() < deadline or not made.times or not until():
            began = time.perf_counter()
            try:
                self._call(b"", timeout=_PATIENCE_SECONDS, **self._asked)
            except grpc.RpcError as error:
                made.errors.append(f"{error.code()}")  # pyright: ignore[reportAttributeAccessIssue]
            made.times.append((time.perf_counter() - began) * 1000)
            time.sleep(0.001)
        return made

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._channel.close()
