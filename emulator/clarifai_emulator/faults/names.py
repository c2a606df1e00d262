"""Finds the names in a fault that nothing has, with the nearest that something does: it would never be injected."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

from clarifai_emulator.faults.fault import Fault
from clarifai_emulator.faults.selectors import is_called
from clarifai_emulator.spelling import nearest
from clarifai_emulator.store import Key, Kind, Store

_KINDS = {"model": Kind.MODEL, "caller": Kind.MODEL, "deployment": Kind.DEPLOYMENT, "nodepool": Kind.NODEPOOL}
_MOST = 6


def unknown_in(
    store: Store, fault: Fault, user_id: str, owns: Callable[[str], bool] = lambda user_id: True
) -> list[str]:
    """Find the unknown names of a fault as ``unknown_names`` does, among what a store has of the users that
    ``owns`` names."""
    known = {name: [key for key in store.keys(kind) if owns(key[0])] for name, kind in _KINDS.items()}
    return list(unknown_names(fault, user_id, known))


def unknown_names(fault: Fault, user_id: str, known: Mapping[str, Collection[Key]]) -> Iterator[str]:
    """A sentence for each model, deployment or nodepool that the fault names and that is not there. ``user_id``:
    who ``me`` is; ``known``: keys by kind (``model``, ``deployment``, ``nodepool``). A fault may come before what
    it names, so this is no error."""
    for kind, keys in known.items():
        parts = fault.name_of(kind, user_id)
        if not parts or any(is_called(key, parts) for key in keys):
            continue
        ids = {key[-1]: key for key in keys}
        near = nearest(parts[-1], ids)
        if near:
            others = f"Did you mean '{_named(ids[near], parts, user_id)}'?"
        else:
            names = sorted(ids)
            listed = ", ".join(names[:_MOST]) + (" …" if len(names) > _MOST else "")
            others = f"There are: {listed}." if names else "There is none."
        yield f"There is no {'model' if kind == 'caller' else kind} '{getattr(fault, kind)}'. {others}"


def _named(key: Key, parts: tuple[str, ...], user_id: str) -> str:
    """A key with as many parts as were written, and at least as many as tell it from what was written."""
    written = key[-len(parts) :]
    whole = len(parts) == len(key) and key[0] == user_id
    return "/".join(("me", *key[1:]) if whole else written)
