"""Shows attacks as a table of 80 columns, as JSON, and as Markdown for docs/reliability.md."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Mapping, Sequence
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


def rows(results: Sequence[Attacked]) -> dict[str, str]:
    """Return the row of each attack in the page, by its name."""
    return {each.attack.name: f"| {' | '.join(_cells(each))} |" for each in results}


def markdown(said: Mapping[str, str]) -> str:
    """Return a Markdown table for each area, of rows by the names of their attacks."""
    parts: list[str] = []
    for area, title in AREAS.items():
        there = [row for name, row in said.items() if name.partition(".")[0] == area]
        if there:
            parts += [f"### {title}\n\n| Attack | Measured | grpcio | Bound | |\n|---|---|---|---|---|", *there, ""]
    return "\n".join(parts)


def rows_of(page: str) -> dict[str, str]:
    """Return the rows that a page has, by the names of their attacks."""
    found, area = dict[str, str](), ""
    areas = {title: area for area, title in AREAS.items()}
    for line in page.splitlines():
        if line.startswith("### "):
            area = areas.get(line.removeprefix("### "), "")
        elif line.startswith("| **"):
            found[f"{area}.{line.removeprefix('| **').partition('**')[0]}"] = line
    return found


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


def write(results: Sequence[Attacked], page: Path, *, order: Iterable[str]) -> None:
    """Put the rows of these attacks between the markers of a page; those of others stay as long as ``order`` has
    them."""
    before, begin, rest = page.read_text().partition(BEGIN)
    old, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"{page} has no place for the table: it needs the lines {BEGIN} and {END}.")
    said = {**rows_of(old), **rows(results)}
    page.write_text(
        f"{before}{BEGIN}\n\n{markdown({name: said[name] for name in order if name in said})}{END}{after}"
    )
