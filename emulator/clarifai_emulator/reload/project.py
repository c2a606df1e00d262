"""Holds the state of a directory in the dev loop: what serves, what was tried, and how its last reload ended."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clarifai_emulator.contracts.rules.finding import Finding
from clarifai_emulator.dispatch.lane import LaneKey
from clarifai_emulator.messages.address import ModelKey
from clarifai_emulator.models.code import Code, CodeReader
from clarifai_emulator.reload.differences import as_dict as finding_as_dict
from clarifai_emulator.reload.failure import BrokenCode
from clarifai_emulator.reload.plan import Plan, ReloadKind


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a project. ``always``: at least this kind of reload. ``strict``: while an edit is broken,
    requests fail."""

    always: ReloadKind = ReloadKind.NONE
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a reload. ``state``: ``ready``, ``failed``, ``unchanged`` or ``superseded`` (by a newer save).

    ``code``: the content hash of what answers now. ``old`` and ``new``: method signatures, where they differ;
    ``changes``: what that means for clients.
    """

    state: str
    plan: Plan
    code: str = ""
    version_id: str = ""
    milliseconds: float = 0.0
    failure: BrokenCode | None = None
    old: Sequence[Any] = ()
    new: Sequence[Any] = ()
    changes: Sequence[Finding] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the outcome as JSON, without the signatures."""
        fields: dict[str, Any] = {
            "state": self.state,
            "reload": self.plan.kind.value,
            "reason": self.plan.reason,
            "files": list(self.plan.files),
            "code": self.code,
            "version_id": self.version_id,
            "milliseconds": round(self.milliseconds, 1),
            "signatures_changed": bool(self.new),
            "changes": [finding_as_dict(each) for each in self.changes],
        }
        if self.failure is not None:
            where = {"file": self.failure.file, "line": self.failure.line, "frame": self.failure.frame}
            fields["failure"] = {"message": self.failure.message, "hint": self.failure.hint, **where}
            fields["failure"]["traceback"] = self.failure.trace
        return fields


@dataclass(slots=True, eq=False)
class Project:
    """A directory in the dev loop. ``named``: the model's id in config.yaml. ``code`` is what serves; ``tried`` the
    digest of what was tried last. ``instance``: the type it was deployed to, if one was named."""

    path: Path
    named: str
    model: ModelKey
    lane: LaneKey
    reader: CodeReader
    code: Code
    options: Options
    instance: str = ""
    tried: str = ""
    last: Outcome | None = None
    newer: asyncio.Event = field(default_factory=asyncio.Event)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def names(self) -> dict[str, str]:
        """Return the ids that events of the project carry."""
        return {"deployment_id": self.lane.deployment_id, "model_id": self.model[2], "directory": str(self.path)}
