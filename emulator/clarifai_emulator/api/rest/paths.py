"""Finds the RPCs that answer a path: the HTTP bindings of the whole RPC table as one tree of path segments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote

from clarifai_emulator.api.rpc import HttpBinding, Rpc
from clarifai_emulator.spelling import nearest

_VARIABLE = re.compile(r"\{([^{}=]+)\}")
_LONGEST_TO_COMPARE = 300


@dataclass(frozen=True, slots=True)
class Bound:
    """A REST form of an RPC. ``variables``: the field paths of its path's variables, from left to right."""

    rpc: Rpc
    binding: HttpBinding
    variables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Match:
    """The target of a request's path and method: the RPCs of the form, and what stands for each variable."""

    candidates: tuple[Bound, ...]
    values: tuple[str, ...]


@dataclass(slots=True)
class _Node:
    literals: dict[str, _Node] = field(default_factory=dict["str", "_Node"])
    variable: _Node | None = None
    bound: dict[str, list[Bound]] = field(default_factory=dict[str, list[Bound]])


class Paths:
    """Every REST form. A literal segment goes before a variable; RPCs named like their method before others."""

    def __init__(self, rpcs: Iterable[Rpc]) -> None:
        self._root = _Node()
        self._templates: dict[str, tuple[str, ...]] = {}
        for rpc in rpcs:
            for binding in rpc.http:
                self._add(rpc, binding)

    def match(self, method: str, path: str) -> Match | None:
        """The RPCs that answer, or None."""
        for node, values in self._leaves(path):
            if method in node.bound:
                return Match(tuple(node.bound[method]), values)
        return None

    def methods(self, path: str) -> list[str]:
        """The methods that a path knows, sorted; empty for a path that there is not."""
        return sorted({method for node, _ in self._leaves(path) for method in node.bound})

    def nearest(self, path: str) -> str:
        """The template most like a path that there is not; empty when none is."""
        if len(path) > _LONGEST_TO_COMPARE:
            return ""
        segments = path.split("/")
        filled: dict[str, str] = {}
        for template, parts in self._templates.items():
            if abs(len(parts) - len(segments)) <= 1:
                said = [*segments, ""]
                filled.setdefault(
                    "/".join(said[at] if part.startswith("{") else part for at, part in enumerate(parts)),
                    template,
                )
        return filled.get(nearest(path, filled, longest=_LONGEST_TO_COMPARE), "")

    def forms(self) -> Iterator[Bound]:
        """Every form that can be reached, one RPC each."""
        waiting = [self._root]
        while waiting:
            node = waiting.pop()
            for bounds in node.bound.values():
                yield bounds[0]
            waiting.extend(node.literals.values())
            if node.variable is not None:
                waiting.append(node.variable)

    def _add(self, rpc: Rpc, binding: HttpBinding) -> None:
        parts = tuple(binding.path.split("/"))
        node = self._root
        for part in parts[1:]:
            if part.startswith("{"):
                node.variable = node = node.variable or _Node()
            else:
                node = node.literals.setdefault(part, _Node())
        bounds = node.bound.setdefault(binding.method, [])
        bounds.append(Bound(rpc, binding, tuple(_VARIABLE.findall(binding.path))))
        bounds.sort(key=_is_named_otherwise)
        self._templates[binding.path] = parts

    def _leaves(self, path: str) -> Iterator[tuple[_Node, tuple[str, ...]]]:
        segments = path.split("/")
        if segments[0] == "":
            yield from _walk(self._root, segments, 1, ())


def _walk(
    node: _Node, segments: list[str], at: int, values: tuple[str, ...]
) -> Iterator[tuple[_Node, tuple[str, ...]]]:
    if at == len(segments):
        if node.bound:
            yield node, values
        return
    segment = segments[at]
    literal = node.literals.get(segment)
    if literal is not None:
        yield from _walk(literal, segments, at + 1, values)
    if node.variable is not None and segment:
        yield from _walk(node.variable, segments, at + 1, (*values, unquote(segment)))


_NAMES = {"GET": ("Get", "List"), "POST": ("Post",), "PATCH": ("Patch",), "PUT": ("Put",), "DELETE": ("Delete",)}


def _is_named_otherwise(bound: Bound) -> bool:
    return not bound.rpc.name.startswith(_NAMES.get(bound.binding.method, ()))
