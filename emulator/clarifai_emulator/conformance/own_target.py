"""Starts an emulator for a run of the kit that names no target, with two accounts."""

from __future__ import annotations

import json
import tempfile
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from clarifai_emulator.clock import SystemClock
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.conformance.budget import Budget
from clarifai_emulator.conformance.cleaning import NotRemoved, clean
from clarifai_emulator.conformance.ledger import Ledger
from clarifai_emulator.conformance.platform_client import (
    Connections,
    PlatformClient,
    RunScope,
    TargetAccount,
)
from clarifai_emulator.control.thread import EmulatorThread

ME, OTHER, ORGANISATION = "conformer", "stranger", "conformers"
# Good for nothing but an emulator that lives as long as the run.
_TOKENS = {"conformer-token": ME, "stranger-token": OTHER}
_ACCOUNTS = {
    "users": [{"id": ME}, {"id": OTHER}],
    "organisations": [{"id": ORGANISATION, "members": [ME]}],
    "tokens": [{"token": token, "user": user} for token, user in _TOKENS.items()],
}


@dataclass
class ProbedTarget:
    """A client of a target, with what removes all that it makes."""

    client: PlatformClient
    ledger: Ledger

    def clean(self) -> list[NotRemoved]:
        """Remove all that is left; what could not be."""
        return clean(self.client, self.ledger)


def new_prefix() -> str:
    """Return what the names of one run begin with."""
    return f"cfm-{uuid.uuid4().hex[:6]}-"


@contextmanager
def own_emulator() -> Generator[EmulatorThread]:
    """Run an emulator with the two accounts, the first of which is in an organisation, in this process, while the
    block runs."""
    # A request that finds no replica is answered soon, and one that hangs is replaced soon: probes look at that.
    # With a simulated GPU it answers the probes of the level "gpu" on any machine.
    with tempfile.TemporaryDirectory(prefix="clarifai-conform-accounts-") as folder:
        accounts = Path(folder) / "accounts.yaml"
        accounts.touch(mode=0o600)
        accounts.write_text(json.dumps(_ACCOUNTS), encoding="utf-8")
        config = EmulatorConfig(
            port=0,
            user_id=ME,
            pats_file=accounts,
            hold_seconds=2,
            reclaim_seconds=1,
            accelerators="simulated:1xNVIDIA-T4",
        )
        with EmulatorThread(config) as emulator:
            yield emulator


def own_accounts(url: str) -> list[TargetAccount]:
    """Return the accounts of an emulator that ``own_emulator`` runs at the address."""
    inside = {ME: ORGANISATION}
    return [TargetAccount(url, user, token, inside.get(user, "")) for token, user in _TOKENS.items()]


@contextmanager
def probed(emulator: EmulatorThread, *, requests: int = 100_000, minutes: float = 60) -> Generator[ProbedTarget]:
    """Give a client of an emulator that ``own_emulator`` runs; what it makes is removed at the end."""
    me, other = own_accounts(emulator.url)
    with tempfile.TemporaryDirectory(prefix="clarifai-conform-") as folder:
        ledger = Ledger(Path(folder) / "run.jsonl", prefix=(prefix := new_prefix()), target=me.url, user_id=ME)
        connections = Connections(me)
        scope = RunScope(prefix, ledger, Budget(SystemClock(), requests=requests, minutes=minutes), connections)
        target = ProbedTarget(PlatformClient(me, scope, other=other), ledger)
        try:
            yield target
        finally:
            target.clean()
            connections.close()
            ledger.close()
