"""The Clarifai platform on your own machine: a control plane and nodepools that run your ``model.py``."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clarifai_emulator.config import EmulatorConfig as EmulatorConfig
    from clarifai_emulator.control.thread import EmulatorThread as EmulatorThread
    from clarifai_emulator.deploy.deployer import DeployRequest as DeployRequest
    from clarifai_emulator.emulator import Emulator as Emulator
    from clarifai_emulator.faults import Fault as Fault

# Imported on first use: the command line and the pytest plugin must not pay for what they do not use.
_HOMES = {
    "DeployRequest": "clarifai_emulator.deploy.deployer",
    "Emulator": "clarifai_emulator.emulator",
    "EmulatorConfig": "clarifai_emulator.config",
    "EmulatorThread": "clarifai_emulator.control.thread",
    "Fault": "clarifai_emulator.faults",
}

__all__ = ["DeployRequest", "Emulator", "EmulatorConfig", "EmulatorThread", "Fault"]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home), name)
