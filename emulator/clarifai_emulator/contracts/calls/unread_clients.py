"""Reports what was to be checked and could not be read: files, and cells of notebooks."""

from __future__ import annotations

from collections.abc import Iterator

from clarifai_emulator.contracts.calls.client_kinds import ClientKind
from clarifai_emulator.contracts.calls.client_project import ClientProject, File
from clarifai_emulator.contracts.calls.client_reading import UnreadableClient
from clarifai_emulator.contracts.calls.client_source import Source
from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.finding import Finding, Location
from clarifai_emulator.contracts.rules.shown_text import printable


def unread_files(project: ClientProject) -> Iterator[Finding]:
    """Report the files and folders that could not be opened, or are not text, whatever they are about."""
    for path, problem in sorted(project.unread.items(), key=lambda each: each[0]):
        yield _unreadable(path.name, Location(path, problem.line, problem.column), problem)


def unread_file(file: File, problem: UnreadableClient) -> Finding:
    """Report a file whose text is not Python, or not a notebook."""
    try:
        source = file.source
    except UnreadableClient:
        return _unreadable(file.path.name, Location(file.path, problem.line, problem.column), problem)
    place = (problem.line, problem.column)
    where = source.located(place, place) if problem.line else Location(source.path)
    return _unreadable(file.path.name, where, problem)


def unread_cells(source: Source) -> Iterator[Finding]:
    """Report the cells of a notebook, or blocks of Markdown, that are not Python; the rest is checked."""
    for each in source.unread_cells:
        place = each.place
        is_block = source.kind is ClientKind.MARKDOWN
        part = "block" if is_block else "cell"
        cell = f"Cell {place.cell}" if place.cell else f"The {part} around line {place.line}"
        yield found(
            "unreadable-cell",
            f"{cell} of {printable(source.path.name)} {printable(each.problem.reason)}. "
            f"Nothing in this {part} is checked; the others are.",
            Location(source.path, place.line, each.problem.column + place.shift, cell=place.cell),
            hint="Mend it, or name another language behind the fence, as ```text." if is_block else None,
        )


def _unreadable(name: str, where: Location, problem: UnreadableClient) -> Finding:
    return found(
        "unreadable-client",
        f"{printable(name)} {printable(problem.reason)}. Nothing in it is checked.",
        where,
        hint=problem.hint,
    )
