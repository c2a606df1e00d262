"""Makes the error of a request whose outer request has ended before it."""

from __future__ import annotations

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.errors import CallerError


def outer_has_ended(request_id: str, why: str = "") -> CallerError:
    """Return the error. ``request_id``: of the outer request; ``why`` that one has failed, if it has."""
    why = why or "its client went away, or its time was up"
    return CallerError(
        StatusCode.RPC_CANCELED,
        f"The request that made this call, {request_id}, has ended: {why.rstrip('.')}.",
        hint="Calls that a model makes while it answers a request end with it.",
        row="calls.end-with-outer",
    )
