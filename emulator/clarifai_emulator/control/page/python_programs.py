"""Puts Python programs together from calls: lines that are not too long, and the imports that they need."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

_WIDTH = 100
_STANDARD = {"json": "import json", "os": "import os", "Path": "from pathlib import Path"}
_OTHERS = {"np": "import numpy as np", "pytest": "import pytest"}
_TYPES = ("Audio", "Concept", "Image", "NamedFields", "Region", "Text", "Video")


def imports(names: Collection[str], *more: str) -> list[str]:
    """Return the lines that import these names, in the order that Python programmers expect."""
    standard = [line for name, line in _STANDARD.items() if name in names]
    others = [line for name, line in _OTHERS.items() if name in names]
    types = ", ".join(each for each in _TYPES if each in names)
    others += [*more, *([f"from clarifai.runners.utils.data_types import {types}"] if types else [])]
    return [*standard, *([""] if standard and others else []), *others]


def call_lines(function: str, given: Sequence[Mapping[str, str]]) -> str:
    """Return a call with named arguments; one with several inputs sends them together."""
    if len(given) == 1:
        arguments = [f"{name}={value}" for name, value in given[0].items()]
    else:
        arguments = [f"[{', '.join(map(_mapping, given))}]"]
    short = f"{function}({', '.join(arguments)})"
    if len(short) <= _WIDTH or not arguments:
        return short
    return "\n".join([f"{function}(", *(f"    {each}," for each in arguments), ")"])


def _mapping(given: Mapping[str, str]) -> str:
    return f"{{{', '.join(f'{name!r}: {value}' for name, value in given.items())}}}"
