"""Translates the type checker's words to the model's: method, argument, given, expected, declared."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from clarifai_emulator.contracts.calls.arguments import Checked, declared
from clarifai_emulator.contracts.calls.call_sites import CallSite
from clarifai_emulator.contracts.calls.client_source import Source, Spans
from clarifai_emulator.contracts.calls.edits import Edits
from clarifai_emulator.contracts.calls.overloads import NO_OVERLOAD, suspects
from clarifai_emulator.contracts.calls.type_checker import Diagnostic
from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.finding import Finding
from clarifai_emulator.contracts.signatures.method import Method
from clarifai_emulator.contracts.stubs import stub_types
from clarifai_emulator.spelling import did_you_mean, nearest

MethodOf = Callable[[int, str], Method | None]
# A finding, and what names the method in the call that it is about; None where that is not in sight.
Said = tuple[ast.expr | None, Finding]

_NOT_ASSIGNABLE = re.compile(r"Argument `(?P<given>.*?)` is not assignable to parameter `(?P<name>\w+)`")
_ATTRIBUTE = re.compile(r"Object of class `(?P<owner>\w+)` has no attribute `(?P<name>\w+)`")
_OWNER = re.compile(r"(?:Async)?(?:Model|Client|ModelClient)(?:_(?P<index>\d+))?$")
# Kinds that come from using a value as what it is not; others are matters of style or of imports.
_MISUSES = frozenset(
    {
        "bad-argument-type", "bad-argument-count", "bad-assignment", "bad-index", "bad-return", "bad-unpacking",
        "missing-argument", "missing-attribute", "no-matching-overload", "not-a-type", "not-async", "not-callable",
        "not-iterable", "unexpected-keyword", "unsupported-operation", "index-error", "bad-context-manager",
        "bad-typed-dict-key", "invalid-argument",
    }
)  # fmt: skip


class Translator:
    """Translates the diagnostics of one file."""

    def __init__(
        self,
        source: Source,
        sites: Mapping[ast.expr, tuple[CallSite, Checked]],
        models: Sequence[str],
        method_of: MethodOf,
        is_reported: Callable[[ast.expr], bool],
    ) -> None:
        self._source = source
        self._sites = sites
        self._models = models
        self._method_of = method_of
        self._is_reported = is_reported
        self._calls = Spans(
            (source.start(site.call), source.end(site.call), node)
            for node, (site, _) in sites.items()
            if site.call is not None
        )
        self._ends = {source.end(node): node for node in sites}
        self._guarded = source.guarded_names
        self._edits = Edits(source)
        self._attributes = {source.end(node): node for node in source.attributes}

    def findings(
        self, diagnostics: Iterable[Diagnostic], names_of: Callable[[int], Sequence[str]]
    ) -> Iterator[Said]:
        """Yield findings about the calls themselves. ``names_of``: the methods of a model."""
        for each in diagnostics:
            attribute = _ATTRIBUTE.match(each.text)
            owner = _OWNER.match(attribute["owner"]) if attribute else None
            if attribute and owner:
                node = self._attributes.get(self._source.original(each.end))
                for said in self._missing_method(each, attribute["name"], owner["index"], names_of):
                    yield node, said
                continue
            node = self._call_at(each)
            if node is not None:
                for said in self._argument(each, *self._sites[node]):
                    yield node, said

    def misuses(self, diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
        """Return diagnostics possibly caused by a call's result; the untyped run confirms them."""
        return [
            each
            for each in diagnostics
            if each.kind in _MISUSES and self._call_at(each) is None and not _of_model(each)
        ]

    def misuse(self, diagnostic: Diagnostic) -> Said | None:
        """Report a result that is used as what it is not; ``None`` where only an inferred type disagrees."""
        start, end = self._source.original(diagnostic.start), self._source.original(diagnostic.end)
        if diagnostic.kind == "bad-assignment" and not self._is_annotated(start):
            return None
        origin = self._origin(start)
        if origin is not None and (origin[1].untyped or (origin[1].whole and origin[1].findings)):
            return None
        site = origin[0] if origin else None
        node = site.node if site else None
        method = self._method_of(site.model, site.method) if site else None
        said = _plain(diagnostic.text)
        if "Coroutine" in said:
            message = "A coroutine is used as the answer."
            return node, found("not-awaited", message, self._source.located(start, end))
        if site is not None and method is not None:
            outputs = method.signature.output_fields
            answer = stub_types.in_words(outputs[0]) if outputs else "nothing"
            message = f"{site.method}() gives {answer}: {said}."
        else:
            message = f"What the model gives is used as something else: {said}."
        return node, found(
            "wrong-result",
            message,
            self._source.located(start, end),
            model=self._models[site.model] if site else "",
            method=site.method if site else "",
            declared=method.location if method else None,
        )

    def _call_at(self, diagnostic: Diagnostic) -> ast.expr | None:
        """Return the call in whose arguments the diagnostic is; a call that holds it deeper down does not count."""
        start = self._source.original(diagnostic.start)
        node = self._ends.get(start) if diagnostic.kind == "no-matching-overload" else self._calls.at(start)
        if not isinstance(node, ast.expr):
            return None
        site, _ = self._sites[node]
        assert site.call is not None
        if start < self._source.end(site.call.func):
            return None
        arguments = [*site.call.args, *(each.value for each in site.call.keywords)]
        inner = next((each for each in arguments if self._holds(each, start)), None)
        # Within an argument only what is said of the argument itself; a mistake deeper in it is the user's own.
        whole = inner is None or start == self._source.start(inner)
        return node if whole and (inner is None or diagnostic.kind in _OF_CALLS) else None

    def _holds(self, node: ast.expr, start: tuple[int, int]) -> bool:
        return self._source.start(node) <= start < self._source.end(node)

    def _missing_method(
        self, each: Diagnostic, name: str, index: str | None, names_of: Callable[[int], Sequence[str]]
    ) -> Iterator[Finding]:
        end = self._source.original(each.end)
        where = self._source.located(self._source.original(each.start), end)
        if index is None:
            node = self._attributes.get(end)
            called = isinstance(self._source.parents.get(node), ast.Call) if node is not None else False
            if node is not None and called and not self._is_reported(node.value):
                yield found(
                    "unresolved-call",
                    f"It is not known which model '{name}' is called on: the call is not checked.",
                    where,
                    hint="Build the model from a constant address where it is used, or pass one that is.",
                    method=name,
                )
            return
        if name in self._guarded or name.startswith("__"):  # a method of Python's own: `Unresolved` speaks of it
            return
        names = names_of(int(index))
        near = nearest(name, names)
        guess = did_you_mean(name, names, lead=" ")
        model = self._models[int(index)]
        method = self._method_of(int(index), near or names[0]) if names else None
        yield found(
            "unknown-method",
            f"Model '{model}' has no method '{name}'; it has {', '.join(map(repr, names))}.{guess}",
            where,
            hint=f"Write '{near}'." if near else None,
            model=model,
            method=name,
            declared=method.location if method else None,
            edit=self._edits.renamed_attribute(end, name, near),
        )

    def _argument(self, each: Diagnostic, site: CallSite, checked: Checked) -> Iterator[Finding]:
        method = self._method_of(site.model, site.method)
        if checked.whole or method is None or each.kind not in _OF_CALLS:
            return
        start, end = self._source.original(each.start), self._source.original(each.end)
        name = next((name for name, node in checked.given.items() if self._source.start(node) == start), "")
        refused = NO_OVERLOAD.search(each.text)
        if refused is not None:
            yield from self._refused(each, refused["given"], site, checked, method)
            return
        match = _NOT_ASSIGNABLE.search(each.detail)
        if not name and match is not None and match["name"] in checked.given:
            name = match["name"]
            start, end = (edge(checked.given[name]) for edge in (self._source.start, self._source.end))
        if name in checked.wrong or (not name and checked.wrong):
            return
        field = next((one for one in method.signature.input_fields if one.name == name), None)
        if field is not None and match is not None:
            given = _type_words(match["given"])
            rule = "stream-not-iterator" if field.iterator and "terator" not in given else "wrong-type"
            message = (
                f"{site.method}(): argument '{name}' is {given}, and {stub_types.in_words(field)} is expected."
            )
        else:
            rule, message = "wrong-type", f"{site.method}() does not take these arguments: {_plain(each.text)}."
        yield found(
            rule,
            message,
            self._source.located(start, end),
            model=self._models[site.model],
            method=site.method,
            declared=declared(method, name),
        )

    def _refused(
        self, each: Diagnostic, given: str, site: CallSite, checked: Checked, method: Method
    ) -> Iterator[Finding]:
        """Find out which argument no form of the method takes."""
        if checked.wrong:
            return
        fields = list(method.signature.input_fields)
        named = [(name, tp) for name, tp in suspects(given, fields) if name in checked.given]
        for name, tp in named:
            field = next(one for one in fields if one.name == name)
            words = _type_words(tp)
            yield found(
                "stream-not-iterator" if field.iterator and "terator" not in words else "wrong-type",
                f"{site.method}(): argument '{name}' is {words}, and {stub_types.in_words(field)} is expected.",
                self._source.location(checked.given[name]),
                model=self._models[site.model],
                method=site.method,
                declared=declared(method, name),
            )
        if not named:
            expected = ", ".join(f"{one.name}: {stub_types.in_words(one)}" for one in fields)
            yield found(
                "wrong-type",
                f"{site.method}() does not take ({_type_words(given)}); it takes ({expected}).",
                self._source.located(self._source.original(each.start), self._source.original(each.end)),
                model=self._models[site.model],
                method=site.method,
                declared=method.location,
            )

    def _is_annotated(self, start: tuple[int, int]) -> bool:
        return any(
            isinstance(node, ast.AnnAssign) and node.value is not None and self._source.start(node.value) == start
            for node in ast.walk(self._source.tree)
        )

    def _origin(self, start: tuple[int, int]) -> tuple[CallSite, Checked] | None:
        """Return the call whose result it is, where that is in sight: in the same expression, or in a name
        beside it."""
        node = self._calls.at(start)
        if isinstance(node, ast.expr):
            return self._sites[node]
        line = [
            each
            for each in ast.walk(self._source.tree)
            if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load) and each.lineno == start[0]
        ]
        for name in line:
            for node, pair in self._sites.items():
                parent = self._source.parents.get(pair[0].call or node)
                targets = parent.targets if isinstance(parent, ast.Assign) else ()
                if isinstance(parent, ast.For | ast.comprehension):
                    targets = [parent.target]
                if any(isinstance(each, ast.Name) and each.id == name.id for each in targets):
                    return pair
        return None


_OF_CALLS = frozenset(
    {"bad-argument-type", "bad-argument-count", "missing-argument", "no-matching-overload", "unexpected-keyword"}
)


def _of_model(diagnostic: Diagnostic) -> bool:
    match = _ATTRIBUTE.match(diagnostic.text)
    return bool(match and _OWNER.match(match["owner"]))


_NAMES = (
    (re.compile(r"\bLiteral\['[^']*'\]|\bLiteralString\b"), "str"),
    (re.compile(r'\bLiteral\["[^"]*"\]'), "str"),
    (re.compile(r"\bLiteral\[b['\"][^\]]*\]"), "bytes"),
    (re.compile(r"\bLiteral\[(?:True|False)\]"), "bool"),
    (re.compile(r"\bLiteral\[-?\d+\]"), "int"),
    (re.compile(r"\bFields_\d+\b"), "NamedFields"),
    (re.compile(r"\bJson\b"), "dict"),
    (re.compile(r"\bclarifai\.client\.model\."), ""),
)


def _type_words(text: str) -> str:
    """Return a type as the type checker writes it, in the words of model.py."""
    for pattern, word in _NAMES:
        text = pattern.sub(word, text)
    return text


def _plain(text: str) -> str:
    return _type_words(text).replace("`", "'").rstrip(".")
