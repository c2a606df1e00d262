"""Reads Kubernetes quantities (``500m``, ``16Gi``) into numbers, and writes numbers for people."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from functools import lru_cache

# ``K`` is not Kubernetes, but Clarifai's SDK reads it, so files that hold it exist.
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "K": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_SHAPE = re.compile(
    r"(?P<number>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:(?P<exponent>[eE][+-]?[0-9]{1,2})|(?P<suffix>[A-Za-z]*))"
)
_LARGEST = Decimal(2**63 - 1)


@lru_cache(maxsize=4096)
def parse_cpu(text: str) -> int:
    """CPUs in millicores, rounded up: ``"500m"`` → 500, ``"2"`` → 2000.

    Raises ``ValueError`` that quotes the text and says what is expected.
    """
    return math.ceil(_parse(text, "a number of CPUs", '"500m", "2" or "4.5"') * 1000)


@lru_cache(maxsize=4096)
def parse_memory(text: str) -> int:
    """Memory in bytes, rounded up: ``"16Gi"`` → 17179869184, ``"16G"`` → 16000000000.

    Raises ``ValueError`` that quotes the text and says what is expected.
    """
    return math.ceil(_parse(text, "an amount of memory", '"16Gi", "512Mi" or "16G"'))


def format_cpu(millicores: int) -> str:
    """Millicores for people: 500 → ``0.5 CPUs``, 1000 → ``1 CPU``."""
    return "1 CPU" if millicores == 1000 else f"{_trimmed(Decimal(millicores) / 1000, 3)} CPUs"


def format_memory(size: int) -> str:
    """Bytes in the largest binary unit that fits, two decimals at most: 17179869184 → ``16Gi``."""
    for suffix, power in reversed(_BINARY.items()):
        if size >= 1024**power:
            return f"{_trimmed(Decimal(size) / 1024**power, 2)}{suffix}"
    return str(size)


def _parse(text: str, what: str, examples: str) -> Decimal:
    shape = _SHAPE.fullmatch(text.strip())
    if shape is None:
        raise ValueError(f"{text!r} is not {what}: expected a number with an optional suffix, like {examples}")
    number = Decimal(shape["number"])
    suffix = shape["suffix"] or ""
    if shape["exponent"]:
        value = number.scaleb(int(shape["exponent"][1:]))
    elif suffix in _DECIMAL:
        value = number.scaleb(_DECIMAL[suffix])
    elif suffix in _BINARY:
        value = number * 1024 ** _BINARY[suffix]
    else:
        known = ", ".join([*filter(None, _DECIMAL), *_BINARY])
        raise ValueError(f"{text!r} is not {what}: the suffix {suffix!r} is not one of {known}")
    if value > _LARGEST:
        raise ValueError(f"{text!r} is not {what}: it is larger than Kubernetes can hold")
    return value


def _trimmed(value: Decimal, places: int) -> str:
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
