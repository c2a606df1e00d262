"""Runs ``check`` over the client files and says of each counted call what became of it.

Most clients call models that Clarifai hosts, whose code is not public. So each file is checked twice: without its
models (each call must be named), and with a public directory standing at every address that the file names: its
own where ``pairs.yaml`` names it, else one of the old kind for clients that send protobuf inputs, an MCP server for
those of MCP, and one of a language model for the others. What became of a call is what ``check`` lists of it; one
that it does not list is silent. Whether the list is true, a copy of each file shows, in which every counted call is
wrong (``call_edits.probe``): what was called checked must be an error there, or named.
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
from ground.ground_list import HERE, Entry, digest
from ground.programs import emulator
from ground.text_calls import counted_text

# The directories that stand at the addresses of hosted models.
LANGUAGE_MODEL = "Clarifai/runners-examples@1ece936442a9:llm/agentic-gpt-5_1"
OLD_KIND = "Clarifai/clarifai-python@8dbe72bb8013:tests/runners/dummy_runner_proto_model"
MCP_SERVER = "Clarifai/clarifai-python@8dbe72bb8013:tests/runners/dummy_mcp_model"
SILENT = "silent"
_PAIRS: Mapping[str, str] = yaml.safe_load((HERE / "pairs.yaml").read_text())
_ADDRESS = re.compile(r"[\w.-]+/[\w.-]+/models/[\w.-]*\w")
_URL = re.compile(r"clarifai\.com/(?:ext/mcp/v1/users/)?([\w.-]+/[\w.-]+/models/[\w.-]*\w)")


@dataclass(slots=True)
class Said:
    """The words of ``check`` about a file: findings, and calls with what became of them."""

    findings: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    calls: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


@dataclass(slots=True)
class Client:
    """A client file, the calls counted in it, and what ``check`` said of it: without its models, with them, and
    where every call is made wrong."""

    name: str
    path: Path
    calls: list[CountedCall]
    without: Said = field(default_factory=Said)
    given: Said = field(default_factory=Said)
    probed: Said = field(default_factory=Said)

    @property
    def stand_in(self) -> str:
        """Return the directory that stands at the addresses which it names."""
        if self.name in _PAIRS:
            return _PAIRS[self.name]
        kinds = {each.kind for each in self.calls}
        return OLD_KIND if "legacy" in kinds else MCP_SERVER if kinds == {"mcp"} else LANGUAGE_MODEL

    def addresses(self) -> Iterator[str]:
        """Yield the addresses of models that it names, as ``USER/APP/models/ID``."""
        for finding in self.without.findings:
            if finding["rule"] == "model-not-given":
                yield from _ADDRESS.findall(finding["message"])
        yield from _URL.findall(self.path.read_text(errors="replace"))


def clients(entries: Iterable[Entry], root: Path) -> list[Client]:
    """Return the clients; those in Python with their counted calls."""
    paths = {entry.name: entry.place(root) for entry in entries}
    return [Client(name, path, counted(path) if path.suffix in PYTHON else []) for name, path in paths.items()]


def other_languages(
    those: Iterable[Client], judged: Mapping[str, Mapping[str, str]]
) -> dict[str, dict[str, dict[str, int]] | list[str]]:
    """Count what became of the calls in files that are no Python, without models and with them, by kind, and list
    the silent ones. ``judged``: silent calls that were judged to be none of a model of the platform."""
    counts: dict[str, dict[str, Counter[str]]] = {"without models": {}, "with models": {}}
    silent: set[str] = set()
    for client in those:
        for kind, line, method in counted_text(client.path):
            key = f"{digest(client.path.read_bytes())[:12]}:{line} {SILENT}"
            for how, said in (("without models", client.without), ("with models", client.given)):
                listed = next((each for each in said.calls if each["end_line"] == line), None)
                became = " ".join(_outcome(listed)).strip() if listed is not None else SILENT
                became = judged[key]["judged"] if became == SILENT and key in judged else became
                counts[how].setdefault(kind, Counter())[became] += 1
                if became == SILENT:
                    silent.add(f"{client.name}:{line} {method}")
    return {
        **{
            how: {kind: dict(sorted(each.items())) for kind, each in kinds.items()} for how, kinds in counts.items()
        },
        "silent": sorted(silent),
    }


_WORDS = {"error": "error", "warning": "warning", "unchecked": "named", "checked": "checked", "ignored": "ignored"}


def check_all(those: Sequence[Client], models: Mapping[str, Path], root: Path, work: Path) -> None:
    """Check every client, and note what is said of it."""
    without = said_of([root / "clients"], [str(models[LANGUAGE_MODEL])])
    for each in those:
        each.without = without.get(str(each.path), Said())
    copies = {each.name: _probe_copy(each, root, work / "probe") for each in those if each.calls}
    for stand_in in sorted({each.stand_in for each in those}):
        part = [each for each in those if each.stand_in == stand_in]
        given = sorted({address for each in part for address in each.addresses()})
        paths = [*(each.path for each in part), *(copies[each.name] for each in part if each.name in copies)]
        options = [f"{models[stand_in]}=*", *(f"{models[stand_in]}={address}" for address in given)]
        said = said_of(paths, options)
        for each in part:
            each.given = said.get(str(each.path), Said())
            each.probed = said.get(str(copies.get(each.name)), Said())


def said_of(paths: Sequence[Path], models: Sequence[str]) -> dict[str, Said]:
    """Return what ``check`` says of these files and folders with these models, by the path of the file."""
    options = [option for model in models for option in ("--model", model)]
    done = emulator("check", "--format", "json", *map(str, paths), *options)
    if not done.stdout.startswith("{"):
        raise RuntimeError(f"check ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    found: dict[str, Said] = defaultdict(Said)
    document = json.loads(done.stdout)
    for each in document["findings"]:
        found[str(Path(each["file"]).absolute())].findings.append(each)
    for each in document["calls"]:
        found[str(Path(each["file"]).absolute())].calls.append(each)
    return dict(found)


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
    """Return what became of a call, and by which rule: ``error``, ``warning``, ``named``, ``checked``, ``ignored``,
    or ``silent``."""
    said = client.given if given else client.without
    listed = next((each for each in said.calls if _is_at(each, call)), None)
    if listed is not None:
        return _outcome(listed)
    unread = next((each for each in said.findings if each["rule"] in _UNREAD and _is_of_cell(each, call)), None)
    return ("named", unread["rule"]) if unread is not None else (SILENT, "")


# Of a file or a cell that cannot be read, no call is known.
_UNREAD = ("unreadable-client", "unreadable-cell")


def is_proved(client: Client, call: CountedCall) -> bool | None:
    """Tell whether a call is told as wrong, or as not checked, where it is made wrong; None where nothing literal
    of it can be."""
    if probe(call.node, call.kind) is None:
        return None
    found = next((each for each in client.probed.calls if _is_at(each, call, ends_there=False)), None)
    return found is not None and found["verdict"] != "checked"


def _outcome(listed: Mapping[str, Any]) -> tuple[str, str]:
    return _WORDS[listed["verdict"]], listed["rule"]


def _is_at(listed: Mapping[str, Any], call: CountedCall, *, ends_there: bool = True) -> bool:
    """Tell whether a listed call is this one: what is called ends there. In a copy, a call may begin elsewhere."""
    if listed.get("cell", 0) != call.cell:
        return False
    if ends_there:
        return (listed["end_line"], listed["end_column"]) == (call.line, call.end_column)
    return listed["end_line"] == call.line


def _is_of_cell(finding: Mapping[str, Any], call: CountedCall) -> bool:
    return finding.get("cell", 0) in (0, call.cell)
