"""Checks find most of what is wrong, and little of what is right: on clients made and broken by rule."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from clarifai_emulator.contracts.calls.call_targets import Address
from clarifai_emulator.contracts.calls.client_check import CallReport, GivenModel, check_known
from clarifai_emulator.contracts.calls.given_models import KnownModel, read_models
from clarifai_emulator.contracts.rules.rule import Severity
from clarifai_emulator.contracts.signatures.method import Method
from flow.contracts.calls.corpus import HEAD, Client, call_of, changed_models, correct, fixed, mutations, program

FIXTURES = Path(__file__).parents[4] / "fixtures" / "models"
SEED = 20
HEAD_LINES = HEAD.count("\n")
FOUND = (Severity.ERROR, Severity.UNCHECKED)


@pytest.fixture(scope="module")
def models() -> list[KnownModel]:
    return read_models([GivenModel(FIXTURES / name) for name in ("hello", "types", "batch", "large")], None)


def signatures_of(models: list[KnownModel]) -> list[tuple[str, Any]]:
    return [(f"https://clarifai.com/{model.address.user_id or 'me'}/{model.address.app_id}/models/{model.name}",
             method.signature) for model in models for method in model.methods]  # fmt: skip


def checked(
    folder: Path, clients: list[Client], models: list[KnownModel]
) -> tuple[CallReport, dict[int, list[Any]]]:
    """Check all clients in one run; return the findings by the number of the client."""
    for number, client in enumerate(clients):
        (folder / f"client_{number}.py").write_text(client.text)
    report = check_known([folder], models)
    by_client: dict[int, list[Any]] = defaultdict(list)
    for finding in report.findings:
        assert finding.location is not None
        by_client[int(finding.location.path.stem.removeprefix("client_"))].append(finding)
    return report, by_client


def missed(clients: list[Client], found: dict[int, list[Any]]) -> list[tuple[int, Client]]:
    """Return the mutations of which nothing that counts was said: at their line, or where the value before it is
    made."""
    return [
        (number, client)
        for number, client in enumerate(clients)
        if not any(
            each.severity in FOUND and HEAD_LINES < each.location.line <= client.line for each in found[number]
        )
    ]


def table(clients: list[Client], lost: list[tuple[int, Client]]) -> str:
    every, gone = Counter(each.rule for each in clients), Counter(each.rule for _, each in lost)
    return "\n".join(f"{rule}: {every[rule] - gone[rule]} of {every[rule]}" for rule in sorted(every))


def test_nothing_is_said_of_correct_clients(tmp_path: Path, models: list[KnownModel]):
    clients = list(correct(signatures_of(models), random.Random(SEED)))
    assert len(clients) >= 200

    report, found = checked(tmp_path, clients, models)

    said = [(clients[number].text, each.message) for number, several in found.items() for each in several]
    assert said == []
    assert len(report.calls) >= len(clients)
    assert {each.findings for each in report.calls} == {()}


def test_at_least_95_of_100_mutations_of_clients_are_found(tmp_path: Path, models: list[KnownModel]):
    clients = list(mutations(signatures_of(models), random.Random(SEED)))
    assert len(clients) >= 500

    _, found = checked(tmp_path, clients, models)

    lost = missed(clients, found)
    print(f"\n{len(clients)} mutations of clients, {len(clients) - len(lost)} found\n{table(clients, lost)}")
    assert 1 - len(lost) / len(clients) >= 0.95, "\n\n".join(f"{each.rule}\n{each.text}" for _, each in lost[:5])


def test_at_least_95_of_100_mutations_of_models_are_found(tmp_path: Path, models: list[KnownModel]):
    rng = random.Random(SEED)
    clients: list[Client] = []
    changed: list[KnownModel] = []
    for _, signature in signatures_of(models):
        for what, new in changed_models(signature, rng):
            name = f"changed-{len(changed)}"
            url = f"https://clarifai.com/me/demo/models/{name}"
            call = call_of(signature, url)
            # A program that gives arguments by their position does not mind another name.
            one = program(call, list(call.arguments), fixed(rng, "keywords", "variables", "unpacked"))
            clients.append(Client(one.text, one.line, what))
            changed.append(KnownModel(name, tmp_path, Address("me", "demo", name), (Method(new),), "import", ()))
    assert len(clients) >= 100

    _, found = checked(tmp_path, clients, changed)

    lost = missed(clients, found)
    print(f"\n{len(clients)} mutations of models, {len(clients) - len(lost)} found\n{table(clients, lost)}")
    assert 1 - len(lost) / len(clients) >= 0.95, "\n\n".join(f"{each.rule}\n{each.text}" for _, each in lost[:5])
