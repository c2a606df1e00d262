"""Runs the kit: against an emulator of its own, or against a target; whatever ends it, what it made is removed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from clarifai_emulator.clock import SystemClock
from clarifai_emulator.conformance.budget import Budget, OverBudget
from clarifai_emulator.conformance.cleaning import NotRemoved, clean, ledgers_in
from clarifai_emulator.conformance.ledger import Ledger, head_of, left_in
from clarifai_emulator.conformance.own_target import new_prefix
from clarifai_emulator.conformance.platform_client import (
    Connections,
    PlatformClient,
    QuotaEnded,
    RunScope,
    TargetAccount,
)
from clarifai_emulator.conformance.preflight import check_target
from clarifai_emulator.conformance.probe import Probe
from clarifai_emulator.conformance.probe_runs import ProbeResult, name_key, run_probe
from clarifai_emulator.conformance.run_files import Journal
from clarifai_emulator.errors import ControlError


@dataclass(frozen=True)
class RunSettings:
    """Holds whom to ask, and the bounds. ``folder``: of ledgers and journals. ``quietly``: holds signals back while
    things are removed."""

    account: TargetAccount
    folder: Path
    other: TargetAccount | None = None
    requests: int = 5000
    minutes: float = 60
    quietly: Callable[[], AbstractContextManager[None]] = nullcontext


@dataclass
class RunOutcome:
    """Holds what came of a run. ``ended``: why it ended early; ``left``: what could not be removed."""

    results: list[ProbeResult] = field(default_factory=list[ProbeResult])
    ended: str = ""
    left: list[NotRemoved] = field(default_factory=list[NotRemoved])

    def count(self, verdict: str) -> int:
        """Return how many probes came out so."""
        return sum(each.verdict == verdict for each in self.results)


def run_kit(
    settings: RunSettings,
    probes: Sequence[Probe],
    *,
    outcome: RunOutcome,
    on_result: Callable[[ProbeResult], None],
    on_clean: Callable[[int], None],
    resume: bool = False,
) -> None:
    """Run the probes, and remove what they made, also when it is interrupted. ``outcome`` is filled as it goes.

    Raises ``ControlError`` before anything is made where the target cannot be used.
    """
    journal = Journal(settings.folder / f"{_file_safe(settings.account)}.journal")
    known = {each.key: each for each in journal.results()} if resume else {}
    if not resume:
        journal.remove()
    outcome.results += [known[each.key] for each in probes if each.key in known]
    prefix = new_prefix()
    connections = Connections(settings.account)
    budget = Budget(SystemClock(), requests=settings.requests, minutes=settings.minutes)
    path = settings.folder / f"{prefix}{_file_safe(settings.account)}.jsonl"
    try:
        ledger = Ledger(path, prefix=prefix, target=settings.account.url, user_id=settings.account.user_id)
        scope = RunScope(prefix, ledger, budget, connections)
        client = PlatformClient(settings.account, scope, other=settings.other)
        try:
            check_target(client)
            _run_all(client, [each for each in probes if each.key not in known], outcome, journal, on_result)
            if not outcome.ended:
                journal.remove()
        finally:
            with settings.quietly():
                if ledger.left:
                    on_clean(len(ledger.left))
                    outcome.left = clean(client, ledger)
                ledger.close()
    finally:
        connections.close()


def _run_all(
    client: PlatformClient,
    probes: Sequence[Probe],
    outcome: RunOutcome,
    journal: Journal,
    on_result: Callable[[ProbeResult], None],
) -> None:
    ledger = client.scope.ledger
    for probe in probes:
        try:
            result = run_probe(client, probe)
        except (OverBudget, QuotaEnded, ControlError) as error:
            outcome.ended = str(error)
            return
        outcome.results.append(result)
        journal.add(result)
        on_result(result)
        if probe.level != "free":
            _end_instances(client, ledger, probe)


def _end_instances(client: PlatformClient, ledger: Ledger, probe: Probe) -> None:
    """Remove the probe's own deployments, as instances cost while they run. What is shared stays."""
    own = client.scope.prefix + name_key(probe)
    clean(client, ledger, keep={each for each in ledger.left if not each.is_deployment_of(own)})


def clean_left(
    settings: RunSettings, *, on_ledger: Callable[[Path, int], None]
) -> tuple[list[NotRemoved], list[str]]:
    """Remove what killed runs have left; what could not be removed, and which ledgers were passed over."""
    failed: list[NotRemoved] = []
    passed: list[str] = []
    for path in ledgers_in(settings.folder):
        head, left = head_of(path), list(left_in(path))
        if left and (why := _not_ours(head, settings.account)):
            passed.append(f"{path.name}: {why}")
            continue
        try:
            ledger = Ledger(path, prefix="", target="", user_id="")
        except BlockingIOError:
            passed.append(f"{path.name}: its run is still on")
            continue
        on_ledger(path, len(left))
        connections = Connections(settings.account)
        try:
            scope = RunScope(
                head.get("prefix", ""), ledger, Budget(SystemClock(), requests=0, minutes=0), connections
            )
            client = PlatformClient(settings.account, scope, other=settings.other)
            with settings.quietly():
                failed += clean(client, ledger)
        finally:
            ledger.close()
            connections.close()
    return failed, passed


def _not_ours(head: dict[str, str], account: TargetAccount) -> str:
    """Return why the things of a ledger cannot be removed with this account; empty where they can."""
    if head.get("target") != account.url:
        return f"it is of {head.get('target')}: add --target {head.get('target')}"
    if head.get("user_id") != account.user_id:
        return f"it is of user '{head.get('user_id')}', and the token of '{account.user_id}'"
    return ""


def _file_safe(account: TargetAccount) -> str:
    host = account.url.partition("://")[2]
    return "".join(each if each.isalnum() or each in ".-" else "_" for each in f"{host}-{account.user_id}")
