"""Provides pytest fixtures for the local Clarifai platform emulator.

The names in ``__all__`` are the public API, for annotations of tests: ``def test_a(clarifai: Clarifai)``.
Everything else is private and may move.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clarifai_emulator.control.call_records import Call as Call
    from clarifai_emulator.control.call_records import Route as Route
    from pytest_clarifai_emulator.clarifai_fixture import Clarifai as Clarifai
    from pytest_clarifai_emulator.contract_findings import CallFinding as CallFinding
    from pytest_clarifai_emulator.deployed import DeployedModel as DeployedModel
    from pytest_clarifai_emulator.replaced import ReplacedModel as ReplacedModel
    from pytest_clarifai_emulator.sdk_clock import Retries as Retries

# Imported on first use: a session of pytest that does not use the emulator must not pay for it.
_HOMES = {
    "Call": "clarifai_emulator.control.call_records",
    "CallFinding": "pytest_clarifai_emulator.contract_findings",
    "Clarifai": "pytest_clarifai_emulator.clarifai_fixture",
    "DeployedModel": "pytest_clarifai_emulator.deployed",
    "ReplacedModel": "pytest_clarifai_emulator.replaced",
    "Retries": "pytest_clarifai_emulator.sdk_clock",
    "Route": "clarifai_emulator.control.call_records",
}

__all__ = ["Call", "CallFinding", "Clarifai", "DeployedModel", "ReplacedModel", "Retries", "Route"]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home), name)
