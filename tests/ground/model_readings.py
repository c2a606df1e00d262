"""Reads every model directory three ways and says where they differ: the checker by import and from the source
alone, and the SDK that the model names, as its upload reads it."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import MethodSignature

from clarifai_emulator.messages.json import as_dict
from ground.ground_list import Entry
from ground.programs import emulator

# An odd directory must not take the others' answers with it.
_AT_ONCE = 15
_SDK_LINE = re.compile(r"^clarifai(?![\w-])\s*(?:\[[^\]]*\])?\s*([^#;\n]*)", re.MULTILINE | re.IGNORECASE)
_OWN = ""

Contracts = dict[str, dict[str, Any]]


def readings(entries: Sequence[Entry], root: Path) -> dict[str, dict[str, Any]]:
    """Return, for each directory by its name: ``import``, ``static`` (see ``compared``), ``sdk``, ``refused``."""
    places = {entry.name: entry.place(root) for entry in entries}
    truths = sdk_readings(list(places.values()))
    shown = {how: contracts(list(places.values()), how) for how in ("import", "static")}
    return {
        name: {
            "sdk": truths[str(place)]["sdk"],
            "refused": truths[str(place)]["refused"] or truths[str(place)]["unreadable"],
            **{how: compared(shown[how].get(str(place), {}), truths[str(place)]) for how in shown},
        }
        for name, place in places.items()
    }


def contracts(directories: Sequence[Path], how: str) -> Contracts:
    """Return what ``contract show`` prints of each directory."""
    answers: Contracts = {}
    for start in range(0, len(directories), _AT_ONCE):
        part = [str(each) for each in directories[start : start + _AT_ONCE]]
        done = emulator("contract", "show", "--json", *(["--static"] if how == "static" else []), *part)
        answers |= {each["directory"]: each for each in json.loads(done.stdout or "[]")}
    return answers


def sdk_readings(directories: Sequence[Path]) -> Contracts:
    """Return what ``sdk_reading_main.py`` says of each directory, in an environment with the SDK that it names."""
    by_line: dict[str, list[Path]] = defaultdict(list)
    for directory in directories:
        by_line[sdk_line(directory)].append(directory)
    answers: Contracts = {}
    for line, those in sorted(by_line.items()):
        answers |= _read(line, those)
    return answers


def sdk_line(directory: Path) -> str:
    """Return the requirement of the SDK, empty where the one installed here will do."""
    file = directory / "requirements.txt"
    found = _SDK_LINE.search(file.read_text(errors="replace")) if file.is_file() else None
    asked = found[1].strip().replace(" ", "") if found else ""
    return f"clarifai{asked}" if asked and not _fits(asked) else _OWN


def _fits(asked: str) -> bool:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return SpecifierSet(asked).contains(metadata.version("clarifai"))
    except InvalidSpecifier:
        return True


def _read(line: str, directories: Sequence[Path]) -> Contracts:
    try:
        python = _environment(line)
    except subprocess.CalledProcessError as error:
        why = f"no environment for {line}: {(error.stderr or '').strip()[-200:]}"
        return {str(each): _unread(str(each), why) for each in directories}
    done = subprocess.run(
        [python, Path(__file__).with_name("sdk_reading_main.py")],
        input=json.dumps([str(each) for each in directories]),
        capture_output=True,
        text=True,
    )
    told = {each["directory"]: each for each in map(json.loads, done.stdout.splitlines())}
    why = (done.stderr.strip().splitlines() or ["nothing was said"])[-1]
    return {str(each): told.get(str(each)) or _unread(str(each), why) for each in directories}


def _unread(directory: str, why: str) -> dict[str, Any]:
    return {"directory": directory, "sdk": "", "refused": "", "signatures": [], "unreadable": why}


def _environment(line: str) -> str:
    if line == _OWN:
        return sys.executable
    from sdk_environments import cached_environment  # pyright: ignore[reportMissingImports] - below tests/

    return str(cached_environment(line, "protobuf<7", "requests"))


def compared(contract: Mapping[str, Any], truth: Mapping[str, Any]) -> dict[str, Any]:
    """Compare the checker's reading with the SDK's. ``methods``: ``exact``, ``differs``, ``none`` (the SDK reads
    none, nor does the checker), ``only-sdk``, ``only-checker``; ``how``: in what. ``errors``: what the checker
    refuses; ``verdict``: whether both take or refuse the directory."""
    told = {each["name"]: each for each in contract.get("methods", [])}
    true = {each["name"]: each for each in map(_signature, truth["signatures"])}
    errors = sorted({each["rule"] for each in contract.get("findings", []) if each["severity"] == "error"})
    unchecked = sorted({each["rule"] for each in contract.get("findings", []) if each["severity"] == "unchecked"})
    refused = bool(truth["refused"] or truth["unreadable"])
    return {
        "way": contract.get("way", "no answer"),
        "methods": _kind(told, true),
        "how": sorted(set(_differences(told, true))),
        "errors": errors,
        "unchecked": unchecked,
        "verdict": _VERDICTS[bool(errors), refused],
        "texts": sorted({each["message"] for each in contract.get("findings", []) if each["severity"] == "error"}),
    }


_VERDICTS = {
    (False, False): "both take it",
    (True, True): "both refuse it",
    (True, False): "only the checker refuses it",
    (False, True): "only the SDK refuses it",
}


def _signature(text: str) -> dict[str, Any]:
    return as_dict(MethodSignature.FromString(base64.b64decode(text)))


def _kind(told: Mapping[str, Any], true: Mapping[str, Any]) -> str:
    if not true:
        return "only-checker" if told else "none"
    if not told:
        return "only-sdk"
    return "exact" if told == true else "differs"


def _differences(told: Mapping[str, Any], true: Mapping[str, Any]) -> Iterator[str]:
    """Name the methods and fields that differ, for people: ``predict.input_fields[2].default: 'a', not 'b'``."""
    if not told or not true:
        return
    for name in sorted({*told, *true}):
        if name not in told or name not in true:
            yield f"{name}: {'missing' if name in true else 'not a method'}"
        else:
            yield from _deep(name, told[name], true[name])


def _deep(place: str, one: Any, other: Any) -> Iterator[str]:
    if one == other:
        return
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}):
            yield from _deep(f"{place}.{key}", one.get(key), other.get(key))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, pair in enumerate(zip(one, other, strict=True)):
            yield from _deep(f"{place}[{index}]", *pair)
    else:
        yield f"{place}: {str(one)[:60]!r}, not {str(other)[:60]!r}"
