"""Chooses the token that a command's calls carry: the environment's, as for the SDK, or the emulator's own.

The SDK takes its token from ``CLARIFAI_PAT``. The commands do so too if that token belongs here: the emulator knows
it, or ``CLARIFAI_API_BASE`` names the emulator. A token of the real platform that a shell happens to hold is not
sent. Of the other ``CLARIFAI_`` variables only ``CLARIFAI_USER_ID`` is used.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clarifai_emulator.control.client import Client
from clarifai_emulator.control.network import is_same_address


@dataclass(frozen=True, slots=True)
class CommandCaller:
    """The user whose token a command's calls carry. ``user_id``: empty for a token that the emulator does not know.
    ``source``: where the token comes from, in words. ``is_one_of_several``: the emulator has tokens of other users,
    too. ``note``: what to tell the user about the choice, or empty."""

    pat: str
    user_id: str
    source: str
    is_one_of_several: bool
    note: str = ""


def chosen_caller(client: Client, environ: Mapping[str, str] = os.environ) -> CommandCaller:
    """Choose the caller for the API calls of a command to ``client``'s emulator. Raises ``Failure``."""
    running, given = client.running, environ.get("CLARIFAI_PAT", "")
    if given:
        found = _owner(client, given)
        is_meant_for_it = is_same_address(environ.get("CLARIFAI_API_BASE", ""), running.url)
        if found["is_known"] or is_meant_for_it:
            return CommandCaller(given, found["user_id"], "CLARIFAI_PAT", found["is_one_of_several"])
    own = _owner(client, running.pat)
    note = ""
    if given and own["is_one_of_several"]:
        note = (
            f"CLARIFAI_PAT holds a token that the emulator at {running.url} does not know; the emulator's own, of "
            f"user '{own['user_id']}', was used."
        )
    user_id = own["user_id"] or running.user_id
    return CommandCaller(running.pat, user_id, "the emulator's own token", own["is_one_of_several"], note)


def _owner(client: Client, token: str) -> dict[str, Any]:
    import hashlib

    # Not the token itself: it may be one of the real platform.
    return client.result("Caller", sha256=hashlib.sha256(token.encode()).hexdigest())
