"""Writes docs/fidelity.md: the rows of ``clarifai_emulator/conformance/rows/``. Run by ``make docs``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from clarifai_emulator.conformance.fidelity_rows import FidelityArea, FidelityRow, all_rows, areas
from clarifai_emulator.conformance.probe_runs import differences
from clarifai_emulator.conformance.run_files import verified
from clarifai_emulator.conformance.suite_tables import suite_lines

PAGE = Path(__file__).with_name("fidelity.md")

HEAD = """# Fidelity: where the emulator follows the platform, and where it had to choose

The platform's own public words come first: the documentation, the comments of the protobuf definitions, sample
answers, and what its clients do. Where these are silent or contradict each other, the emulator makes a choice; each
choice is a row here. **How sure**: *documented* (said by the platform), *inferred* (follows from a client, an issue
or several samples), *our choice* (nothing public says it).

{compared} If you have an account, `clarifai-emulator conform` compares, at no cost:
[conform.md](conform.md). If you know better, the row is the place to say so: it stands in
`emulator/clarifai_emulator/conformance/rows/`, and `make docs` writes this page.
"""
UNCOMPARED = "Nothing here was compared with the live platform yet."
COMPARED = "*Verified on* and *differs* say what runs against the live platform saw."


def page() -> str:
    """Return the page as it should be."""
    head = HEAD.format(compared=COMPARED if verified() else UNCOMPARED)
    sections = [line for area in areas() for line in _section(area)]
    return "\n".join([head, *sections, *_differences(), *suite_lines(), *_without_probe()])


def _section(area: FidelityArea) -> Iterator[str]:
    yield f"## {area.title}\n"
    if area.intro:
        yield f"{area.intro}\n"
    yield "| What we do | Why, source | How sure |\n|---|---|---|"
    for row in area.rows:
        yield f"| {_anchored(row)} | {_cell(row.why) or '–'} | {_cell(_how_sure(row))} |"
    yield ""


def _how_sure(row: FidelityRow) -> str:
    """Return how sure the row is, and what the newest run against the platform saw of it."""
    of_row = [each for key, each in verified().items() if key.partition(":")[0] == row.id]
    if not of_row:
        return row.how_sure
    date = max(each.date for each in of_row)
    held = all(each.holds for each in of_row)
    return f"{row.how_sure}; " + (f"*verified on {date}*" if held else f"[*differs*](#differs-{row.id}) ({date})")


def _differences() -> Iterator[str]:
    differing = {key: each for key, each in verified().items() if not each.holds}
    if not differing:
        return
    yield "## Where the platform differs\n"
    yield "| Probe | Where | The emulator | The platform | Seen on |\n|---|---|---|---|---|"
    for key, each in differing.items():
        row = key.partition(":")[0]
        for path, expected, seen in differences(each.expected, each.seen):
            answers = f"{_value(expected)} | {_value(seen)}"
            yield f'| <a id="differs-{row}"></a>[`{key}`](#{row}) | {_cell(path)} | {answers} | {each.date} |'
    yield ""


def _value(value: object) -> str:
    return _cell(value if isinstance(value, str) else f"`{json.dumps(value, ensure_ascii=False)}`")


def _anchored(row: FidelityRow) -> str:
    """Return what the row says, with its id below, to which links lead."""
    return f'<a id="{row.id}"></a>{_cell(row.what)}<br><sub>`{row.id}`</sub>'


def _without_probe() -> Iterator[str]:
    rows = [row for row in all_rows() if row.no_probe]
    if not rows:
        return
    yield "## Rows that no client can observe\n"
    yield "The other rows have a probe (`clarifai_emulator/conformance/probes/`): it asks a target what it does.\n"
    yield "| Row | Why there is no probe |\n|---|---|"
    for row in rows:
        yield f"| [`{row.id}`](#{row.id}) | {_cell(row.no_probe)} |"
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page())
