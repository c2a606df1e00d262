"""Defines a finding: what is wrong, where, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clarifai_emulator.contracts.rules.rule import Severity


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place in a file. Lines and columns count from 1; 0 where there is none. ``cell``: a notebook's, from 1.
    ``revision``: of git, where the file is read as it was then; ``path`` is ``REVISION:PATH`` in that case."""

    path: Path
    line: int = 0
    column: int = 0
    end_line: int = 0
    end_column: int = 0
    cell: int = 0
    revision: str = ""


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of a file that does what a finding advises: ``text`` takes the place of what stands at ``location``,
    which is empty where something is inserted."""

    location: Location
    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding. ``message`` says what was given and what was expected, ``hint`` what to do next. ``location`` is
    where to mend it, ``declared`` where the model declares what it disagrees with. Of a change: ``old`` and ``new``
    are the method's signature before and after, ``used_by`` the calls that it breaks, as far as they are known.
    ``edit``: the advice as a change of the file, where it is clear. ``caller``: the given model whose code it
    is found in."""

    rule: str
    severity: Severity
    message: str
    hint: str = ""
    location: Location | None = None
    declared: Location | None = None
    model: str = ""
    method: str = ""
    old: str = ""
    new: str = ""
    used_by: tuple[Location, ...] = ()
    edit: Edit | None = None
    caller: str = ""
