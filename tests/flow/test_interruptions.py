"""Ctrl-C and SIGTERM end every long command in good order.

Each is interrupted once, where it is at work; ``make interruptions`` does it 100 times, at any moment.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.interruptions import SCENARIOS, Scenario, World, interrupt, leftovers_of_deployments

pytestmark = pytest.mark.slow

_EMPTY = [each for each in SCENARIOS if each.serves is None]
_SERVED = [each for each in SCENARIOS if each.serves is not None and each.name not in ("reset", "down")]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "world")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world with an emulator that serves what the scenarios call."""
    world = World(tmp_path_factory.mktemp("served") / "world")
    with world.emulator("slow"):
        assert world.run("deploy", Path(__file__).parents[2] / "fixtures" / "models" / "hello").returncode == 0
        yield world


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
    up = subprocess.Popen(
        [sys.executable, "-m", "clarifai_emulator", "up", "--port", "0", "--backend", "inprocess"],
        env=world.environ("up"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert up.stdout is not None
    lines = [up.stdout.readline() for _ in range(3)]
    assert world.run("deploy", Path(__file__).parents[2] / "fixtures" / "models" / "slow").returncode == 0
    waiting = subprocess.Popen(
        [sys.executable, "-m", "clarifai_emulator", "predict", "slow", "seconds=60"],
        env=world.environ("predict"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for line in up.stdout:
        lines.append(line)
        if "replica.live" in line:
            break
    while "in flight" not in world.run("status").stdout.replace("1 in flight", "in flight"):
        pass
    up.send_signal(signal.SIGINT)
    said = "".join(lines) + up.stdout.read()

    assert up.wait() == 0
    assert waiting.wait() != 0
    up.stdout.close()
    assert "cancelled by the client" not in said
    assert "Nothing is left running" in said
    assert "still there" not in said


def test_up_starts_where_its_output_is_closed(world: World) -> None:
    up = subprocess.Popen(
        ["sh", "-c", f"exec {sys.executable} -m clarifai_emulator up --port 0 >&-"],
        env=world.environ("up"),
        stderr=subprocess.PIPE,
        text=True,
    )
    for _ in range(200):
        if world.run("status").returncode == 0:
            break
    up.send_signal(signal.SIGTERM)
    _, said = up.communicate(timeout=60)
    assert up.returncode == 0, said
    assert said == ""


@pytest.mark.of_processes("the command line and what it starts on this machine")
def test_an_emulator_that_dev_started_ends_with_it_also_when_it_is_killed(world: World) -> None:
    dev = subprocess.Popen(
        [sys.executable, "-m", "clarifai_emulator", "dev", "--plain", str(world.model())],
        env=world.environ("dev"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert dev.stdout is not None
    for line in dev.stdout:
        if "Watching" in line:
            break
    os.kill(dev.pid, signal.SIGKILL)
    dev.wait()
    dev.stdout.close()
    for _ in range(200):
        if world.run("status").returncode == 4:
            break
    assert world.run("status").returncode == 4
    assert not list(world.temporary.iterdir())
