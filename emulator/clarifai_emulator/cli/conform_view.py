"""Shows a run of ``conform``: its progress, and the table of what holds, differs and could not be told."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from clarifai_emulator.cli.columns import columns, paragraph
from clarifai_emulator.cli.output import heading, step
from clarifai_emulator.conformance.cleaning import NotRemoved
from clarifai_emulator.conformance.conform_run import RunOutcome
from clarifai_emulator.conformance.fidelity_rows import areas, rows_by_id
from clarifai_emulator.conformance.probe_runs import ProbeResult, differences

_MARKS = {"holds": ("✓", "green"), "differs": ("≠", "red"), "could not tell": ("?", "yellow")}
_CLEAR = "\r\x1b[K"


class ConformProgress:
    """Says on stderr where the run is: a line that is written over, at a terminal only."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._shows = sys.stderr is not None and sys.stderr.isatty()

    def result(self, result: ProbeResult) -> None:
        """Say that one more probe is through."""
        self._done += 1
        mark, colour = _MARKS[result.verdict]
        self._write(f"{self._done}/{self._total} {click.style(mark, fg=colour)} {result.key}")

    def cleaning(self, count: int) -> None:
        """Say that what was made is being removed."""
        self._write(f"Removing {count} things")

    def end(self) -> None:
        """Clear the line."""
        self._write("")

    def _write(self, text: str) -> None:
        if self._shows:
            click.echo(f"{_CLEAR}{text}", err=True, nl=False)


def show_outcome(outcome: RunOutcome, total: int, path: Path | None) -> None:
    """Print the table, what differs with both answers, and what could not be told with the reason."""
    click.echo("\n".join(columns(list(_table(outcome.results)), indent="", heading=True)))
    for result in outcome.results:
        if result.verdict == "differs":
            _show_difference(result)
    for result in outcome.results:
        if result.verdict == "could not tell":
            click.echo(f"\n{click.style('?', fg='yellow')} {result.key}: {result.reason}")
    if outcome.ended:
        reached = f"It ended after {len(outcome.results)} of {total} probes"
        click.echo("\n" + paragraph(f"{reached}: {outcome.ended} --resume goes on."))
    show_left(outcome.left)
    if path is not None and outcome.results:
        step(f"Written to {path}; docs/conform.md says how to contribute it")


def show_left(left: Sequence[NotRemoved]) -> None:
    """Print what could not be removed."""
    if not left:
        return
    heading(f"\n{len(left)} things could not be removed; `conform --clean` tries again:")
    click.echo("\n".join(columns([[each.thing.kind, each.thing.id, each.why] for each in left])))


def _table(results: Sequence[ProbeResult]) -> Iterator[list[str]]:
    """Yield a row for each area that was asked about, and the sum."""
    verdicts = tuple(_MARKS)
    yield ["area", *verdicts]
    for area in areas():
        of_area = [each for each in results if rows_by_id()[each.row].area == area.name]
        if of_area:
            yield [area.title, *_counts(of_area, verdicts)]
    yield ["all", *_counts(results, verdicts)]


def _counts(results: Sequence[ProbeResult], verdicts: Sequence[str]) -> list[str]:
    counts = [sum(each.verdict == verdict for each in results) for verdict in verdicts]
    return [str(count) if count else "–" for count in counts]


def _show_difference(result: ProbeResult) -> None:
    row = rows_by_id()[result.row]
    click.echo(f"\n{click.style('≠', fg='red')} {click.style(result.key, bold=True)} ({row.how_sure}): {row.what}")
    lines = [
        [path or "–", f"emulator: {_short(expected)}", f"here: {_short(seen)}", result.texts.get(path, "")]
        for path, expected, seen in differences(result.expected, result.seen)
    ]
    click.echo("\n".join(columns(lines)))


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:117]}…"
