"""Changes the emulator in one place at a time, and sees whether a run of the kit finds it (``make mutations``).

    python -m benchmarks.mutations [--count N] [--seed N] [--all] [--jobs N] [ROW …]

Each mutation changes a rule, an answer, a default or a refusal in a copy of the package, and names the row of the
fidelity table that says so; it is found when a probe of that row sees another answer than the one written down.
``mutations.yaml`` lists them, and every refusal that names its row is one, too: with another status code.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Any

import yaml

from clarifai_emulator.conformance.probe import all_probes

PACKAGE = Path(__file__).parents[1] / "emulator" / "clarifai_emulator"
LISTED = Path(__file__).with_name("mutations.yaml")
RESULTS = Path(__file__).with_name("mutations.json")
# A refusal's code is changed into this one, which no rule gives.
_OTHER_CODE = "StatusCode.CONN_UNCATEGORIZED"
_RUN_SECONDS = 600
_NOT_MUTATED = ("conformance/", "cli/", "topology/stand_ins/templates/")


@dataclass(frozen=True, slots=True)
class Mutation:
    """Replaces ``old``, which stands once in ``file``, by ``new``. ``row``: what says that it is as it is."""

    row: str
    file: str
    old: str
    new: str
    line: int = 0

    @property
    def name(self) -> str:
        """Return it in a few words."""
        return f"{self.row} ({self.file}{f':{self.line}' if self.line else ''}: {self.old.strip()[:60]!r})"

    def mutated(self, text: str) -> str:
        """Return the file's text with the change."""
        if not self.line:
            return text.replace(self.old, self.new, 1)
        lines = text.splitlines(keepends=True)
        lines[self.line - 1] = lines[self.line - 1].replace(self.old, self.new, 1)
        return "".join(lines)


@dataclass(frozen=True, slots=True)
class MutationOutcome:
    """Holds what a run of the kit saw of a mutated emulator. ``rows``: whose probes differed."""

    mutation: Mutation
    rows: tuple[str, ...]
    seconds: float
    error: str = ""

    @property
    def is_found(self) -> bool:
        """Tell whether a probe of the mutation's own row saw it."""
        return self.mutation.row in self.rows


def registry() -> list[Mutation]:
    """Return every mutation of a row that has a probe of the level free, in a fixed order."""
    probed = {probe.row for probe in all_probes().values() if probe.level == "free"}
    unseen = unseen_refusals()
    found = [*_listed(), *(each for each in refusals() if place_of(each) not in unseen)]
    return sorted((each for each in found if each.row in probed), key=lambda each: each.name)


def unseen_refusals() -> dict[tuple[str, str, str], str]:
    """Return why no client gets these refusals, by row, file and code."""
    entries = (each for each in _entries() if "unseen" in each)
    return {(each["row"], each["file"], f"StatusCode.{each['refusal']}"): each["unseen"] for each in entries}


def place_of(refusal: Mutation) -> tuple[str, str, str]:
    return (refusal.row, refusal.file, refusal.old)


def _entries() -> list[dict[str, str]]:
    return yaml.safe_load(LISTED.read_text(encoding="utf-8"))


def _listed() -> Iterator[Mutation]:
    for entry in _entries():
        if "unseen" not in entry:
            yield Mutation(entry["row"], entry["file"], entry["old"], entry["new"])


def refusals() -> Iterator[Mutation]:
    """Yield a mutation for each refusal in the source that names its row and its code."""
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if name.startswith(_NOT_MUTATED):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and (mutation := _of_refusal(name, node)):
                yield mutation


def _of_refusal(name: str, node: ast.Call) -> Mutation | None:
    rows = [each.value for each in node.keywords if each.arg == "row"]
    code = node.args[0] if node.args else None
    if not rows or not isinstance(rows[0], ast.Constant) or not isinstance(code, ast.Attribute):
        return None
    old = ast.unparse(code)
    return (
        Mutation(str(rows[0].value), name, old, _OTHER_CODE, code.lineno) if old.startswith("StatusCode.") else None
    )


@contextmanager
def copies(count: int) -> Generator[Queue[Path]]:
    """Give copies of the package, to be mutated."""
    with tempfile.TemporaryDirectory(prefix="clarifai-emulator-mutations-") as folder:
        free: Queue[Path] = Queue()
        for number in range(count):
            copy = Path(folder) / str(number) / "clarifai_emulator"
            shutil.copytree(PACKAGE, copy)
            free.put(copy)
        yield free


def run_mutation(mutation: Mutation, copy: Path) -> MutationOutcome:
    """Run the kit with the mutated copy, which is as it was afterwards."""
    file = copy / mutation.file
    text = file.read_text(encoding="utf-8")
    began = time.monotonic()
    try:
        _write(file, mutation.mutated(text))
        rows, error = _kit(copy)
    finally:
        _write(file, text)
    return MutationOutcome(mutation, rows, round(time.monotonic() - began, 1), error)


def _write(file: Path, text: str) -> None:
    """Write the file; its compiled form goes, as it is known by time and size."""
    file.write_text(text, encoding="utf-8")
    for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"):
        compiled.unlink()


def _kit(copy: Path) -> tuple[tuple[str, ...], str]:
    """Return the rows whose probes differ, or could not tell, and what went wrong with the run itself."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CLARIFAI_")}
    environ |= {"PYTHONPATH": str(copy.parent), "XDG_STATE_HOME": str(copy.parent / "state")}
    said = ""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "clarifai_emulator", "conform", "--json"],
            env=environ,
            cwd=copy.parent,
            capture_output=True,
            text=True,
            timeout=_RUN_SECONDS,
        )
        said = done.stdout + done.stderr
        report = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return (), f"the run took longer than {_RUN_SECONDS} s"
    except ValueError:
        return (), said[-300:]
    if "probes" not in report:
        return (), str(report)[:300]
    probes = report["probes"].values()
    return tuple(sorted({each["row"] for each in probes if each["verdict"] != "holds"})), report.get("ended", "")


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw mutations, run them, and write what was found."""
    parser = argparse.ArgumentParser(prog="benchmarks.mutations", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("rows", nargs="*", help="only mutations of these rows")
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--all", action="store_true", help="every one, instead of some that are drawn")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args(arguments)
    known = registry()
    wanted = [each for each in known if not options.rows or each.row in options.rows]
    drawn = wanted if options.all or options.rows else random.Random(options.seed).sample(wanted, options.count)
    with copies(options.jobs) as free, ThreadPoolExecutor(options.jobs) as pool:
        untouched, error = _kit(next(iter(free.queue)))
        if error:
            print(f"The unmutated emulator cannot be run: {error}", file=sys.stderr)
            return 2
        if untouched:
            print(f"Rows that differ without a mutation, and count for none: {', '.join(untouched)}")

        def one(mutation: Mutation) -> MutationOutcome:
            copy = free.get()
            try:
                outcome = run_mutation(mutation, copy)
            finally:
                free.put(copy)
            print(_line(outcome, untouched), flush=True)
            return outcome

        outcomes = list(pool.map(one, drawn))
    found = [each for each in outcomes if each.is_found and each.mutation.row not in untouched]
    print(f"{len(found)} of {len(outcomes)} mutations found by a probe of their row ({len(known)} are known)")
    if not options.rows and not options.all:
        summary = {"seed": options.seed, "drawn": len(outcomes), "found": len(found), "known": len(known)}
        keep({**summary, "missed": [each.mutation.name for each in outcomes if each not in found]})
    return 0 if len(found) >= len(outcomes) - len(outcomes) // 30 else 1


def keep(run: dict[str, Any]) -> None:
    """Write what a run has found beside what those with other seeds have."""
    others = [each for each in json.loads(RESULTS.read_text(encoding="utf-8")) if each["seed"] != run["seed"]]
    runs = sorted([*others, run], key=lambda each: each["seed"])
    RESULTS.write_text(json.dumps(runs, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _line(outcome: MutationOutcome, untouched: Sequence[str]) -> str:
    others = [row for row in outcome.rows if row != outcome.mutation.row and row not in untouched]
    beside = f", also {', '.join(others[:4])}" if others else ""
    word = "found " if outcome.is_found else "MISSED"
    return (
        f"{word} {outcome.seconds:5.1f} s  {outcome.mutation.name}{beside}{outcome.error and f' [{outcome.error}]'}"
    )


if __name__ == "__main__":
    sys.exit(main())
