"""Models as neighbours: what they start ends with them, and the emulator ends whatever state they are in."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import Client, inference_request, is_alive, live_replicas, text_of, wait_for, write_model
from flow.processes import EmulatorProcess, children_of, command, emulator_process

pytestmark = [
    pytest.mark.of_processes("a container takes along everything in it"),
    pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="reads /proc: Linux only"),
]

# It starts an inference server as vLLM does: in a session of its own; and a daemon, whose parent is gone.
SOURCE = """
import ctypes, os, subprocess, time
from clarifai.runners.models.model_class import ModelClass


class Server(ModelClass):
    def load_model(self):
        self.server = subprocess.Popen(["sleep", "1000"], start_new_session=True)
        said = subprocess.run(
            ["setsid", "sh", "-c", "sleep 1000 >&- 2>&- & echo $!"], stdout=subprocess.PIPE, text=True
        )
        self.daemon = int(said.stdout)

    @ModelClass.method
    def predict(self, text: str) -> str:
        return f"{self.server.pid} {self.daemon} {os.getpid()}"

    @ModelClass.method
    def hang(self, text: str) -> str:
        ctypes.PyDLL(None).sleep(1000)  # in C code, with the lock of the interpreter
        return text

    @ModelClass.method
    def crash(self, text: str) -> str:
        os._exit(3)
"""


def processes_of(client: Client) -> list[int]:
    """Return the server, the daemon and the replica that started them."""
    pids = text_of(client.call("PostModelOutputs", inference_request("server", text="")))
    return [int(each) for each in pids.split()]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path, "server", SOURCE)


def test_undeploy_ends_what_a_model_has_started_in_other_sessions(
    emulator: EmulatorThread, client: Client, model: Path
) -> None:
    emulator.deploy(model)
    processes = processes_of(client)
    assert all(map(is_alive, processes))
    emulator.undeploy("deploy-server")
    wait_for(lambda: not any(map(is_alive, processes)))


def test_a_crash_ends_what_a_model_has_started_in_other_sessions(
    emulator: EmulatorThread, client: Client, model: Path
) -> None:
    emulator.deploy(model)
    processes = processes_of(client)
    answer = client.call("PostModelOutputs", inference_request("server", "crash", text=""))
    assert "exited with code 3" in answer.status.details
    wait_for(lambda: not any(map(is_alive, processes)))
    others = processes_of(client)
    assert not set(others) & set(processes)
    os.kill(others[2], signal.SIGKILL)
    wait_for(lambda: not any(map(is_alive, others)))


def test_an_edit_under_dev_ends_what_the_code_before_it_has_started(
    emulator: EmulatorThread, client: Client, model: Path
) -> None:
    emulator.dev(model)
    processes = processes_of(client)
    (model / "1" / "model.py").write_text(f"{SOURCE}\nEDIT = 1\n")
    assert emulator.reload(model).state == "ready"
    wait_for(lambda: not any(map(is_alive, processes)))
    assert all(map(is_alive, processes_of(client)))


def test_models_go_on_while_the_process_that_they_were_forked_from_is_killed(
    emulator: EmulatorThread, client: Client, model: Path, tmp_path: Path
) -> None:
    emulator.deploy(model)
    processes = processes_of(client)
    keeper = parent_of(processes[2])
    (parent,) = [pid for pid in children_of(keeper) if os.getsid(pid) == os.getsid(keeper)]
    os.kill(parent, signal.SIGKILL)
    assert processes_of(client) == processes
    other = write_model(tmp_path / "another", "another", SOURCE)
    emulator.deploy(other)
    answer = client.call("PostModelOutputs", inference_request("another", text=""))
    assert parent_of(int(text_of(answer).split()[2])) == keeper
    assert processes_of(client) == processes
    assert [each["state"] for each in live_replicas(emulator, "deploy-server")] == ["live"]


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@contextmanager
def serving(folder: Path, model: Path) -> Iterator[tuple[EmulatorProcess, list[int]]]:
    """Run an emulator that serves the model; yield it with all processes below it."""
    with emulator_process(folder, str(model)) as emulator:
        client = emulator.client()
        own = processes_of(client)
        client.close()
        below = emulator.descendants()
        assert set(own) <= set(below)
        yield emulator, below


def keeper_of(emulator: EmulatorProcess) -> int:
    return next(pid for pid in children_of(emulator.pid) if children_of(pid))


def stop_keeper(emulator: EmulatorProcess, below: list[int]) -> None:
    os.kill(keeper_of(emulator), signal.SIGSTOP)


def stop_parent(emulator: EmulatorProcess, below: list[int]) -> None:
    keeper = keeper_of(emulator)
    os.kill(next(pid for pid in children_of(keeper) if os.getsid(pid) == os.getsid(keeper)), signal.SIGSTOP)


def stop_replica(emulator: EmulatorProcess, below: list[int]) -> None:
    keeper = keeper_of(emulator)
    os.kill(next(pid for pid in children_of(keeper) if os.getsid(pid) != os.getsid(keeper)), signal.SIGSTOP)


def stop_all_but_the_emulator(emulator: EmulatorProcess, below: list[int]) -> None:
    for pid in below:
        os.kill(pid, signal.SIGSTOP)


def hang_in_c(emulator: EmulatorProcess, below: list[int]) -> None:
    client = emulator.client()
    waiting = client.generate(inference_request("server", "hang", text=""), timeout=600)
    wait_for(lambda: client.call("ListDeployments").deployments)
    waiting.cancel()


@pytest.mark.slow
@pytest.mark.parametrize(
    "bring_about", [stop_keeper, stop_parent, stop_replica, stop_all_but_the_emulator, hang_in_c]
)
def test_sigterm_ends_everything_in_every_state(tmp_path: Path, model: Path, bring_about: object) -> None:
    assert callable(bring_about)
    with serving(tmp_path, model) as (emulator, below):
        bring_about(emulator, below)
        emulator.process.terminate()
        emulator.process.wait(60)
        wait_for(lambda: not any(map(is_alive, below)))
        assert "Nothing is left running" in emulator.printed()


@pytest.mark.slow
def test_down_ends_everything_while_the_process_that_replicas_are_forked_from_is_stopped(
    tmp_path: Path, model: Path
) -> None:
    with serving(tmp_path, model) as (emulator, below):
        stop_keeper(emulator, below)
        said = command(tmp_path, "down")
        assert said.returncode == 0, said.stderr
        wait_for(lambda: not any(map(is_alive, below)))


@pytest.mark.slow
@pytest.mark.parametrize("start_method", ["fork", "spawn"])
def test_nothing_is_left_of_an_emulator_that_is_killed(tmp_path: Path, model: Path, start_method: str) -> None:
    with emulator_process(tmp_path, str(model), options=["--start-method", start_method]) as emulator:
        processes = processes_of(emulator.client())
        below = emulator.descendants()
        assert set(processes) <= set(below)
        emulator.end(signal.SIGKILL)
        wait_for(lambda: not any(map(is_alive, below)))


@pytest.mark.slow
def test_sigterm_ends_everything_where_the_disk_is_full(tmp_path: Path, model: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"needs the right to mount a disk: {mounted.stderr.decode()}")
    try:
        with serving(disk, model) as (emulator, below):
            filler = subprocess.run(["dd", "if=/dev/zero", f"of={disk}/filler"], capture_output=True, check=False)
            assert b"No space left" in filler.stderr
            emulator.process.terminate()
            emulator.process.wait(60)
            wait_for(lambda: not any(map(is_alive, below)))
    finally:
        subprocess.run(["umount", disk], check=True)
