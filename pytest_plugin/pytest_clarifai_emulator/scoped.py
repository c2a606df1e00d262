"""What an emulator has of the users that count, looked up in its event loop: log lines, models and methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from clarifai_emulator.emulator import Emulator
from clarifai_emulator.store import Kind


def log_lines(
    log_type: str, match: Mapping[str, str], is_own: Callable[[str], bool], emulator: Emulator
) -> list[str]:
    """Lines of one log type (``runner``, ``builder``, ``runner.events``) whose source has these ids."""
    entries = emulator.logbook.entries(log_type, **match)
    return [entry.message for entry in entries if is_own(entry.meta.user_app_id.user_id)]


def models_with_methods(is_own: Callable[[str], bool], emulator: Emulator) -> dict[str, list[str]]:
    """The models that have code here, and their methods."""
    found: dict[str, list[str]] = {}
    for key in emulator.store.keys(Kind.SOURCE):
        version: Any = emulator.store.get(Kind.MODEL_VERSION, key)
        if version is not None and is_own(key[0]):
            found.setdefault("/".join(key[:3]), [each.name for each in version.method_signatures])
    return found
