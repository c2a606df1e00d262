"""Runs the emulator's command line, as a person would."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

_SECONDS = 1800
_BYTES = 8 * 1024**3


def emulator(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``clarifai-emulator`` with these arguments; its exit code is for the caller to judge."""
    command = [sys.executable, "-m", "clarifai_emulator", *arguments]
    here = {**os.environ, "CLARIFAI_API_BASE": "http://127.0.0.1:9"}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=_SECONDS, env=here, preexec_fn=_limit_memory
    )


def _limit_memory() -> None:
    """Let it fail alone: code of others has led a checker to take all there is."""
    resource.setrlimit(resource.RLIMIT_AS, (_BYTES, _BYTES))
