"""Checks calls of the SDK's own functions on a model: their arguments, and what older clients send by them.

`predict_by_url`, `predict_by_bytes`, `predict_by_filepath`, and their likes for generate and stream, put one input
into a message without a method's name. The runner calls predict, generate or stream with it: it gives the input to
the first parameter that takes a text, an image …, and fails if another is required (the SDK's ``DataConverter``).
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from clarifai_emulator.contracts.calls.arguments import alone, declared
from clarifai_emulator.contracts.calls.call_sites import CallSite, SdkSite
from clarifai_emulator.contracts.calls.client_source import Source
from clarifai_emulator.contracts.calls.constants import Evaluator, UnknownValue
from clarifai_emulator.contracts.calls.edits import Edits
from clarifai_emulator.contracts.calls.given_models import KnownModel
from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.finding import Finding
from clarifai_emulator.contracts.rules.rule import Severity
from clarifai_emulator.contracts.signatures.method import Method
from clarifai_emulator.contracts.stubs import stub_types
from clarifai_emulator.contracts.stubs.sdk_surface import OF_ONE_INPUT, SdkParameter, SdkSurface
from clarifai_emulator.contracts.stubs.sdk_versions import versions_with
from clarifai_emulator.spelling import did_you_mean, nearest

# The types of parameters that take an input of each kind.
_TAKING = {
    "text": ("STR", "TEXT", "JSON_DATA"),
    "image": ("IMAGE",),
    "video": ("VIDEO",),
    "audio": ("AUDIO",),
}
_BYTES = "input_bytes"
# Functions that need the value of what they are given.
_VALUE_FUNCTIONS = frozenset({"print", "str", "len", "list", "sorted", "set", "dumps", "join", "float", "int"})


class SdkCalls:
    """Checks them in one file."""

    def __init__(
        self, source: Source, evaluator: Evaluator, surface: SdkSurface, models: Sequence[KnownModel]
    ) -> None:
        self._source = source
        self._evaluator = evaluator
        self._surface = surface
        self._models = models
        self._edits = Edits(source)

    def check(self, site: SdkSite) -> Iterator[Finding]:
        """Yield what is wrong with a call of a function of the SDK."""
        if site.call is None:
            if is_used_as_value(self._source, site.node):
                yield self.not_called(site.node, site.name)
            return
        parameters = self._surface.function(site.name) or ()
        given: dict[str, ast.expr] = {}
        yield from self.arguments(site.name, parameters, site.call, given)
        if site.name in OF_ONE_INPUT:
            yield from self._kind(site, given)
            yield from self._of_model(site, given)

    def messages(self, site: CallSite, method: Method, model: str) -> Iterator[Finding]:
        """Yield what is wrong with a call that sends messages: `predict(inputs=[…], inference_params={…})`."""
        assert site.call is not None
        for each in site.call.keywords:
            if each.arg == "inference_params":
                yield from self._inference_params(each.value, method, model)
            elif each.arg not in (None, "inputs", "output_config"):
                yield self._say(
                    "ignored-argument",
                    f"{site.method}() is given messages: the SDK ignores '{each.arg}' then.",
                    each,
                    "Give what says where a call goes to Model(…)." if each.arg in _PLACES else None,
                    model=model,
                    method=site.method,
                )

    def not_called(self, node: ast.expr, name: str) -> Finding:
        """Report a method that is used as if it was what it gives."""
        return found(
            "method-not-called",
            f"{name} is a method, and it is not called here.",
            self._source.location(node),
            hint=f"Write {name}().",
            method=name,
            edit=self._edits.called(node),
        )

    def arguments(
        self, name: str, parameters: Sequence[SdkParameter], call: ast.Call, given: dict[str, ast.expr]
    ) -> Iterator[Finding]:
        """Yield the arguments that a function does not have, and those that are missing; fill ``given``."""
        plain = [each for each in parameters if not each.star]
        stars = {each.star for each in parameters}
        unpacked = any(isinstance(each, ast.Starred) for each in call.args) or any(
            each.arg is None for each in call.keywords
        )
        for position, node in enumerate(call.args):
            if isinstance(node, ast.Starred):
                break
            if position < len(plain):
                given[plain[position].name] = node
            elif "*" not in stars:
                yield self._say(
                    "sdk-argument", f"{name}() takes {len(plain)} arguments, {len(call.args)} are given.", node
                )
                break
        names = [each.name for each in plain]
        for keyword in call.keywords:
            if keyword.arg is None:
                continue
            if keyword.arg in given:
                yield self._say("sdk-argument", f"{name}() is given '{keyword.arg}' twice.", keyword)
            elif keyword.arg not in names and "**" not in stars:
                yield self._unknown(name, keyword, names)
            given[keyword.arg] = keyword.value
        missing = [each.name for each in plain if each.required and each.name not in given]
        if missing and not unpacked and not any(name not in names for name in given):
            yield self._say("sdk-argument", f"{name}(): argument '{missing[0]}' is required and not given.", call)

    def _unknown(self, name: str, keyword: ast.keyword, names: Collection[str]) -> Finding:
        assert keyword.arg is not None
        version = self._surface.version
        before = versions_with(name, keyword.arg)
        had = f" It had one from {before[0]} to {before[1]}." if before else ""
        guess = did_you_mean(keyword.arg, names, lead=" ") if not before else ""
        near = nearest(keyword.arg, names)
        message = f"{name}() of clarifai {version} has no argument '{keyword.arg}'; it takes {', '.join(names)}."
        hint = f"Write '{near}'." if near and not before else None
        if before and keyword.arg in _PLACES:
            hint = f"Give {keyword.arg} to Model(…)."
        edit = self._edits.renamed(keyword, near) if not before else None
        return self._say("sdk-argument", f"{message}{had}{guess}", keyword, hint, edit=edit)

    # What older clients send.

    def _kind(self, site: SdkSite, given: Mapping[str, ast.expr]) -> Iterator[Finding]:
        kind = self._value(given.get("input_type"))
        if kind is not None and kind not in _TAKING:
            yield self._say(
                "sdk-value",
                f"{site.name}(): input_type is {kind!r}, and the SDK takes 'image', 'text', 'video' and 'audio'.",
                given["input_type"],
            )
        content = given.get(_BYTES)
        if content is not None and (isinstance(self._value(content), str) or isinstance(content, ast.JoinedStr)):
            yield self._say(
                "wrong-type",
                f"{site.name}(): argument '{_BYTES}' is a str, and bytes is expected.",
                content,
                "Write b'…', or encode it.",
            )

    def _of_model(self, site: SdkSite, given: Mapping[str, ast.expr]) -> Iterator[Finding]:
        if not 0 <= site.model < len(self._models):
            return
        model = self._models[site.model]
        name = site.name.partition("_")[0]
        method = model.method(name)
        if method is None:
            names = ", ".join(repr(str(each.signature.name)) for each in model.methods)
            yield self._say(
                "unknown-method",
                f"{site.name}() calls {name}(), and model '{model.name}' has no such method; it has {names}.",
                site.node,
                f"Call a method of the model: model.{model.methods[0].signature.name}(…).",
                model=model.name,
                method=name,
            )
            return
        kind = self._value(given.get("input_type"))
        if isinstance(kind, str) and kind in _TAKING:
            yield from self._input(site, kind, method, model.name)
        if "inference_params" in given:
            yield from self._inference_params(given["inference_params"], method, model.name)

    def _input(self, site: SdkSite, kind: str, method: Method, model: str) -> Iterator[Finding]:
        fields = list(method.signature.input_fields)
        taking = next((each for each in fields if stub_types.kind(each) in _TAKING[kind]), None)
        lacking = [each for each in fields if each.required and each is not taking]
        if taking is not None and not lacking:
            return
        name = method.signature.name
        takes = ", ".join(f"{each.name}: {stub_types.in_words(each)}" for each in fields) or "nothing"
        if taking is None:
            message = f"{site.name}() sends {_article(kind)}, and {name}() of model '{model}' takes none: {takes}."
        else:
            message = (
                f"{site.name}() sends {_article(kind)} alone, and {name}() of model '{model}' requires "
                f"'{lacking[0].name}' too."
            )
        yield self._say(
            "input-kind",
            message,
            site.node,
            f"Call model.{name}(…) with its own arguments.",
            model=model,
            method=str(name),
            declared=method.location,
        )

    def _inference_params(self, node: ast.expr, method: Method, model: str) -> Iterator[Finding]:
        """Yield what is wrong with the names and values. Runners hand them to models that answer messages only: a
        method gets its defaults."""
        name = str(method.signature.name)
        fields = {str(each.name): each for each in method.signature.input_fields}
        source = self._evaluator.once(node) if isinstance(node, ast.Name) else node
        unread: list[str] = []
        for key, value in _pairs(source):
            at = value if source is node else node
            about: dict[str, Any] = {"model": model, "method": name, "declared": declared(method, key)}
            wrong = list(self._misfits(key, value, method)) if key in fields else []
            for each in wrong:
                yield self._say(each.rule, f"inference_params: {each.message}", at, **about)
            if key not in fields:
                guess = did_you_mean(key, fields, lead=" ")
                message = (
                    f"inference_params gives '{key}', which {name}() of model '{model}' does not have: it is "
                    f"ignored.{guess}"
                )
                yield self._say("ignored-argument", message, at, **about)
            elif not wrong:
                unread.append(key)
        if unread:
            given = ", ".join(f"'{each}'" for each in unread)
            yield self._say(
                "ignored-argument",
                f"inference_params gives {given}, and a runner hands them to no method: {name}() of model "
                f"'{model}' gets its defaults.",
                node,
                f"Call model.{name}(…) with its own arguments.",
                severity=Severity.WARNING,
                model=model,
                method=name,
                declared=method.location,
            )

    def _misfits(self, name: str, node: ast.expr, method: Method) -> Iterator[Finding]:
        """Yield what is wrong with a value for this parameter of the method, as far as the value is known."""
        try:
            value = self._evaluator.value(node)
        except UnknownValue:
            return
        from clarifai_emulator.contracts.values.python_values import check_arguments

        yield from check_arguments(alone(method.signature, name), {name: value})

    def _value(self, node: ast.expr | None) -> Any:
        """Return the value of an argument; ``None`` where it is not known, or not given."""
        if node is None:
            return None
        try:
            return self._evaluator.value(node)
        except UnknownValue:
            return None

    def _say(self, rule: str, message: str, at: Any, hint: str | None = None, **about: Any) -> Finding:
        return found(rule, message, self._source.location(at), hint=hint, **about)


_OF_MESSAGES = frozenset({"inputs", "inference_params", "output_config"})
_PLACES = frozenset({"deployment_id", "nodepool_id", "compute_cluster_id", "deployment_user_id", "runner_selector"})


def gives_messages(site: CallSite, method: Method) -> bool:
    """Tell whether a call of whose arguments no type is known has one that only a call with messages takes."""
    names = {each.name for each in method.signature.input_fields}
    given = {each.arg for each in site.call.keywords} if site.call is not None else set[str | None]()
    return site.is_open and bool((given & _OF_MESSAGES) - names)


def is_used_as_value(source: Source, node: ast.expr) -> bool:
    """Tell whether something is used as a value that a function cannot be: compared, looped over, shown."""
    parent = source.parents.get(node)
    if isinstance(parent, ast.Compare):
        return not any(isinstance(each, ast.Is | ast.IsNot | ast.Eq | ast.NotEq) for each in parent.ops)
    if isinstance(parent, ast.Call) and node in parent.args:
        return ast.unparse(parent.func).rpartition(".")[2] in _VALUE_FUNCTIONS
    if isinstance(parent, ast.For | ast.comprehension):
        return parent.iter is node
    if isinstance(parent, ast.Subscript):
        return parent.value is node
    return isinstance(parent, ast.FormattedValue | ast.BinOp | ast.Starred)


def _article(kind: str) -> str:
    return f"{'an' if kind[0] in 'aei' else 'a'} {kind}"


def _pairs(node: ast.expr | None) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield key.value, value
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict":
        yield from ((each.arg, each.value) for each in node.keywords if each.arg)
