"""Marks what the light distribution ``clarifai-emulator-check`` leaves out, and says so where it is asked for."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from clarifai_emulator.errors import LeftOut


@contextmanager
def of_the_whole(what: str) -> Generator[None]:
    """Mark imports that are for the whole emulator only: ``light/light_package.py``, which collects what the light
    distribution has, does not follow them. ``what``: what they are for, for a message. Raises ``LeftOut`` where
    they are not there."""
    try:
        yield
    except ModuleNotFoundError:
        raise LeftOut(
            f"{what[:1].upper()}{what[1:]} is not part of clarifai-emulator-check.",
            hint="Install the whole emulator: pip install clarifai-emulator",
        ) from None
