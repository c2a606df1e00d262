"""Holds what ``Model`` and ``ModelClient`` had in each published version of the SDK.

``sdk_versions.json`` is written from the wheels of the package index (``.ci/sdk_table.py``): the names, each with
the ranges of versions that have it, and its parameters in each range. ``url input_type= **kwargs`` has one that
must be given, one that may be, and takes any others.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from packaging.version import Version

from clarifai_emulator.contracts.stubs.sdk_surface import SdkParameter, SdkSurface

TABLE = Path(__file__).with_name("sdk_versions.json")
# What is no function has no parameters, which are not none.
_VALUE = "-"


def newest_surface() -> SdkSurface:
    """Return the surface of the newest version in the table."""
    return surface_of_version(published()[-1])


def surface_of_version(version: str) -> SdkSurface:
    """Return the surface of a version; of one that the table does not have, that of the last one before it."""
    versions = published()
    wanted = Version(version)
    known = [number for number, each in enumerate(versions) if Version(each) <= wanted] or [0]
    model, model_values = _names(_table()["Model"], known[-1])
    client, client_values = _names(_table()["ModelClient"], known[-1])
    return SdkSurface(versions[known[-1]], model, client, frozenset(model_values), frozenset(client_values))


def published() -> list[str]:
    """Return the versions in the table, the oldest first."""
    return _table()["versions"]


def versions_with(name: str, parameter: str) -> tuple[str, str] | None:
    """Return the first and the last version in which a function of ``Model`` has a parameter of this name; ``None``
    where none has."""
    found: list[int] = [
        number
        for first, last, text in _table()["Model"].get(name, ())
        if text != _VALUE and any(each.name == parameter for each in _parameters(text))
        for number in (int(first), int(last))
    ]
    versions = published()
    return (versions[min(found)], versions[max(found)]) if found else None


def table_of(surfaces: Sequence[SdkSurface]) -> str:
    """Write the table of these versions, the oldest first."""
    table: dict[str, Any] = {"versions": [each.version for each in surfaces]}
    for owner in ("Model", "ModelClient"):
        names: dict[str, list[list[Any]]] = {}
        for number, each in enumerate(surfaces):
            for name, text in _texts(each, owner).items():
                ranges = names.setdefault(name, [])
                if ranges and ranges[-1][1] == number - 1 and ranges[-1][2] == text:
                    ranges[-1][1] = number
                else:
                    ranges.append([number, number, text])
        table[owner] = dict(sorted(names.items()))
    lines = [f'"versions": {json.dumps(table["versions"])}']
    for owner in ("Model", "ModelClient"):
        inner = ",\n".join(f"  {json.dumps(name)}: {json.dumps(ranges)}" for name, ranges in table[owner].items())
        lines.append(f'"{owner}": {{\n{inner}\n}}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _texts(surface: SdkSurface, owner: str) -> dict[str, str]:
    functions = surface.model if owner == "Model" else surface.client
    values = surface.model_values if owner == "Model" else surface.client_values
    texts = {name: " ".join(map(_text, parameters)) for name, parameters in functions.items()}
    return {**dict.fromkeys(values, _VALUE), **texts}


def _text(parameter: SdkParameter) -> str:
    return f"{parameter.star}{parameter.name}{'' if parameter.required or parameter.star else '='}"


def _names(
    table: Mapping[str, Sequence[Sequence[Any]]], number: int
) -> tuple[dict[str, tuple[SdkParameter, ...]], set[str]]:
    functions: dict[str, tuple[SdkParameter, ...]] = {}
    values: set[str] = set()
    for name, ranges in table.items():
        text = next((each[2] for each in ranges if each[0] <= number <= each[1]), None)
        if text == _VALUE:
            values.add(name)
        elif text is not None:
            functions[name] = _parameters(text)
    return functions, values


def _parameters(text: str) -> tuple[SdkParameter, ...]:
    found: list[SdkParameter] = []
    for each in text.split():
        name = each.strip("*=")
        stars = each[: each.index(name)]
        found.append(SdkParameter(name, not stars and not each.endswith("="), stars))
    return tuple(found)


@cache
def _table() -> dict[str, Any]:
    return json.loads(TABLE.read_text())
