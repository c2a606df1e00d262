"""``make bench``: every figure, as a table and as ``benchmarks/results.json``.

python -m benchmarks [--quick] [MODULE …]
"""

from __future__ import annotations

import argparse
import importlib
import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.figures import Figure

SCRIPTS = ("routed_predict", "start")
RESULTS = Path(__file__).with_name("results.json")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("scripts", nargs="*", help=f"which to run: {', '.join(SCRIPTS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="few repeats: to see that it works, not to quote")
    options = parser.parse_args()
    figures: list[Figure] = []
    for name in options.scripts or SCRIPTS:
        print(f"measuring {name} ...", flush=True)
        figures += importlib.import_module(f"benchmarks.{name}").measure(quick=options.quick)
    RESULTS.write_text(json.dumps([figure.as_dict() for figure in figures], indent=1) + "\n")
    show(figures)


def show(figures: list[Figure]) -> None:
    """Print the table."""
    table = Table("figure", "value", "compared with", "ratio", "target", "met", "repeats")
    for figure in figures:
        baseline = "" if figure.baseline is None else f"{figure.baseline:g} {figure.unit}"
        ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}×"
        target = "" if figure.target is None else f"≤ {figure.target:g}{'×' if figure.ratio is not None else ''}"
        met = {True: "yes", False: "no", None: ""}[figure.met]
        table.add_row(
            figure.name, f"{figure.value:g} {figure.unit}", baseline, ratio, target, met, str(figure.repeats)
        )
    Console().print(table)


if __name__ == "__main__":
    main()
