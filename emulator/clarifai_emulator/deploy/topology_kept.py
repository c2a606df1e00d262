"""Keeps in the state directory what the topology files said when they were last applied.

The next start compares the files with it: what was edited in them meanwhile is applied, and nothing else. It may be
older than the resources, as after a kill between the two: then more counts as edited, and is found to be there.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from clarifai_emulator.resources.kind_table import TABLE
from clarifai_emulator.state.records import BadRecord, from_json, to_json
from clarifai_emulator.topology.file_changes import KINDS
from clarifai_emulator.topology.files import Entry, ModelDeploy, ModelEntry, Topology

log = logging.getLogger(__name__)

_NAME = "topology"
# What was not kept by earlier releases.
_YOUNGER: dict[str, Any] = {"workflows": []}


class Notes(Protocol):
    """Keeps texts by name (``state.kept_state.KeptState``)."""

    def note(self, name: str, content: str) -> None:
        """Keep a text in place of what was kept under this name. Raises ``sqlite3.Error``."""
        ...

    def noted(self, name: str) -> str | None:
        """Return what is kept under this name."""
        ...


class KeptTopology:
    """Keeps the topology of one emulator, without faults and stand-ins: they are of one run."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    def load(self) -> Topology:
        """Read what was kept; an empty topology where nothing was, or nothing that can be read."""
        text = self._notes.noted(_NAME)
        if text is None:  # a state that began without a topology, or of an earlier release
            return Topology()
        try:
            content: dict[str, Any] = {**_YOUNGER, **json.loads(text)}
            kept: dict[str, Any] = {kind: tuple(_entry(kind, each) for each in content[kind]) for kind in KINDS}
        except (ValueError, KeyError, TypeError, BadRecord) as error:
            log.warning(
                "What the topology files said at the last start cannot be read (%s): everything that they name is "
                "made as they say.",
                error,
            )
            return Topology()
        return Topology(**kept)

    def save(self, topology: Topology) -> None:
        """Keep it, in place of what was kept. Secrets are in clear text in it, as among the resources."""
        content = {kind: [_content(each) for each in getattr(topology, kind)] for kind in KINDS}
        try:
            self._notes.note(_NAME, json.dumps(content))
        except sqlite3.Error as error:
            log.warning(
                "What the topology files say could not be kept (%s): the next start makes everything that they "
                "name as they say.",
                error,
            )


def _content(entry: Entry[Any]) -> dict[str, Any]:
    content: dict[str, Any] = {"message": to_json(entry.message), "user_id": entry.user_id}
    if isinstance(entry, ModelEntry):
        content["path"] = str(entry.path) if entry.path is not None else None
        content["deploy"] = asdict(entry.deploy) if entry.deploy is not None else None
    return content


def _entry(kind: str, content: Any) -> Entry[Any]:
    message = from_json(TABLE[KINDS[kind]], content["message"])
    if kind != "models":
        return Entry(message, content["user_id"], where="")
    path, deploy = content["path"], content["deploy"]
    return ModelEntry(
        message,
        content["user_id"],
        where="",
        path=Path(path) if path is not None else None,
        deploy=ModelDeploy(**deploy) if deploy is not None else None,
    )
