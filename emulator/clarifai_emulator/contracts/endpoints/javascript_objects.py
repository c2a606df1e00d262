"""Finds the objects of libraries that a JavaScript client makes, and the calls on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clarifai_emulator.contracts.endpoints.javascript_code import JavaScriptCode
from clarifai_emulator.contracts.endpoints.javascript_imports import ExportedName

if TYPE_CHECKING:
    from tree_sitter import Node

_DEEPEST = 12


@dataclass(frozen=True, slots=True)
class MadeObject:
    """An object, or what a function of a library gave. ``arguments``: those that made it."""

    imported: ExportedName
    node: Node
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class ObjectCall:
    """A call. ``owner``: what it is called on, None for a plain function; ``path``: the names behind that."""

    node: Node
    function: Node
    owner: Node | None
    path: tuple[str, ...]
    members: tuple[Node, ...]
    arguments: tuple[Node, ...]


def calls_of(code: JavaScriptCode) -> list[ObjectCall]:
    """Return every call of the file."""
    found: list[ObjectCall] = []
    for node in code.source.nodes:
        function = node.child_by_field_name("function") if node.type == "call_expression" else None
        if function is None:
            continue
        members, owner = _chain(code, function)
        for _ in range(5):
            values = code.bindings.get(code.source.text(owner), []) if owner.type == "identifier" else []
            if len(values) != 1 or values[0].type != "member_expression":
                break
            more, owner = _chain(code, values[0])
            members = [*more, *members]
        path = tuple(code.source.text(each.child_by_field_name("property") or each) for each in members)
        found.append(ObjectCall(node, function, owner, path, tuple(members), given_to(node)))
    return found


def made_objects(code: JavaScriptCode, node: Node, depth: int = 0) -> tuple[list[MadeObject], bool]:
    """Return the objects that the expression may stand for, and whether there are no others."""
    found: list[MadeObject] = []
    is_whole = True
    for end in code.followed(node) if depth < _DEEPEST else ():
        named = end.child_by_field_name("constructor") or end.child_by_field_name("function")
        imported = code.imported(named) if named is not None else None
        if imported is not None:
            found.append(MadeObject(imported, end, given_to(end)))
        elif end.type == "call_expression" and named is not None and named.type == "member_expression":
            # client.withOptions(…), provider.chat(…): what it is called on is what counts.
            inner, whole = made_objects(code, named.named_children[0], depth + 1)
            found += inner
            is_whole = is_whole and whole and bool(inner)
        elif end.type not in ("null", "undefined"):
            is_whole = False
    return found, is_whole


def given_to(node: Node) -> tuple[Node, ...]:
    """Return the arguments of a call, or of `new`."""
    given = node.child_by_field_name("arguments")
    return tuple(each for each in given.named_children if each.type != "comment") if given is not None else ()


def _chain(code: JavaScriptCode, node: Node) -> tuple[list[Node], Node]:
    members: list[Node] = []
    while node.type in ("member_expression", "parenthesized_expression", "await_expression", "non_null_expression"):
        if node.type == "member_expression":
            inner = node.child_by_field_name("object")
            if inner is None or inner.type == "this":
                break
            members.append(node)
            node = inner
        else:
            node = node.named_children[0]
    return members[::-1], node
