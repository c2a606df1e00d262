"""A failed test says where calls went and why, what the model printed, and how to look further."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from plugin.conftest import MODELS, Run

TESTS = """
import pytest
from clarifai.client import Model

HELLO = "{models}/hello"


def test_wrong_route(clarifai):
    hello = clarifai.deploy(HELLO)
    hello.model.predict(prompt="x")
    hello.assert_routed(rule="explicit_deployment", nodepool="gpu")


def test_right_route(clarifai):
    hello = clarifai.deploy(HELLO)
    hello.model.predict(prompt="x")
    clarifai.assert_routed(rule="owner_default", deployment="deploy-hello", nodepool="cpu")
    clarifai.assert_routed(deployment="me/deploy-hello", nodepool="me/local/cpu")


def test_no_call(clarifai):
    clarifai.deploy(HELLO).assert_routed(rule="owner_default")


def test_no_such_rule(clarifai):
    clarifai.assert_routed(rule="owner")


def test_nothing_to_hold(clarifai):
    clarifai.assert_routed()


def test_refused_route(clarifai):
    hello = clarifai.deploy(HELLO)
    clarifai.nodepool("idle")
    with pytest.raises(Exception):
        Model(url=hello.url, compute_cluster_id="local", nodepool_id="idle").predict(prompt="x")
    clarifai.assert_routed(nodepool="idle")


def test_rejected_candidates(clarifai):
    hello = clarifai.deploy(HELLO)
    clarifai.deployment("second", model=hello)
    Model(url=hello.url, deployment_id="second").predict(prompt="x")
    hello.model.predict(prompt="y")
    assert False, "to see the report"


def test_model_fails(clarifai):
    broken = clarifai.deploy("{models}/crash_method")
    with pytest.raises(Exception):
        broken.model.predict(prompt="x")
    assert False, "to see the report"


def test_injected(clarifai):
    hello = clarifai.deploy(HELLO)
    clarifai.fault(id="mine", status="MODEL_DEPLOYMENT_FAILED")
    hello.model.predict(prompt="x")


def test_many_calls(clarifai):
    hello = clarifai.deploy(HELLO)
    for number in range(8):
        hello.model.predict(prompt=f"p{number}")
    assert False, "to see the report"


def test_long_arguments(clarifai):
    clarifai.deploy(HELLO).model.predict(prompt="x" * 500)
    assert False, "to see the report"


def test_nothing_of_ours():
    assert False
"""


@pytest.fixture(scope="module")
def run(nested: Any) -> Run:
    return nested({"test_reports.py": TESTS})


def test_a_route_that_is_another_is_shown_with_its_reason(run: Run) -> None:
    text = run.failure("test_wrong_route")
    assert "The call was not routed to rule explicit_deployment, nodepool gpu:" in text
    assert "me/demo/hello predict(prompt='x') → 'Hello, x!' [10000 SUCCESS in" in text
    assert "rule owner_default → deployment me/deploy-hello, nodepool me/local/cpu" in text
    assert "because The model's owner has deployment 'me/deploy-hello' for this version" in text


def test_a_route_that_is_right_says_nothing(run: Run) -> None:
    assert run.outcome("test_right_route") == "PASSED"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("test_no_call", "No model was called, so nothing was routed to rule owner_default."),
        (
            "test_no_such_rule",
            "There is no routing rule 'owner'; the rules are explicit_deployment, explicit_nodepool,",
        ),
        ("test_nothing_to_hold", "assert_routed() needs something to hold: rule=, deployment= or nodepool=."),
    ],
)
def test_an_assertion_that_cannot_hold_says_why(run: Run, name: str, words: str) -> None:
    assert run.outcome(name) == "FAILED"
    assert words in run.failure(name)


def test_a_refused_request_shows_why_and_what_was_considered(run: Run) -> None:
    text = run.failure("test_refused_route")
    assert "refused: Nodepool 'me/local/idle' has no deployment that can serve version" in text
    assert "[21353 MODEL_NOT_DEPLOYED in" in text
    # The words of a row end where the report wraps them.
    assert "This refusal is inferred; the refusals are our choice: row" in text
    assert "row routing.nodepool-without-deployment of docs/fidelity.md: " in text


def test_candidates_that_were_passed_over_are_named(run: Run) -> None:
    text = run.failure("test_rejected_candidates")
    assert "rule explicit_deployment → deployment me/second, nodepool me/local/cpu" in text
    assert "not deployment me/" in text


def test_the_models_traceback_is_shown(run: Run) -> None:
    text = run.failure("test_model_fails")
    assert "What the models printed last" in text
    assert "Traceback (most recent call last)" in text
    assert "model.py" in text


def test_an_injected_fault_is_named(run: Run) -> None:
    assert "injected by fault 'mine'" in run.failure("test_injected")
    assert "fault.injected: mine " in run.failure("test_injected")


def test_of_many_calls_the_last_are_shown(run: Run) -> None:
    text = run.failure("test_many_calls")
    assert "The last 5 of 8 calls:" in text
    assert "prompt='p7'" in text
    assert "prompt='p2'" not in text.partition("The last 5 of 8 calls:")[2]


def test_long_arguments_are_shortened(run: Run) -> None:
    assert "… (502 characters)" in run.failure("test_long_arguments")


def test_a_test_without_the_fixture_has_no_section(run: Run) -> None:
    assert "clarifai -" not in run.failure("test_nothing_of_ours")


def test_logs_have_no_colours(run: Run) -> None:
    assert "\x1b[32mINFO" not in run.failure("test_many_calls")


@pytest.mark.slow
def test_keep_leaves_the_emulator_up_until_ctrl_c(tmp_path: Path) -> None:
    (tmp_path / "test_keep.py").write_text(
        f"def test_a(clarifai):\n    clarifai.deploy({str(MODELS / 'hello')!r})\n    assert False\n\n"
        "def test_b():\n    pass\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    environ = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")}
    environ.pop("CLARIFAI_API_BASE", None)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--clarifai-keep", "test_keep.py"]
    with subprocess.Popen(command, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines: list[str] = []
        try:
            while not any("clarifai-emulator status" in line for line in lines):
                line = process.stdout.readline()
                assert line, "".join(lines)
                lines.append(line)
            status = subprocess.run(
                [sys.executable, "-m", "clarifai_emulator", "status", "--json"],
                env=environ,
                capture_output=True,
                text=True,
                check=False,
            )
            assert '"deployment_id": "deploy-hello"' in status.stdout, status.stdout + status.stderr
            process.send_signal(signal.SIGINT)
            rest = process.communicate(timeout=20)[0]
        finally:
            process.kill()
    text = "".join(lines) + rest
    assert "clarifai: the emulator is as test_keep.py::test_a left it, until Ctrl-C." in text
    assert "export CLARIFAI_API_BASE=http://127.0.0.1:" in text
    assert "1 failed" in text
    assert "passed" not in text
    assert list((tmp_path / "state").rglob("*.json")) == []


def test_keep_is_for_one_process(nested: Any) -> None:
    run = nested({"test_a.py": "def test_a():\n    pass\n"}, "--clarifai-keep", "-n", "2")
    assert run.code == 4
    assert "--clarifai-keep needs all tests in one process: leave -n out." in run.text


LONG = f"""
import os, time

def test_a(clarifai):
    clarifai.deploy({str(MODELS / "hello")!r})
    versions = [version for each in clarifai.status()["deployments"] for version in each["versions"]]
    pids = [replica["pid"] for version in versions for replica in version["replicas"]]
    print("PIDS", *pids, os.environ["HOME"], flush=True)
    time.sleep(60)
"""


@pytest.mark.slow
def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "test_long.py").write_text(LONG)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CLARIFAI_")}
    command = [sys.executable, "-m", "pytest", "-s", "-p", "no:cacheprovider", "test_long.py"]
    with subprocess.Popen(command, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            line = next(line for line in process.stdout if "PIDS" in line)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=20)
        finally:
            process.kill()
    *pids, home = line.partition("PIDS")[2].split()
    assert pids
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    assert not Path(home).exists()


@pytest.mark.slow
def test_a_killed_run_leaves_no_replica_behind(tmp_path: Path) -> None:
    (tmp_path / "test_long.py").write_text(LONG)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CLARIFAI_")}
    command = [sys.executable, "-m", "pytest", "-s", "-p", "no:cacheprovider", "test_long.py"]
    with subprocess.Popen(command, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = next(line for line in process.stdout if "PIDS" in line)
        process.kill()
        process.communicate(timeout=20)
    *pids, _ = line.partition("PIDS")[2].split()
    deadline = time.monotonic() + 10
    while any(_runs(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert pids
    assert not any(_runs(pid) for pid in pids)


def _runs(pid: str) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
