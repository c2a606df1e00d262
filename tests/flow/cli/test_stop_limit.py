"""A process that was told to stop ends in time, whatever holds it up."""

from __future__ import annotations

import subprocess
import sys

from flow.driver import is_alive, wait_for

SAID = (
    "The emulator was told to stop 0.3 s ago and has not: something that it waits for does not come to an end. "
    "It is ended now, with everything that it started.\n"
)
HUNG = """
import subprocess, sys
from clarifai_emulator.cli.stop_limit import StopLimit
null = subprocess.DEVNULL
child = subprocess.Popen(["sleep", "1000"], start_new_session=True, stdout=null, stderr=null)
print(child.pid, flush=True)
limit = StopLimit(0.3)
END
"""


def run(end: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HUNG.replace("END", end)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_a_process_that_does_not_come_to_its_end_is_ended_with_what_it_started_and_says_why() -> None:
    with run("limit.begin()\nlimit.begin()\nwhile True: pass") as process:
        said, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (1, SAID)
    wait_for(lambda: not is_alive(int(said)))


def test_one_that_has_stopped_in_time_is_left_alone() -> None:
    with run("limit.begin(); limit.end(); import time; time.sleep(1); child.kill(); sys.exit(7)") as process:
        _, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (7, "")


BUSY = """
import asyncio
from clarifai_emulator.cli.foreground import _Stop
async def busy():
    _Stop(None, limit)
    print("busy", flush=True)
    while True:
        pass
asyncio.run(busy())
"""


def test_sigterm_ends_an_emulator_whose_event_loop_has_no_time_for_it() -> None:
    with run(BUSY) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        assert process.stdout.readline() == "busy\n"
        process.terminate()
        _, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (1, SAID)
    wait_for(lambda: not is_alive(child))
