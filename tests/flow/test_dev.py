"""The command ``dev`` works as its user runs it: in a pipe and in a terminal, with its own emulator or not."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from flow.driver import RUNNER, Client, free_port, inference_request, text_of, wait_for, write_model
from flow.processes import environment
from flow.shown import Shown

MODEL = """
from clarifai.runners.models.model_class import ModelClass

class Spoken(ModelClass):
    @ModelClass.method
    def predict(self, text: str) -> str:
        return f"one {text}"
"""


class Dev:
    """A run of ``clarifai-emulator``, with folders and a port of its own."""

    def __init__(self, folder: Path) -> None:
        self.environ = environment(XDG_STATE_HOME=str(folder / "state"), COLUMNS="160")
        self.port = free_port()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._outputs: list[Shown] = []

    def start(
        self, *words: str | Path, terminal: bool = False, under: Sequence[str] = ()
    ) -> subprocess.Popen[bytes]:
        ours, theirs = pty.openpty() if terminal else os.pipe()
        program = [*under, sys.executable, "-m", "clarifai_emulator"]
        command = [*program, *map(str, words), "--port", str(self.port)]
        process = subprocess.Popen(
            command,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self._processes.append(process)
        self._outputs.append(Shown(ours))
        return process

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "clarifai_emulator", *words, "--port", str(self.port)]
        return subprocess.run(command, env=self.environ, capture_output=True, text=True, timeout=60)

    def wait_for(self, text: str, *, seconds: float = 30.0) -> str:
        """Read until this is printed after what was waited for before; return what was printed by then."""
        return self._outputs[-1].until(text, seconds=seconds)

    @property
    def output(self) -> str:
        return self._outputs[-1].rest

    def end(self, process: subprocess.Popen[bytes]) -> int:
        process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + 20
        while self._outputs[-1].read_on() and process.poll() is None and time.monotonic() < deadline:
            pass
        return process.wait(max(deadline - time.monotonic(), 1))

    def close(self) -> None:
        self.run("down")
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        for output in self._outputs:
            output.close()


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[Dev]:
    run = Dev(tmp_path)
    yield run
    run.close()


@pytest.fixture
def spoken(tmp_path: Path) -> Path:
    return write_model(tmp_path, "spoken", MODEL)


def options() -> list[str]:
    return [f"--{name}={value}" for name, value in RUNNER.items()]


def answer(dev: Dev) -> str:
    client = Client(f"http://127.0.0.1:{dev.port}")
    try:
        return text_of(client.call("PostModelOutputs", inference_request("spoken", text="x")))
    finally:
        client.close()


def test_a_save_answers_a_broken_one_is_shown_and_ctrl_c_ends_all_of_it(dev: Dev, spoken: Path) -> None:
    model = spoken / "1" / "model.py"
    process = dev.start("dev", spoken, *options())
    said = dev.wait_for("print(model.predict(text=")
    assert "starting an emulator" in said
    assert f"Watching {spoken}" in said
    assert answer(dev) == "one x"
    model.write_text(MODEL.replace("one", "two"))
    dev.wait_for("reload.ready  spoken: swap of 1/model.py: predict has changed")
    assert answer(dev) == "two x"
    model.write_text(MODEL.replace('f"one {text}"', 'f"one {text}'))
    said = dev.wait_for("Mend the line above and save.")
    assert "reload.failed  spoken: fork of 1/model.py: it cannot be parsed" in said
    assert '    > 7 |         return f"one {text}' in said
    shown = dev.run("status").stdout
    assert f"deploy-spoken: the code in {spoken} is broken: 1/model.py:7: " in shown
    assert "The last good code answers." in shown
    assert answer(dev) == "two x"
    os.utime(model)
    (spoken / "helper.py").write_text("A = 1\n")
    model.write_text(MODEL.replace("one", "three"))
    dev.wait_for("reload.ready  spoken: fork of ")
    assert answer(dev) == "three x"
    assert dev.end(process) == 0
    assert dev.run("status").returncode == 4, "the emulator it started is stopped"


def test_it_joins_an_emulator_that_runs_and_leaves_it_running(dev: Dev, spoken: Path) -> None:
    assert dev.run("up", "--detach", *options()).returncode == 0
    process = dev.start("dev", spoken, "--runner=lean")
    said = dev.wait_for("print(model.predict(text=")
    assert "is running already: --runner of this command has no effect on it." in said
    (spoken / "1" / "model.py").write_text(MODEL.replace("one", "two"))
    dev.wait_for("reload.ready")
    assert dev.end(process) == 0
    assert dev.run("status").returncode == 0
    assert answer(dev) == "two x"


def test_under_nohup_it_goes_on_when_its_terminal_is_closed(dev: Dev, spoken: Path) -> None:
    process = dev.start("dev", spoken, *options(), under=["nohup"])
    dev.wait_for("print(model.predict(text=")
    process.send_signal(signal.SIGHUP)
    (spoken / "1" / "model.py").write_text(MODEL.replace("one", "two"))
    dev.wait_for("reload.ready")
    assert answer(dev) == "two x"
    assert dev.end(process) == 0


def test_a_directory_that_is_broken_at_first_waits_for_the_save_that_mends_it(dev: Dev, spoken: Path) -> None:
    model = spoken / "1" / "model.py"
    model.write_text("import nothing_like_it\n" + MODEL)
    process = dev.start("dev", spoken, *options())
    said = dev.wait_for("Add the package to requirements.txt")
    assert f"{spoken} cannot be run yet: model.py cannot be used: ModuleNotFoundError" in said
    model.write_text(MODEL)
    dev.wait_for("replica.live")
    wait_for(lambda: answer(dev) == "one x")
    assert dev.end(process) == 0


def test_a_save_while_the_model_is_deployed_is_reloaded_after_that(dev: Dev, spoken: Path) -> None:
    model = spoken / "1" / "model.py"
    slow = MODEL.replace(
        "    @Model", "    def load_model(self):\n        __import__('time').sleep(2)\n\n    @Model"
    )
    model.write_text(slow)
    process = dev.start("dev", spoken, *options())
    dev.wait_for("deployment deploy-spoken in nodepool")
    model.write_text(slow.replace("one", "two"))
    said = dev.wait_for("print(model.predict(text=")
    assert "deployment deploy-spoken in nodepool" not in said, "it is not deployed twice"
    wait_for(lambda: answer(dev) == "two x")
    assert dev.end(process) == 0


def test_with_json_each_event_is_a_line(dev: Dev, spoken: Path) -> None:
    process = dev.start("dev", spoken, "--json", "--poll", *options())
    dev.wait_for('"kind": "replica.live"')
    (spoken / "1" / "model.py").write_text(MODEL.replace("one", "two"))
    dev.wait_for('"kind": "reload.ready"')
    dev.end(process)
    lines = [line for line in dev.output.splitlines()[1:] if line.startswith("{")]
    events: list[dict[str, Any]] = [json.loads(line) for line in lines]
    assert all("kind" in event for event in events)


def test_in_a_terminal_it_draws_replicas_reloads_and_requests(dev: Dev, spoken: Path) -> None:
    process = dev.start("dev", spoken, *options(), terminal=True)
    dev.wait_for("Ctrl-C stops")
    dev.wait_for("print(model.predict(text=")
    (spoken / "1" / "model.py").write_text(MODEL.replace("one", "two"))
    dev.wait_for("predict has changed")
    assert answer(dev) == "two x"
    dev.wait_for("owner_default → me/deploy-spoken")
    assert dev.end(process) == 0


TALKING = """
import logging
import sys

from clarifai.runners.models.model_class import ModelClass
from clarifai.utils.logging import logger

class Spoken(ModelClass):
    def load_model(self):
        print("reading weights")

    @ModelClass.method
    def predict(self, text: str, top: int = 3, api_key: str = "") -> str:
        print("was asked for", text)
        sys.stderr.write("on the other stream\\n")
        logging.getLogger("mine").warning("by logging")
        logger.info("by the logger of the SDK")
        assert text != "wrong"
        return f"one {text}"
"""


def test_what_the_model_prints_its_calls_and_its_failures_are_shown(dev: Dev, spoken: Path) -> None:
    (spoken / "1" / "model.py").write_text(TALKING)
    process = dev.start("dev", spoken, "--plain", *options())
    said = dev.wait_for("print(model.predict(text=")
    assert "spoken: loading weights…" in said
    client = Client(f"http://127.0.0.1:{dev.port}")
    client.call("PostModelOutputs", inference_request("spoken", text="hi", top=2, api_key="hunter2"))
    client.call("PostModelOutputs", inference_request("spoken", text="wrong"))
    client.close()
    said += dev.wait_for("by the logger of the SDK")
    said += dev.wait_for("│ AssertionError")
    place = "model.py:18 in predict: assert text != "
    said += dev.wait_for(place) if place not in said else ""
    for words in ("was asked for hi", "on the other stream", "by logging"):
        assert f"│ {words}" in said, said
    assert "spoken.predict(text='hi', top=2, api_key=<hidden>)" in said
    assert "hunter2" not in said
    assert "AssertionError\n    " in said
    assert "spoken.predict(text='wrong')  10020 FAILURE  " in said
    for words in ("Starting 16 threads", "model_predict |", "predict_wrapper", "GetModel"):
        assert words not in said, said
    assert dev.end(process) == 0


@pytest.mark.slow
def test_how_long_the_weights_took_the_last_time_is_said(dev: Dev, spoken: Path) -> None:
    dev.environ["XDG_CACHE_HOME"] = str(spoken.parent / "cache")
    for seen in (False, True):
        process = dev.start("dev", spoken, *options())
        said = dev.wait_for("print(model.predict(text=")
        assert ("loading weights… (last time " in said) == seen, said
        assert dev.end(process) == 0


def test_strict_always_and_globs_are_kept(dev: Dev, spoken: Path) -> None:
    process = dev.start("dev", spoken, "--strict", "--always", "fork", "--exclude", "*.md", *options())
    dev.wait_for("print(model.predict(text=")
    (spoken / "README.md").write_text("Notes\n")
    (spoken / "1" / "model.py").write_text(MODEL.replace("one", "two"))
    dev.wait_for("fork of 1/model.py: predict has changed, and a fork was asked for every time")
    (spoken / "1" / "model.py").write_text(MODEL.replace("one", "two").replace("text: str", "text: nope"))
    dev.wait_for("reload.failed")
    client = Client(f"http://127.0.0.1:{dev.port}")
    response = client.call("PostModelOutputs", inference_request("spoken", text="x"))
    client.close()
    assert "NameError: name 'nope' is not defined" in response.status.details
    assert dev.end(process) == 0


@pytest.mark.slow
def test_clients_are_checked_again_when_the_methods_change(dev: Dev, spoken: Path, tmp_path: Path) -> None:
    client = tmp_path / "client.py"
    url = "https://clarifai.com/me/demo/models/spoken"
    client.write_text(f'from clarifai.client import Model\n\nprint(Model(url="{url}").predict(text="x"))\n')
    process = dev.start("dev", spoken, "--client", client, "--stubs", tmp_path / "typings", *options())
    said = dev.wait_for("nothing found; 1 file and 1 call checked")
    assert "Wrote 3 stubs" in said
    (spoken / "1" / "model.py").write_text(MODEL.replace("text: str", "words: str").replace("{text}", "{words}"))
    said = dev.wait_for("client.py:3:")
    assert "error parameter-renamed  spoken: " in said
    dev.wait_for("error[")
    assert "words: str" in (tmp_path / "typings" / "clarifai" / "client" / "model.pyi").read_text()
    assert dev.end(process) == 0


@pytest.mark.slow
def test_clients_are_checked_again_when_they_are_edited_and_what_they_import(
    dev: Dev, spoken: Path, tmp_path: Path
) -> None:
    client, names = tmp_path / "client.py", tmp_path / "names.py"
    address = 'URL = "https://clarifai.com/me/demo/models/spoken"\n'
    names.write_text(address)
    source = "from clarifai.client import Model\nfrom names import URL\n\nprint(Model(url=URL).predict(text='x'))\n"
    client.write_text(source)
    process = dev.start("dev", spoken, "--client", client, *options())
    dev.wait_for("nothing found; 1 file and 1 call checked")
    client.write_text(source.replace("text=", "words="))
    dev.wait_for("client.py:4:")
    dev.wait_for("error[")
    client.write_text(source)
    dev.wait_for("nothing found; 1 file and 1 call checked")
    names.write_text(address + "URL = input()\n")
    dev.wait_for("unchecked[unknown-model]")
    assert dev.end(process) == 0


def test_an_edit_of_the_topology_is_applied_and_a_broken_one_is_shown(
    dev: Dev, spoken: Path, tmp_path: Path
) -> None:
    topology = tmp_path / "topology.yaml"
    text = (
        "compute_clusters:\n"
        "  - {id: c, cloud_provider: {id: aws}, region: us-east-1, managed_by: clarifai, cluster_type: dedicated}\n"
        "nodepools:\n  - {id: pool, instance_types: [{id: t3a.medium}], max_instances: 2}\n"
    )
    topology.write_text(text)
    process = dev.start("dev", spoken, "--nodepool", "pool", "--topology", topology, *options())
    dev.wait_for("print(model.predict(text=")
    topology.write_text(text.replace("max_instances: 2", "max_instances: 3"))
    dev.wait_for("topology.applied  nodepool pool: other max_instances")
    topology.write_text(text.replace("max_instances", "max_instance"))
    said = dev.wait_for("nodepools[0].max_instance")
    assert "topology.refused  The topology is as it was: its files cannot be used." in said
    assert answer(dev) == "one x"
    assert dev.end(process) == 0
