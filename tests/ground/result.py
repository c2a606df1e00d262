"""Makes one compact result of what was found, prints it as a table, and compares two of them."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ground.client_checks import SILENT, Client, is_proved, outcome
from ground.client_code import PYTHON
from ground.ground_list import HERE, digest

JUDGEMENTS = HERE / "judgements.yaml"
_UNJUDGED = "not judged"
_HOWS = ("import", "static")


def models_result(readings: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Count how the model directories were read, and list those that are read otherwise than the SDK does."""
    result: dict[str, Any] = {"directories": len(readings)}
    for how in _HOWS:
        each = {name: reading[how] for name, reading in readings.items()}
        result[how] = {
            "way": _counted(reading["way"] for reading in each.values()),
            "methods": _counted(reading["methods"] for reading in each.values()),
            "verdict": _counted(reading["verdict"] for reading in each.values()),
            "not exact": {
                name: {key: reading[key] for key in ("methods", "how", "errors", "unchecked") if reading[key]}
                for name, reading in sorted(each.items())
                if reading["methods"] not in ("exact", "none")
            },
            "judged otherwise": {
                name: {
                    "verdict": reading["verdict"],
                    "rules": reading["errors"],
                    "SDK": _plain(readings[name]["refused"]),
                }
                for name, reading in sorted(each.items())
                if reading["verdict"].startswith("only")
            },
        }
    return result


def clients_result(those: Sequence[Client], judgements: Path = JUDGEMENTS) -> dict[str, Any]:
    """Count what became of the calls, and list the silent ones and the errors with their judgement. A silent call
    that was judged to be none of a model of the platform is counted as such. Calls that were checked are proved
    where they are found once they are made wrong."""
    known = read_judgements(judgements)
    without: dict[str, Counter[str]] = defaultdict(Counter)
    given: dict[str, Counter[str]] = defaultdict(Counter)
    silent: dict[str, set[str]] = defaultdict(set)
    unproved: list[str] = []
    proved = 0
    for client in those:
        for call in client.calls:
            cell = f"cell {call.cell}:" if call.cell else ""
            where = f"{client.name}:{cell}{call.line} {call.method}"
            key = f"{digest(client.path.read_bytes())[:12]}:{cell}{call.line} {SILENT}"
            for counts, is_given in ((without, False), (given, True)):
                became = outcome(client, call, given=is_given)
                if became[0] == SILENT and key in known:
                    became = (known[key]["judged"], "")
                counts[call.kind][_became(*became)] += 1
                if became[0] == SILENT:
                    silent[call.kind].add(where)
            is_shown = is_proved(client, call) if became[0] == "checked" else None
            proved += bool(is_shown)
            if is_shown is False:
                unproved.append(where)
    errors = [_error(client, each, known) for client in those for each in _errors(client)]
    return {
        "files": sum(each.path.suffix in PYTHON for each in those),
        "files dropped whole": sorted(
            f"{client.name}: {each['message']}"
            for client in those
            for each in client.without.findings
            if each["rule"] == "unreadable-client"
        ),
        "calls": {
            kind: {
                "counted": sum(given[kind].values()),
                "without models": dict(sorted(without[kind].items())),
                "with models": dict(sorted(given[kind].items())),
            }
            for kind in sorted(given)
        },
        "errors": _counted(each["judged"] for each in errors),
        "false errors": [each for each in errors if each["judged"] in ("false", _UNJUDGED)],
        "checked and proved": proved,
        "checked and not proved": sorted(unproved),
        "silent": {kind: sorted(places) for kind, places in sorted(silent.items())},
    }


def _plain(text: str) -> str:
    """Leave out what another machine or another run would have otherwise: folders, and the ids of objects."""
    return re.sub(r" id='\d+'", "", re.sub(r"/[\w./@+-]*/", "…/", text))


def _became(kind: str, rule: str) -> str:
    return f"{kind} {rule}".strip()


def _errors(client: Client) -> Iterator[dict[str, Any]]:
    seen: set[tuple[int, int, str, str]] = set()
    for each in (*client.without.findings, *client.given.findings):
        key = (each.get("cell", 0), each["line"], each["rule"], each["message"])
        if each["severity"] in ("error", "warning") and key not in seen:
            seen.add(key)
            yield each


def _error(client: Client, finding: Mapping[str, Any], known: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    sha = digest(client.path.read_bytes())[:12]
    cell = f"cell {finding['cell']}:" if finding.get("cell") else ""
    key = f"{sha}:{cell}{finding['line']} {finding['rule']}"
    judged = known.get(key, {"judged": _UNJUDGED, "why": ""})
    return {"key": key, "client": client.name, "message": finding["message"], **judged}


def read_judgements(file: Path = JUDGEMENTS) -> Mapping[str, Mapping[str, str]]:
    return (yaml.safe_load(file.read_text()) or {}) if file.is_file() else {}


def _counted(words: Iterator[str]) -> dict[str, int]:
    return dict(sorted(Counter(words).items()))


def table(result: Mapping[str, Any]) -> str:
    """Return the result as a table for people: what, and what was found."""
    rows = [("what", "found"), ("---", "---")]
    models, clients = result.get("models", {}), result["clients"]
    for how in _HOWS if models else ():
        methods, verdict = models[how]["methods"], models[how]["verdict"]
        true = sum(methods.get(each, 0) for each in ("exact", "differs", "only-sdk"))
        rows.append((f"models read {_BY[how]}", f"{methods.get('exact', 0)} of {true} exact; {_said(methods)}"))
        rows.append((f"taken or refused, {_BY[how]}", _said(verdict)))
    kinds = clients["calls"]
    counts = Counter[str]()
    for kind, each in kinds.items():
        rows.append((f"{kind} calls, without their model", f"{each['counted']}: {_said(each['without models'])}"))
        rows.append((f"{kind} calls, with one", f"{each['counted']}: {_said(each['with models'])}"))
        for became, number in each["with models"].items():
            counts[became.partition(" ")[0]] += number
    rows.append(("all calls, with a model", f"{counts.total()}: {_said(counts)}"))
    if "checked and proved" in clients:
        proved, unproved = clients["checked and proved"], len(clients["checked and not proved"])
        rows.append(("checked calls, once they are made wrong", f"{proved} found, {unproved} not"))
    rows.append(("errors and warnings", _said(clients["errors"]) or "none"))
    rows.append(("files dropped whole", f"{len(clients['files dropped whole'])} of {clients['files']}"))
    for how, kinds in result["other languages"].items():
        for kind, each in kinds.items() if how != "silent" else ():
            said = f"{sum(each.values())}: {_said(each)}"
            rows.append((f"{kind} calls in JavaScript, TypeScript, shell, {how}", said))
    mutants = Counter[str]()
    for what, each in result["mutants"].items():
        rows.append((f"mutants: {what}", _said(each)))
        mutants.update(each)
    rows.append(("all mutants", _said(mutants)))
    return "\n".join(f"| {what} | {said} |" for what, said in rows)


_BY = {"import": "by import", "static": "from source"}


def _said(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {what}" for what, number in sorted(counts.items(), key=lambda each: -each[1]))


def compared(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return every figure that differs between two results, and every place that is new in a list or gone."""
    return list(_compared("", before, after))


def _compared(place: str, before: Any, after: Any) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            yield from _compared(f"{place} / {key}" if place else key, before.get(key), after.get(key))
    elif isinstance(before, list) or isinstance(after, list):
        old, new = [map_ if isinstance(map_, list) else [] for map_ in (before, after)]
        yield from (f"- {place}: {each}" for each in old if each not in new)
        yield from (f"+ {place}: {each}" for each in new if each not in old)
    elif before != after:
        yield f"  {place}: {before} → {after}"
