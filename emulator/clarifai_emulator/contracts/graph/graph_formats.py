"""Writes a graph of calls as text, as Mermaid, or as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from clarifai_emulator.contracts.graph.model_graph import GraphEdge, GraphNode, ModelGraph, NodeKind
from clarifai_emulator.contracts.rules.finding import Location
from clarifai_emulator.contracts.rules.policy import relative
from clarifai_emulator.contracts.rules.shown_text import printable

VERSION = 1
_PLAIN = re.compile(r"[^\w \-./:()→]")
_SHAPES: Mapping[NodeKind, tuple[str, str]] = {
    NodeKind.MODEL: ('["', '"]'),
    NodeKind.WORKFLOW: ('[["', '"]]'),
    NodeKind.CLIENT: ('("', '")'),
    NodeKind.OTHER: ('{{"', '"}}'),
}
_OF_VERDICT = {"error": "wrong", "warning": "doubtful", "unchecked": "not checked"}


def as_text(graph: ModelGraph, root: Path) -> str:
    """Return each node with the calls that it makes, one a line, then the circles."""
    blocks = ["\n".join(_block(graph, node, root)) for node in graph.nodes if node.kind is not NodeKind.OTHER]
    if graph.circles:
        lines = [f"circle: {' → '.join((*each, each[0]))}" for each in graph.circles]
        blocks.append("\n".join(lines))
    return "\n\n".join([*blocks, f"{_summary(graph)}."]) + "\n"


def _block(graph: ModelGraph, node: GraphNode, root: Path) -> Iterator[str]:
    place = f"  ({_place(node.place, root)})" if node.place is not None and node.kind is not NodeKind.CLIENT else ""
    yield f"{node.kind} {_name(node, root)}{place}"
    if not node.is_readable:
        yield "  its methods could not be read: `clarifai-emulator contract show` says why"
    edges, unresolved = graph.edges_of(node), graph.unresolved_of(node)
    for edge in edges:
        given = " (not given)" if edge.callee.kind is NodeKind.OTHER else ""
        verdict = f"  {_OF_VERDICT[edge.verdict]}" if edge.verdict in _OF_VERDICT and not given else ""
        places = ", ".join(_place(each, root) for each in edge.places)
        yield f"  → {printable(edge.callee.label)}{given}: {printable(edge.called)}  {places}{verdict}"
    for each in unresolved:
        yield f"  ? {printable(each.called)}  {_place(each.place, root)}  {printable(each.reason)} [{each.rule}]"
    if not edges and not unresolved:
        yield "  calls no model"


def _summary(graph: ModelGraph) -> str:
    kinds = [node.kind for node in graph.nodes]
    parts = [
        f"{number} {noun}{'' if number == 1 else 's'}"
        for number, noun in (
            (kinds.count(NodeKind.MODEL), "model"),
            (kinds.count(NodeKind.WORKFLOW), "workflow"),
            (kinds.count(NodeKind.CLIENT), "client"),
            (kinds.count(NodeKind.OTHER), "model that was not given"),
            (sum(len(each.places) for each in graph.edges), "call"),
            (len(graph.unresolved), "unresolved call"),
            (len(graph.circles), "circle"),
        )
        if number or noun in ("model", "call")
    ]
    return ", ".join(parts).replace("model that was not givens", "models that were not given")


def as_mermaid(graph: ModelGraph, root: Path) -> str:
    """Return a flowchart for Markdown: an arrow for each two that call one another, with the methods; dashed where
    it is wrong or was not checked."""
    keys = {node.key: f"n{number}" for number, node in enumerate(graph.nodes)}
    lines = ["flowchart LR"]
    for node in graph.nodes:
        start, end = _SHAPES[node.kind]
        lines.append(f"  {keys[node.key]}{start}{_escaped(_name(node, root))}{end}")
    pairs: dict[tuple[str, str], list[GraphEdge]] = {}
    for edge in graph.edges:
        pairs.setdefault((keys[edge.caller.key], keys[edge.callee.key]), []).append(edge)
    for (caller, callee), edges in pairs.items():
        label = "<br/>".join(_edge_label(each) for each in edges)
        arrow = "-->" if all(each.verdict == "checked" for each in edges) else "-.->"
        lines.append(f'  {caller} {arrow}|"{label}"| {callee}')
    for number, each in enumerate(graph.unresolved):
        lines.append(f'  u{number}{{{{"?"}}}}')
        lines.append(f'  {keys[each.caller.key]} -.->|"{_escaped(each.called)}"| u{number}')
    in_circle = sorted({keys[node.key] for node in graph.nodes if _is_in_circle(graph, node)})
    if in_circle:
        lines += ["  classDef circle stroke:#c00,stroke-width:3px", f"  class {','.join(in_circle)} circle"]
    return "\n".join(lines) + "\n"


def _edge_label(edge: GraphEdge) -> str:
    said = f" ({_OF_VERDICT[edge.verdict]})" if edge.verdict in _OF_VERDICT else ""
    return _escaped(f"{edge.called}{said}")


def _is_in_circle(graph: ModelGraph, node: GraphNode) -> bool:
    return any(node.label in each for each in graph.circles)


def _escaped(text: str) -> str:
    """Return text that ends no label: what is no letter, digit or plain sign is written as its number."""
    return _PLAIN.sub(lambda each: f"#{ord(each[0])};", printable(text))


def as_json(graph: ModelGraph, root: Path) -> str:
    """Return one JSON document."""
    document = {
        "version": VERSION,
        "nodes": [
            {
                "kind": str(node.kind),
                "name": _name(node, root),
                "path": _place(node.place, root) if node.place is not None else None,
                "readable": node.is_readable,
            }
            for node in graph.nodes
        ],
        "edges": [
            {
                "caller": _named(edge.caller, root),
                "callee": _named(edge.callee, root),
                "called": edge.called,
                "verdict": edge.verdict,
                "places": [_json_place(each, root) for each in edge.places],
            }
            for edge in graph.edges
        ],
        "unresolved": [
            {
                "caller": _named(each.caller, root),
                "called": each.called,
                "rule": each.rule,
                "reason": each.reason,
                **_json_place(each.place, root),
            }
            for each in graph.unresolved
        ],
        "circles": [list(each) for each in graph.circles],
    }
    return json.dumps(document, ensure_ascii=False) + "\n"


def _named(node: GraphNode, root: Path) -> dict[str, str]:
    return {"kind": str(node.kind), "name": _name(node, root)}


def _json_place(place: Location, root: Path) -> dict[str, Any]:
    cell = {"cell": place.cell} if place.cell else {}
    return {"file": relative(place.path, root), "line": place.line, "column": place.column, **cell}


def _name(node: GraphNode, root: Path) -> str:
    if node.kind is NodeKind.CLIENT and node.place is not None:
        return relative(node.place.path, root)
    return printable(node.name)


def _place(place: Location, root: Path) -> str:
    cell = f"#cell{place.cell}" if place.cell else ""
    line = f":{place.line}:{place.column}" if place.line else ""
    return f"{relative(place.path, root)}{cell}{line}"


GRAPH_FORMATS: Mapping[str, Callable[[ModelGraph, Path], str]] = {
    "text": as_text,
    "mermaid": as_mermaid,
    "json": as_json,
}
