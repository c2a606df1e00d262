"""Gives GPUs to tests: each belongs to one test at a time, across all pytest processes of this user.

A test that is marked ``clarifai_gpu(n)`` waits until n devices are free. The locks are files, which the kernel
releases when a process ends, however it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.machine.accelerators import Accelerator, Discovery
from pytest_clarifai_emulator.settings import Settings

if TYPE_CHECKING:
    from pytest_clarifai_emulator.shared.joined import JoinedEmulator

_POLL_SECONDS = 0.02
_MEMORY = 24 * 1024**3
_NAME = "NVIDIA-A10G"


def simulated(count: int) -> Discovery:
    """Describe a machine with so many GPUs that are not there."""
    devices = tuple(Accelerator(index, f"GPU-simulated-{index}", _NAME, _MEMORY) for index in range(count))
    return Discovery(devices, "" if devices else "clarifai_gpus is 0")


@contextlib.contextmanager
def held(count: int, emulator: EmulatorThread | JoinedEmulator, settings: Settings) -> Generator[tuple[str, ...]]:
    """Hold ``count`` devices for one test; yield their UUIDs. With fewer, the test fails or is skipped."""
    if not isinstance(emulator, EmulatorThread):
        pytest.fail(
            "clarifai_gpu gives a test devices of its own, and the emulator is one that all workers share: run the "
            "test with --clarifai-scope worker.",
            pytrace=False,
        )
    devices, reason = emulator.run(lambda each: (each.discovery.accelerators, each.discovery.reason))
    if count < 1:
        pytest.fail(f"clarifai_gpu takes a number of GPUs of at least 1, got {count}.", pytrace=False)
    if len(devices) < count:
        _refuse(count, len(devices), reason, settings)
    with _locked(devices, count, settings.gpu_seconds) as mine:
        uuids = tuple(device.uuid for device in mine)
        emulator.run(lambda each: each.accelerators.restrict(uuids))
        try:
            yield uuids
        finally:
            emulator.wait(_end_holders)
            emulator.run(lambda each: each.accelerators.restrict(None))


def _refuse(count: int, there: int, reason: str, settings: Settings) -> None:
    why = f" ({reason})" if reason else ""
    text = (
        f"The test wants {count} GPU{'s' * (count != 1)}, this machine has {there}{why}. `clarifai_gpus = {count}` "
        "in the ini file pretends; `clarifai_gpu_missing = skip` skips such tests."
    )
    if settings.gpu_missing == "skip":
        pytest.skip(text)
    pytest.fail(text, pytrace=False)


async def _end_holders(emulator: Emulator) -> None:
    """End replicas that hold a device: the next test that waits for it may be another process's."""
    fleets = emulator.supervisor.fleets.values()
    records = [*emulator.replicas.warm_pool, *(record for fleet in fleets for record in fleet.records.values())]
    await emulator.replicas.end_all([record for record in records if record.devices], grace=0)


@contextlib.contextmanager
def _locked(devices: Sequence[Accelerator], count: int, seconds: float) -> Generator[list[Accelerator]]:
    """Lock ``count`` of the devices, all at once or none."""
    folder = Path(tempfile.gettempdir()) / f"clarifai-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.ExitStack() as stack:
            mine: list[Accelerator] = []
            for device in devices:
                if len(mine) < count and _try_lock(stack, folder / f"{device.uuid}.lock"):
                    mine.append(device)
            if len(mine) == count:
                yield mine
                return
        if time.monotonic() > deadline:
            pytest.fail(
                f"The test waited {seconds:g} s for {count} of {len(devices)} GPUs; other tests hold them. "
                "`clarifai_gpu_seconds` says how long to wait.",
                pytrace=False,
            )
        time.sleep(_POLL_SECONDS)


def _try_lock(stack: contextlib.ExitStack, path: Path) -> bool:
    file = stack.enter_context(path.open("w"))
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
