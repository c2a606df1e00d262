"""Exports and imports the whole state as one readable JSON document, to keep, compare, or carry to another
emulator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clarifai_emulator.errors import ConfigError
from clarifai_emulator.models.version_source import ModelSource
from clarifai_emulator.state.records import (
    BadRecord,
    Table,
    cannot_run,
    from_json,
    kept,
    to_json,
    why_it_cannot_run,
)
from clarifai_emulator.store import Key, Kind, Store

FORMAT = 1
_KIND = "clarifai-emulator state"
_MOST_PROBLEMS = 20


def export_state(store: Store, table: Table) -> dict[str, Any]:
    """Export everything that outlives the process."""
    resources = [
        {"kind": str(kind), "key": list(key), "content": to_json(item)} for kind, key, item in kept(store, table)
    ]
    return {"document": _KIND, "format": FORMAT, "resources": resources}


@dataclass(frozen=True, slots=True)
class Imported:
    """The outcome of an import: how many resources were new, were put in the place of others, were there as they
    are. ``warnings``: which of them cannot run here."""

    added: int = 0
    replaced: int = 0
    unchanged: int = 0
    warnings: tuple[str, ...] = ()


def import_state(store: Store, table: Table, document: Any) -> Imported:
    """Add everything a document holds; what has the same id is replaced. Raises ``ConfigError`` with every problem,
    and then has changed nothing."""
    _require_document(document)
    records: list[tuple[Kind, Key, Any]] = []
    problems: list[str] = []
    for number, entry in enumerate(document.get("resources", []), 1):
        try:
            records.append(_record(table, entry))
        except BadRecord as error:
            problems.append(f"resource {number}: {error}")
    if problems:
        shown = problems[:_MOST_PROBLEMS]
        more = [f"and {len(problems) - len(shown)} more"] if len(problems) > len(shown) else []
        raise ConfigError("The exported state cannot be read:", [*shown, *more])
    sources = [(key, item) for _, key, item in records if isinstance(item, ModelSource)]
    warnings = tuple(cannot_run(key, source) for key, source in sources if why_it_cannot_run(source))
    for kind, _, _ in records:
        store.add_kind(kind)
    before = [store.get(kind, key) for kind, key, _ in records]
    # Deployments last: they start what the others describe.
    for kind, key, item in sorted(records, key=lambda record: record[0] == Kind.DEPLOYMENT):
        store.put(kind, key, item)
    added = sum(there is None for there in before)
    unchanged = sum(there == item for there, (_, _, item) in zip(before, records, strict=True))
    return Imported(added, len(records) - added - unchanged, unchanged, warnings)


def _require_document(document: Any) -> None:
    if not isinstance(document, dict) or document.get("document") != _KIND:
        raise ConfigError(
            "This is no state that an emulator exported.", [], hint="`clarifai-emulator export FILE` writes one."
        )
    found = document.get("format")
    if found != FORMAT:
        newer = isinstance(found, int) and found > FORMAT
        raise ConfigError(
            f"The exported state has format {found!r}; this emulator reads format {FORMAT}.",
            [],
            hint="A newer release wrote it: import it there." if newer else "Export it again with this release.",
        )
    if not isinstance(document.get("resources", []), list):
        raise ConfigError("The exported state cannot be read:", ["`resources` must be an array"])


def _record(table: Table, entry: Any) -> tuple[Kind, Key, Any]:
    try:
        name, key, content = entry["kind"], entry["key"], entry["content"]
    except (TypeError, KeyError) as error:
        raise BadRecord(f"it needs a `kind`, a `key` and `content`: {error}") from None
    if not isinstance(name, str) or not name:
        raise BadRecord(f"its `kind` must be a name, not {name!r}")
    if not isinstance(key, list) or not key or not all(isinstance(part, str) and part for part in key):
        raise BadRecord("its `key` must be an array of ids")
    row = table.get(Kind(name))
    item = from_json(row, content, name)
    return (row.kind if row is not None else Kind(name)), tuple(key), item
