"""Attacks an emulator in every way of the table, and says what others noticed: python -m attack (``make attacks``)

An attack fails when a stated bound does not hold. It is bounded when others notice something and the bounds hold,
and survived when nobody notices anything. One that fails is made twice more before it counts as failed.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from attack import report
from attack.every_attack import ATTACKS
from attack.measured import Attack, Attacked, Measure, NotTried
from attack.scene import Scene

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
_TRIES = 3


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m attack", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", metavar="NAME", help="attacks, or areas: http2.ping-flood, http1")
    parser.add_argument("--short", action="store_true", help="what CI makes: a second or two of some of them")
    parser.add_argument("--list", action="store_true", help="say what there is, and make nothing")
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    parser.add_argument("--write", action="store_true", help=f"write their rows into {PAGE.name}")
    options = parser.parse_args(arguments)
    chosen = _chosen(parser, options.only, short=options.short)
    if options.list:
        print("\n".join(f"{each.name:<36} {each.sends}" for each in chosen))
        return 0
    results: list[Attacked] = []
    with Scene(short=options.short) as scene:
        for number, each in enumerate(chosen, 1):
            print(f"[{number}/{len(chosen)}] {each.name}: {each.sends}", file=sys.stderr, flush=True)
            results.append(made(each, scene))
            print("\n".join(report.lines_of(results[-1])), file=sys.stderr, flush=True)
            if options.write:  # after each: a run that is broken off leaves what it had
                report.write(results[-1:], PAGE, order=ATTACKS)
    print(report.as_json(results) if options.json else report.text(results))
    return 1 if any(each.verdict == "failed" for each in results) else 0


def _chosen(parser: argparse.ArgumentParser, only: Sequence[str] | None, *, short: bool) -> list[Attack]:
    for name in only or ():
        if not any(name in (each.name, each.area) for each in ATTACKS.values()):
            parser.error(f"there is no attack {name}; `python -m attack --list` names them")
    return [
        each
        for each in ATTACKS.values()
        if each.name in (only or ()) or ((each.short or not short) and (not only or each.area in only))
    ]


def made(attack: Attack, scene: Scene, *, tries: int = _TRIES) -> Attacked:
    """Make an attack; where a bound does not hold, again, as often as ``tries`` says."""
    began = time.monotonic()
    result = Attacked(attack)
    for _ in range(tries):
        result = _once(attack, scene)
        if result.verdict != "failed":
            break
        scene.renew()
    return Attacked(attack, result.measures, result.not_tried, time.monotonic() - began)


def _once(attack: Attack, scene: Scene) -> Attacked:
    shared, before = scene.emulator, scene.emulator.bugs()
    scene.has_died = False
    try:
        found = attack.make(scene)
    except Exception:
        traceback.print_exc()
        return Attacked(attack, (Measure("broke the attack itself", 1),))
    if isinstance(found, NotTried):
        return Attacked(attack, not_tried=found.why)
    if scene.emulator is not shared:  # it was renewed: its log began anew
        shared, before = scene.emulator, 0
    if scene.has_died:
        found = [*found, Measure("ended the emulator", 1)]
    if bugs := shared.bugs() - before:
        found = [*found, Measure("bugs in the log", bugs)]
    return Attacked(attack, tuple(found))


if __name__ == "__main__":
    sys.exit(main())
