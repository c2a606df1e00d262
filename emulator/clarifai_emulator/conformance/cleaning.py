"""Removes what runs have made, by their ledgers: at the end of a run, and after one that was broken off."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clarifai_emulator.conformance.ledger import Ledger, MadeThing
from clarifai_emulator.conformance.made_things import ORDER, removal
from clarifai_emulator.conformance.platform_client import CannotTell, PlatformClient, QuotaEnded
from clarifai_emulator.conformance.seen import RpcAnswer
from clarifai_emulator.errors import ControlError

# A deployment takes a while to go on the platform, and what it stands in cannot go before.
_ROUNDS = 6
PREFIX = re.compile(r"cfm-[0-9a-f]{6}-")
_LISTS = (
    ("app", "apps", "ListApps"),
    ("compute_cluster", "compute_clusters", "ListComputeClusters"),
    ("deployment", "deployments", "ListDeployments"),
    ("secret", "secrets", "ListSecrets"),
    ("key", "keys", "ListKeys"),
)
_GONE = frozenset({11101, 21200, 25600, 25700, 25800, 25900, 11009})


@dataclass(frozen=True, slots=True)
class NotRemoved:
    """Names a thing that could not be removed, and what the target said."""

    thing: MadeThing
    why: str


def clean(
    client: PlatformClient,
    ledger: Ledger,
    *,
    keep: Collection[MadeThing] = (),
    pause: Callable[[float], None] = time.sleep,
) -> list[NotRemoved]:
    """Remove all that the ledger says is left, but what to ``keep``; what could not be. No budget bounds it."""
    clients = {"me": client.without_budget()}
    with contextlib.suppress(CannotTell):
        clients["other"] = client.other.without_budget()
    failed: list[NotRemoved] = []
    for number in range(_ROUNDS):
        left = [thing for thing in ledger.left if thing not in keep]
        failed = [each for thing in _in_order(left) if (each := _remove(clients, ledger, thing))]
        if not failed:
            break
        pause(min(0.2 * 4**number, 20.0))
    return failed


def ledgers_in(folder: Path) -> Sequence[Path]:
    """Return the ledgers of runs that left something, or that still run."""
    return sorted(folder.glob("*.jsonl"))


def strays(client: PlatformClient) -> list[MadeThing]:
    """List what is on the target of any run, also of those whose ledger is elsewhere."""
    found: list[MadeThing] = []
    for kind, field, rpc in _LISTS:
        answer = client.without_budget().call(rpc, per_page=1000)
        items = getattr(answer.message, field, ()) if answer.message is not None else ()
        names = [item.description if kind == "key" else item.id for item in items]
        found += [MadeThing(kind, name) for name in names if PREFIX.match(name)]
    return found


def _in_order(things: Sequence[MadeThing]) -> list[MadeThing]:
    return sorted(things, key=lambda thing: -ORDER.index(thing.kind))


def _remove(clients: Mapping[str, PlatformClient], ledger: Ledger, thing: MadeThing) -> NotRemoved | None:
    client = clients.get(thing.who)
    if client is None:
        return NotRemoved(thing, "it was made with the second account, which is not given now")
    try:
        answer = _remove_keys(client, thing) if thing.kind == "key" else _removed(client, thing)
    except (QuotaEnded, ControlError) as error:
        return NotRemoved(thing, str(error))
    if answer is None or answer.succeeded or _says_gone(answer):
        ledger.remove(thing)
        return None
    return NotRemoved(thing, f"{answer.status}: {answer.details or answer.description}")


def _removed(client: PlatformClient, thing: MadeThing) -> RpcAnswer:
    rpc, fields = removal(thing)
    return client.call(rpc, **fields)


def _remove_keys(client: PlatformClient, thing: MadeThing) -> RpcAnswer | None:
    """Remove the keys of that description; their ids are written nowhere."""
    keys = client.call("ListKeys", per_page=1000)
    if not keys.succeeded:
        return keys
    answers = [client.call("DeleteKey", key_id=key.id) for key in keys.message.keys if key.description == thing.id]
    return next((answer for answer in answers if not answer.succeeded), None)


def _says_gone(answer: RpcAnswer) -> bool:
    """Tell whether what was to be removed is not there: DeleteDeployments has a code of its own for that."""
    return answer.code in _GONE or "not exist" in answer.details or "not found" in answer.details
