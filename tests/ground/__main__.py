"""Checks the ground: python -m ground fetch CHECKOUTS… | missing | check OUT.json | table FILE | compare OLD NEW

`fetch` fills the folder of files (CLARIFAI_GROUND) from checkouts of the repositories, and says what is missing.
`check` runs the checker over all of it; what it calls wrong is looked up in judgements.yaml. `cases FOLDER` tells
what it says of cases with their right answers in truth.json.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from ground.call_mutants import mutated
from ground.checkouts import Checkouts, fetch
from ground.client_checks import check_all, clients, other_languages
from ground.client_code import PYTHON
from ground.given_cases import cases_table
from ground.ground_list import CLIENT, MODEL, Entry, files_folder, found_digest, read_list
from ground.model_readings import contracts, readings
from ground.result import clients_result, compared, models_result, read_judgements, table


def filled(folders: list[Path]) -> int:
    """Fetch every file of the list that is not there yet; return how many are missing."""
    root, checkouts = files_folder(), Checkouts(folders)
    wanted = [each for each in read_list() if found_digest(each, root) != each.sha256]
    problems = [problem for each in wanted if (problem := fetch(each, checkouts, root))]
    print("\n".join([*problems, f"{len(wanted) - len(problems)} fetched, {len(problems)} missing: {root}"]))
    return len(problems)


def missing(root: Path, entries: list[Entry]) -> list[str]:
    """Return the entries whose files are not there, or are other ones."""
    return [each.name for each in entries if found_digest(each, root) != each.sha256]


def checked(only: str = "") -> dict[str, Any]:
    """Run the checker over all of it. ``only`` is ``clients`` to leave the readings of the models out."""
    root, entries = files_folder(), read_list()
    if gone := missing(root, entries):
        head = "\n".join(gone[:10])
        sys.exit(
            f"{len(gone)} of {len(entries)} files are not in {root}. `python -m ground fetch CHECKOUTS`:\n{head}"
        )
    those = [each for each in entries if each.kind == CLIENT]
    models = {each.name: each.place(root) for each in entries if each.kind == MODEL}
    result: dict[str, Any] = {}
    if only != "clients":
        result["models"] = models_result(readings([each for each in entries if each.kind == MODEL], root))
    found = clients(those, root)
    with tempfile.TemporaryDirectory(prefix="ground-") as work:
        check_all(found, models, root, Path(work))
        result["clients"] = clients_result(found)
        others = [each for each in found if each.path.suffix not in PYTHON]
        result["other languages"] = other_languages(others, read_judgements())
        stand_ins = contracts([models[name] for name in sorted({each.stand_in for each in found})], "import")
        counts, silent = mutated(found, models, stand_ins, root, Path(work))
    return {**result, "mutants": counts, "silent mutants": silent}


def main(arguments: list[str]) -> int:
    """Do what the command line says; return the exit code."""
    match arguments:
        case ["fetch", *folders] if folders:
            return int(bool(filled(list(map(Path, folders)))))
        case ["missing"]:
            gone = missing(files_folder(), read_list())
            print("\n".join([*gone, f"{len(gone)} missing"]))
            return int(bool(gone))
        case ["check", out, *only]:
            result = checked(*only)
            Path(out).write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
            print(table(result))
        case ["table", file]:
            print(table(json.loads(Path(file).read_text())))
        case ["cases", folder]:
            print(cases_table(Path(folder)))
        case ["compare", before, after]:
            print("\n".join(compared(*(json.loads(Path(each).read_text()) for each in (before, after)))))
        case _:
            print(__doc__)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
