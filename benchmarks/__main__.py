"""Measures every figure (``make bench``), as a table and as ``benchmarks/results.json``.

python -m benchmarks [--quick] [--markdown] [--results FILE] [SCRIPT …]
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.report import markdown, show

# Each is a module beside this one with ``measure(*, quick) -> list[Figure]``.
SCRIPTS = (
    "routed_predict",
    "throughput",
    "bidi",
    "own_share",
    "first_predict",
    "start",
    "growth",
    "containers",
    "container_edits",
    "check_calls",
    "contract",
    "protocols",
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
    options = parser.parse_args(arguments)
    unknown = [name for name in options.scripts if name not in SCRIPTS]
    if unknown:
        parser.error(f"there is no script {', '.join(unknown)}; there are: {', '.join(SCRIPTS)}")
    figures: list[Figure] = []
    for name in options.scripts or SCRIPTS:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        figures += importlib.import_module(f"benchmarks.{name}").measure(quick=options.quick)
        # After each, so that a run that is broken off leaves what it had.
        options.results.write_text(json.dumps([figure.as_dict() for figure in figures], indent=1) + "\n")
    if options.markdown:
        print(markdown(figures), end="")
    else:
        show(figures)


if __name__ == "__main__":
    main()
