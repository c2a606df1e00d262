"""Writes docs/fidelity.md: the rows of ``clarifai_emulator/conformance/rows/``. Run by ``make docs``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from clarifai_emulator.conformance.fidelity_rows import FidelityArea, FidelityRow, all_rows, areas

PAGE = Path(__file__).with_name("fidelity.md")

HEAD = """# Fidelity: where the emulator follows the platform, and where it had to choose

The platform's own public words come first: the documentation, the comments of the protobuf definitions, sample
answers, and what its clients do. Where these are silent or contradict each other, the emulator makes a choice; each
choice is a row here. **How sure**: *documented* (said by the platform), *inferred* (follows from a client, an issue
or several samples), *our choice* (nothing public says it).

Nothing here was compared with the live platform. If you know better, the row is the place to say so: it stands in
`emulator/clarifai_emulator/conformance/rows/`, and `make docs` writes this page.
"""


def page() -> str:
    """Return the page as it should be."""
    return "\n".join([HEAD, *(line for area in areas() for line in _section(area)), *_without_probe()])


def _section(area: FidelityArea) -> Iterator[str]:
    yield f"## {area.title}\n"
    if area.intro:
        yield f"{area.intro}\n"
    yield "| What we do | Why, source | How sure |\n|---|---|---|"
    for row in area.rows:
        yield f"| {_anchored(row)} | {_cell(row.why) or '–'} | {_cell(row.how_sure)} |"
    yield ""


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
