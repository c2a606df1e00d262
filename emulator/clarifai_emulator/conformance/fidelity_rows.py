"""Loads the rows of the fidelity table: what the emulator does, why, and how sure that is.

They stand in ``rows/AREA.yaml``; ``make docs`` writes docs/fidelity.md from them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast, get_args

FOLDER = Path(__file__).with_name("rows")

# In the order of the page.
AREAS = (
    *("rest", "openai", "mcp"),
    *("routing", "refusals", "nodepool-choice", "instances", "autoscaling"),
    *("requests", "dispatch", "calls", "workflows", "faults"),
    *("ids", "batches", "reading", "listing", "patch", "apps", "models", "clusters", "nodepools", "deployments"),
    *("keys", "artifacts", "pipelines", "saved-workflows", "logs", "containers", "uploads", "dev"),
)

Sure = Literal["documented", "inferred", "our choice"]
_KEYS = {"id", "what", "why", "sure", "note", "no_probe"}


@dataclass(frozen=True, slots=True)
class FidelityRow:
    """Holds a row. ``note`` refines ``sure``; ``no_probe`` says why no client can observe it."""

    id: str
    what: str
    why: str
    sure: Sure
    note: str = ""
    no_probe: str = ""

    @property
    def area(self) -> str:
        """Return the first word of the id, which names the file."""
        return self.id.partition(".")[0]

    @property
    def how_sure(self) -> str:
        """Return the words of the page's last column."""
        return f"{self.sure}; {self.note}" if self.note else self.sure


@dataclass(frozen=True, slots=True)
class FidelityArea:
    """Holds a section of the table."""

    name: str
    title: str
    intro: str
    rows: tuple[FidelityRow, ...]


@cache
def areas() -> tuple[FidelityArea, ...]:
    """Return every section, in the order of the page. Raises ``ValueError`` for a file that is wrong."""
    return tuple(_area(name) for name in AREAS)


def all_rows() -> Iterator[FidelityRow]:
    """Yield every row, in the order of the page."""
    for area in areas():
        yield from area.rows


@cache
def rows_by_id() -> Mapping[str, FidelityRow]:
    """Return every row by its id."""
    return {row.id: row for row in all_rows()}


def _area(name: str) -> FidelityArea:
    data = _loaded(FOLDER / f"{name}.yaml")
    rows = tuple(_row(name, each) for each in data["rows"])
    return FidelityArea(name, data["title"], data.get("intro", ""), rows)


def _loaded(path: Path) -> Any:
    import yaml

    # libyaml reads them in a tenth of the time, where PyYAML was built with it.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(path.read_text(encoding="utf-8"), loader)  # noqa: S506


def _row(area: str, data: dict[str, str]) -> FidelityRow:
    name = data.get("id", "")
    if not name.startswith(f"{area}."):
        raise ValueError(f"rows/{area}.yaml: a row's id begins with '{area}.', not {name!r}")
    if unknown := sorted(data.keys() - _KEYS):
        raise ValueError(f"{name}: a row has no {', '.join(unknown)}; it has {', '.join(sorted(_KEYS))}")
    if data.get("sure") not in get_args(Sure):
        raise ValueError(f"{name}: sure is one of {', '.join(get_args(Sure))}, not {data.get('sure')!r}")
    if not data.get("what"):
        raise ValueError(f"{name}: a row says what the emulator does, in 'what'")
    texts = {key: str(value) for key, value in data.items()}
    return FidelityRow(
        id=name,
        what=texts["what"],
        why=texts.get("why", ""),
        sure=cast(Sure, texts["sure"]),
        note=texts.get("note", ""),
        no_probe=texts.get("no_probe", ""),
    )
