"""An interruption that comes while a lock changes hands leaves it free: whoever ends the command may need it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

# A method in Python around that of a lock, as `threading.Condition` has it: a signal may come before it returns.
COMMAND = """
import os, sys, threading
from clarifai_emulator.cli.interruption import run_interruptible

comes_at = [sys.argv[1]]

class Lock:
    lock = threading.Lock()

    def __enter__(self):
        self.lock.acquire()
        if "enter" in comes_at:
            os.kill(os.getpid(), int(comes_at.clear() or sys.argv[2]))

    def __exit__(self, *_):
        if "exit" in comes_at:
            os.kill(os.getpid(), int(comes_at.clear() or sys.argv[2]))
        self.lock.release()

def command():
    lock = Lock()
    try:
        for _ in range(200):
            with lock:
                threading.Event().wait(0.1)
    finally:
        with lock:
            print("free")

run_interruptible(command)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("at", ["enter", "exit"])
def test_it_waits_until_the_lock_is_in_somebodys_hands(at: str, number: int) -> None:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, at, str(int(number))],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, done.stdout) == (128 + number, "free\n"), done.stderr
    assert time.monotonic() - began < 10
