"""Whatever a model does while it is imported, it is told or read, in time, and nothing of it is left behind."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import pytest

from clarifai_emulator.contracts.signatures.read_signatures import ModelContract, read_many
from flow.driver import wait_for, write_model

MODEL = """
from clarifai.runners.models.model_class import ModelClass

class Hostile(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        return prompt
"""
SECONDS = 6
ENDED = "model.py ended the interpreter while it was being imported (its process "
# What is done at the top of model.py, and how what is said of it begins.
TOLD = {
    "os-exit": ("import os\nos._exit(0)\n", f"{ENDED}exited with code 0)."),
    "abort": ("import os\nos.abort()\n", f"{ENDED}was ended by signal 6)."),
    "kill": ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n", f"{ENDED}was ended by signal 9)."),
    "no-descriptors": ("import os\nos.closerange(0, 4096)\n", f"{ENDED}exited with code 1)."),
    "sys-exit": ("import sys\nsys.exit(0)\n", "model.py cannot be used: SystemExit: 0"),
    "exit": ("exit('enough')\n", "model.py cannot be used: SystemExit: enough"),
    "question": ("input('name: ')\n", "model.py cannot be used: EOFError: EOF when reading a line"),
    "recursion": ("def f(): return f()\nf()\n", "model.py cannot be used: RecursionError: maximum recursion depth"),
    "surrogate": ("raise ValueError('\\ud800')\n", "model.py cannot be used: ValueError: "),
    "hang": (
        "import signal, time\nfor each in (1, 2, 15): signal.signal(each, signal.SIG_IGN)\ntime.sleep(500)\n",
        f"model.py was still being imported after {SECONDS} s.",
    ),
    "prints": ("while True: print('x' * 100_000)\n", f"model.py was still being imported after {SECONDS} s."),
}
SCRIBBLES = "import os\nfor each in range(3, 64):\n    try: os.write(each, b'{}')\n    except OSError: pass\n"
DAEMON = """\
import os, time
if not os.fork():
    os.setsid()
    os.fork() or time.sleep(500)
    os._exit(0)
"""
# After these, the model is read as ever.
READ = {
    "fork": "import os\nos.fork()\n",
    "daemon": DAEMON,
    "thread": "import threading, time\nthreading.Thread(target=time.sleep, args=(500,)).start()\n",
    "at-exit": "import atexit, time\natexit.register(time.sleep, 500)\n",
    "no-streams": "import os\nfor each in (0, 1, 2): os.close(each)\n",
    "much-text": "print('x' * 20_000_000)\n",
}  # fmt: skip


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelContract]:
    """Return the contracts of all of them by name, once nothing runs any more that was started for them."""
    folder, left = tmp_path_factory.mktemp("hostile"), tmp_path_factory.mktemp("left")
    codes = {**READ, **{name: code for name, (code, _) in TOLD.items()}, "scribbles": SCRIBBLES}
    sources = {name: code + MODEL for name, code in codes.items()}
    directories = [write_model(folder, name, source) for name, source in sources.items()]
    before, tempfile.tempdir = tempfile.tempdir, str(left)
    began = time.monotonic()
    try:
        contracts = read_many(directories, seconds=SECONDS)
    finally:
        tempfile.tempdir = before
    assert time.monotonic() - began < 150
    assert list(left.iterdir()) == []
    wait_for(lambda: not running_in(folder))
    return dict(zip(sources, contracts, strict=True))


def running_in(folder: Path) -> list[int]:
    """Return the processes whose working directory is below the folder."""
    found: list[int] = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(each / "cwd").startswith(str(folder)):
                found.append(int(each.name))
        except OSError:  # it has ended
            continue
    return found


@pytest.mark.parametrize("name", TOLD)
def test_what_keeps_it_from_being_read_is_told(read: dict[str, ModelContract], name: str) -> None:
    errors = [each.message for each in read[name].findings if each.severity == "error"]
    assert [each for each in errors if each.startswith(TOLD[name][1])], errors
    assert read[name].methods == ()


@pytest.mark.parametrize("name", READ)
def test_what_does_not_is_no_matter(read: dict[str, ModelContract], name: str) -> None:
    assert [each.signature.name for each in read[name].methods] == ["predict"]


def test_what_it_writes_into_everything_that_is_open_is_told_or_no_matter(read: dict[str, ModelContract]) -> None:
    contract = read["scribbles"]
    errors = [each.message for each in contract.findings if each.severity == "error"]
    assert contract.methods or "What was read of model.py cannot be understood" in errors[0]
