"""Describes engines and writes programs, for tests of the checks of ``doctor``."""

from __future__ import annotations

import stat
from pathlib import Path

from clarifai_emulator.backends.docker.engine import Engine
from clarifai_emulator.machine.accelerators import Accelerator

A10G = Accelerator(0, "GPU-a", "NVIDIA-A10G", 1)


def engine(**facts: object) -> Engine:
    """Describe an engine; ``facts`` replace what is usual."""
    return Engine(**{"address": "unix:///s", "found": "here", "kind": "docker", "version": "27", **facts})  # pyright: ignore


def program(folder: Path, name: str, text: str = "") -> None:
    """Write a shell script that can be run."""
    file = folder / name
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
