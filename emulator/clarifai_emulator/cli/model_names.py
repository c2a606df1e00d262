"""Finds the model that a command line names by its URL, USER/APP/models/ID, or the id alone."""

from __future__ import annotations

from collections.abc import Sequence

from clarifai_emulator.cli.output import USAGE, Failure
from clarifai_emulator.messages.address import ModelAddress, names_no_model, parse_name


def read_model_name(text: str, known: Sequence[str]) -> ModelAddress:
    """Return the model that ``text`` names. ``known``: ``USER/APP/ID`` of those there are, for an id alone."""
    if "/" not in text.strip("/"):
        return _by_id(text.strip("/"), known)
    address = parse_name(text)
    if address is None:
        raise Failure(
            f"{names_no_model(text)}.",
            hint="Write its id, USER/APP/models/ID, or its whole URL.",
            code=USAGE,
        )
    return address


def _by_id(model_id: str, known: Sequence[str]) -> ModelAddress:
    found = [each.split("/") for each in known if each.rsplit("/", 1)[-1] == model_id]
    if len(found) == 1:
        return ModelAddress(*found[0])
    if found:
        listed = ", ".join("/".join(each) for each in found)
        raise Failure(f"Several models are called '{model_id}': {listed}.", hint="Write it in full.", code=USAGE)
    listed = ", ".join(known) or "none"
    raise Failure(
        f"There is no model '{model_id}'. There are: {listed}.",
        hint="Deploy it with `clarifai-emulator deploy DIR`.",
    )
