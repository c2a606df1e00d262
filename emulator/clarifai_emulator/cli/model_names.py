"""Reads how a model is named on the command line: its URL, USER/APP/models/ID, or the id alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from clarifai_emulator.cli.output import USAGE, Failure


@dataclass(frozen=True, slots=True)
class ModelName:
    """A model, and maybe one of its versions (empty: the newest)."""

    user_id: str
    app_id: str
    model_id: str
    version_id: str = ""

    @property
    def url(self) -> str:
        """Return the address as the SDK takes it."""
        version = f"/versions/{self.version_id}" if self.version_id else ""
        return f"https://clarifai.com/{self.user_id}/{self.app_id}/models/{self.model_id}{version}"


def read_model_name(text: str, known: Sequence[str]) -> ModelName:
    """Return the model that ``text`` names. ``known``: ``USER/APP/ID`` of all models, to find an id alone."""
    path = urlsplit(text).path if "://" in text else text
    parts = path.strip("/").split("/")
    if len(parts) == 1:
        return _by_id(parts[0], known)
    version = ""
    if len(parts) > 4 and parts[-2] == "versions":
        version = parts[-1]
        parts = parts[:-2]
    if len(parts) == 4 and parts[2] == "models":
        del parts[2]
    if len(parts) != 3 or not all(parts):
        raise Failure(
            f"'{text}' does not name a model.",
            hint="Write its id, USER/APP/models/ID, or its whole URL.",
            code=USAGE,
        )
    return ModelName(parts[0], parts[1], parts[2], version)


def _by_id(model_id: str, known: Sequence[str]) -> ModelName:
    found = [each.split("/") for each in known if each.rsplit("/", 1)[-1] == model_id]
    if len(found) == 1:
        return ModelName(*found[0])
    if found:
        listed = ", ".join("/".join(each) for each in found)
        raise Failure(f"Several models are called '{model_id}': {listed}.", hint="Write it in full.", code=USAGE)
    listed = ", ".join(known) or "none"
    raise Failure(
        f"There is no model '{model_id}'. There are: {listed}.",
        hint="Deploy it with `clarifai-emulator deploy DIR`.",
    )
