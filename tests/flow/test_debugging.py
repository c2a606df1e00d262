"""Breakpoints in model.py stop in an editor or at a terminal; where neither is there, the log says what to do."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from clarifai_emulator.backends.backend import Debugging
from clarifai_emulator.control.network import reach
from clarifai_emulator.control.running import Running
from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.errors import CallerError
from flow.dap import Editor
from flow.driver import Client, free_port, inference_request, logged, running, text_of, wait_for, write_model
from flow.shown import Shown
from flow.test_cli import Shell

MODEL = """
from clarifai.runners.models.model_class import ModelClass


class Model(ModelClass):
    def load_model(self):
        self.ending = "!"

    @ModelClass.method
    def predict(self, text: str) -> str:
        answer = text + self.ending
        answer = answer + "?"
        return answer
"""
_LINE = MODEL.splitlines().index('        answer = answer + "?"') + 1
_of_processes = pytest.mark.of_processes("a debugger of this machine attaches to a process of it")


def write(folder: Path, source: str = MODEL) -> Path:
    return write_model(folder, "looked-at", source)


def with_breakpoint(how: str = "breakpoint()") -> str:
    return MODEL.replace('        answer = answer + "?"', f'        {how}\n        answer = answer + "?"')


@pytest.fixture(scope="module")
def _emulator() -> Iterator[EmulatorThread]:
    """Yield an emulator whose requests may take two seconds: far less than a look at one in a debugger takes."""
    with running(backend="process", request_seconds=2.0, reclaim_seconds=0.5) as emulator:
        yield emulator


def ask(client: Client) -> str:
    return text_of(client.call("PostModelOutputs", inference_request("looked-at", text="hi"), timeout=100))


def begin_to_ask(client: Client) -> Future[str]:
    """Send a request from a thread of its own, because the model will stop."""
    pool = ThreadPoolExecutor(1)
    answer = pool.submit(ask, client)
    pool.shutdown(wait=False)
    return answer


def deploy(emulator: EmulatorThread, path: Path, **options: Any) -> Any:
    """Deploy, however long that takes: the limit is for requests."""
    deployed = emulator.deploy(path, max_replicas=1, wait=False, **options)
    if not (options.get("debugging") and options["debugging"].wait):
        wait_for(lambda: emulator.events("replica.live"), seconds=60)
    return deployed


@_of_processes
def test_an_editor_stops_in_the_model_and_no_deadline_passes_meanwhile(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    path = write(tmp_path)
    deployed = deploy(emulator, path, debugging=Debugging())
    with Editor(deployed.debug_port) as editor:
        editor.configure(path / "1" / "model.py", _LINE)
        answer = begin_to_ask(client)
        thread, function, line = editor.stopped()
        assert (function, line) == ("predict", _LINE)
        time.sleep(2.5)  # more than the request may take
        assert not answer.done()
        editor.go_on(thread, "next")
        thread, _, line = editor.stopped()
        assert line == _LINE + 1
        editor.go_on(thread)
        assert answer.result() == "hi!?"
    assert not emulator.events("replica.hung")
    said = [event.fields["message"] for event in emulator.events("debugger.")]
    assert said[0] == f"attach your editor at 127.0.0.1:{deployed.debug_port}"
    wait_for(lambda: emulator.events("debugger.changed")[-1].fields["message"] == "the debugger is detached")


@_of_processes
def test_breakpoint_stops_in_the_editor_and_another_one_may_attach_after_it(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    deployed = deploy(emulator, write(tmp_path, with_breakpoint()), debugging=Debugging())
    assert ask(client) == "hi!?"  # nobody is attached: it does not stop
    for _ in range(2):
        with Editor(deployed.debug_port) as editor:
            editor.finish_configuration()
            answer = begin_to_ask(client)
            thread, function, _ = editor.stopped()
            assert function == "predict"
            editor.go_on(thread)
            assert answer.result() == "hi!?"


@_of_processes
def test_an_editor_that_goes_away_lets_the_model_go_on(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    path = write(tmp_path)
    deployed = deploy(emulator, path, debugging=Debugging())
    with Editor(deployed.debug_port) as editor:
        editor.configure(path / "1" / "model.py", _LINE)
        answer = begin_to_ask(client)
        editor.stopped()
        assert emulator.run(lambda each: each.clock.is_held)
    assert answer.result() == "hi!?"
    assert not emulator.run(lambda each: each.clock.is_held)


@_of_processes
def test_a_replica_may_wait_for_the_editor_before_it_loads_its_model(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    path = write(tmp_path)
    load = MODEL.splitlines().index('        self.ending = "!"') + 1
    deployed = deploy(emulator, path, debugging=Debugging(wait=True))
    assert deployed.waits_for_debugger
    wait_for(lambda: any("waits for a debugger" in line for line in logged(emulator)), seconds=60)
    wait_for(lambda: emulator.run(lambda each: each.clock.is_held), seconds=60)
    with Editor(deployed.debug_port) as editor:
        editor.configure(path / "1" / "model.py", load)
        thread, function, line = editor.stopped()
        assert (function, line) == ("load_model", load)
        editor.go_on(thread)
        wait_for(lambda: emulator.events("replica.live"), seconds=60)


@_of_processes
def test_what_runs_already_is_replaced_by_one_that_can_be_debugged(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    path = write(tmp_path)
    deploy(emulator, path)
    port = free_port()
    deployed = emulator.deploy(path, max_replicas=1, wait=False, debugging=Debugging(port=port))
    assert deployed.debug_port == port
    assert not deployed.is_new_version
    wait_for(lambda: len(emulator.events("replica.live")) == 2, seconds=60)
    with Editor(port) as editor:
        editor.configure(path / "1" / "model.py", _LINE)


@_of_processes
def test_a_port_that_is_taken_is_named_and_nothing_is_deployed(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    port = int(emulator.url.rpartition(":")[2])
    with pytest.raises(CallerError, match=f"Port {port} for the debugger of .* is in use") as failed:
        emulator.deploy(write(tmp_path), debugging=Debugging(port=port))
    assert "--debug PORT" in failed.value.hint
    assert not client.call("ListDeployments").deployments


@_of_processes
@pytest.mark.parametrize("how", ["breakpoint()", "import pdb; pdb.set_trace()"])
def test_without_a_debugger_a_breakpoint_is_passed_and_the_log_says_how_to_stop_there(
    emulator: EmulatorThread, client: Client, tmp_path: Path, how: str
) -> None:
    deploy(emulator, write(tmp_path, with_breakpoint(how)))
    for _ in range(2):
        assert ask(client) == "hi!?"

    def told() -> list[str]:
        return [line for line in logged(emulator) if "was passed" in line]

    assert wait_for(told) == [
        f"[emulator] breakpoint() at model.py:{_LINE} was passed: nobody can type here. To stop there, deploy with "
        "--debug and attach your editor, or run `clarifai-emulator dev DIR --backend inprocess` in a terminal."
    ]


# ── at a terminal ──────────────────────────────────────────────────────────────────────────────────────────


class Terminal:
    """Runs a command in a terminal of its own."""

    def __init__(self, shell: Shell, *words: str | Path) -> None:
        self._fd, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, *map(str, words)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**shell.environ, "TERM": "dumb", "NO_COLOR": "1"},
            start_new_session=True,
        )
        os.close(theirs)
        self._output = Shown(self._fd)

    def until(self, text: str) -> str:
        """Return what was shown up to this text, once it is there."""
        return self._output.until(text, seconds=60)

    def type(self, line: str) -> None:
        os.write(self._fd, line.encode() + b"\n")

    def end(self) -> int:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGINT)
        code = self.process.wait(30)
        self._output.close()
        return code


@pytest.mark.parametrize("command", ["dev", "up"])
@pytest.mark.of_processes("the model runs in the command's own process")
@pytest.mark.slow
def test_breakpoint_asks_in_the_terminal_of_a_command_that_runs_the_model_itself(
    command: str, tmp_path: Path
) -> None:
    path, port = write(tmp_path, with_breakpoint()), free_port()
    shell = Shell(tmp_path)
    words = ["dev", path] if command == "dev" else ["up", "--request-seconds", "2"]
    terminal = Terminal(shell, "-m", "clarifai_emulator", *words, "--backend", "inprocess", "--port", str(port))
    try:
        if command == "dev":
            terminal.until("replica.live")
        else:
            terminal.until("Stop:")
            shell.ok("deploy", path, "--port", str(port))
        state = json.loads((tmp_path / "state" / "clarifai-emulator" / f"emulator-{port}.json").read_text())
        url = f"http://127.0.0.1:{port}"
        assert reach(url, {"CLARIFAI_EMULATOR_TOKEN": state["token"]}) == Running(**state)
        client = Client(url)
        answer = begin_to_ask(client)
        assert "predict()" in terminal.until("(Pdb)")
        terminal.type("p answer")
        assert "'hi!'" in terminal.until("(Pdb)")
        time.sleep(2.5)  # more than the request may take
        terminal.type("next")
        assert "return answer" in terminal.until("(Pdb)")
        terminal.type("continue")
        assert answer.result() == "hi!?"
        client.close()
    finally:
        code = terminal.end()
    assert code == 0


@pytest.mark.of_processes("the model runs in the test's own process")
@pytest.mark.slow
def test_breakpoint_asks_in_a_test_also_while_output_is_captured(tmp_path: Path) -> None:
    path = write(tmp_path, with_breakpoint())
    (tmp_path / "test_it.py").write_text(
        "from clarifai.client import Model\n\n\n"
        "def test_it(clarifai):\n"
        f"    model = clarifai.deploy({str(path)!r})\n"
        "    print('captured')\n"
        "    assert Model(url=model.url).predict(text='hi') == 'hi!?'\n"
    )
    options = ["--clarifai-backend", "inprocess", "-p", "no:cacheprovider"]
    terminal = Terminal(Shell(tmp_path), "-m", "pytest", *options, tmp_path / "test_it.py")
    try:
        assert "IO-capturing turned off" in terminal.until("(Pdb)")
        terminal.type("p answer")
        assert "'hi!'" in terminal.until("(Pdb)")
        terminal.type("continue")
        assert "1 passed" in terminal.until(" passed")
    finally:
        terminal.end()
