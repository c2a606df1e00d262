"""Defines a rule: one way in which a client and a model can disagree, with its page in the documentation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """The gravity of a finding. ``UNCHECKED``: it could not be looked at, which is said and never passed over."""

    ERROR = "error"
    WARNING = "warning"
    UNCHECKED = "unchecked"
    NOTE = "note"


class Breaks(StrEnum):
    """The clients whose calls go wrong: those that fetch signatures when they start, as the SDK does, those that
    keep (pin) the signatures they were written against, or both."""

    NOBODY = "nobody"
    FETCHING = "clients that fetch signatures"
    PINNING = "clients that pin signatures"
    ALL = "all clients"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule. ``id`` is kebab-case and never reused. ``explanation`` says what happens when it is ignored, ``fix``
    what to do; its example stands in ``examples/``."""

    id: str
    severity: Severity
    breaks: Breaks
    title: str
    explanation: str
    fix: str
