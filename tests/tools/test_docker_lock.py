"""Test sessions take turns with the engine of a cache folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from docker_lock import EngineLock


def test_the_second_session_says_for_whom_it_waits_and_has_it_after_the_first(tmp_path: Path) -> None:
    first, second = EngineLock(tmp_path), EngineLock(tmp_path)
    first.take(print)
    said: list[str] = []
    waits = threading.Event()

    def say(line: str) -> None:
        said.append(line)
        waits.set()

    waiting = threading.Thread(target=second.take, args=[say])
    waiting.start()
    assert waits.wait(10)
    assert waiting.is_alive()
    first.release()
    waiting.join(10)
    assert not waiting.is_alive()
    assert said == [
        f"waiting: the test session of process {os.getpid()} uses the engine in {tmp_path}; "
        "CLARIFAI_TEST_DOCKER_CACHE=FOLDER gives this one its own (and half a gigabyte to build)"
    ]
    second.release()


def test_the_engine_of_a_killed_session_is_ended_and_no_other_process(tmp_path: Path) -> None:
    waits = "import sys; sys.stdin.read()"
    imitation = tmp_path / "dockerd"
    imitation.symlink_to(sys.executable)
    engine = subprocess.Popen([imitation, "-c", waits, "--data-root", tmp_path / "engine"], stdin=subprocess.PIPE)
    bystander = subprocess.Popen([sys.executable, "-c", waits], stdin=subprocess.PIPE)
    lock = EngineLock(tmp_path)
    try:
        said: list[str] = []
        for each in (bystander, engine):
            lock.take(said.append)
            lock.note(each.pid)
            lock.release()  # as the end of its process does
        threading.Thread(target=engine.wait).start()  # as the parent of orphans does
        lock.take(said.append)
        assert said == [f"ending the engine that a killed test session left (process {engine.pid})"]
        assert (engine.wait(10), bystander.poll()) == (-signal.SIGTERM, None)
    finally:
        lock.release()
        for each in (engine, bystander):
            each.kill()
            each.communicate()
