"""Takes inventory of the accelerators there are to give away: this machine's own, or simulated ones.

simulated? ──yes──► as the user says
    │ no
    ▼
NVML ──no library──► nvidia-smi ──none──► AMD, from the kernel
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from clarifai_emulator.catalogue import accelerator_memory, accelerator_names
from clarifai_emulator.errors import ConfigError
from clarifai_emulator.machine.accelerators import Accelerator, Discovery, discover, run_nvidia_smi, shown
from clarifai_emulator.machine.amd import discover_amd
from clarifai_emulator.machine.nvml import NoLibrary, discover_nvml
from clarifai_emulator.messages.quantities import parse_memory

_PREFIX = "simulated:"
_ENTRY = re.compile(r"(?:(?P<count>\d+)x)?(?P<name>[A-Za-z][\w.-]*)(?::(?P<memory>[\d.]+[KMGT]i?))?")
_EXAMPLE = "Example: simulated:2xNVIDIA-A10G, or simulated:1xNVIDIA-H100,2xMY-GPU:16Gi with the memory of each."
_MOST = 64


def take_inventory(
    spec: str = "",
    *,
    visible: str | None = None,
    nvml: Callable[[], Discovery] = discover_nvml,
    run: Callable[[Sequence[str]], str] = run_nvidia_smi,
    amd: Callable[[], Discovery] = discover_amd,
) -> Discovery:
    """Find the accelerators there are. ``spec``: ``simulated:…``, or empty for this machine's own; ``visible``:
    the ``CUDA_VISIBLE_DEVICES`` that the emulator was started with. Raises ``ConfigError`` for an invalid spec."""
    if spec:
        return simulated(spec)
    try:
        nvidia = shown(nvml(), visible)
    except NoLibrary:
        nvidia = discover(run=run, visible=visible)
    if nvidia.accelerators:
        return nvidia
    found = amd()
    return found if found.accelerators or "no AMD" not in found.reason else nvidia


def simulated(spec: str) -> Discovery:
    """Accelerators in name only. Raises ``ConfigError``."""
    problems: list[str] = []
    found: list[Accelerator] = []
    if not spec.startswith(_PREFIX):
        problems.append(f"accelerators must begin with {_PREFIX!r}, got {spec!r}")
    else:
        for entry in spec.removeprefix(_PREFIX).split(","):
            found += _entry(entry.strip(), len(found), problems)
    if not problems and not 0 < len(found) <= _MOST:
        problems.append(f"there may be 1 to {_MOST} simulated accelerators, got {len(found)}")
    if problems:
        raise ConfigError("The simulated accelerators cannot be used:", problems, hint=_EXAMPLE)
    return Discovery(tuple(found))


def _entry(text: str, first: int, problems: list[str]) -> Iterator[Accelerator]:
    match = _ENTRY.fullmatch(text)
    if match is None:
        problems.append(f"{text!r} is no COUNTxNAME or COUNTxNAME:MEMORY")
        return
    memory = match["memory"] or accelerator_memory(match["name"])
    if not memory:
        known = ", ".join(accelerator_names())
        problems.append(f"the memory of {match['name']!r} is not known: say it (…:24Gi), or take one of {known}")
        return
    for number in range(min(int(match["count"] or 1), _MOST + 1)):
        index = first + number
        yield Accelerator(index, f"GPU-simulated-{index}", match["name"], parse_memory(memory), simulated=True)
