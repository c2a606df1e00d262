"""Shows attacks as a table of 80 columns, as JSON, and as Markdown for docs/reliability.md."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from pathlib import Path

from attack.measured import Attacked

_WIDTH = 80
BEGIN, END = "<!-- attacks: written by `make attacks ARGS=--write` -->", "<!-- end of attacks -->"
AREAS = {
    "http2": "HTTP/2",
    "http1": "HTTP/1.1 and REST",
    "tenancy": "Users and credentials",
    "archives": "Uploaded archives",
    "disk": "Disks and state",
    "processes": "Processes and time",
    "models": "Models as neighbours",
    "soak": "Load for a while",
}


def text(results: Sequence[Attacked]) -> str:
    """Return the table for a terminal: a line for each attack, and what was measured below it."""
    lines: list[str] = []
    for each in results:
        lines += lines_of(each)
    verdicts = [each.verdict for each in results]
    told = [f"{verdicts.count(kind)} {kind}" for kind in ("survived", "bounded", "failed", "not tried")]
    return "\n".join([*lines, "", ", ".join(told)])


def lines_of(attacked: Attacked) -> list[str]:
    """Return the lines of one attack."""
    lines = [f"{attacked.attack.name:<42} {attacked.verdict:<9} {attacked.seconds:>6.1f} s"]
    if attacked.not_tried:
        return [*lines, *_wrapped(attacked.not_tried)]
    lines += _wrapped("; ".join(map(str, attacked.measures)))
    if peer := [each.of_peer for each in attacked.measures if each.of_peer]:
        lines += _wrapped("grpcio: " + "; ".join(peer))
    return [*lines, *(line for broken in attacked.broken for line in _wrapped(f"! {broken}"))]


def _wrapped(said: str) -> list[str]:
    return textwrap.wrap(said, _WIDTH, initial_indent="    ", subsequent_indent="      ")


def as_json(results: Sequence[Attacked]) -> str:
    """Return everything as JSON."""
    told = [
        {
            "name": each.attack.name,
            "sends": each.attack.sends,
            "verdict": each.verdict,
            "seconds": round(each.seconds, 1),
            **({"not_tried": each.not_tried} if each.not_tried else {}),
            "measures": [
                {
                    "what": one.what,
                    "value": round(one.value, 3),
                    "unit": one.unit,
                    "at_most": one.most,
                    "grpcio": None if one.peer is None else round(one.peer, 3),
                    "verdict": one.verdict,
                }
                for one in each.measures
            ],
        }
        for each in results
    ]
    return json.dumps(told, indent=2)


def markdown(results: Sequence[Attacked]) -> str:
    """Return a Markdown table for each area."""
    parts: list[str] = []
    for area, title in AREAS.items():
        there = [each for each in results if each.attack.area == area]
        if there:
            parts.append(f"### {title}\n\n| Attack | Measured | grpcio | Bound | |\n|---|---|---|---|---|\n")
            parts += [f"| {' | '.join(_cells(each))} |\n" for each in there]
            parts.append("\n")
    return "".join(parts)


def _cells(attacked: Attacked) -> tuple[str, ...]:
    sends, measures = attacked.attack.sends.replace("|", "\\|"), attacked.measures
    name = f"**{attacked.attack.name.partition('.')[2]}**: {sends}"
    if attacked.not_tried:
        return name, attacked.not_tried, "", "", "not tried"
    return (
        name,
        "; ".join(map(str, measures)),
        "; ".join(each.of_peer for each in measures if each.of_peer),
        "; ".join(each.bound for each in measures if each.bound),
        attacked.verdict,
    )


def write(results: Sequence[Attacked], page: Path) -> None:
    """Put the tables between the markers of a page."""
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"{page} has no place for the table: it needs the lines {BEGIN} and {END}.")
    page.write_text(f"{before}{BEGIN}\n\n{markdown(results)}{END}{after}")
