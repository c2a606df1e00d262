"""Runs the emulator's command line, as a person would."""

from __future__ import annotations

import os
import subprocess
import sys

_SECONDS = 1800


def emulator(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``clarifai-emulator`` with these arguments; its exit code is for the caller to judge."""
    command = [sys.executable, "-m", "clarifai_emulator", *arguments]
    here = {**os.environ, "CLARIFAI_API_BASE": "http://127.0.0.1:9"}
    return subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, env=here)
