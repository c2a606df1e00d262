"""Reads a JavaScript or TypeScript client: what its names stand for, and its values as ``WrittenValue``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from clarifai_emulator.contracts.endpoints.syntax_trees import ForeignSource, above
from clarifai_emulator.contracts.endpoints.written_value import (
    MOST_TEXTS,
    UNSEEN,
    WrittenValue,
    joined_texts,
    known_value,
    unknown_value,
)

if TYPE_CHECKING:
    from tree_sitter import Node

_DEEPEST = 12
# They hold an expression, and stand for it.
_AROUND = frozenset(
    {"await_expression", "parenthesized_expression", "as_expression", "satisfies_expression", "non_null_expression"}
)
_FUNCTIONS = frozenset(
    {
        "function_declaration",
        "function_expression",
        "arrow_function",
        "method_definition",
        "generator_function_declaration",
    }
)
_CONSTANTS: dict[str, Any] = {"true": True, "false": False, "null": None, "undefined": None}
_LATER = "it is only known when the program runs"


@dataclass(frozen=True, slots=True)
class ExportedName:
    """A name that comes from a package: ``default`` for what a module exports as a whole."""

    module: str
    name: str


class JavaScriptCode:
    """A file, read."""

    def __init__(self, source: ForeignSource) -> None:
        self.source = source
        # Texts of expressions by their places, while and after they are found.
        self._known_texts: dict[tuple[int, int], list[str]] = {}

    @cached_property
    def imports(self) -> dict[str, ExportedName]:
        """Return the names that the file imports, by ``import`` or ``require``."""
        found: dict[str, ExportedName] = {}
        for node in self.source.nodes:
            if node.type == "import_statement":
                module = self._string(node.child_by_field_name("source"))
                for name, exported in self._clause(node):
                    found[name] = ExportedName(module, exported)
            elif node.type == "variable_declarator":
                module = self._required(node.child_by_field_name("value"))
                target = node.child_by_field_name("name")
                for name, exported in self._pattern(target) if module else ():
                    found[name] = ExportedName(module, exported)
        return found

    def _clause(self, statement: Node) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        for clause in statement.named_children:
            for each in clause.named_children if clause.type == "import_clause" else ():
                if each.type == "identifier":
                    found.append((self.source.text(each), "default"))
                elif each.type == "namespace_import":
                    found.append((self.source.text(each.named_children[-1]), "*"))
                for one in each.named_children if each.type == "named_imports" else ():
                    names = [self.source.text(part) for part in one.named_children]
                    if names:
                        found.append((names[-1], names[0]))
        return found

    def _required(self, value: Node | None) -> str:
        if value is not None and value.type in _AROUND and value.named_children:
            return self._required(value.named_children[0])
        if value is None or value.type != "call_expression":
            return ""
        function, given = value.child_by_field_name("function"), value.child_by_field_name("arguments")
        is_import = function is not None and self.source.text(function) in ("require", "import")
        return (
            self._string(given.named_children[0])
            if is_import and given is not None and given.named_children
            else ""
        )

    def _pattern(self, target: Node | None) -> list[tuple[str, str]]:
        if target is None:
            return []
        if target.type == "identifier":
            return [(self.source.text(target), "*")]
        found: list[tuple[str, str]] = []
        for each in target.named_children:
            if each.type == "shorthand_property_identifier_pattern":
                found.append((self.source.text(each), self.source.text(each)))
            elif each.type == "pair_pattern":
                names = [self.source.text(part) for part in each.named_children]
                found.append((names[-1], names[0]))
        return found

    def _string(self, node: Node | None) -> str:
        texts = self._texts(node, 0) if node is not None else []
        return texts[0] if len(texts) == 1 and UNSEEN not in texts[0] else ""

    @cached_property
    def bindings(self) -> dict[str, list[Node]]:
        """Return what each name is given, ``this.name`` too: values, and functions by their names."""
        found: dict[str, list[Node]] = {}
        for node in self.source.nodes:
            name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
            if node.type in ("variable_declarator", "public_field_definition", "field_definition"):
                key = name if name is not None else node.child_by_field_name("property")
                prefix = "" if node.type == "variable_declarator" else "this."
                if key is not None and value is not None:
                    found.setdefault(prefix + self.source.text(key), []).append(value)
            elif node.type == "assignment_expression":
                left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
                if left is not None and right is not None:
                    found.setdefault(self.source.text(left), []).append(right)
            elif node.type in ("function_declaration", "method_definition") and name is not None:
                prefix = "this." if node.type == "method_definition" else ""
                found.setdefault(prefix + self.source.text(name), []).append(node)
        return found

    def imported(self, node: Node) -> ExportedName | None:
        """Return what a name, or a member of a module, comes from."""
        if node.type == "member_expression":
            holder, member = node.child_by_field_name("object"), node.child_by_field_name("property")
            module = self.imports.get(self.source.text(holder)) if holder is not None else None
            if module is None or member is None or module.name not in ("*", "default"):
                return None
            return ExportedName(module.module, self.source.text(member))
        found = self.imports.get(self.source.text(node)) if node.type == "identifier" else None
        return ExportedName(found.module, "default") if found is not None and found.name == "*" else found

    def followed(self, node: Node, depth: int = 0) -> list[Node]:
        """Return the expressions that the expression may stand for."""
        found: list[Node] = []
        waiting = [(node, depth)]
        seen = {(node.start_byte, node.end_byte)}
        while waiting:
            each, deep = waiting.pop(0)
            steps = self._steps(each, deep) if deep < _DEEPEST else []
            plain = [one for one in steps if one.type not in ("null", "undefined")] if len(steps) > 1 else steps
            fresh = [one for one in plain if (one.start_byte, one.end_byte) not in seen]
            seen.update((one.start_byte, one.end_byte) for one in fresh)
            waiting += [(one, deep + 1) for one in fresh]
            if not plain:
                found.append(each)
        return found or [node]

    def _steps(self, node: Node, depth: int) -> list[Node]:
        if node.type in _AROUND and node.named_children:
            return node.named_children[:1]
        if node.type == "ternary_expression":
            ends = [node.child_by_field_name("consequence"), node.child_by_field_name("alternative")]
            return [each for each in ends if each is not None]
        if node.type in ("identifier", "member_expression") and not self._is_parameter(node):
            values = self.bindings.get(self.source.text(node), [])
            if values:
                return values
        if node.type == "member_expression":
            member = self._member(node, depth)
            return [member] if member is not None else []
        if node.type == "call_expression":
            function = node.child_by_field_name("function")
            made = self.bindings.get(self.source.text(function), []) if function is not None else []
            return [end for each in made if each.type in _FUNCTIONS for end in self._returned(each)]
        return []

    def _member(self, node: Node, depth: int) -> Node | None:
        """Return what an object in sight has under the member's name: ``config.url``."""
        holder, member = node.child_by_field_name("object"), node.child_by_field_name("property")
        if holder is None or member is None:
            return None
        for end in self.followed(holder, depth + 1):
            for pair in end.named_children if end.type == "object" else ():
                key = pair.child_by_field_name("key")
                if key is not None and self._key(key) == self.source.text(member):
                    return pair.child_by_field_name("value")
        return None

    def _returned(self, function: Node) -> list[Node]:
        body = function.child_by_field_name("body")
        if body is not None and body.type != "statement_block":
            return [body]
        found: list[Node] = []
        waiting = list(body.named_children) if body is not None else []
        while waiting:
            node = waiting.pop(0)
            if node.type == "return_statement":
                found += node.named_children[:1]
            elif node.type not in _FUNCTIONS:
                waiting += node.named_children
        return found

    def _is_parameter(self, node: Node) -> bool:
        name = self.source.text(node)
        for each in above(node):
            given = each.child_by_field_name("parameters") or each.child_by_field_name("parameter")
            if each.type in _FUNCTIONS and given is not None:
                names = [given] if given.type == "identifier" else self._identifiers(given)
                if any(self.source.text(one) == name for one in names):
                    return True
        return False

    def _identifiers(self, node: Node) -> list[Node]:
        found = [node]
        for each in found:
            found += each.named_children
        return [each for each in found if each.type in ("identifier", "shorthand_property_identifier_pattern")]

    def written(self, node: Node, depth: int = 0) -> WrittenValue:
        """Return the value as the source writes it."""
        where, shown = self.source.location(node), self.source.shown(node)
        ends = self.followed(node)
        if depth > _DEEPEST or len(ends) != 1:
            texts = tuple(dict.fromkeys(text for each in ends for text in self._texts(each, 0)))
            return WrittenValue(where, texts=texts[:MOST_TEXTS], reason=_LATER, shown=shown)
        return replace(self._end(ends[0], depth), location=where, shown=shown)

    def _end(self, node: Node, depth: int) -> WrittenValue:
        where = self.source.location(node)
        if node.type == "object":
            return self._object(node, depth)
        if node.type == "array":
            plain = [each for each in node.named_children if each.type not in ("spread_element", "comment")]
            is_whole = not any(each.type == "spread_element" for each in node.named_children)
            return WrittenValue(
                where, elements=[self.written(each, depth + 1) for each in plain], is_whole=is_whole
            )
        if node.type in _CONSTANTS:
            return known_value(_CONSTANTS[node.type], where)
        number = self._number(node)
        if number is not None:
            return known_value(number, where)
        texts = self._texts(node, 0)
        if len(texts) == 1 and UNSEEN not in texts[0]:
            return known_value(texts[0], where)
        if any(each.strip(UNSEEN) for each in texts):
            return WrittenValue(where, texts=tuple(texts), reason=_LATER)
        return unknown_value(where, _LATER)

    def _number(self, node: Node) -> int | float | None:
        text = self.source.text(node).replace("_", "") if node.type in ("number", "unary_expression") else ""
        for kind in (int, float):
            try:
                return kind(text)
            except ValueError:
                continue
        return None

    def _object(self, node: Node, depth: int) -> WrittenValue:
        items: dict[str, WrittenValue] = {}
        is_whole = True
        for each in node.named_children:
            if each.type == "shorthand_property_identifier":
                items[self.source.text(each)] = self._shorthand(each, depth)
            elif each.type == "spread_element":
                inner = self.written(each.named_children[0], depth + 1)
                items.update(inner.items or {})
                is_whole = is_whole and inner.items is not None and inner.is_whole
            elif each.type == "pair":
                key, value = each.child_by_field_name("key"), each.child_by_field_name("value")
                name = self._key(key) if key is not None else ""
                if name and value is not None:
                    items[name] = self.written(value, depth + 1)
                else:
                    is_whole = False
            elif each.type != "comment":
                is_whole = False
        return WrittenValue(self.source.location(node), items=items, is_whole=is_whole)

    def _shorthand(self, node: Node, depth: int) -> WrittenValue:
        values = self.bindings.get(self.source.text(node), [])
        if len(values) != 1 or self._is_parameter(node):
            return unknown_value(self.source.location(node), _LATER, self.source.text(node))
        return replace(self.written(values[0], depth + 1), location=self.source.location(node))

    def _key(self, key: Node) -> str:
        if key.type == "computed_property_name":
            return self._string(key.named_children[0]) if key.named_children else ""
        return self.source.text(key).strip("\"'")

    def texts(self, node: Node) -> list[str]:
        """Return the texts that the expression may be, with ``UNSEEN`` for the parts that are not known."""
        return self._texts(node, 0)

    def _texts(self, node: Node, depth: int) -> list[str]:
        place = (node.start_byte, node.end_byte)
        if place not in self._known_texts:
            self._known_texts[place] = [UNSEEN]  # an expression that depends on itself
            found = [text for end in self.followed(node, depth) for text in self._end_texts(end, depth + 1)]
            self._known_texts[place] = list(dict.fromkeys(found))[:MOST_TEXTS] or [UNSEEN]
        return self._known_texts[place]

    def _end_texts(self, node: Node, depth: int) -> list[str]:
        if node.type == "string":
            return ["".join(_unescaped(self.source.text(each)) for each in node.named_children)]
        if node.type == "template_string":
            parts = [
                self._texts(each.named_children[0], depth)
                if each.type == "template_substitution" and each.named_children
                else [_unescaped(self.source.text(each))]
                for each in node.named_children
            ]
            return joined_texts(parts)
        if node.type == "binary_expression":
            return self._binary(node, depth)
        if node.type in ("new_expression", "call_expression"):
            given = node.child_by_field_name("arguments")
            named = node.child_by_field_name("constructor") or node.child_by_field_name("function")
            name = self.source.text(named) if named is not None else ""
            if name in ("URL", "String") and given is not None and given.named_children:
                return self._texts(given.named_children[0], depth)
            if name.endswith((".toString", ".trim")) and named is not None and named.named_children:
                return self._texts(named.named_children[0], depth)
        return [UNSEEN]

    def _binary(self, node: Node, depth: int) -> list[str]:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        operator = node.child_by_field_name("operator")
        if left is None or right is None or operator is None:
            return [UNSEEN]
        sides = [self._texts(left, depth), self._texts(right, depth)]
        sign = self.source.text(operator)
        if sign == "+":
            return joined_texts(sides)
        if sign in ("||", "??"):
            return [text for side in sides for text in side if text != UNSEEN] or [UNSEEN]
        return [UNSEEN]


def _unescaped(text: str) -> str:
    return {"\\n": "\n", "\\t": "\t", "\\'": "'", '\\"': '"', "\\\\": "\\", "\\`": "`"}.get(text, text)
