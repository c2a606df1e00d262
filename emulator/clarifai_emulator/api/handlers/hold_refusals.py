"""Makes the refusals of requests that were held for a replica in vain. Clients try again after both."""

from __future__ import annotations

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.dispatch.lane import Lane
from clarifai_emulator.errors import CallerError


def too_busy(lane: Lane, seconds: float) -> CallerError:
    """Make the refusal of a request for which no replica had a free slot in time. The documentation says so of this
    status: it comes when the saturated model "hasn't become available within a certain timeframe"."""
    count = lane.live_replicas
    replicas = "The replica" if count == 1 else f"All {count} replicas"
    return CallerError(
        StatusCode.MODEL_BUSY_PLEASE_RETRY,
        f"{replicas} {lane.key.of} {'was' if count == 1 else 'were'} busy for {seconds:g} s.",
        hint="Try again in a moment, raise max_replicas of the deployment, or start the emulator with a larger "
        "--hold-seconds.",
        row="dispatch.queue-full",
    )


def still_deploying(lane: Lane, seconds: float) -> CallerError:
    """Make the refusal of a request for which no replica was there in time."""
    reason = f" {lane.pending_reason}." if lane.pending_reason else ""
    return CallerError(
        StatusCode.MODEL_DEPLOYING,
        f"No replica {lane.key.of} was ready within {seconds:g} s.{reason}",
        hint="`clarifai-emulator status` shows what it is waiting for.",
        row="dispatch.held",
    )
