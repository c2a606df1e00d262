"""Holds a deployed model against the lock file of its directory: what changed, whom it breaks, what to do next.

Reads files, so it runs in a thread. A directory may be gone, and its lock broken, of another model, or huge.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import MethodSignature

from clarifai_emulator.contracts.changes.compare import changes
from clarifai_emulator.contracts.changes.gate import counterpart
from clarifai_emulator.contracts.changes.lock import LOCK_FILE, Promise, parse_lock
from clarifai_emulator.contracts.rules import RULES
from clarifai_emulator.contracts.rules.finding import Finding, Location
from clarifai_emulator.contracts.signatures.method import Method
from clarifai_emulator.control.page.method_places import method_place
from clarifai_emulator.errors import ConfigError

# `contract lock` writes the file where it is called: mostly in the directory itself, or in the project around it.
_MOST_PARENTS = 4
_MOST_BYTES = 1024 * 1024
_MOST_CHANGES = 200
_LONGEST = 2_000


@dataclass(frozen=True, slots=True)
class DeployedContract:
    """The methods of a deployed model, and where its code is. ``name``: ``USER/APP/models/ID``."""

    name: str
    directory: Path
    signatures: Sequence[MethodSignature]


def compare_with_lock(deployed: DeployedContract) -> dict[str, Any]:
    """Return, as JSON, where each method stands, and what the lock says. ``state`` of the lock: ``none``, ``same``,
    ``differs``, ``unreadable``, or ``of others``, where it does not name the model."""
    places = {
        each.name: place
        for each in deployed.signatures
        if (place := method_place(deployed.directory, each.name)) is not None
    }
    return {
        "directory": str(deployed.directory),
        "is_there": deployed.directory.is_dir(),
        "places": {name: f"{file}:{line}" for name, (file, line) in places.items()},
        "lock": _lock(deployed, places),
    }


def _lock(deployed: DeployedContract, places: dict[str, tuple[str, int]]) -> dict[str, Any]:
    files = list(_lock_files(deployed.directory))
    lock_it = _command("lock", deployed.directory, "-o", files[0] if files else deployed.directory / LOCK_FILE)
    told: dict[str, Any] = {"state": "none", "file": "", "problem": "", "changes": [], "next": [lock_it]}
    for file in files:
        told["file"] = str(file)
        promises, problem = _read(file, _stamp(file))
        if problem:
            return {**told, "state": "unreadable", "problem": problem[:_LONGEST]}
        promise = counterpart(Promise(deployed.name, ()), promises)
        if promise is None:
            told["state"] = "of others"
            continue
        found = changes(promise.methods, _methods(deployed, places), model=deployed.name)
        told_changes = [_change(each, file) for each in found[:_MOST_CHANGES]]
        verify = _command("verify", deployed.directory, "--lock", file)
        following = [verify, _command("lock", deployed.directory, "-o", file)] if found else [verify]
        state = "differs" if found else "same"
        return {
            **told,
            "state": state,
            "changes": told_changes,
            "left_out": len(found) - len(told_changes),
            "next": following,
        }
    return told


def _lock_files(directory: Path) -> Iterator[Path]:
    """Give the lock files of a directory and of the folders around it, up to the root of its repository."""
    for folder in [directory, *directory.parents][:_MOST_PARENTS]:
        if (folder / LOCK_FILE).is_file():
            yield folder / LOCK_FILE
        if (folder / ".git").exists():
            return


def _stamp(file: Path) -> tuple[int, int]:
    """Return what is different once the file has changed."""
    try:
        found = file.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


@lru_cache(maxsize=32)
def _read(file: Path, stamp: tuple[int, int]) -> tuple[list[Promise], str]:
    """Return what a lock file promises, or why it cannot be read. It is read once for each ``stamp``."""
    try:
        return _promises(file), ""
    except ConfigError as error:
        return [], "\n".join(filter(None, [error.what, *error.problems, error.hint]))
    except (OSError, UnicodeDecodeError) as error:
        return [], f"The lock file {file} cannot be read: {error}"
    except (AttributeError, TypeError, ValueError, RecursionError) as error:  # its content is anybody's
        return [], f"The lock file {file} cannot be used: {error}"


def _promises(file: Path) -> list[Promise]:
    """Return what a lock file promises. Raises ``ConfigError``, and what reading and parsing raise."""
    with file.open("rb") as opened:
        content = opened.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        hint = "`clarifai-emulator contract verify` compares it."
        raise ConfigError(f"The lock file {file} is too large to be shown here.", [], hint=hint)
    return parse_lock(content.decode(), file)


def _methods(deployed: DeployedContract, places: dict[str, tuple[str, int]]) -> list[Method]:
    found: list[Method] = []
    for each in deployed.signatures:
        file, line = places.get(each.name, ("", 0))
        found.append(Method(each, Location(Path(file), line) if file else None))
    return found


def _change(finding: Finding, lock: Path) -> dict[str, Any]:
    where, declared = finding.location, finding.declared
    rule = RULES[finding.rule]
    return {
        "rule": finding.rule,
        "title": rule.title,
        "severity": finding.severity.value,
        "breaks": rule.breaks.value,
        "message": finding.message[:_LONGEST],
        "hint": (finding.hint or rule.fix)[:_LONGEST],
        "method": finding.method,
        "old": finding.old[:_LONGEST],
        "new": finding.new[:_LONGEST],
        "place": f"{where.path}:{where.line}" if where is not None and where.line else "",
        "declared": f"{lock.name}:{declared.line}" if declared is not None and declared.line else "",
    }


def _command(verb: str, *words: Path | str) -> str:
    return shlex.join(["clarifai-emulator", "contract", verb, *map(str, words)])
