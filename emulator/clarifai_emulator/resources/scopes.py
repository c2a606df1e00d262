"""Knows the scopes: what a key may do, which of them an RPC asks for, and which make a useless key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache

from clarifai_grpc.grpc.auth.scope import scope_pb2

from clarifai_emulator.spelling import did_you_mean_or

ALL = "All"


@cache
def scope_names() -> tuple[str, ...]:
    """Every scope of the platform."""
    return tuple(name for name in scope_pb2.S.keys() if name != "undef")  # noqa: SIM118 - an enum wrapper


def granted(scopes: Iterable[str]) -> frozenset[str] | None:
    """Return what a key with these scopes may do; None when that is everything."""
    names = frozenset(scopes)
    return None if not names or ALL in names else names


def scope_problems(scopes: Iterable[str]) -> Iterator[str]:
    """Yield what is wrong with the scopes of a new key: names that are not known, or that are of no use alone."""
    names = list(scopes)
    for name in names:
        if name not in _dependencies():
            hint = did_you_mean_or(name, scope_names(), "MyScopes lists them")
            yield f"{name!r} is not a scope of the platform; {hint}"
        elif lacking := [] if ALL in names else sorted(_dependencies()[name] - set(names)):
            yield f"{name!r} is of no use without {', '.join(lacking)}; add {'it' if len(lacking) == 1 else 'them'}"


@cache
def _dependencies() -> dict[str, frozenset[str]]:
    values = scope_pb2.DESCRIPTOR.enum_types_by_name["S"].values
    return {
        value.name: frozenset(
            scope_pb2.S.Name(each) for each in value.GetOptions().Extensions[scope_pb2.clarifai_depending_scopes]
        )
        for value in values
        if value.name != "undef"
    }
