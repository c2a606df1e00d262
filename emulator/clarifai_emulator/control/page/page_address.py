"""Makes the address at which a browser gets into the page of a running emulator."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clarifai_emulator.control.running import Running


def page_token(control_token: str) -> str:
    """Return the token of this run that lets a browser in. Nobody can tell the token of the controls from it."""
    return hmac.new(control_token.encode(), b"the page in a browser", hashlib.sha256).hexdigest()[:40]


def page_address(running: Running) -> str:
    """Return the address of a running emulator's page, with the token in it."""
    return f"{running.url}/?token={page_token(running.token)}"
