"""Writes findings as reports: for people, and in the formats that other programs read. One module for each."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clarifai_emulator.contracts.reports.report import Report

# Name of the format → module below this package with ``render(report) -> str``.
FORMATS = {
    "text": "terminal",
    "json": "json_report",
    "junit": "junit",
    "sarif": "sarif",
    "github": "github",
    "gitlab": "gitlab",
    "markdown": "markdown",
}


def render(report: Report, name: str) -> str:
    """Write the report in this format."""
    module = importlib.import_module(f"clarifai_emulator.contracts.reports.{FORMATS[name]}")
    return str(module.render(report))
