"""Tells which rows of the fidelity table refusals stood on that nobody has seen the platform do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from clarifai_emulator.conformance.fidelity_rows import FidelityRow, rows_by_id
from clarifai_emulator.conformance.run_files import verified


def is_unverified(row: FidelityRow) -> bool:
    """Tell whether the row is, in part, no more than inferred or chosen, and no run at the platform saw it hold."""
    seen = [each for key, each in verified().items() if key.partition(":")[0] == row.id]
    held = bool(seen) and all(each.holds for each in seen)
    return not held and (row.sure != "documented" or bool(row.note))


def unverified_rows(ids: Iterable[str]) -> Iterator[tuple[FidelityRow, int]]:
    """Yield the unverified ones of the rows that refusals named, with how many did, the most frequent first."""
    for name, count in Counter(ids).most_common():
        row = rows_by_id().get(name)
        if row is not None and is_unverified(row):
            yield row, count


def stood_on(ids: Iterable[str]) -> list[str]:
    """Return a line for each unverified row that refusals named."""
    return [
        f"{'This refusal is' if count == 1 else f'{count} refusals are'} {row.how_sure}: row {row.id} of "
        f"docs/fidelity.md: {row.what}"
        for row, count in unverified_rows(ids)
    ]
