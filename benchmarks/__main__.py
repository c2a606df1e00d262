"""Measures every figure (``make bench``), as a table and as ``benchmarks/results.json``.

python -m benchmarks [--quick] [--markdown] [--results FILE] [--check BASE.json] [SCRIPT …]
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.machine import measure as measured_machine
from benchmarks.report import markdown, show
from benchmarks.results import SLOWER, Results, read, slower

# Each is a module beside this one with ``measure(*, quick) -> list[Figure]``.
SCRIPTS = (
    "routed_predict",
    "workflow_nodes",
    "processor_time",
    "throughput",
    "bidi",
    "own_share",
    "inner_calls",
    "first_predict",
    "start",
    "page_in_browser",
    "page_readers",
    "growth",
    "containers",
    "container_edits",
    "check_calls",
    "contract",
    "protocols",
    "floods",
    "model_servers",
    "reload",
    "upload",
    "plugin",
)
RESULTS = Path(__file__).with_name("results.json")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "scripts", nargs="*", metavar="SCRIPT", help=f"which to run: {', '.join(SCRIPTS)} (default: all)"
    )
    parser.add_argument("--quick", action="store_true", help="few repeats: to see that it works, not to quote")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where to write the figures as JSON")
    parser.add_argument(
        "--check",
        type=Path,
        metavar="BASE.json",
        help="say what is slower than in these results; exit with 1 if any is",
    )
    options = parser.parse_args(arguments)
    unknown = [name for name in options.scripts if name not in SCRIPTS]
    if unknown:
        parser.error(f"there is no script {', '.join(unknown)}; there are: {', '.join(SCRIPTS)}")
    base = read(options.check) if options.check else None
    results = Results(measured_machine())
    for name in options.scripts or SCRIPTS:
        results.figures += _measure(name, quick=options.quick)
        # After each, so that a run that is broken off leaves what it had.
        options.results.write_text(results.as_json())
    if options.markdown:
        print(markdown(results.figures), end="")
    else:
        show(results.figures)
    if base and (slower := _slower(base, results, quick=options.quick)):
        print("\n".join(slower), file=sys.stderr)
        sys.exit(1)


def _measure(name: str, *, quick: bool) -> list[Figure]:
    print(f"measuring {name} ...", file=sys.stderr, flush=True)
    figures: list[Figure] = importlib.import_module(f"benchmarks.{name}").measure(quick=quick)
    return [replace(figure, script=name) for figure in figures]


def _slower(base: Results, results: Results, *, quick: bool) -> list[str]:
    """Return a line for each figure that is slower than in the base in each of three measurements: noise is not."""
    for _ in range(2):
        scripts = {figure.script for figure, _ in slower(base, results)}
        for name in sorted(scripts):
            results.take_better(_measure(name, quick=quick))
    return [
        f"slower: {figure.name} is {figure.worth:.3g}{figure.measure}, {factor:.2f} times what it was in the "
        f"base; at most {SLOWER:g} times is allowed. Profile what changed, or write a new base with --results if "
        "it must be so."
        for figure, factor in slower(base, results)
    ]


if __name__ == "__main__":
    main()
