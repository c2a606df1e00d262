"""Tests that a unit test which starts a process, opens a socket or sleeps is told what to do."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from unit.acts import ACTS, Acts


def start_a_process() -> None:
    subprocess.run([sys.executable, "-c", ""], check=True)


def fork() -> None:
    if os.fork() == 0:
        os._exit(0)
    os.wait()


def bind() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))


def connect_to_a_file() -> None:
    with socket.socket(socket.AF_UNIX) as client, suppress(OSError):
        client.connect("/nowhere/at/all")


def sleep_in_a_thread() -> None:
    thread = threading.Thread(target=lambda: time.sleep(0.002))
    thread.start()
    thread.join()


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (start_a_process, "starts a process: subprocess.Popen"),
        (fork, "starts a process: os.fork"),
        (bind, "opens a socket: socket.bind(('127.0.0.1', 0),)"),
        (connect_to_a_file, "opens a socket: socket.connect('/nowhere/at/all',)"),
        (sleep_in_a_thread, "sleeps 0.002 s"),
    ],
)
def test_what_a_unit_test_must_not_do_is_noted(act: Callable[[], None], said: str) -> None:
    act()
    (noted,) = ACTS.take()
    assert noted.startswith(said)


def test_pairs_of_sockets_and_short_sleeps_are_nothing() -> None:
    for each in socket.socketpair():
        each.close()
    time.sleep(0.001)
    assert ACTS.take() == []


def test_what_threads_of_other_tests_do_is_theirs() -> None:
    acts, may_begin = Acts(), threading.Event()

    def work() -> None:
        may_begin.wait()
        acts.hear("time.sleep", (60,))

    thread = threading.Thread(target=work)
    thread.start()
    acts.begin()
    may_begin.set()
    thread.join()
    assert acts.take() == []


async def test_an_hour_in_the_event_loop_takes_no_time() -> None:
    begun = time.monotonic()
    rang: list[str] = []
    asyncio.get_running_loop().call_later(1800, rang.append, "half")
    await asyncio.sleep(3600)
    assert rang == ["half"]
    assert time.monotonic() - begun < 60


async def test_a_thread_is_waited_for_however_long_the_loop_would_wait() -> None:
    assert await asyncio.wait_for(asyncio.to_thread(sum, [1, 2]), 60) == 3
