"""Output of commands fits the terminal: no table breaks a word, at 60 columns and more."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from flow.driver import MODELS, inference_request, wait_for
from flow.processes import EmulatorProcess, emulator_process, environment
from flow.shown import Shown


def shown(width: int, folder: Path, *words: str) -> list[str]:
    """Return the lines that a command shows in a terminal this wide."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    environ = environment(XDG_STATE_HOME=str(folder / "state"), NO_COLOR="1", TERM="dumb")
    environ.pop("COLUMNS", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "clarifai_emulator", *words], env=environ, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    output = Shown(ours)
    while output.read_on():
        pass
    output.close()
    assert process.wait(30) == 0, output.rest
    return output.rest.replace("\r\n", "\n").splitlines()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmulatorProcess, Path]]:
    folder = tmp_path_factory.mktemp("terminals")
    with emulator_process(folder, "hello") as emulator:
        emulator.client().close()
        yield emulator, folder


@pytest.mark.parametrize("width", [60, 80, 120])
def test_tables_fit_the_terminal(running: tuple[EmulatorProcess, Path], width: int) -> None:
    emulator, folder = running
    port = ["--port", str(emulator.port)]
    for words in (["status", *port], ["route", "hello", *port], ["contract", "rules"]):
        lines = shown(width, folder, *words)
        assert lines
        assert all(len(line) <= width for line in lines), (words, lines)
    assert any("deploy-hello" in line for line in shown(width, folder, "status", *port))


RUDE = """
from clarifai.runners.models.model_class import ModelClass

class Rude(ModelClass):
    @ModelClass.method
    def predict(self, text: str) -> str:
        print("printed", text, flush=True)
        return "answered " + text

    @ModelClass.method
    def fail(self, text: str) -> str:
        raise RuntimeError("raised " + text)
"""
# Clears the screen, renames the window, and colours what follows.
ESCAPES, SHOWN = "\x1b[2J\x1b]0;mine\x07\x1b[31m", r"\x1b[2J\x1b]0;mine\x07"


def test_escapes_of_a_model_are_shown_on_a_terminal_and_not_obeyed(tmp_path: Path) -> None:
    model = tmp_path / "rude"
    (model / "1").mkdir(parents=True)
    (model / "1" / "model.py").write_text(RUDE)
    (model / "requirements.txt").write_text("clarifai\n")
    (model / "config.yaml").write_text((MODELS / "hello" / "config.yaml").read_text().replace("hello", "rude"))
    with emulator_process(tmp_path, str(model)) as emulator:
        client = emulator.client()
        client.call("PostModelOutputs", inference_request("rude", text=ESCAPES))
        client.call("PostModelOutputs", inference_request("rude", "fail", text=ESCAPES))
        port = ["--port", str(emulator.port)]

        def said(*words: str) -> str:
            return "\n".join(shown(100, tmp_path, *words, *port))

        wait_for(lambda: "printed" in said("logs"))
        for text, words in (
            ("printed ", ["logs"]),
            ("raised ", ["events", "--kind", "request.finished"]),
            ("answered ", ["predict", "rude", f"text={ESCAPES}"]),
        ):
            output = said(*words)
            assert text + SHOWN in output
            assert "\x1b[2J" not in output
            assert "\x07" not in output
        logged = client.call("ListLogEntries", log_type="runner", user_app_id={"user_id": "me"}, per_page=1000)
        assert f"printed {ESCAPES}" in [entry.message for entry in logged.log_entries]  # as it was printed
        client.close()
