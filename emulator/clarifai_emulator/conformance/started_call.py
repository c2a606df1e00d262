"""Holds a call that was begun and not waited for, and reads how calls ended."""

from __future__ import annotations

import threading
from typing import Any

import grpc

from clarifai_emulator.conformance.seen import RpcAnswer


class StartedCall:
    """A call on its way. ``answer()`` waits for its end."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self._ended = threading.Event()
        call.add_done_callback(self._end)

    def ended(self, seconds: float = 0.0) -> bool:
        """Tell whether it has ended, after waiting for that so long at most."""
        return self._ended.wait(seconds)

    def cancel(self) -> None:
        """Take it back, as a client that goes away does."""
        self._call.cancel()

    def _end(self, _: Any) -> None:
        self._ended.set()

    def answer(self) -> RpcAnswer:
        """Return the answer, or the gRPC status that it ended with."""
        try:
            return RpcAnswer(self._call.result(), trailers=trailers_of(self._call))
        except grpc.FutureCancelledError:
            return RpcAnswer(grpc_status="CANCELLED")
        except grpc.RpcError as error:
            return failed_call(error)


def failed_call(error: Any) -> RpcAnswer:
    """Return the answer of a call that ended with a gRPC status."""
    return RpcAnswer(grpc_status=error.code().name, grpc_details=error.details() or "", trailers=trailers_of(error))


def trailers_of(call: Any) -> dict[str, str]:
    """Return the trailing metadata of a call that has ended."""
    return {name: value for name, value in call.trailing_metadata() or () if isinstance(value, str)}
