"""Holds a value as a client's source writes it, in any language: what is known of it, and where it stands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from clarifai_emulator.contracts.rules.finding import Edit, Location

# Stands in a text for a part that is only known when the client runs: a character that nobody writes.
UNSEEN = "\ue000"
MOST_TEXTS = 20


@dataclass(frozen=True, slots=True)
class WrittenValue:
    """A value. ``texts``: what it may be where it is text, each with ``UNSEEN`` for parts that are not known; none
    where nothing is. ``value`` is meant where ``is_known``. ``items``: of an object; ``elements``: of an array.
    ``is_whole``: nothing more is put into it. ``reason``: why it is not known. ``shown``: its source."""

    location: Location
    texts: tuple[str, ...] = ()
    value: Any = None
    is_known: bool = False
    items: Mapping[str, WrittenValue] | None = None
    elements: Sequence[WrittenValue] | None = None
    is_whole: bool = True
    reason: str = ""
    shown: str = ""

    @property
    def text(self) -> str:
        """Return the text where there is one only and all of it is known; an empty one otherwise."""
        return self.texts[0] if len(self.texts) == 1 and UNSEEN not in self.texts[0] else ""

    @property
    def known_texts(self) -> tuple[str, ...]:
        """Return the texts of which every part is known."""
        return tuple(each for each in self.texts if UNSEEN not in each)

    def written_as(self, text: str) -> Edit | None:
        """Return the change that writes another text; ``None`` where this is no plain text, written out."""
        where = self.location
        # Between quotes of one character, nothing is escaped: it is as long as it looks.
        is_plain = (
            self.shown[:1] in ("'", '"', "`")
            and where.line == where.end_line
            and where.end_column - where.column == len(self.text) + 2
        )
        if not text or not is_plain or not re.fullmatch(r"[\w./:-]+", text):
            return None
        return Edit(replace(where, column=where.column + 1, end_column=where.end_column - 1), text)

    def plain(self) -> Any:
        """Return the value with everything in it. Raises ``ValueError`` where a part of it is not known."""
        if not self.is_whole:
            raise ValueError("a part of it is only known when the client runs")
        if self.items is not None:
            return {name: each.plain() for name, each in self.items.items()}
        if self.elements is not None:
            return [each.plain() for each in self.elements]
        if not self.is_known:
            raise ValueError(self.reason or "it is only known when the client runs")
        return self.value

    def at(self, *path: str | int) -> WrittenValue | None:
        """Return what stands at a path of keys and indices; None where nothing is seen there."""
        found: WrittenValue | None = self
        for step in path:
            if found is None:
                return None
            if isinstance(step, int):
                elements = found.elements or ()
                found = elements[step] if step < len(elements) else None
            else:
                found = (found.items or {}).get(step)
        return found


def known_value(value: Any, location: Location, shown: str = "") -> WrittenValue:
    """Return a value of which everything is known: constants, and what JSON has. Text may hold ``UNSEEN``."""
    made = WrittenValue(location, value=value, is_known=True, shown=shown)
    if isinstance(value, str):
        return replace(made, texts=(value,), is_known=UNSEEN not in value)
    if isinstance(value, Mapping):
        return replace(made, items={str(name): known_value(each, location) for name, each in value.items()})
    if isinstance(value, list | tuple):
        return replace(made, elements=[known_value(each, location) for each in value])
    return made


def unknown_value(location: Location, reason: str, shown: str = "") -> WrittenValue:
    """Return a value of which nothing is known."""
    return WrittenValue(location, reason=reason, shown=shown)


@dataclass(frozen=True, slots=True)
class GivenValues:
    """Named arguments of a request. ``is_whole``: no others are given, as far as the source says."""

    values: Mapping[str, WrittenValue] = field(default_factory=dict[str, WrittenValue])
    is_whole: bool = True

    def first(self, *names: str) -> WrittenValue | None:
        """Return the first of these that is given."""
        return next((self.values[name] for name in names if name in self.values), None)


def shown_texts(texts: Iterable[str]) -> str:
    """Return the texts as people read them, with ``…`` for parts that are not known; empty where nothing is."""
    return ", ".join(each.replace(UNSEEN, "…") for each in texts if each.strip(UNSEEN))


def given_in(value: WrittenValue | None) -> GivenValues:
    """Return what an object gives by name; nothing, and not all of it, where no object is in sight."""
    if value is None or value.items is None:
        return GivenValues(is_whole=False)
    return GivenValues(value.items, value.is_whole)


def json_content(value: WrittenValue) -> WrittenValue:
    """Return what a text that is JSON holds, where all of it can be read; what is no single text, itself."""
    if value.items is not None or len(value.texts) != 1:
        return value
    try:
        content = json.loads(value.texts[0])
    except ValueError:
        return unknown_value(value.location, "it is no JSON that can be read here", value.shown)
    return known_value(content, value.location, value.shown)


def joined_texts(parts: Sequence[Sequence[str]]) -> list[str]:
    """Return what the parts, of which each may be one of several texts, make together."""
    texts = [""]
    for each in parts:
        texts = [f"{before}{after}" for before in texts for after in each][:MOST_TEXTS]
    return texts
