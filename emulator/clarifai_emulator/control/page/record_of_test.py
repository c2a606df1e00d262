"""Gathers what a page that is saved to a file shows of one test: events, calls, logs, and what topics answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from clarifai_emulator.api.secret_texts import HIDDEN, SecretTexts, is_secret_name
from clarifai_emulator.api.taps import HeardCall
from clarifai_emulator.catalogue import CLARIFAI_USER
from clarifai_emulator.control.account import Account
from clarifai_emulator.control.call_records import Call, CallLog
from clarifai_emulator.control.page.page_file import json_of
from clarifai_emulator.control.page.page_logs import log_of_replica
from clarifai_emulator.control.page.page_saving import SavedAnswers, TopicAnswers, replicas_in
from clarifai_emulator.control.page.page_topics import SavedShown
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.logbook import LogBook
from clarifai_emulator.messages.data_values import shown, shown_call
from clarifai_emulator.store import Kind

# Of one test.
_MOST_CALLS = 100
_MOST_EVENTS = 2_000
_MOST_LINES = 200
_MOST_OF_ANSWERS = 256 * 1024
_MOST_RESULTS = 3
_MOST_ERROR = 2_000
# Output takes another way than answers: silence after which all is taken to be printed, and the longest wait.
_SILENCE_SECONDS = 0.01
_PRINTING_SECONDS = 0.2


async def record_of_test(
    account: Account, log: CallLog, is_own: Callable[[HeardCall], bool], since: int, since_line: int
) -> str:
    """Return as JSON what has happened in an account after the event ``since``, and was printed after the line
    ``since_line`` of the logs."""
    emulator = account.emulator
    events = [event.as_dict() for event in account.events(log.request_ids(is_own)) if event.seq > since]
    of_test = {str(event["request_id"]) for event in events if "request_id" in event}
    calls = [call for call in log.read(emulator, is_own) if call.request_id in of_test]
    if calls:
        await _printed(emulator.logbook)
    saved = SavedAnswers(_MOST_OF_ANSWERS)
    wanted = tuple(call.request_id for call in reversed(calls[-_MOST_CALLS:]))
    async for name, address, answer in TopicAnswers(emulator).of(SavedShown(requests=wanted, is_whole=False)):
        saved.add(name, address, answer)
    logs = {replica: _lines(emulator, replica, since_line) for replica in replicas_in(events)}
    known: Any = emulator.store.list(Kind.SECRET)
    secrets = SecretTexts(each.value for each in known)
    record = {
        "events": events[-_MOST_EVENTS:],
        "calls": [_call_as_dict(call, secrets) for call in calls[-_MOST_CALLS:]],
        "logs": {replica: told for replica, told in logs.items() if told["lines"]},
        "state": _state_of(account) if events else None,
        "last_line": emulator.logbook.last_seq,
        "notes": [
            *_left_out(len(calls) - _MOST_CALLS, "calls"),
            *_left_out(len(events) - _MOST_EVENTS, "events"),
            *saved.notes(),
        ],
    }
    answers = ",".join(f"{json_of(address)}:{answer}" for address, answer in saved.answers.items())
    return f'{json_of(record)[:-1]},"answers":{{{answers}}}}}'


async def _printed(book: LogBook) -> None:
    """Wait until all is printed, as far as can be told."""
    before, waited = -1, 0.0
    while book.last_seq != before and waited < _PRINTING_SECONDS:
        before = book.last_seq
        await asyncio.sleep(_SILENCE_SECONDS)
        waited += _SILENCE_SECONDS


def _lines(emulator: Emulator, replica: str, since: int) -> dict[str, Any]:
    """Return the newest lines of a replica, and how many are left out."""
    told = log_of_replica(emulator, replica, since=since)
    lines = told["lines"][-_MOST_LINES:]
    return {"lines": lines, "left_out": told["left_out"] + len(told["lines"]) - len(lines)}


def _left_out(count: int, what: str) -> list[str]:
    return [f"{count} earlier {what} of the test are left out."] if count > 0 else []


def _call_as_dict(call: Call, secrets: SecretTexts) -> dict[str, Any]:
    """Describe a call in words; what it was asked and answered in full is the topics' part."""
    arguments = {name: HIDDEN if is_secret_name(name) else each for name, each in call.arguments.items()}
    return {
        "id": call.request_id,
        "model": call.model,
        "asked": secrets.hide(shown_call(call.method, arguments)),
        "answered": [secrets.hide(shown(each)) for each in call.results[:_MOST_RESULTS]],
        "more": max(0, len(call.results) - _MOST_RESULTS),
        "status": f"{call.status} {call.status_name}" if call.status else "",
        "ok": call.ok,
        "error": secrets.hide(call.error[:_MOST_ERROR]),
        "milliseconds": call.milliseconds,
        "by": call.by,
    }


def _state_of(account: Account) -> dict[str, Any]:
    """Return what the map shows: without Clarifai's nodepools that nothing runs in."""
    state = account.status()
    versions = [*state["shared"], *(each for one in state["deployments"] for each in one["versions"])]
    used = {replica["nodepool"] for version in versions for replica in version["replicas"]}
    named = {pool for one in state["deployments"] for pool in one["nodepools"]}
    pools = [each for each in state["nodepools"] if each["user_id"] != CLARIFAI_USER or _key(each) in used | named]
    return {**state, "nodepools": pools}


def _key(nodepool: dict[str, Any]) -> str:
    return "/".join(str(nodepool[name]) for name in ("user_id", "compute_cluster_id", "nodepool_id"))
