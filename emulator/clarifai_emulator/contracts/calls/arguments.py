"""Checks the arguments of one call against the signature of its method: names, number, and every known value."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from clarifai_emulator.contracts.calls.call_sites import CallSite
from clarifai_emulator.contracts.calls.client_source import Source
from clarifai_emulator.contracts.calls.constants import Evaluator, UnknownValue
from clarifai_emulator.contracts.calls.edits import Edits
from clarifai_emulator.contracts.calls.written_arguments import (
    batch_items,
    dict_keys,
    dict_pairs,
    is_chat,
    is_dict,
    is_known,
    is_merged,
    iterated,
    positions,
    unpacked,
)
from clarifai_emulator.contracts.reports.report import counted
from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.finding import Edit, Finding, Location
from clarifai_emulator.contracts.rules.name_findings import missing_argument, unknown_argument
from clarifai_emulator.contracts.signatures.method import Method
from clarifai_emulator.contracts.stubs import stub_types
from clarifai_emulator.spelling import did_you_mean, nearest

WITH_PROTO = "with_proto"
_NO_ITERATORS = (
    ((ast.List, ast.ListComp), "a list"),
    (ast.Tuple, "a tuple"),
    ((ast.Set, ast.SetComp), "a set"),
    ((ast.Dict, ast.DictComp), "a dict"),
    ((ast.Constant, ast.JoinedStr), "one value"),
)
_SEQUENCES = ("LIST", "JSON_DATA")


@dataclass(frozen=True, slots=True)
class Checked:
    """A checked call: what is wrong with it, and the arguments by name. ``whole``: its form is wrong, so that the
    type checker only repeats what is said here. ``untyped``: the type checker takes the answer for another."""

    findings: tuple[Finding, ...]
    given: Mapping[str, ast.expr] = field(default_factory=dict[str, ast.expr])
    wrong: frozenset[str] = frozenset()
    whole: bool = False
    untyped: bool = False


class Arguments:
    """Checks the calls of one file."""

    def __init__(self, source: Source, evaluator: Evaluator) -> None:
        self._source = source
        self._evaluator = evaluator

    def check(self, site: CallSite, method: Method, model: str) -> Checked:
        """Check the call and say all that can be said without types."""
        assert site.call is not None
        return _Call(self._source, self._evaluator, site, site.call, method, model).check()


class _Call:
    def __init__(
        self, source: Source, evaluator: Evaluator, site: CallSite, call: ast.Call, method: Method, model: str
    ) -> None:
        self._source = source
        self._evaluator = evaluator
        self._site = site
        self._call = call
        self._method = method
        self._model = model
        self._name = str(method.signature.name)
        self._fields = {each.name: each for each in method.signature.input_fields}
        self._edits = Edits(source)
        self._findings: list[Finding] = []
        self._unpacked = False
        self._merged = False
        self._meant: set[str] = set()

    def check(self) -> Checked:
        if self._site.way == "mapped":
            return self._check_mapped()
        batch = self._batch()
        if batch is not None:
            return self._check_batch(batch)
        if self._site.way == "batch":
            self._unpack(self._call.args[0], "the batch ")
            return Checked(tuple(self._findings), whole=True)
        given = self._bound()
        # Of the elements of a list, and the values of a dict, the type checker may know one type for all of them.
        listed = any(
            isinstance(each, ast.Starred) and not isinstance(each.value, ast.Tuple) for each in self._call.args
        )
        whole = bool(self._findings) or listed or self._merged
        left = [name for name, each in self._fields.items() if each.required and name not in given]
        if left and self._site.is_partial:
            if self._site.is_handed_on:
                self._partly_given()
        elif not self._unpacked:
            for name in left:
                if name not in self._meant and not self._may_be_batch:
                    self._missing(name, self._call)
                    whole = True
        wrong = {name for name, node in given.items() if name in self._fields and self._value(name, node)}
        return Checked(tuple(self._findings), given, frozenset(wrong), whole)

    def _check_mapped(self) -> Checked:
        """Check the values that are written in what is mapped; of others the type checker knows the types."""
        given = self._bound()
        whole = bool(self._findings)
        for name, each in self._fields.items():
            if each.required and name not in given:
                self._missing(name, self._call)
                whole = True
        wrong: set[str] = set()
        for name, node in given.items():
            for each in batch_items(node, self._evaluator) or ():
                if self._value(name, each):
                    wrong.add(name)
        return Checked(tuple(self._findings), given, frozenset(wrong), whole)

    def _partly_given(self) -> None:
        self._say(
            "passed-method",
            f"{self._name}() is passed on with some of its arguments: whether the others follow, is not checked.",
            self._site.node,
        )

    @property
    def _may_be_batch(self) -> bool:
        """Tell whether the only argument may be a list of inputs, for all that is known of it."""
        return self._site.is_open and len(self._call.args) == 1 and not self._call.keywords

    # The form of the call.

    def _bound(self) -> dict[str, ast.expr]:
        """Return the arguments by the names of the parameters; what has no name is a finding."""
        names = list(self._fields)
        given: dict[str, ast.expr] = {}
        args = positions(self._call.args, self._evaluator)
        for position, node in enumerate(args):
            if isinstance(node, ast.Starred):
                self._unpack(node, "*")
                break
            if position < len(names):
                given[names[position]] = node
        if len(args) > len(names) and not self._unpacked:
            self._say(
                "extra-argument",
                f"{self._name}() takes {counted(len(names), 'argument')}, {len(args)} are given.",
                args[len(names)],
                edit=self._edits.without(self._call, args[len(names)], args[-1])
                if list(args) == self._call.args and self._site.way not in ("passed", "mapped")
                else None,
            )
        for keyword in self._call.keywords:
            self._keyword(keyword, given)
        return given

    def _keyword(self, keyword: ast.keyword, given: dict[str, ast.expr]) -> None:
        if keyword.arg is None:
            names = unpacked(keyword.value, self._evaluator)
            if names is None:
                self._unpack(keyword, "**")
            elif is_merged(keyword.value, self._evaluator):
                self._merged = True
                if not all(is_known(each, self._evaluator) for each in names.values()):
                    self._unpack(keyword, "**", "values")
            for name, node in (names or {}).items():
                self._named(name, node, keyword, given)
        elif keyword.arg != WITH_PROTO:
            self._named(keyword.arg, keyword.value, keyword, given)

    def _named(self, name: str, node: ast.expr, at: ast.keyword, given: dict[str, ast.expr]) -> None:
        if name == WITH_PROTO:
            return
        if name in given:
            edit = self._edits.without(self._call, at, at) if at.arg else None
            self._say(
                "repeated-argument", f"{self._name}() is given '{name}' twice.", at, parameter=name, edit=edit
            )
        elif name not in self._fields:
            self._unknown(name, at)
        else:
            given[name] = node

    def _unpack(self, at: ast.keyword | ast.expr, what: str, unknown: str = "arguments") -> None:
        self._unpacked = self._unpacked or unknown == "arguments"
        value = at.value if isinstance(at, ast.keyword | ast.Starred) else at
        self._say(
            "unpacked-arguments",
            f"{self._name}() is given {what}{ast.unparse(value)}, which is not known before it runs: its "
            f"{unknown} are not checked.",
            at,
        )

    def _unknown(self, name: str, at: ast.keyword) -> None:
        near = nearest(name, self._fields)
        self._meant.add(near)
        hint = f"Write '{near}'." if near else None
        edit = self._edits.renamed(at, near) if at.arg == name else None
        self._say_of_name(unknown_argument(name, self._fields), at, near, hint, edit)

    def _missing(self, name: str, at: ast.expr) -> None:
        self._say_of_name(missing_argument(name, stub_types.in_words(self._fields[name])), at, name)

    def _say_of_name(
        self, finding: Finding, at: ast.AST, parameter: str, hint: str | None = None, edit: Edit | None = None
    ) -> None:
        self._say(finding.rule, f"{self._name}(): {finding.message}", at, parameter=parameter, hint=hint, edit=edit)

    # Batches.

    def _batch(self) -> Sequence[ast.expr] | None:
        """Return the items of what the SDK takes for a batch: the only argument, by position, a list with nothing
        but dicts."""
        others = [each for each in self._call.keywords if each.arg != WITH_PROTO]
        if len(self._call.args) != 1 or others:
            return None
        items = batch_items(self._call.args[0], self._evaluator)
        return items if items is not None and all(is_dict(each) for each in items) else None

    def _check_batch(self, batch: Sequence[ast.expr]) -> Checked:
        first = next(iter(self._fields.values()), None)
        takes_list = first is not None and not first.iterator and stub_types.kind(first) in _SEQUENCES
        keys = {key for each in batch for key in dict_keys(each)}
        if first is not None and takes_list and not (keys and keys <= set(self._fields)):
            if is_chat(batch):
                return Checked((), {str(first.name): self._call.args[0]})
            what = "An empty list" if not batch else "A list of dicts"
            self._say(
                "taken-as-batch",
                f"{what} as the only positional argument of {self._name}() is taken for a batch, not for "
                f"'{first.name}'.",
                self._call.args[0],
                parameter=first.name,
                hint=f"Write {first.name}=….",
                edit=self._edits.named(self._call.args[0], first.name),
            )
        elif not batch and first is not None:
            self._value(first.name, self._call.args[0])
        elif self._site.kind != "unary":
            self._say(
                "no-batch",
                f"{self._name}() takes no batch: it {'streams' if self._site.kind == 'stream' else 'generates'}.",
                self._call.args[0],
            )
        else:
            for each in batch:
                self._batched(each)
        return Checked(tuple(self._findings), whole=bool(self._findings), untyped=self._site.way != "batch")

    def _batched(self, item: ast.expr) -> None:
        written = unpacked(item, self._evaluator)
        if written is None:
            self._unpack(item, "the input ")
        given = dict(dict_pairs(item)) if written is None else written
        for name, node in given.items():
            if name in self._fields:
                self._value(name, node)
            else:
                near = nearest(name, self._fields)
                self._meant.add(near)
                guess = did_you_mean(name, self._fields, lead=" ")
                self._say(
                    "unknown-argument",
                    f"An input of this batch gives '{name}', which {self._name}() has not.{guess}",
                    node,
                    parameter=near,
                )
        for name, field_ in self._fields.items():
            if field_.required and name not in given and name not in self._meant and written is not None:
                self._missing(name, item)

    # Values.

    def _value(self, name: str, node: ast.expr) -> bool:
        """Check one argument; whether something is wrong with it."""
        if isinstance(node, ast.IfExp):
            body, other = self._value(name, node.body), self._value(name, node.orelse)
            return body or other
        before = len(self._findings)
        field_ = self._fields[name]
        if field_.iterator:
            self._iterator(name, node)
        elif not self._known_value(name, node) and self._is_truth(node) and stub_types.kind(field_) == "INT":
            self._say(
                "bool-for-number",
                f"{self._name}(): argument '{name}' is a bool, and int is expected.",
                node,
                parameter=name,
                edit=self._edits.wrapped(node, "int(", ")"),
            )
        return len(self._findings) > before

    def _iterator(self, name: str, node: ast.expr) -> None:
        value = self._evaluator.once(node) if isinstance(node, ast.Name) else node
        shown = next((words for kind, words in _NO_ITERATORS if isinstance(value, kind)), None)
        if shown is not None:
            self._say(
                "stream-not-iterator",
                f"{self._name}(): argument '{name}' is {shown}, and "
                f"{stub_types.in_words(self._fields[name])} is expected.",
                node,
                parameter=name,
                edit=self._edits.wrapped(node, "iter(", ")") if shown != "one value" else None,
            )
            return
        inside = iterated(value)
        for each in inside:
            for finding in self._about(name, each):
                self._findings.append(finding)

    def _known_value(self, name: str, node: ast.expr) -> bool:
        """Check the value, if it is known; whether it is."""
        before = len(self._findings)
        for finding in self._about(name, node):
            self._findings.append(finding)
        if len(self._findings) > before:
            return True
        try:
            self._evaluator.value(node)
        except UnknownValue:
            return False
        return True

    def _about(self, name: str, node: ast.expr) -> Iterator[Finding]:
        try:
            value = self._evaluator.value(node)
        except UnknownValue:
            yield from self._parts(name, node)
            return
        from clarifai_emulator.contracts.values.python_values import check_arguments

        for finding in check_arguments(alone(self._method.signature, name), {name: value}):
            yield self._placed(finding, node, name)

    def _parts(self, name: str, node: ast.expr) -> Iterator[Finding]:
        """Check at least the names of a NamedFields value of which only some parts are known."""
        field_ = self._fields[name]
        if isinstance(node, ast.Name) and not self._evaluator.is_changed(node):
            node = self._evaluator.once(node) or node
        is_named = isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "NamedFields"
        if stub_types.kind(field_) != "NAMED_FIELDS" or not (is_named or isinstance(node, ast.Dict)):
            return
        pairs = dict(dict_pairs(node))
        wanted = {each.name: each for each in field_.type_args}
        if any(each is None for each in (node.keys if isinstance(node, ast.Dict) else ())) or any(
            each.arg is None for each in (node.keywords if isinstance(node, ast.Call) else ())
        ):
            return
        known: dict[str, Any] = {}
        for key, each in pairs.items():
            if key not in wanted:
                guess = did_you_mean(key, wanted, lead=" ")
                yield self._found(
                    "unknown-field", f"{self._name}(): '{name}' has no field '{key}'.{guess}", each, name
                )
                continue
            try:
                known[key] = self._evaluator.value(each)
            except UnknownValue:
                continue
            yield from self._field(wanted[key], known[key], each, name)
        for key in wanted:
            if key not in pairs:
                yield self._found("missing-field", f"{self._name}(): '{name}' lacks the field '{key}'.", node, name)

    def _field(self, field_: Any, value: Any, node: ast.expr, parameter: str) -> Iterator[Finding]:
        from clarifai_emulator.contracts.values.python_values import check_arguments

        signature = type(self._method.signature)(name=self._name, input_fields=[field_])
        signature.input_fields[0].required = True
        for finding in check_arguments(signature, {field_.name: value}):
            yield self._placed(finding, node, parameter)

    def _is_truth(self, node: ast.expr) -> bool:
        """Tell whether the expression is a bool, by its form or by how its name is bound or annotated."""
        if isinstance(node, ast.Compare) or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)):
            return True
        if isinstance(node, ast.BoolOp):
            return all(self._is_truth(each) for each in node.values)
        if isinstance(node, ast.Constant):
            return isinstance(node.value, bool)
        if isinstance(node, ast.IfExp):
            return self._is_truth(node.body) or self._is_truth(node.orelse)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            given = self._evaluator.returned(node)
            if given is not None:
                return self._is_truth(given)
            return node.func.id in ("bool", "isinstance", "any", "all", "callable", "hasattr")
        if isinstance(node, ast.Name):
            return self._annotated_bool(node) or bool((once := self._evaluator.once(node)) and self._is_truth(once))
        return False

    def _annotated_bool(self, node: ast.Name) -> bool:
        for scope in self._evaluator.scopes(node):
            if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
                given = scope.args
                for each in (*given.posonlyargs, *given.args, *given.kwonlyargs):
                    if each.arg == node.id:
                        return isinstance(each.annotation, ast.Name) and each.annotation.id == "bool"
        return False

    # Findings.

    def _say(self, rule: str, message: str, at: Any, *, parameter: str = "", **advice: Any) -> None:
        """Report what is wrong. ``advice``: ``hint`` and ``edit`` of the finding, where they are not the rule's."""
        self._findings.append(self._found(rule, message, at, parameter, **advice))

    def _found(self, rule: str, message: str, at: Any, parameter: str = "", **advice: Any) -> Finding:
        return found(
            rule,
            message,
            self._source.location(at),
            model=self._model,
            method=self._name,
            declared=declared(self._method, parameter),
            **advice,
        )

    def _placed(self, finding: Finding, node: ast.expr, parameter: str) -> Finding:
        return replace(
            finding,
            location=self._source.location(node),
            declared=declared(self._method, parameter),
            model=self._model,
            method=self._name,
            edit=self._edits.of_value(finding.rule, self._call, node, self._fields[parameter]),
        )


def declared(method: Method, parameter: str) -> Location | None:
    """Return where model.py declares the parameter, or else the method."""
    return method.parameters.get(parameter) or method.location


def alone(signature: Any, name: str) -> Any:
    """Return the signature with this one parameter, its iterator left aside: for one value of it."""
    alone = type(signature)(name=signature.name, method_type=signature.method_type)
    for field_ in signature.input_fields:
        if field_.name == name:
            alone.input_fields.add().CopyFrom(field_)
            alone.input_fields[0].iterator = False
    return alone
