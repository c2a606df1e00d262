"""Says what differs between two snapshots of the platform's protocol and SDK, a line each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from newest.stands_on import parts_on

Snapshot = Mapping[str, Mapping[str, Any]]
_ONE = {"rpcs": "RPC", "messages": "message", "enums": "enum", "clients": "class"}
_PART = {"messages": "field", "enums": "value", "clients": "name"}


def changes(before: Snapshot, now: Snapshot) -> list[str]:
    """Return a line for each change, RPCs first, then messages and enums, then what is inside the SDK."""
    found = [
        line
        for section in ("rpcs", "messages", "enums", "clients")
        for line in _section(section, before[section], now[section])
    ]
    return [*found, *_inside(before["inside"], now["inside"])]


def versions(before: Snapshot, now: Snapshot) -> str:
    """Name the versions of both, each package once."""
    return ", ".join(
        f"{name} {was} → {now['versions'][name]}" if was != now["versions"][name] else f"{name} {was}"
        for name, was in before["versions"].items()
    )


def _section(section: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    one = _ONE[section]
    for name in sorted({*before, *now}):
        was, is_now = before.get(name), now.get(name)
        if was == is_now:
            continue
        if was is None:
            told = f": {is_now}" if isinstance(is_now, str) else ""
            yield f"new {one} {name}{told}"
        elif is_now is None:
            yield f"{one} {name} is gone"
        elif isinstance(was, str):
            yield f"{one} {name} was {was}, is {is_now}"
        else:
            yield from (f"{one} {name}: {each}" for each in _parts(_PART[section], was, is_now))


def _parts(part: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted({*before, *now}):
        if name not in before:
            yield f"new {part} {name}" + (f" ({now[name]})" if part != "name" else "")
        elif name not in now:
            yield f"{part} {name} is gone"
        elif before[name] != now[name]:
            yield f"{part} {name} was {before[name]}, is {now[name]}"


def _inside(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for place in sorted({*before, *now}):
        was, is_now = before.get(place, "not looked at"), now.get(place, "not looked at")
        if was != is_now:
            yield f"the SDK's {place} was {was}, is {is_now}; on it stands {parts_on(place) or 'nothing any more'}"
