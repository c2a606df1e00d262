"""Reads a JavaScript or TypeScript client: what its names stand for, and its values as ``WrittenValue``."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from clarifai_emulator.contracts.endpoints.javascript_imports import WRAPPING, ExportedName, javascript_imports
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


class JavaScriptCode:
    """A file, read."""

    def __init__(self, source: ForeignSource) -> None:
        self.source = source
        # Texts of expressions by their places, while and after they are found.
        self._known_texts: dict[tuple[int, int], list[str]] = {}

    @cached_property
    def imports(self) -> dict[str, ExportedName]:
        """Return the names that the file imports, by ``import`` or ``require``."""
        return javascript_imports(self.source)

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
        if node.type in WRAPPING and node.named_children:
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
