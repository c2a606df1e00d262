"""Reads from the kernel which AMD GPUs this machine has. A container needs their device nodes and no more."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from clarifai_emulator.machine.accelerators import Accelerator, Discovery

_AMD = "0x1002"
_KFD = "/dev/kfd"
_MARKETING = re.compile(r"\b(MI\d+\w*|V\d{3}\w*|W\d{4}\w*|RX \d{4}\w*)\b")


def discover_amd(root: Path = Path("/")) -> Discovery:
    """The AMD GPUs that compute. ``root`` is where ``sys`` and ``dev`` are."""
    found = tuple(_cards(root))
    if not found:
        return Discovery((), "no AMD GPU")
    if not (root / _KFD.lstrip("/")).exists():
        return Discovery((), f"AMD GPUs without {_KFD}: the kernel's amdgpu driver is not loaded for compute")
    return Discovery(found)


def _cards(root: Path) -> Iterator[Accelerator]:
    cards = (root / "sys/class/drm").glob("card[0-9]*")
    devices = {card / "device" for card in cards if re.fullmatch(r"card\d+", card.name)}
    index = 0
    for device in sorted(devices, key=lambda each: int(each.parent.name.removeprefix("card"))):
        if _read(device / "vendor") != _AMD:
            continue
        renders = sorted((device / "drm").glob("renderD*"))
        memory = _read(device / "mem_info_vram_total")
        if not renders or not memory.isdecimal():
            continue
        nodes = (_KFD, f"/dev/dri/{renders[0].name}")
        # The order of the kernel is ROCm's own: it takes numbers for names.
        yield Accelerator(index, str(index), _name(_read(device / "product_name")), int(memory), nodes)
        index += 1


def _name(product: str) -> str:
    """The platform's type name: ``AMD Instinct MI300X OAM`` → ``AMD-MI300X``."""
    match = _MARKETING.search(product)
    return f"AMD-{match[1].replace(' ', '-')}" if match else "AMD-GPU"


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
