"""Asks protobuf's descriptors what its versions answer under different names."""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor import FieldDescriptor


def is_repeated(field: Any) -> bool:
    """Tell whether a field holds a list or a map."""
    try:
        return field.is_repeated
    except AttributeError:  # came with 6.31; `label`, which it replaces, went with 7
        return field.label == FieldDescriptor.LABEL_REPEATED  # pyright: ignore[reportDeprecated]
