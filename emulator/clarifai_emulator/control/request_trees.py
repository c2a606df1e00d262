"""Puts requests and those that models made inside them into trees, with times, from the events of an emulator.

agent                      ok     31.2 ms
  + 2.1 ms  tool           ok      4.0 ms
  + 7.3 ms  ranker         21313  20.5 ms
    + 0.9 ms  scorer       ok      3.3 ms
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from clarifai_emulator.errors import shortened

_SUCCESS = 10000
_INFERENCE = ("PostModelOutputs", "GenerateModelOutputs", "StreamModelOutputs", "PostWorkflowResults")
_MOST_ERROR = 200


@dataclass(slots=True)
class RequestNode:
    """A request and those inside it. ``began`` is seconds since the epoch; ``milliseconds`` and ``status`` are None
    while it runs, ``queued`` are milliseconds until a replica had it. ``guessed``: nobody has said so."""

    request_id: str
    rpc: str = ""
    model: str = ""
    parent_id: str = ""
    trace_id: str = ""
    depth: int = 0
    began: float = 0.0
    milliseconds: float | None = None
    queued: float | None = None
    status: int | None = None
    ended: str = ""
    error: str = ""
    replica_id: str = ""
    guessed: bool = False
    calls: list[RequestNode] = field(default_factory=list["RequestNode"])

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON, the requests inside it too."""
        return {
            "request_id": self.request_id,
            "rpc": self.rpc,
            "model": self.model,
            "began": round(self.began, 6),
            "milliseconds": self.milliseconds,
            "queued": self.queued,
            "status": self.status,
            "ended": self.ended,
            "error": self.error,
            "replica_id": self.replica_id,
            **({"guessed": True} if self.guessed else {}),
            "calls": [each.as_dict() for each in self.calls],
        }

    @property
    def outcome(self) -> str:
        """Say in a word how it ended."""
        if self.milliseconds is None:
            return "running"
        return self.ended or ("ok" if self.status == _SUCCESS else str(self.status or "no status"))

    def everybody(self) -> Iterator[RequestNode]:
        """Yield it and all requests inside it, outermost first."""
        todo = [self]
        while todo:
            node = todo.pop()
            yield node
            todo += node.calls


def trees_of(events: Iterable[Mapping[str, Any]], *, every_rpc: bool = False) -> list[RequestNode]:
    """Return the outermost requests that have others inside them, in the order in which they began. ``events``: as
    ``Event.as_dict`` gives them, oldest first. A request whose outer one is not among them stands by itself.
    ``every_rpc``: also what models only looked up."""
    nodes = nodes_of(events, every_rpc=every_rpc)
    roots = [each for each in nodes.values() if each.parent_id not in nodes and (each.calls or each.parent_id)]
    return sorted(roots, key=lambda each: each.began)


def nodes_of(events: Iterable[Mapping[str, Any]], *, every_rpc: bool = False) -> dict[str, RequestNode]:
    """Return all requests by their ids, as ``trees_of`` reads them, each with those inside it."""
    nodes: dict[str, RequestNode] = {}
    for event in events:
        request_id = str(event.get("request_id") or "")
        if not request_id:
            continue
        kind = event["kind"]
        if kind == "route.decided":
            _decided(nodes.setdefault(request_id, RequestNode(request_id)), event)
        elif kind == "work.sent" and request_id in nodes:
            node = nodes[request_id]
            node.queued = round((float(event["time"]) - node.began) * 1000, 3)
            node.replica_id = str(event.get("replica_id") or "")
        elif kind == "request.finished" and (every_rpc or event["rpc"] in _INFERENCE):
            _finished(nodes.setdefault(request_id, RequestNode(request_id)), event)
    for node in sorted(nodes.values(), key=lambda each: each.began):
        outer = nodes.get(node.parent_id)
        if outer is not None:
            outer.calls.append(node)
    return nodes


def _decided(node: RequestNode, event: Mapping[str, Any]) -> None:
    node.began = float(event["time"])
    node.model = str(event.get("model") or "")
    _place(node, event)


def _finished(node: RequestNode, event: Mapping[str, Any]) -> None:
    node.rpc = str(event["rpc"])
    node.milliseconds = float(event["milliseconds"])
    node.began = float(event["time"]) - node.milliseconds / 1000
    node.status = int(event["status"]) if event.get("status") else None
    node.ended = "cancelled" if event.get("cancelled") else str(event.get("grpc_status") or "")
    node.error = str(event.get("error") or "")
    node.replica_id = str(event.get("replica_id") or node.replica_id)
    _place(node, event)


def _place(node: RequestNode, event: Mapping[str, Any]) -> None:
    node.parent_id = str(event.get("parent_id") or "")
    node.trace_id = str(event.get("trace_id") or "")
    node.depth = int(event.get("depth") or 0)
    node.guessed = bool(event.get("guessed"))


def tree_lines(root: RequestNode) -> Iterator[str]:
    """Yield the lines of a tree: who was asked, what came of it, how long it took, and when it began after the
    request around it."""
    rows = list(_rows(root, root.began, 0))
    width = max(len(name) for name, _, _ in rows)
    for name, outcome, error in rows:
        yield f"{name:{width}}  {outcome}"
        if error:
            yield f"{' ' * (len(name) - len(name.lstrip()) + 4)}{error}"


def _rows(node: RequestNode, outer: float, depth: int) -> Iterator[tuple[str, str, str]]:
    todo = [(node, outer, depth)]
    while todo:
        node, outer, depth = todo.pop()
        after = f"+{max(0.0, (node.began - outer) * 1000):.1f} ms  " if depth else ""
        name = node.model.rpartition("/")[2] or node.rpc or "?"
        took = f"{node.milliseconds:.1f} ms" if node.milliseconds is not None else ""
        parts = [node.outcome, took, f"replica {node.replica_id[:8]}" if node.replica_id else ""]
        parts += [f"queued {node.queued:.1f} ms" if node.queued and node.queued >= 1 else ""]
        parts += ["belongs here as far as can be told" if node.guessed else "", node.request_id]
        first = next(iter(node.error.strip().splitlines()), "")
        short = f"{first[:_MOST_ERROR]}…" if len(first) > _MOST_ERROR else first
        yield f"{'  ' * depth}{after}{name}", "  ".join(filter(None, parts)), shortened(short)
        todo += [(each, node.began, depth + 1) for each in reversed(node.calls)]
