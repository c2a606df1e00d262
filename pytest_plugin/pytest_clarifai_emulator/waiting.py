"""Tells what a client that was sent away waits for: whether anything runs that could give it another answer.

Runs in the emulator's event loop, of this process or of xdist's controller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.control.account import Account
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.events import Event
from clarifai_emulator.nodepools.fleet import Fleet, ReplicaState
from pytest_clarifai_emulator.sdk_clock import IDLE, NEWS, RUNNING, Outlook

IsOwn = Callable[[str], bool]
# Statuses that send a client away while something is under way: a replica starts, a queue is full.
_SENT_AWAY = (StatusCode.MODEL_DEPLOYING, StatusCode.MODEL_BUSY_PLEASE_RETRY)
_COMING = (ReplicaState.STARTING, ReplicaState.STANDBY)
_NEWS = ("replica.ready", "deployment.failed")


def outlook(since: int, account: Account) -> Outlook:
    """Answer ``sdk_clock.Platform.outlook``; the account says whose requests and deployments count."""
    emulator, is_own = account.emulator, account.owns
    newest = emulator.events.last_seq
    if since >= 0 and any(_is_news(event, is_own) for event in emulator.events.recent(since=since)):
        return NEWS, newest
    if since < 0 and not _was_sent_away(emulator, is_own):
        return IDLE, newest
    runs = any(map(_runs, _fleets(emulator, is_own)))
    return (RUNNING if runs else IDLE), newest


def _was_sent_away(emulator: Emulator, is_own: IsOwn) -> bool:
    """Tell whether the newest refusal had a real cause, and not a fault that the test has added."""
    for event in reversed([*emulator.events.recent("request.finished")]):
        fields = event.fields
        status = fields.get("status") or fields.get("grpc_status")
        if status not in (None, StatusCode.SUCCESS) and is_own(str(fields.get("user_id", ""))):
            return status in _SENT_AWAY and not fields.get("faults")
    return False


def _is_news(event: Event, is_own: IsOwn) -> bool:
    if event.kind in _NEWS:
        return True
    fields = event.fields
    is_answer = event.kind == "request.finished" and "rule" in fields and fields.get("status") not in _SENT_AWAY
    return is_answer and is_own(str(fields.get("user_id", "")))


def _fleets(emulator: Emulator, is_own: IsOwn) -> Iterator[Fleet]:
    """Return the fleets of these users, and those of shared compute."""
    return (fleet for key, fleet in emulator.supervisor.fleets.items() if not key.user_id or is_own(key.user_id))


def _runs(fleet: Fleet) -> bool:
    comes = any(record.state in _COMING for record in fleet.records.values())
    return comes or bool(fleet.lane.load or fleet.lane.waiting)
