"""Reads which names a JavaScript or TypeScript file imports: by ``import``, ``require`` and ``await import``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clarifai_emulator.contracts.endpoints.syntax_trees import ForeignSource

if TYPE_CHECKING:
    from tree_sitter import Node

# They hold an expression, and stand for it.
WRAPPING = frozenset(
    {"await_expression", "parenthesized_expression", "as_expression", "satisfies_expression", "non_null_expression"}
)


@dataclass(frozen=True, slots=True)
class ExportedName:
    """A name that comes from a package: ``default`` for what a module exports as a whole."""

    module: str
    name: str


def javascript_imports(source: ForeignSource) -> dict[str, ExportedName]:
    """Return the names that the file imports."""
    found: dict[str, ExportedName] = {}
    for node in source.nodes:
        if node.type == "import_statement":
            module = _string(source, node.child_by_field_name("source"))
            named = _clause(source, node)
        elif node.type == "variable_declarator":
            module = _required(source, node.child_by_field_name("value"))
            named = _pattern(source, node.child_by_field_name("name")) if module else ()
        else:
            continue
        found.update({name: ExportedName(module, exported) for name, exported in named})
    return found


def _clause(source: ForeignSource, statement: Node) -> Iterator[tuple[str, str]]:
    clauses = (each for each in statement.named_children if each.type == "import_clause")
    for each in (child for clause in clauses for child in clause.named_children):
        if each.type == "identifier":
            yield source.text(each), "default"
        elif each.type == "namespace_import":
            yield source.text(each.named_children[-1]), "*"
        for one in each.named_children if each.type == "named_imports" else ():
            names = [source.text(part) for part in one.named_children]
            if names:
                yield names[-1], names[0]


def _required(source: ForeignSource, value: Node | None) -> str:
    while value is not None and value.type in WRAPPING and value.named_children:
        value = value.named_children[0]
    if value is None or value.type != "call_expression":
        return ""
    function, given = value.child_by_field_name("function"), value.child_by_field_name("arguments")
    is_import = function is not None and source.text(function) in ("require", "import")
    return _string(source, given.named_children[0]) if is_import and given and given.named_children else ""


def _pattern(source: ForeignSource, target: Node | None) -> Iterator[tuple[str, str]]:
    if target is not None and target.type == "identifier":
        yield source.text(target), "*"
    for each in target.named_children if target is not None else ():
        if each.type == "shorthand_property_identifier_pattern":
            yield source.text(each), source.text(each)
        elif each.type == "pair_pattern":
            names = [source.text(part) for part in each.named_children]
            yield names[-1], names[0]


def _string(source: ForeignSource, node: Node | None) -> str:
    """Return a text that is written as such; empty for one that is put together."""
    is_plain = node is not None and node.type in ("string", "template_string")
    parts = node.named_children if node is not None and is_plain else []
    return "" if any(each.type == "template_substitution" for each in parts) else "".join(map(source.text, parts))
