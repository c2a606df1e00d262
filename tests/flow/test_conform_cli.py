"""The command ``conform``: what it says, what it leaves, and what it does with targets that cannot be used."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.conform import left_at

from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.conformance.own_target import own_emulator
from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.faults.fault import Fault
from flow.conform_targets import ME, ConformShell, web_server
from flow.driver import wait_for

SOME = ("--only", "ids", "--only", "reading.missing-model", "--only", "requests.app-key")


@pytest.fixture(scope="module")
def platform() -> Iterator[EmulatorThread]:
    """Yield an emulator that stands for the platform."""
    with own_emulator() as emulator:
        yield emulator


@pytest.fixture
def shell(tmp_path: Path) -> ConformShell:
    return ConformShell(tmp_path)


def test_without_a_target_it_asks_an_emulator_of_its_own(shell: ConformShell) -> None:
    code, said = shell.run("--only", "ids")
    assert code == 0, said
    assert "Resources: ids" in said
    assert not list(shell.folder.rglob("*.jsonl"))


def test_a_run_at_a_target_leaves_a_file_and_nothing_else(shell: ConformShell, platform: EmulatorThread) -> None:
    code, said = shell.run("--target", platform.url, "--yes", *SOME, **ME)
    assert code == 0, said
    assert "docs/conform.md says how to contribute it" in said
    [file] = (shell.folder / "conformance").glob("*.json")
    text = file.read_text()
    report = json.loads(text)
    assert report["probes"]["ids.taken"] == {
        "row": "ids.taken",
        "verdict": "holds",
        "seen": report["probes"]["ids.taken"]["expected"],
        "expected": report["probes"]["ids.taken"]["expected"],
        "texts": report["probes"]["ids.taken"]["texts"],
    }
    assert "conformer" not in text
    assert "-token" not in text + said
    assert left_at(platform.url, shell.folder) == []
    assert not list(shell.ledgers.glob("*"))


def test_a_difference_is_shown_with_both_answers(shell: ConformShell, platform: EmulatorThread) -> None:
    with_fault = Fault(rpc="PostApps", status="CONN_DOES_NOT_EXIST", message="odd", after=1)
    fault = platform.faults.add(with_fault)
    try:
        code, said = shell.run("--target", platform.url, "--yes", "--only", "ids.taken", **ME)
    finally:
        platform.faults.remove(fault.id)
    assert code == 1
    assert "≠ ids.taken (documented; the text is ours): A taken id is 40010 DATABASE_DUPLICATE_KEY" in said
    assert "emulator: 40010 DATABASE_DUPLICATE_KEY" in said
    assert "here: 11101 CONN_DOES_NOT_EXIST" in said


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_removes_what_it_made_and_can_be_resumed(
    shell: ConformShell, platform: EmulatorThread, ending: signal.Signals
) -> None:
    words = ("--target", platform.url, "--yes", "--only", "listing.paging", *SOME)
    fault = platform.faults.add(Fault(rpc="ListModels", latency=1.0, after=2))
    process = shell.start(*words, **ME)
    try:
        wait_for(lambda: left_at(platform.url, shell.folder))
        process.send_signal(ending)
        said, _ = process.communicate(timeout=60)
    finally:
        platform.faults.remove(fault.id)
    assert process.returncode == 128 + ending, said
    assert "probes had run (--resume goes on); what they made is removed." in said
    assert left_at(platform.url, shell.folder) == []
    code, said = shell.run("--resume", *words, **ME)
    assert code == 0, said
    assert "all" in said


def test_what_a_killed_run_left_is_removed_by_clean(shell: ConformShell, platform: EmulatorThread) -> None:
    fault = platform.faults.add(Fault(rpc="ListModels", latency=30))
    process = shell.start("--target", platform.url, "--yes", "--only", "listing.paging", **ME)
    try:
        wait_for(lambda: left_at(platform.url, shell.folder))
        code, said = shell.run("--target", platform.url, "--clean", **ME)
        assert "its run is still on" in said, "the things of a run that goes on are not touched"
        process.kill()
        process.communicate(timeout=10)
    finally:
        platform.faults.remove(fault.id)
    assert left_at(platform.url, shell.folder) != []
    code, said = shell.run("--target", platform.url, "--clean", **ME)
    assert code == 0, said
    assert "Nothing is left" in said
    assert left_at(platform.url, shell.folder) == []
    assert not list(shell.ledgers.glob("*.jsonl"))


@pytest.mark.parametrize(
    ("status", "message"),
    [("CONN_EXCEED_MONTHLY_LIMIT", "takes no more requests: 11004 CONN_EXCEED_MONTHLY_LIMIT")],
)
def test_a_quota_that_ends_in_the_middle_ends_the_run(
    shell: ConformShell, platform: EmulatorThread, status: str, message: str
) -> None:
    fault = platform.faults.add(Fault(rpc="GetModel", status=status))
    try:
        code, said = shell.run("--target", platform.url, "--yes", *SOME, **ME)
    finally:
        platform.faults.remove(fault.id)
    assert code == 1
    assert message in " ".join(said.split())
    assert "--resume goes on." in said
    assert left_at(platform.url, shell.folder) == []


def test_a_budget_ends_the_run(shell: ConformShell, platform: EmulatorThread) -> None:
    code, said = shell.run("--target", platform.url, "--yes", "--requests", "4", *SOME, **ME)
    assert code == 1
    assert "The budget of 4 requests is spent (--requests allows more). --resume goes on." in " ".join(said.split())
    assert left_at(platform.url, shell.folder) == []


def test_it_asks_before_it_begins(shell: ConformShell, platform: EmulatorThread) -> None:
    code, said = shell.run("--target", platform.url, *SOME, **ME)
    assert code == 2
    assert "asks before it makes anything, and nobody is here to answer" in said
    assert left_at(platform.url, shell.folder) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "There is no token for {url}: CLARIFAI_PAT is not set."),
        ({"CLARIFAI_PAT": "not-a-token"}, "{url} does not take CLARIFAI_PAT: API key not found: invalid key(None)"),
        (
            {"CLARIFAI_PAT": "conformer-token", "CLARIFAI_USER_ID": "ada"},
            "CLARIFAI_PAT is a token of user 'conformer', and CLARIFAI_USER_ID says 'ada'.",
        ),
    ],
)
def test_credentials_that_are_missing_or_anothers(
    shell: ConformShell, platform: EmulatorThread, settings: dict[str, str], message: str
) -> None:
    code, said = shell.run("--target", platform.url, "--yes", *SOME, **settings)
    assert code == 1
    assert message.format(url=platform.url) in said
    assert "not-a-token" not in said
    assert left_at(platform.url, shell.folder) == []


def test_a_token_with_too_few_scopes(shell: ConformShell, tmp_path: Path) -> None:
    pats = tmp_path / "pats.yaml"
    pats.write_text("users: [{id: ada}]\ntokens: [{token: narrow-token, user: ada, scopes: [Apps_Get]}]\n")
    pats.chmod(0o600)
    with EmulatorThread(EmulatorConfig(port=0, pats_file=pats)) as emulator:
        code, said = shell.run("--target", emulator.url, "--yes", *SOME, CLARIFAI_PAT="narrow-token")
    assert code == 1
    assert "The token lacks the scopes" in said
    assert "Apps_Delete" in said


def test_a_target_that_cannot_be_reached(shell: ConformShell) -> None:
    code, said = shell.run("--target", "http://127.0.0.1:1", "--yes", *SOME, **ME)
    assert code == 1
    assert "GET http://127.0.0.1:1/v2/users/me got no answer" in said
    assert "Look whether the address is right and can be reached from here." in said


def test_a_target_behind_a_proxy_that_is_not_there(shell: ConformShell) -> None:
    proxy = {"http_proxy": "http://user:secret@127.0.0.1:1"}
    code, said = shell.run("--target", "http://platform.invalid", "--yes", *SOME, **ME, **proxy)
    assert code == 1
    assert "requests go through the proxy 127.0.0.1:1 (http_proxy)" in said
    assert "secret" not in said


def test_a_target_that_answers_a_page(shell: ConformShell) -> None:
    with web_server(200, "text/html", b"<html><title>Sign in</title></html>") as url:
        code, said = shell.run("--target", url, "--yes", *SOME, **ME)
    assert code == 1
    assert f"{url} is not the platform's API: GET /v2/users/me gave HTTP 200 and a page, “Sign in”." in said


def test_a_target_that_answers_rest_only(shell: ConformShell) -> None:
    body = json.dumps({"status": {"code": 10000}, "user": {"id": "conformer"}}).encode()
    with web_server(200, "application/json", body) as url:
        code, said = shell.run("--target", url, "--yes", *SOME, **ME)
    assert code == 1
    assert "answers REST, but not gRPC" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--only", "idz"], "the fidelity table has no such area or row. Did you mean 'ids'?"),
        (["--target", "ftp://somewhere"], "--target 'ftp://somewhere' is no base URL."),
        (["--clean"], "--clean wants --target URL: whose things to remove."),
    ],
)
def test_words_that_cannot_be_understood(shell: ConformShell, words: list[str], message: str) -> None:
    code, said = shell.run(*words)
    assert code == 2
    assert message in said
