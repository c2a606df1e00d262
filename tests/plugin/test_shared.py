"""All xdist workers share one emulator: each has an account of its own, and notices nothing of the others."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from plugin.conftest import MODELS, Run
from plugin.test_account import NAMES, TESTS

# One run of many tests, which a busy machine may take minutes for.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SHARED = ("--clarifai-scope", "shared")
# They name users that other workers could mean too, "me" itself, or turn the clock.
NOT_WHEN_SHARED = {
    "test_every_kind_of_call_is_told",
    "test_routes",
    "test_one_account_after_the_other_a",
    "test_one_account_after_the_other_b",
    "test_under_another_name_and_in_another_version",
    "test_methods_logs_and_wait_ready",
    "test_factories",
    "test_users_with_tokens",
    "test_time_passes",
    "test_a_replica_is_scaled_down_when_its_time_has_come",
    "test_the_environment",
}
PORTABLE = [name for name in NAMES if name not in NOT_WHEN_SHARED]


@pytest.fixture(scope="module")
def twice(nested: Any) -> Run:
    """Run the tests of an account in two workers at the same time."""
    files = {"test_one.py": TESTS, "test_two.py": TESTS}
    return nested(files, "-n", "2", "--dist", "loadfile", *SHARED, "-k", " or ".join(PORTABLE))


@pytest.mark.parametrize("name", PORTABLE)
@pytest.mark.parametrize("file", ["test_one", "test_two"])
def test_what_an_account_can_it_can_beside_another(twice: Run, file: str, name: str) -> None:
    assert re.search(rf"^\[gw\d\] \[ *\d+%\] PASSED {file}\.py::{name} *$", twice.text, re.M), twice.text


MANY = """
import os
import threading
import pytest
from clarifai.client import Model, User

HELLO, TYPES = "{models}/hello", "{models}/types"
WORKERS = []


@pytest.mark.parametrize("number", range(20))
def test_nobody_meets_anybody(clarifai, number, clarifai_emulator):
    assert (clarifai.calls, clarifai.routes, clarifai.logs, clarifai.events()) == ([], [], [], [])
    assert clarifai.status()["deployments"] == [] and clarifai.status()["faults"] == []
    me = clarifai.user_id
    hello = clarifai.deploy(HELLO, deployment=f"d{number}")
    if number % 2:
        clarifai.fault(status="MODEL_DEPLOYMENT_FAILED", message=f"for {number}", times=1)
        with pytest.raises(Exception, match=f"for {number}"):
            hello.model.predict(prompt="refused")
    assert hello.model.predict(prompt=str(number)) == f"Hello, {number}!"
    assert Model(url="https://clarifai.com/me/demo/models/hello").predict(prompt="me") == "Hello, me!"
    assert Model(url=hello.url, deployment_id=f"d{number}").predict(prompt="x") == "Hello, x!"
    told = [call.arguments["prompt"] for call in clarifai.calls]
    assert told == [*(["refused"] if number % 2 else []), str(number), "me", "x"]
    assert {route.deployment for route in clarifai.routes} == {f"{me}/d{number}"}
    assert {event.fields["user_id"] for event in clarifai.events("request.finished")} == {me}
    assert len(clarifai.events("fault.injected")) == number % 2
    assert [each["deployment_id"] for each in clarifai.status()["deployments"]] == [f"d{number}"]
    assert clarifai.status()["models"] == [f"{me}/demo/hello"]
    assert os.environ["CLARIFAI_USER_ID"] == me and os.environ["CLARIFAI_PAT"] == clarifai.pat
    assert me == f"me-{os.environ['PYTEST_XDIST_WORKER']}"
    print("URL", clarifai.url)
"""


def test_four_workers_do_not_meet_in_twenty_tests_each_a_repeat(nested: Any) -> None:
    run: Run = nested({"test_many.py": MANY}, "-n", "4", *SHARED, "-rP")
    assert "20 passed" in run.text, run.text
    assert len(set(re.findall(r"^URL (\S+)", run.text, re.M))) == 1, "one address for all"


FURTHER = """
import pytest
from clarifai.client import Model, User

HELLO, TYPES = "{models}/hello", "{models}/types"


def test_models_in_the_order_of_their_calls(clarifai):
    hello = clarifai.deploy(HELLO)
    assert list(hello.model.generate(prompt="b")) == ["Hello,", "b!"]
    assert list(hello.model.stream(iter(["c", "d"]))) == ["Hello, c!", "Hello, d!"]
    assert [call.kind for call in hello.calls] == ["server stream", "bidi"]


def test_routed(clarifai):
    clarifai.deploy(HELLO).model.predict(prompt="x")
    clarifai.assert_routed(rule="owner_default", deployment="deploy-hello", nodepool="cpu")


def test_users_of_the_account(clarifai):
    bob = clarifai.user(f"{clarifai.user_id}-bob", first_name="Bob")
    assert User(user_id=bob.id, pat=bob.pat).get_user_info().user.first_name == "Bob"


def test_a_finding_fails_its_own_test(clarifai):
    clarifai.deploy(TYPES).model.echo_params(prompt="x", temperature=99.0)


def test_another_one_has_none(clarifai):
    clarifai.deploy(TYPES).model.echo_params(prompt="x", temperature=0.5)
    assert clarifai.calls[0].findings == ()


@pytest.mark.clarifai_topology("team.yaml")
def test_a_topology(clarifai):
    Model(url="https://clarifai.com/me/demo/models/hello").predict(prompt="x")
    clarifai.assert_routed(deployment="hello-search", nodepool="small")


def test_a_models_failure_is_shown(clarifai):
    broken = clarifai.deploy("{models}/crash_method")
    with pytest.raises(Exception):
        broken.model.predict(prompt="x")
    assert False, "to see the report"


@pytest.mark.clarifai_cassette
def test_recorded(clarifai):
    assert clarifai.deploy(HELLO).model.predict(prompt="x") == "Hello, x!"


@pytest.mark.clarifai_cassette
def test_not_recorded(clarifai):
    assert clarifai.deploy(HELLO).model.predict(prompt="x" if clarifai.cassette.mode == "record" else "y")


def test_faults_of_the_fixture(clarifai_emulator, clarifai_faults):
    from clarifai_emulator import Fault
    clarifai_faults.add(Fault(id="busy-of-" + clarifai_emulator.user_id, throttle=True))
    assert len(list(clarifai_faults)) == 1


def test_the_clock(clarifai):
    assert clarifai.clock.now() > 0
    clarifai.clock.advance(1)


@pytest.mark.clarifai_gpu(1)
def test_gpus(clarifai):
    pass


def test_somebody_elses_model(clarifai):
    clarifai.deploy(HELLO, model="acme/search/models/ranker")


def test_somebody_else(clarifai):
    clarifai.user("bob")


@pytest.mark.clarifai_topology("hosted.yaml")
def test_hosted_models(clarifai):
    pass


def test_a_function_without_a_name(clarifai_emulator):
    clarifai_emulator.run(lambda emulator: emulator.port)


def test_a_token_that_nobody_has(clarifai):
    hello = clarifai.deploy(HELLO)
    Model(url=hello.url, pat="0123456789abcdef").predict(prompt="x")
"""
TEAM = """
compute_clusters:
  - {id: search, cloud_provider: {id: aws}, region: us-east-1, managed_by: clarifai, cluster_type: dedicated}
nodepools:
  - id: small
    compute_cluster: {id: search}
    instance_types: [{id: t3a.medium}]
    node_capacity_type: {capacity_types: [1]}
    max_instances: 2
models:
  - path: {models}/hello
    deploy: {nodepool: small, deployment_id: hello-search, min_replicas: 1}
"""
HOSTED = "users:\n  - {id: acme}\n"
GOOD = (
    "test_models_in_the_order_of_their_calls",
    "test_routed",
    "test_users_of_the_account",
    "test_another_one_has_none",
    "test_a_topology",
    "test_recorded",
    "test_faults_of_the_fixture",
)
FOREIGN = "whom tests of other workers could mean, too: with --clarifai-scope shared, ids of further users begin"


@pytest.fixture(scope="module")
def project(nested: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    """Run a client project with two workers; twice, so that the second run plays the cassettes back."""
    folder = tmp_path_factory.mktemp("shared")
    files = {"test_further.py": FURTHER, "team.yaml": TEAM, "hosted.yaml": HOSTED}
    first = nested(files, "-n", "2", *SHARED, "--clarifai-gpus", "1", into=folder)
    return first, nested({}, "-n", "2", *SHARED, "-k", "recorded", into=folder)


@pytest.mark.parametrize("name", GOOD)
def test_in_a_client_project(project: tuple[Run, Run], name: str) -> None:
    assert project[0].outcome(name) == "PASSED", project[0].failure(name)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "test_the_clock",
            "clarifai.clock.advance() would move the time of every worker's tests: the emulator is one that all "
            "share. Run the test with --clarifai-scope worker.",
        ),
        (
            "test_gpus",
            "clarifai_gpu gives a test devices of its own, and the emulator is one that all workers share: run the "
            "test with --clarifai-scope worker.",
        ),
        ("test_somebody_elses_model", f"would be of user 'acme', {FOREIGN}"),
        ("test_somebody_else", f"User 'bob' would be of user 'bob', {FOREIGN}".partition("would")[2]),
        ("test_hosted_models", f"would be of user 'acme', {FOREIGN}"),
        ("test_a_function_without_a_name", "only functions that a module defines can go there"),
        ("test_a_token_that_nobody_has", "API key not found"),
    ],
)
def test_what_cannot_be_when_shared_is_refused(project: tuple[Run, Run], name: str, words: str) -> None:
    assert project[0].outcome(name) in ("FAILED", "ERROR")
    text = project[0].failure(name)
    assert words in text
    if "somebody" in name or "function" in name:
        assert "use --clarifai-scope worker" in text.replace("Use", "use")


def test_a_finding_is_the_tests_own(project: tuple[Run, Run]) -> None:
    assert "1 call does not match the model's signature:" in project[0].failure("test_a_finding_fails_its_own_test")


def test_reports_tell_of_the_tests_own_models(project: tuple[Run, Run]) -> None:
    text = project[0].failure("test_a_models_failure_is_shown")
    assert "Traceback (most recent call last)" in text
    assert "crash_method" in text
    assert "rule owner_default → deployment me-gw" in text


def test_cassettes_play_for_their_own_account(project: tuple[Run, Run]) -> None:
    recorded, played = project
    assert recorded.outcome("test_not_recorded") == "PASSED"
    assert played.outcome("test_recorded") == "PASSED", played.failure("test_recorded")
    text = played.failure("test_not_recorded")
    assert re.search(
        r"me-gw\d/demo/hello predict\(prompt='y'\) was not recorded. "
        r"The nearest is me-gw\d/demo/hello predict\(prompt='x'\):",
        text,
    )


def test_the_header_says_that_it_is_shared(project: tuple[Run, Run]) -> None:
    assert "clarifai: backend process, shared by all workers, 1 simulated GPUs, contract strict" in project[0].text


def test_in_process_models_need_an_emulator_of_the_worker(nested: Any) -> None:
    test = {"test_a.py": "def test_a(clarifai):\n    clarifai.clock.advance(1)\n"}
    run = nested(test, "-n", "2", *SHARED, "--clarifai-backend", "inprocess")
    assert run.code != 0
    assert "use --clarifai-scope worker, or leave -n out." in run.text
    run = nested(test, *SHARED, "--clarifai-backend", "inprocess")
    assert run.outcome("test_a") == "PASSED", "there is one process: nothing is shared"


def test_a_worker_that_is_killed_leaves_an_empty_account(nested: Any) -> None:
    test = """
        import os
        import time
        from pathlib import Path

        HELLO = "{models}/hello"
        SEEN = Path(__file__).with_name("seen")

        def test_dies(clarifai):
            clarifai.deploy(HELLO)
            clarifai.fault(throttle=True)
            while not SEEN.exists():
                time.sleep(0.01)
            os.kill(os.getpid(), 9)

        def test_lives(clarifai):
            hello = clarifai.deploy(HELLO)
            deadline = time.monotonic() + 60
            others = 1
            seen = False  # somebody else's deployment, and then no more
            while time.monotonic() < deadline and (others or not seen):
                users = clarifai.emulator.run(_deployers)
                others = len(users - {clarifai.user_id})
                if others:
                    seen = True
                    SEEN.touch()
                assert hello.model.predict(prompt="x") == "Hello, x!"
            assert seen and not others

        def _deployers(emulator):
            from clarifai_emulator.store import Kind
            return {key[0] for key in emulator.store.keys(Kind.DEPLOYMENT)}
        """
    run = nested({"test_killed.py": test}, "-n", "2", *SHARED)
    assert "worker 'gw" in run.text
    assert "crashed while running 'test_killed.py::test_dies" in run.text
    assert "1 failed, 1 passed" in run.text, run.text


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "killed"])
def test_nothing_is_left_of_a_session_that_ends_early(tmp_path: Path, ending: signal.Signals) -> None:
    (tmp_path / "test_long.py").write_text(
        "import os, time, pathlib\n\n"
        "def test_a(clarifai):\n"
        f"    clarifai.deploy({str(MODELS / 'hello')!r})\n"
        "    versions = [each for one in clarifai.status()['deployments'] for each in one['versions']]\n"
        "    pids = [replica['pid'] for version in versions for replica in version['replicas']]\n"
        "    pathlib.Path('pids').write_text(' '.join(map(str, [os.getpid(), *pids])))\n"
        "    time.sleep(60)\n"
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CLARIFAI_")}
    environ["TMPDIR"] = str(tmp_path / "temporary")
    (tmp_path / "temporary").mkdir()
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", "1", *SHARED, "test_long.py"]
    with subprocess.Popen(command, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not (tmp_path / "pids").exists() or not (tmp_path / "pids").read_text():
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(ending)
        process.communicate(timeout=30)
    pids = (tmp_path / "pids").read_text().split()
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(pids) == 2
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    if ending is signal.SIGINT:
        assert list((tmp_path / "temporary").glob("clarifai-home-*")) == []
