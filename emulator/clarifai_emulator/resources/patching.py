"""Applies patch actions to a message: ``overwrite``, ``merge``, ``remove``.

A patch changes only fields that are present in it. On the wire a number, text or flag at its zero value is not
present, so a patch cannot set one back to zero; that is protobuf's rule, not the emulator's. A caller that knows
which fields are meant (an edit of a topology file) names them: ``assign``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from google.protobuf.struct_pb2 import Struct

from clarifai_emulator.messages.descriptors import is_repeated


def overwrite(target: Any, given: Any) -> None:
    """Replace each field that ``given`` has, lists and nested messages as a whole."""
    for field, value in given.ListFields():
        target.ClearField(field.name)
        _set(target, field, value)


def merge(target: Any, given: Any) -> None:
    """Replace single values, merge nested messages, and add list items; an item with the id (or name) of one
    that is there replaces it."""
    for field, value in given.ListFields():
        if is_repeated(field):
            _merge_list(getattr(target, field.name), value)
        elif isinstance(value, Struct):
            getattr(target, field.name).update(dict(value))
        elif field.message_type is not None:
            merge(getattr(target, field.name), value)
        else:
            setattr(target, field.name, value)


def remove(target: Any, given: Any) -> None:
    """Take out the given list items and metadata keys, and single values that equal the given one."""
    for field, value in given.ListFields():
        current = getattr(target, field.name)
        if is_repeated(field):
            kept = [each for each in current if not any(_same(each, gone) for gone in value)]
            target.ClearField(field.name)
            getattr(target, field.name).extend(kept)
        elif isinstance(value, Struct):
            for key in value:
                if key in current:
                    del current[key]
        elif current == value and field.name != "id":
            target.ClearField(field.name)


def assign(target: Any, given: Any, names: Collection[str]) -> None:
    """Give these fields the values that they have in ``given``: none, where it has none."""
    for name in names:
        target.ClearField(name)
    overwrite(target, only(given, names))


def only(message: Any, names: Collection[str]) -> Any:
    """A copy of a message that has nothing but these fields."""
    part = type(message)()
    for field, value in message.ListFields():
        if field.name in names:
            _set(part, field, value)
    return part


ACTIONS: dict[str, Callable[[Any, Any], None]] = {"merge": merge, "overwrite": overwrite, "remove": remove}


def _set(target: Any, field: Any, value: Any) -> None:
    if is_repeated(field):
        getattr(target, field.name).extend(value)
    elif field.message_type is not None:
        getattr(target, field.name).CopyFrom(value)
    else:
        setattr(target, field.name, value)


def _merge_list(current: Any, given: Any) -> None:
    items = list(current)
    for new in given:
        place = next((index for index, old in enumerate(items) if _same(old, new)), None)
        if place is None:
            items.append(new)
        else:
            items[place] = new
    copies = [_copy(item) for item in items]
    del current[:]
    current.extend(copies)


def _copy(item: Any) -> Any:
    if not hasattr(item, "CopyFrom"):
        return item
    copy = type(item)()
    copy.CopyFrom(item)
    return copy


def _same(one: Any, other: Any) -> bool:
    for name in ("id", "name"):
        if getattr(one, name, "") and getattr(other, name, ""):
            return getattr(one, name) == getattr(other, name)
    return one == other
