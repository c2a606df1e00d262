"""Registers probes: small functions that ask a platform what it does, each for one row of the fidelity table."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from clarifai_emulator.conformance.fidelity_rows import rows_by_id
from clarifai_emulator.conformance.platform_client import PlatformClient

# What a probe may cost on the platform: nothing; minutes of the smallest CPU instance; of the smallest GPU one.
Level = Literal["free", "deploys", "gpu"]
LEVELS: tuple[Level, ...] = ("free", "deploys", "gpu")

Observe = Callable[[PlatformClient], Any]


@dataclass(frozen=True, slots=True)
class Probe:
    """Holds a probe. ``key``: its row's id, with ``:part`` where a row has several."""

    key: str
    row: str
    level: Level
    observe: Observe

    @property
    def area(self) -> str:
        """Return the first word of the row's id, which names the file of its answers."""
        return self.row.partition(".")[0]

    @property
    def summary(self) -> str:
        """Return the first line of its docstring, or what the row says."""
        return (self.observe.__doc__ or rows_by_id()[self.row].what).strip().splitlines()[0]


_PROBES: dict[str, Probe] = {}


def probe(row: str, *, part: str = "", level: Level = "free") -> Callable[[Observe], Observe]:
    """Make the function the probe of a row. What it returns is what it saw: plain data, with answers in it.

    ``part`` tells several probes of one row apart.
    """
    key = f"{row}:{part}" if part else row

    def register(observe: Observe) -> Observe:
        if row not in rows_by_id():
            raise ValueError(f"The probe {observe.__name__} is of the row {row!r}, which is not in rows/*.yaml.")
        if key in _PROBES:
            raise ValueError(f"{key!r} has a probe already: give this one a part=, as in part='delete'.")
        _PROBES[key] = Probe(key, row, level, observe)
        return observe

    return register


@cache
def all_probes() -> Mapping[str, Probe]:
    """Return every probe by its key, in the order of the fidelity table."""
    from clarifai_emulator.conformance import probes

    for module in pkgutil.iter_modules(probes.__path__):
        importlib.import_module(f"{probes.__name__}.{module.name}")
    place = {name: number for number, name in enumerate(rows_by_id())}
    return {key: _PROBES[key] for key in sorted(_PROBES, key=lambda key: (place[_PROBES[key].row], key))}
