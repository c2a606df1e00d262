"""Runs ``check`` over the client files and says of each counted call what became of it.

Most clients call models that Clarifai hosts, whose code is not public. So each file is checked twice: without its
models (each call must be named), and with a public directory standing at every address that the file names: its
own where ``pairs.yaml`` names it, else one of the old kind for clients that send protobuf inputs, an MCP server for
those of MCP, and one of a language model for the others. A copy of each file, in which every counted call is wrong
(``call_edits.probe``), shows which calls are looked at.
"""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ground.call_counting import CountedCall, counted
from ground.call_edits import Edit, edited, probe
from ground.client_code import PYTHON, cell_source
from ground.ground_list import HERE, Entry
from ground.programs import emulator
from ground.text_calls import counted_text

# The directories that stand at the addresses of hosted models.
LANGUAGE_MODEL = "Clarifai/runners-examples@1ece936442a9:llm/agentic-gpt-5_1"
OLD_KIND = "Clarifai/clarifai-python@8dbe72bb8013:tests/runners/dummy_runner_proto_model"
MCP_SERVER = "Clarifai/clarifai-python@8dbe72bb8013:tests/runners/dummy_mcp_model"
# What is wrong with an address is wrong with each call of a client that is built from it.
_OF_ADDRESSES = ("openai", "mcp", "rest")

_PAIRS: Mapping[str, str] = yaml.safe_load((HERE / "pairs.yaml").read_text())
_ADDRESS = re.compile(r"[\w.-]+/[\w.-]+/models/[\w.-]*\w")
_URL = re.compile(r"clarifai\.com/(?:ext/mcp/v1/users/)?([\w.-]+/[\w.-]+/models/[\w.-]*\w)")


@dataclass(slots=True)
class Client:
    """A client file, the calls counted in it, and what ``check`` said of it, with and without its models."""

    name: str
    path: Path
    calls: list[CountedCall]
    without: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    given: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    probed: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    @property
    def stand_in(self) -> str:
        """Return the directory that stands at the addresses which it names."""
        if self.name in _PAIRS:
            return _PAIRS[self.name]
        kinds = {each.kind for each in self.calls}
        return OLD_KIND if "legacy" in kinds else MCP_SERVER if kinds == {"mcp"} else LANGUAGE_MODEL

    def addresses(self) -> Iterator[str]:
        """Yield the addresses of models that it names, as ``USER/APP/models/ID``."""
        for finding in self.without:
            if finding["rule"] == "model-not-given":
                yield from _ADDRESS.findall(finding["message"])
        yield from _URL.findall(self.path.read_text(errors="replace"))


def clients(entries: Iterable[Entry], root: Path) -> list[Client]:
    """Return the clients in Python with their counted calls."""
    found: list[Client] = []
    for entry in entries:
        path = entry.place(root)
        if path.suffix in PYTHON:
            found.append(Client(entry.name, path, counted(path)))
    return found


def other_languages(
    entries: Iterable[Entry], root: Path, said: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, int]]:
    """Count what became of the calls in files that are no Python, by kind. ``said``: what was found there."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for path in (each.place(root) for each in entries):
        if path.suffix not in PYTHON:
            here = [each for each in said if each["file"] == str(path)]
            for kind, line, _ in counted_text(path):
                near = [each for each in here if each["line"] <= line <= max(each["line"], each["end_line"])]
                counts[kind][f"{_WORDS[near[0]['severity']]} {near[0]['rule']}" if near else "silent"] += 1
    return {kind: dict(sorted(count.items())) for kind, count in sorted(counts.items())}


_WORDS = {"error": "error", "warning": "warning", "unchecked": "named", "note": "named"}


def check_all(those: Sequence[Client], models: Mapping[str, Path], root: Path, work: Path) -> list[dict[str, Any]]:
    """Check every client, and note what is said of it; return what is said of files that are no Python."""
    by_file = {str(each.path): each for each in those}
    elsewhere: list[dict[str, Any]] = []
    for finding in findings([root / "clients"], [str(models[LANGUAGE_MODEL])]):
        if finding["file"] in by_file:
            by_file[finding["file"]].without.append(finding)
        else:
            elsewhere.append(finding)
    copies = {str(_probe_copy(each, root, work / "probe")): each for each in those}
    for stand_in in sorted({each.stand_in for each in those}):
        part = [each for each in those if each.stand_in == stand_in]
        given = sorted({address for each in part for address in each.addresses()})
        paths = [each.path for each in part] + [Path(copy) for copy, each in copies.items() if each in part]
        options = [f"{models[stand_in]}=*", *(f"{models[stand_in]}={address}" for address in given)]
        for finding in findings(paths, options):
            if finding["file"] in by_file:
                by_file[finding["file"]].given.append(finding)
            elif finding["file"] in copies:
                copies[finding["file"]].probed.append(finding)
    return elsewhere


def findings(paths: Sequence[Path], models: Sequence[str]) -> list[dict[str, Any]]:
    """Return what ``check`` finds in these files and folders with these models."""
    options = [option for model in models for option in ("--model", model)]
    done = emulator("check", "--format", "json", *map(str, paths), *options)
    if not done.stdout.startswith("{"):
        raise RuntimeError(f"check ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return [{**each, "file": str(Path(each["file"]).absolute())} for each in json.loads(done.stdout)["findings"]]


def _probe_copy(client: Client, root: Path, work: Path) -> Path:
    edits: dict[int, list[Edit]] = defaultdict(list)
    for call in client.calls:
        edit = probe(call.node, call.kind)
        if edit is not None and not any(_overlap(edit, each) for each in edits[call.cell]):
            edits[call.cell].append(edit)
    return write_copy(client, edits, work / client.path.relative_to(root))


def write_copy(client: Client, edits: Mapping[int, Sequence[Edit]], place: Path) -> Path:
    """Write a client with edits of its cells, or of the file, and return where."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if client.path.suffix == ".ipynb":
        notebook = json.loads(client.path.read_text(errors="replace"))
        for number, cell in enumerate(notebook["cells"], 1):
            if number in edits:
                cell["source"] = edited(cell_source(cell), list(edits[number]))
        place.write_text(json.dumps(notebook))
    else:
        shutil.copyfile(client.path, place)
        if edits.get(0):
            place.write_text(edited(client.path.read_text(errors="replace"), list(edits[0])))
    return place.absolute()


def _overlap(one: Edit, other: Edit) -> bool:
    begin, end = (one.line, one.column), (one.end_line, one.end_column)
    return begin < (other.end_line, other.end_column) and (other.line, other.column) < end


def outcome(client: Client, call: CountedCall, *, given: bool) -> tuple[str, str]:
    """Return what became of a call, and by which rule: ``error``, ``warning``, ``named``, ``checked``, ``silent``;
    or ``unprobed``, where nothing was said and nothing literal can be made wrong to see if it is looked at."""
    said = client.given if given else client.without
    at_call = list(_at(said, call, with_origins=call.kind in _OF_ADDRESSES))
    for severity in ("error", "warning"):
        if rules := sorted({each["rule"] for each in at_call if each["severity"] == severity}):
            return severity, rules[0]
    named = [each for each in _at(said, call, with_origins=True) if each["severity"] == "unchecked"]
    if named:
        return "named", named[0]["rule"]
    if given:
        looked_at = list(_at(client.probed, call, with_origins=False))
        if looked_at:  # nothing was said of the call as it was
            return "checked", ""
        if probe(call.node, call.kind) is None:
            return "unprobed", ""
    return "silent", ""


def _at(said: Iterable[dict[str, Any]], call: CountedCall, *, with_origins: bool) -> Iterator[dict[str, Any]]:
    places = [(call.cell, call.node.lineno, call.end_line), *(call.origins if with_origins else ())]
    for finding in said:
        if finding["rule"] == "unreadable-client":
            if finding.get("cell", 0) in (0, call.cell):
                yield finding
        elif any(
            finding.get("cell", 0) == cell and first <= finding["line"] <= last for cell, first, last in places
        ):
            yield finding
