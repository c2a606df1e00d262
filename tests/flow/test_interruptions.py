"""Ctrl-C and SIGTERM end every long command in good order.

Each is interrupted once, where it is at work; ``make interruptions`` does it 100 times, at any moment.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from benchmarks.interruptions import SCENARIOS, Scenario, World, interrupt, leftovers_of_deployments

from flow.driver import MODELS, wait_for
from flow.test_cli import read_until

pytestmark = pytest.mark.slow

_EMPTY = [each for each in SCENARIOS if each.serves is None]
_SERVED = [each for each in SCENARIOS if each.serves is not None and each.name not in ("reset", "down")]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "world")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Provide a world with an emulator that serves what the scenarios call."""
    world = World(tmp_path_factory.mktemp("served") / "world")
    with world.emulator("slow"):
        assert world.run("deploy", MODELS / "hello").returncode == 0
        yield world


@contextmanager
def started(world: World, *words: str | Path) -> Iterator[subprocess.Popen[str]]:
    """Start a command, and kill it at the end of the block where it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "clarifai_emulator", *map(str, words)],
        env=world.environ(str(words[0])),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@pytest.mark.parametrize("scenario", _EMPTY, ids=lambda each: each.name)
@pytest.mark.of_processes("the command line and what it starts on this machine")
def test_a_command_that_is_interrupted_leaves_nothing(scenario: Scenario, world: World) -> None:
    number = signal.SIGINT if _EMPTY.index(scenario) % 2 else signal.SIGTERM
    outcome = interrupt(scenario, world, moment=sum(scenario.moments) / 2, number=number)
    assert not outcome.problems, f"{outcome.problems}\n{outcome.output}"


@pytest.mark.parametrize("scenario", _SERVED, ids=lambda each: each.name)
@pytest.mark.of_processes("the command line and what it starts on this machine")
def test_a_command_that_asks_an_emulator_is_interrupted_and_the_emulator_goes_on(
    scenario: Scenario, served: World
) -> None:
    number = signal.SIGINT if _SERVED.index(scenario) % 2 else signal.SIGTERM
    outcome = interrupt(scenario, served, moment=sum(scenario.moments) / 2, number=number)
    assert not outcome.problems, f"{outcome.problems}\n{outcome.output}"
    assert "hello" in served.run("status").stdout


@pytest.mark.of_processes("the command line and what it starts on this machine")
def test_a_deployment_that_is_interrupted_was_never_there_and_the_last_one_goes_on(served: World) -> None:
    path = served.model()
    assert served.run("deploy", path).returncode == 0
    source = path / "1" / "model.py"
    source.write_text(source.read_text().replace("time.sleep(0.0)", "time.sleep(60)"))
    scenario = Scenario("deploy", lambda world: ["deploy", path], (4, 4), codes=(), serves="")

    outcome = interrupt(scenario, served, moment=4, number=signal.SIGINT)

    assert not outcome.problems, outcome.output
    assert "Interrupted by Ctrl-C. Nothing was deployed; what served before goes on." in outcome.output
    assert f"deploy-{path.name}" in leftovers_of_deployments(served)
    source.write_text(source.read_text().replace("time.sleep(60)", "time.sleep(0.0)"))
    answer = served.run("predict", path.name, "seconds=0")
    assert answer.stdout == "slept\n", answer.stderr


def test_up_says_why_a_request_ended_when_it_is_stopped_and_names_no_process_of_its_own(world: World) -> None:
    with started(world, "up", "--port", "0", "--backend", "inprocess") as up:
        read_until(up, "Stop:")
        assert world.run("deploy", MODELS / "slow").returncode == 0
        read_until(up, "replica.live")
        with started(world, "predict", "slow", "seconds=60") as waiting:
            wait_for(lambda: requests_at_work(world) == 1, seconds=60)
            up.send_signal(signal.SIGINT)
            assert up.stdout is not None
            said = up.stdout.read()
            assert waiting.wait() != 0
        assert up.wait() == 0
    assert "cancelled by the client" not in said
    assert "Nothing is left running" in said
    assert "still there" not in said


def requests_at_work(world: World) -> int:
    state = json.loads(world.run("status", "--json").stdout)
    return sum(version["in_flight"] for each in state["deployments"] for version in each["versions"])


def test_up_starts_where_its_output_is_closed(world: World) -> None:
    up = subprocess.Popen(
        ["sh", "-c", f"exec {sys.executable} -m clarifai_emulator up --port 0 >&-"],
        env=world.environ("up"),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for(lambda: world.run("status").returncode == 0, seconds=60)
        up.send_signal(signal.SIGTERM)
        _, said = up.communicate(timeout=60)
    finally:
        up.kill()
    assert up.returncode == 0, said
    assert said == ""


@pytest.mark.of_processes("the command line and what it starts on this machine")
def test_an_emulator_that_dev_started_ends_with_it_also_when_it_is_killed(world: World) -> None:
    with started(world, "dev", "--plain", world.model()) as dev:
        read_until(dev, "Watching")
    wait_for(lambda: world.run("status").returncode == 4, seconds=60)
    assert not list(world.temporary.iterdir())
