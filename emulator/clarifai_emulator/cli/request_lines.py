"""Finds the log lines of a request and of those that models made inside it, from what an emulator printed and did.

req_id of the SDK's logger ─────────────────────► the request
what else a replica printed, its place and time ─► the one request that the replica had; of several: guessed
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any

import click

from clarifai_emulator.backends.printed import sdk_line
from clarifai_emulator.cli.log_lines import Line, message_text
from clarifai_emulator.control.request_trees import RequestNode

# A line is read a moment after it was printed, and a request may have ended by then.
_READ_LATE = 0.5
_REQ_ID = re.compile(r"\breq_id=(\S+)")


@dataclass(slots=True)
class _Stay:
    """The time of a request at a replica."""

    request_id: str
    begun: float
    ended: float = inf


@dataclass(slots=True)
class _Replica:
    """Notes what is known of a replica: who was there, and whose end it has printed."""

    stays: list[_Stay] = field(default_factory=list[_Stay])
    closed: set[str] = field(default_factory=set[str])
    closes: bool = False

    def candidates(self, time: float) -> list[str]:
        """Return the requests whose line this may be, of a line read at ``time``."""
        here = [
            each
            for each in self.stays
            if each.begun <= time <= each.ended + _READ_LATE and each.request_id not in self.closed
        ]
        if (
            self.closes
        ):  # so a request that is not closed still has lines to come, those of later ones come after it
            first = min((each.ended for each in here), default=inf)
            here = [each for each in here if each.begun <= first]
        else:
            here = [each for each in here if time <= each.ended] or here
        return list(dict.fromkeys(each.request_id for each in here))


class RequestLines:
    """Finds lines of the request ``root`` and of those inside it. ``events``: as ``Event.as_dict`` gives them, of
    other requests too, which may have been at the same replica."""

    def __init__(self, root: RequestNode, events: Iterable[Mapping[str, Any]]) -> None:
        self._root = root
        self._places = {node.request_id: (depth, parent, node) for depth, parent, node in _places(root)}
        self._replicas: dict[str, _Replica] = {}
        self._read(events)

    def of(self, lines: Iterable[Line]) -> list[Line]:
        """Return the lines, in the order in which they were printed as far as can be told. Each has ``request_id``,
        ``trace_id``, ``parent_id``, ``depth``, ``milliseconds`` after ``root`` began, and ``guessed`` where several
        requests may have printed it."""
        lines = list(lines)
        for line in lines:
            if _closed_by(line):
                self._replicas.setdefault(line["replica_id"], _Replica()).closes = True
        return sorted(filter(None, map(self._place, lines)), key=lambda line: line["milliseconds"])

    def _read(self, events: Iterable[Mapping[str, Any]]) -> None:
        open_stays: dict[str, _Stay] = {}
        for event in events:
            request_id, kind, time = str(event.get("request_id") or ""), event["kind"], float(event["time"])
            if kind not in ("work.sent", "request.finished"):
                continue
            if (before := open_stays.pop(request_id, None)) is not None:
                before.ended = time
            if kind == "work.sent":
                stay = open_stays[request_id] = _Stay(request_id, time)
                self._replicas.setdefault(str(event.get("replica_id") or ""), _Replica()).stays.append(stay)

    def _place(self, line: Line) -> Line | None:
        replica = self._replicas.get(line["replica_id"])
        if not line["replica_id"] or replica is None or line["log_type"] != "runner":
            return None
        said = sdk_line(line["message"])
        named = _REQ_ID.search(said.context) if said is not None else None
        found = [named[1]] if named is not None else replica.candidates(float(line["time"]))
        if closed := _closed_by(line):
            replica.closed.add(closed)
        ours = [each for each in found if each in self._places]
        if not ours or (named is None and line["stream"] != "model"):  # what the runner says of itself
            return None
        depth, parent, node = self._places[ours[-1]]
        begun, ended = node.began, node.began + (inf if node.milliseconds is None else node.milliseconds / 1000)
        after = min(max(float(line["time"]), begun), ended) - self._root.began
        return {
            **line,
            "request_id": node.request_id,
            "trace_id": node.trace_id or node.request_id,
            "parent_id": parent,
            "depth": depth,
            "name": node.model.rpartition("/")[2] or node.rpc or "?",
            "milliseconds": round(after * 1000, 3),
            **({"guessed": True} if len(found) > 1 or node.guessed else {}),
        }


def lines_text(lines: Iterable[Line]) -> Iterator[str]:
    """Yield lines that ``of`` returned as text: when, below whom, what model, what it printed."""
    lines = list(lines)
    least = min((line["depth"] for line in lines), default=0)
    width = max((2 * (line["depth"] - least) + len(line["name"]) for line in lines), default=0)
    for line in lines:
        after = click.style(f"+{line['milliseconds']:.1f} ms".rjust(12), dim=True)
        name = click.style(f"{'  ' * (line['depth'] - least) + line['name']:{width}}", fg="cyan")
        unsure = click.style("  (of this request as far as can be told)", dim=True) if line.get("guessed") else ""
        yield f"{after}  {name}  {message_text(line, with_ids=False)}{unsure}"


def _places(root: RequestNode) -> Iterator[tuple[int, str, RequestNode]]:
    todo = [(root.depth, root.parent_id, root)]
    while todo:
        depth, parent, node = todo.pop()
        yield depth, parent, node
        todo += [(depth + 1, node.request_id, each) for each in node.calls]


def _closed_by(line: Line) -> str:
    """Return the request whose end this line of the runner tells; empty for others."""
    if line["stream"] != "runner" or line["log_type"] != "runner":
        return ""
    said = sdk_line(line["message"])
    if said is None or not said.message.startswith("model_"):
        return ""
    named = _REQ_ID.search(said.context) or _REQ_ID.search(said.message)
    return named[1] if named is not None else ""
