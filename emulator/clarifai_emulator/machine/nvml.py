"""Asks the driver's own library (NVML) which NVIDIA GPUs this machine has: whole ones, and MIG slices."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from typing import Any

from clarifai_emulator.machine.accelerators import Accelerator, Discovery, platform_name

_SLICE = re.compile(r"MIG (?P<profile>\S+)$")


class NoLibrary(Exception):
    """There is no NVML on this machine: the driver is not installed, or not visible in this container."""


def discover_nvml(nvml: Any = None) -> Discovery:
    """Every GPU or, where MIG is on, every slice of it. ``nvml``: the module of the package nvidia-ml-py, loaded
    only where there is a driver. Raises ``NoLibrary``."""
    if nvml is None:
        nvml = _library()
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        return Discovery((), f"the NVIDIA driver does not answer ({error}){_advice(str(error))}")
    try:
        found = tuple(_all(nvml))
    except nvml.NVMLError as error:
        return Discovery((), f"the NVIDIA driver failed ({error}){_advice(str(error))}")
    finally:
        nvml.nvmlShutdown()
    empty = "MIG is on, and no slice was made (`nvidia-smi mig -cgi`)" if found else "the driver has no GPU"
    usable = tuple(each for each in found if each.uuid)
    return Discovery(usable, "" if usable else empty)


def _library() -> Any:
    """The package's module: a driver's library is looked for first, because loading the module costs more."""
    try:
        ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        raise NoLibrary from None
    import pynvml

    return pynvml


def _all(nvml: Any) -> Iterator[Accelerator]:
    """GPUs and slices; a GPU that is to be used in slices and has none comes without a UUID."""
    for index in range(nvml.nvmlDeviceGetCount()):
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        name = _text(nvml.nvmlDeviceGetName(handle))
        if not _is_sliced(nvml, handle):
            yield Accelerator(
                index, _text(nvml.nvmlDeviceGetUUID(handle)), platform_name(name), _memory(nvml, handle)
            )
            continue
        slices = list(_slices(nvml, handle, index, name))
        yield from slices or [Accelerator(index, "", platform_name(name), 0)]


def _is_sliced(nvml: Any, handle: Any) -> bool:
    try:
        current, _ = nvml.nvmlDeviceGetMigMode(handle)
    except nvml.NVMLError:
        return False  # a GPU that knows no MIG
    return bool(current)


def _slices(nvml: Any, handle: Any, index: int, gpu_name: str) -> Iterator[Accelerator]:
    for number in range(nvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
        try:
            part = nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, number)
        except nvml.NVMLError:
            continue  # numbers have gaps
        memory = _memory(nvml, part)
        match = _SLICE.search(_text(nvml.nvmlDeviceGetName(part)))
        profile = match["profile"] if match else f"{round(memory / 1024**3)}gb"
        name = f"{platform_name(gpu_name)}-MIG-{profile}"
        yield Accelerator(index, _text(nvml.nvmlDeviceGetUUID(part)), name, memory)


def _memory(nvml: Any, handle: Any) -> int:
    try:
        return int(nvml.nvmlDeviceGetMemoryInfo(handle).total)
    except nvml.NVMLError:
        return 0  # a GPU that shares the machine's memory


def _text(value: Any) -> str:
    """Older versions of the package answer in bytes."""
    return value.decode() if isinstance(value, bytes) else str(value)


def _advice(error: str) -> str:
    if "Version mismatch" in error or "mismatch" in error.lower():
        return ": the driver was updated under a running kernel module; restart the machine"
    if "Unknown Error" in error:
        return (
            ": in a container, devices that were taken away look like this, as `systemctl daemon-reload` does with "
            "cgroups; restart the container, or let its engine use the cgroupfs driver"
        )
    if "Driver Not Loaded" in error:
        return ": load it (`modprobe nvidia`), or install the driver of this kernel"
    return ""
