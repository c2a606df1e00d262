"""Imports the real Clarifai SDK in this process, pointed at one emulator and at nothing of the user's own."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Generator
from dataclasses import replace
from importlib import metadata
from typing import Any

from packaging.version import Version

from clarifai_emulator.cli.callers import CommandCaller
from clarifai_emulator.cli.env import variables_for
from clarifai_emulator.cli.interruption import held_back
from clarifai_emulator.cli.output import Failure, warn
from clarifai_emulator.control.running import Running
from clarifai_emulator.models.own_sdk import OLDEST


@contextlib.contextmanager
def sdk_for(running: Running, caller: CommandCaller | None = None) -> Generator[Any]:
    """Give the package ``clarifai.client``, set up for one emulator. The SDK keeps the base URL and the home
    directory that it finds when it is imported, so that both must be set before: this works for one emulator per
    process. ``caller``: who calls; the emulator's own user otherwise.

    ``~/.config/clarifai`` is neither read nor written, and the SDK logs nothing below errors.
    """
    if "clarifai" in sys.modules:
        raise RuntimeError("The Clarifai SDK was imported before it was told where the emulator is.")
    require_recent_sdk(metadata.version("clarifai"))
    with tempfile.TemporaryDirectory(prefix="clarifai-emulator-home-") as home:
        if caller is not None:
            user_id = os.environ.get("CLARIFAI_USER_ID", "") if caller.source == "CLARIFAI_PAT" else ""
            running = replace(running, pat=caller.pat, user_id=user_id or caller.user_id or running.user_id)
        for name in [name for name in os.environ if name.startswith("CLARIFAI_")]:
            del os.environ[name]
        os.environ.update(variables_for(running, os.environ), HOME=home, LOG_LEVEL="ERROR")
        # `clarifai` logs its context to stdout while it is imported.
        logging.getLogger("clarifai").setLevel(logging.ERROR)
        if sys.flags.dev_mode:
            warn("PYTHONDEVMODE is set: compiled parts of the SDK may end this command. Unset it for this command.")
        with held_back():  # an import that was cut short and is repeated crashes the process
            import clarifai.client

        yield clarifai.client


def require_recent_sdk(version: str) -> None:
    """Raise ``Failure`` for an SDK that the emulator can stand beside and commands cannot call models with."""
    if Version(version) < Version(OLDEST):
        raise Failure(
            f"This command calls models with the Clarifai SDK {OLDEST} or newer; beside it is {version}.",
            hint="Leave your project's version as it is, and install `clarifai-emulator[sdk]` in an environment of "
            "its own (with pipx or `uv tool install`): its commands find the emulator that runs here.",
        )
