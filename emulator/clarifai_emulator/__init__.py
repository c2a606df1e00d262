"""Runs the Clarifai platform on your own machine: a control plane and nodepools that run your ``model.py``.

The names in ``__all__`` are the public API. Everything else is private and may move.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clarifai_emulator.config import DockerSettings as DockerSettings
    from clarifai_emulator.config import EmulatorConfig as EmulatorConfig
    from clarifai_emulator.contracts.calls.client_check import CallReport as CallReport
    from clarifai_emulator.contracts.calls.client_check import GivenModel as GivenModel
    from clarifai_emulator.contracts.calls.client_check import check_calls as check_calls
    from clarifai_emulator.contracts.rules.finding import Finding as Finding
    from clarifai_emulator.contracts.signatures.read_signatures import read_many as read_many
    from clarifai_emulator.contracts.signatures.read_signatures import read_signatures as read_signatures
    from clarifai_emulator.contracts.values.fuzz import fuzz as fuzz
    from clarifai_emulator.contracts.values.python_values import check_arguments as check_arguments
    from clarifai_emulator.control.thread import EmulatorThread as EmulatorThread
    from clarifai_emulator.deploy.deploy_request import Deployed as Deployed
    from clarifai_emulator.deploy.deploy_request import DeployRequest as DeployRequest
    from clarifai_emulator.emulator import Emulator as Emulator
    from clarifai_emulator.errors import CallerError as CallerError
    from clarifai_emulator.errors import ConfigError as ConfigError
    from clarifai_emulator.errors import EmulatorError as EmulatorError
    from clarifai_emulator.errors import ModelError as ModelError
    from clarifai_emulator.events import Event as Event
    from clarifai_emulator.faults import ActiveFault as ActiveFault
    from clarifai_emulator.faults import Fault as Fault
    from clarifai_emulator.faults import InvalidFault as InvalidFault
    from clarifai_emulator.routing import Ask as Ask
    from clarifai_emulator.routing import Decision as Decision
    from clarifai_emulator.routing import RoutingError as RoutingError

# Imported on first use: the command line and the pytest plugin must not pay for what they do not use.
_HOMES = {
    "ActiveFault": "clarifai_emulator.faults",
    "Ask": "clarifai_emulator.routing",
    "CallReport": "clarifai_emulator.contracts.calls.client_check",
    "CallerError": "clarifai_emulator.errors",
    "ConfigError": "clarifai_emulator.errors",
    "Decision": "clarifai_emulator.routing",
    "DeployRequest": "clarifai_emulator.deploy.deploy_request",
    "Deployed": "clarifai_emulator.deploy.deploy_request",
    "DockerSettings": "clarifai_emulator.config",
    "Emulator": "clarifai_emulator.emulator",
    "EmulatorConfig": "clarifai_emulator.config",
    "EmulatorError": "clarifai_emulator.errors",
    "EmulatorThread": "clarifai_emulator.control.thread",
    "Event": "clarifai_emulator.events",
    "Fault": "clarifai_emulator.faults",
    "Finding": "clarifai_emulator.contracts.rules.finding",
    "GivenModel": "clarifai_emulator.contracts.calls.client_check",
    "InvalidFault": "clarifai_emulator.faults",
    "ModelError": "clarifai_emulator.errors",
    "RoutingError": "clarifai_emulator.routing",
    "check_arguments": "clarifai_emulator.contracts.values.python_values",
    "check_calls": "clarifai_emulator.contracts.calls.client_check",
    "fuzz": "clarifai_emulator.contracts.values.fuzz",
    "read_many": "clarifai_emulator.contracts.signatures.read_signatures",
    "read_signatures": "clarifai_emulator.contracts.signatures.read_signatures",
}

__all__ = [
    "ActiveFault",
    "Ask",
    "CallReport",
    "CallerError",
    "ConfigError",
    "Decision",
    "DeployRequest",
    "Deployed",
    "DockerSettings",
    "Emulator",
    "EmulatorConfig",
    "EmulatorError",
    "EmulatorThread",
    "Event",
    "Fault",
    "Finding",
    "GivenModel",
    "InvalidFault",
    "ModelError",
    "RoutingError",
    "check_arguments",
    "check_calls",
    "fuzz",
    "read_many",
    "read_signatures",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home), name)
