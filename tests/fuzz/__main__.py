"""Fuzzes readers for some minutes each, and lists what was found: python -m fuzz [READER …] [--minutes 10]

Coverage-guided, by atheris. What was reached is kept in .fuzz/READER/corpus, so that the next run goes on there;
what failed is in .fuzz/READER/failed. A failure becomes a test when its file is put into tests/fuzz/found/READER.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from fuzz.readers import READERS, cases, reader

ROOT = Path(__file__).parents[2]
WORK = ROOT / ".fuzz"
_LONGEST = 32 * 1024
# A reader that needs more for 32 KiB can be made to stand still.
_SECONDS_EACH, _MEBIBYTES = 20, 2048
_REQUIREMENTS = Path(__file__).with_name("requirements.txt")


@dataclass(frozen=True)
class Fuzzed:
    """Holds what became of one reader. ``reached``: the edges of its code that something reached."""

    reader: str
    runs: int
    reached: int
    corpus: int
    failed: list[str]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("readers", nargs="*", metavar="READER", help=f"{', '.join(READERS)} (default: all)")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long each is fuzzed (default: 10)")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="read one file, which failed, and no more")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.readers if name not in READERS]:
        parser.error(f"there is no reader {', '.join(unknown)}; there are: {', '.join(READERS)}")
    if options.replay:
        if len(options.readers) != 1:
            parser.error("--replay needs the one reader that the file is for: python -m fuzz http2 --replay FILE")
        reader(options.readers[0]).read(options.replay.read_bytes())
        print(f"{options.replay} is read as it should be.")
        return 0
    packages = _atheris()
    results = [_fuzzed(name, options.minutes, packages) for name in options.readers or READERS]
    print(json.dumps([asdict(each) for each in results], indent=2) if options.json else table(results))
    return 1 if any(each.failed for each in results) else 0


def _atheris() -> Path:
    """Return a folder that has atheris. The project does not depend on it: few Pythons and systems have it."""
    folder = WORK / "packages"
    if not (folder / "atheris").is_dir():
        uv = str(Path(sys.executable).with_name("uv"))
        command = [uv, "pip", "install", "--quiet", "--target", str(folder), "-r", str(_REQUIREMENTS)]
        done = subprocess.run([*command, "--python", sys.executable], capture_output=True, text=True)
        if done.returncode:
            sys.exit(
                f"atheris cannot be installed for this Python ({sys.version.split()[0]}, {sys.platform}):\n"
                f"{done.stderr.strip()}\nIt is published for Linux and a few Pythons: take one of them "
                "(make fuzz PYTHON=python3.11 VENV=.venv-3.11)."
            )
    return folder


def _fuzzed(name: str, minutes: float, packages: Path) -> Fuzzed:
    folder = WORK / name
    corpus, seeds, failed = folder / "corpus", folder / "seeds", folder / "failed"
    for each in (corpus, seeds, failed):
        each.mkdir(parents=True, exist_ok=True)
    for case, data in cases(name).items():
        (seeds / case).write_bytes(data)
    print(f"fuzzing {name} for {minutes:g} min ...", file=sys.stderr, flush=True)
    before = set(failed.iterdir())
    limits = [f"-max_total_time={round(minutes * 60)}", f"-max_len={_LONGEST}", f"-timeout={_SECONDS_EACH}"]
    dictionary = folder / "words"
    dictionary.write_text("".join(f'"{_escaped(word)}"\n' for word in reader(name).words()))
    places = [
        f"-dict={dictionary}",
        f"-rss_limit_mb={_MEBIBYTES}",
        f"-artifact_prefix={failed}/",
        "-print_final_stats=1",
    ]
    log = folder / "log"
    with log.open("w") as out:
        subprocess.run(
            [sys.executable, "-m", "fuzz.guided", name, *limits, *places, str(corpus), str(seeds)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join((str(packages), str(ROOT / "tests"), str(ROOT)))},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    said = log.read_text(errors="replace")
    if not re.search(r"cov: \d+", said):
        sys.exit(f"Fuzzing {name} did not begin. The end of {log}:\n{said[-2000:]}")
    new = sorted(str(each.relative_to(ROOT)) for each in set(failed.iterdir()) - before)
    return Fuzzed(
        name, _last(said, r"number_of_executed_units: +(\d+)", r"^#(\d+)"), _last(said, r"cov: (\d+)"),
        len(list(corpus.iterdir())), new,
    )  # fmt: skip


def _escaped(word: str) -> str:
    """Write a word as libFuzzer's dictionaries have it."""
    return "".join(
        chr(byte) if 0x20 <= byte < 0x7F and chr(byte) not in '"\\' else f"\\x{byte:02x}"
        for byte in word.encode("latin-1")
    )


def _last(said: str, *patterns: str) -> int:
    """Return the last number that the first pattern finds that finds any."""
    for pattern in patterns:
        if found := re.findall(pattern, said, re.M):
            return int(found[-1])
    return 0


def table(results: Sequence[Fuzzed]) -> str:
    lines = [f"{'reader':<10} {'runs':>11} {'edges':>7} {'corpus':>7}  failed"]
    for each in results:
        lines.append(
            f"{each.reader:<10} {each.runs:>11,} {each.reached:>7,} {each.corpus:>7,}  {len(each.failed) or 'none'}"
        )
        lines += [f"  {file}\n    again: make fuzz ARGS='{each.reader} --replay {file}'" for file in each.failed]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
