"""Parses and prints the address of a model, and names the keys of what has several ids.

https://clarifai.com/USER/APP/models/ID[/versions/VERSION]      USER/APP/models/ID[/versions/VERSION]
"""

from __future__ import annotations

import re
from dataclasses import dataclass

ModelKey = tuple[str, str, str]  # user, app, model
NodepoolKey = tuple[str, str, str]  # user, compute cluster, nodepool
RunnerKey = tuple[str, str, str, str]  # user, compute cluster, nodepool, runner: an id is one of its nodepool
DeploymentKey = tuple[str, str]  # user, deployment

SITE = "https://clarifai.com/"
_ID = r"[^/\s?#]+"
_SHAPE = r"(?:https?://[^/\s]+/)?(?P<user>{id})/(?P<app>{id})/{kind}(?P<model>{id})(?:/{version}(?P<version>{id}))?/?(?:[?#].*)?"
_VERSION = "(?:model_)?versions/"
_ADDRESS = re.compile(_SHAPE.format(id=_ID, kind="models/", version=_VERSION))
_SHORT = re.compile(_SHAPE.format(id=_ID, kind="", version=_VERSION))


@dataclass(frozen=True, slots=True)
class ModelAddress:
    """Names a model, and one of its versions where ``version_id`` is not empty."""

    user_id: str
    app_id: str
    model_id: str
    version_id: str = ""

    @property
    def key(self) -> ModelKey:
        """Return the ids that name the model, without the version."""
        return self.user_id, self.app_id, self.model_id

    @property
    def name(self) -> str:
        """Print the address as ``USER/APP/models/ID[/versions/VERSION]``."""
        version = f"/versions/{self.version_id}" if self.version_id else ""
        return f"{self.user_id}/{self.app_id}/models/{self.model_id}{version}"

    @property
    def url(self) -> str:
        """Print the address as the platform's pages and the SDK write it."""
        return f"{SITE}{self.name}"


def parse_address(text: str) -> ModelAddress | None:
    """Read ``USER/APP/models/ID[/versions/VERSION]``, or the same as a URL of any host; return None for anything
    else."""
    return _read(_ADDRESS.fullmatch(text))


def parse_name(text: str) -> ModelAddress | None:
    """Read an address that may also leave out ``models/``, as people do on a command line; return None for anything
    else."""
    text = text.strip("/")
    return parse_address(text) or _read(_SHORT.fullmatch(text))


def names_no_model(text: str) -> str:
    """Say that a text is not the address of a model; the caller adds what to write instead."""
    return f"'{text}' does not name a model"


def _read(match: re.Match[str] | None) -> ModelAddress | None:
    return match and ModelAddress(match["user"], match["app"], match["model"], match["version"] or "")
