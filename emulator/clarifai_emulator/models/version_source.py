"""Defines what nodepools know of a model's code: where it is, what runs it, and what it asks for."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class WantedSecret:
    """A secret that a model wants in its environment. ``value``: what it is where the user has none of this id."""

    id: str
    variable: str
    value: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Watched:
    """Globs, as in .gitignore: a file counts if it matches ``include`` (empty: all) and not ``exclude``."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelSource:
    """The code of a model version, and the interpreter that runs it.

    ``path``: the model directory. ``python``: the interpreter. ``content_hash``: of the directory when the version
    was made. ``environment``: the interpreter's environment in words, for people. ``backend``: which one it was
    prepared for. ``image``: the container image, where that one needs it (there is no interpreter then).
    ``mounted``: containers of that image see ``path`` itself, not a copy of it. ``secrets``: what config.yaml asks
    for. ``watched``: which of its files the dev loop watches; None outside it, where a replica is not reloadable.
    """

    path: Path
    python: Path
    content_hash: str
    environment: str
    backend: str = "process"
    image: str = ""
    secrets: tuple[WantedSecret, ...] = ()
    watched: Watched | None = None
    mounted: bool = False

    def as_record(self) -> dict[str, Any]:
        """Return its fields as JSON has them."""
        return {**asdict(self), "path": str(self.path), "python": str(self.python)}

    @classmethod
    def of_record(cls, content: Any) -> ModelSource:
        """Return the source that ``as_record`` described. Raises ``KeyError`` or ``TypeError`` for another content.

        A record of an earlier release is of no dev loop and names no backend: what runs such a version prepares it
        anew, and finds its secrets then.
        """
        watched = content.get("watched")
        return cls(
            Path(content["path"]),
            Path(content["python"]),
            content["content_hash"],
            content["environment"],
            backend=content.get("backend", ""),
            image=content.get("image", ""),
            secrets=tuple(WantedSecret(**each) for each in content.get("secrets", ())),
            watched=Watched(tuple(watched["include"]), tuple(watched["exclude"])) if watched is not None else None,
            mounted=content.get("mounted", False),
        )
