"""Finds the calls of OpenAI's own client in a Python file: ``client.chat.completions.create(model=…)``."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from clarifai_emulator.contracts.endpoints.client_code import ClientCode
from clarifai_emulator.contracts.endpoints.client_makers import Maker, Makers, makers_of
from clarifai_emulator.contracts.endpoints.openai_request import Destination, OpenAiRequest
from clarifai_emulator.contracts.endpoints.openai_surface import BETWEEN, CALLS, CLIENT_ONLY, CLIENTS
from clarifai_emulator.contracts.endpoints.written_python import arguments, written
from clarifai_emulator.contracts.endpoints.written_value import (
    GivenValues,
    WrittenValue,
    given_in,
)
from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.client_call import ClientCall
from clarifai_emulator.spelling import did_you_mean

_LONGEST = max(map(len, CALLS))
_LAST = frozenset(path[-1] for path in CALLS)
# The module itself is a client, with settings of its own.
_MODULE = "openai"
_MODULE_BASES = frozenset({"openai.base_url", "openai.api_base"})


@dataclass(frozen=True, slots=True)
class _Seen:
    """A method of the client, as it is named. ``client``: the expression of the client."""

    path: tuple[str, ...]
    client: ast.expr
    makers: Makers


class OpenAiCalls:
    """Finds the requests of one file. ``claimed``: the calls that were understood, and those that made their
    clients, which nothing else has to look at."""

    def __init__(self, code: ClientCode) -> None:
        self._code = code
        self.claimed: set[ast.AST] = set()

    def requests(self) -> Iterator[OpenAiRequest]:
        """Yield every call of OpenAI's client, whoever it goes to."""
        for call in self._code.source.calls:
            seen = self._method(call.func)
            if seen is not None:
                yield from self._requests(call, seen)
            elif call.args and self._is_partial(call):
                inner = self._method(call.args[0])
                if inner is not None:
                    rest = ast.copy_location(ast.Call(call.args[0], call.args[1:], call.keywords), call)
                    yield from self._requests(rest, inner, is_partial=True)

    def passed(self) -> Iterator[ClientCall]:
        """Yield, as not checked, methods of the platform's clients that are handed on without being called."""
        for node in self._code.source.attributes:
            parent = self._code.source.parents.get(node)
            is_argument = isinstance(parent, ast.keyword) or (
                isinstance(parent, ast.Call) and parent.func is not node
            )
            if node.attr not in _LAST or not is_argument:
                continue
            if isinstance(parent, ast.Call) and self._is_partial(parent):
                continue
            seen = self._method(node)
            if seen is None:
                continue
            for request in self._made(node, seen, GivenValues(is_whole=False), GivenValues()):
                if request.destination is Destination.PLATFORM:
                    message = f"{request.shown} is passed on: what calls it, and with what, is not checked."
                    finding = found("passed-method", message, request.location, method=seen.path[-1])
                    yield ClientCall(request.location, request.shown, findings=(finding,))
                    break

    def unknown(self) -> Iterator[ClientCall]:
        """Yield, as not checked, calls of the platform's clients that OpenAI's client is not known to have."""
        for call in self._code.source.calls:
            attributes, owner = _chain(call.func)
            names = tuple(each.attr for each in attributes)
            if len(names) < 2 or names[-1] not in _LAST or self._method(call.func) is not None:
                continue
            makers = makers_of(self._code, owner, CLIENTS)
            if not makers.found:
                continue
            seen = _Seen(names, owner, makers)
            for request in self._made(call.func, seen, GivenValues(is_whole=False), GivenValues()):
                if request.destination is Destination.PLATFORM:
                    guess = did_you_mean(".".join(names), [".".join(each) for each in CALLS], lead=" ")
                    message = f"{request.shown} is no known call of OpenAI's client: it is not checked.{guess}"
                    finding = found("unresolved-request", message, request.location, method=names[-1])
                    yield ClientCall(request.location, request.shown, findings=(finding,))
                    break

    def _method(self, node: ast.expr) -> _Seen | None:
        attributes, owner = _chain(node)
        for _ in range(5):
            bound = self._code.evaluator.once(owner) if isinstance(owner, ast.Name) else None
            if not isinstance(bound, ast.Attribute | ast.Name):
                break
            more, owner = _chain(bound)
            attributes = [*more, *attributes]
        names = tuple(each.attr for each in attributes)
        for size in range(min(_LONGEST, len(names)), 1, -1):
            if names[-size:] in CALLS:
                client = attributes[-size - 1] if len(attributes) > size else owner
                return _Seen(names[-size:], client, makers_of(self._code, client, CLIENTS))
        return None

    def _requests(self, call: ast.Call, seen: _Seen, *, is_partial: bool = False) -> Iterator[OpenAiRequest]:
        name, makers = self._code.name_of(seen.client), seen.makers
        is_others = bool(makers.others) and not makers.found and makers.is_whole
        if is_others or (name and name != _MODULE):
            return  # another library's client, with the same words
        self.claimed.update({call, *(each.call for each in makers.found)})
        given = arguments(self._code, call)
        body = {key: value for key, value in given.values.items() if key not in CLIENT_ONLY}
        extra = given.values.get("extra_body")
        more = given_in(extra) if extra is not None else GivenValues()
        yield from self._made(call.func, seen, GivenValues(body, given.is_whole and not is_partial), more)

    def _made(self, node: ast.expr, seen: _Seen, body: GivenValues, extra: GivenValues) -> Iterator[OpenAiRequest]:
        is_module = self._code.name_of(seen.client) == _MODULE
        clients: list[Maker | None] = [*seen.makers.found] or [None]
        for maker in clients:
            if maker is not None:
                base = maker.given_values().first("base_url", "api_base")
            else:
                base = self._module_base if is_module else None
            yield OpenAiRequest(
                self._code.source.location(node),
                f"{'.'.join(seen.path)}()",
                CALLS.get(seen.path, ""),
                base or self._environment_base,
                body.first("model", "engine"),
                body,
                extra,
                hint=f"{ast.unparse(seen.client)} {maker.source if maker is not None else ''}",
                is_client_known=maker is not None or is_module,
                sends_all=maker is not None and not maker.is_wrapped,
            )

    @cached_property
    def _module_base(self) -> WrittenValue | None:
        """Return what the file sets as the base URL of the module: ``openai.base_url = …``."""
        for target, value in self._assigned:
            if isinstance(target, ast.Attribute) and self._code.name_of(target) in _MODULE_BASES:
                return written(self._code, value)
        return None

    @cached_property
    def _environment_base(self) -> WrittenValue | None:
        """Return what the file sets in its environment: ``os.environ["OPENAI_BASE_URL"] = …``."""
        for target, value in self._assigned:
            text = ast.unparse(target) if isinstance(target, ast.Subscript) else ""
            if "environ" in text and "OPENAI" in text and "BASE" in text:
                return written(self._code, value)
        return None

    @property
    def _assigned(self) -> Iterator[tuple[ast.expr, ast.expr]]:
        for node in self._code.source.nodes:
            if isinstance(node, ast.Assign):
                yield node.targets[0], node.value

    def _is_partial(self, call: ast.Call) -> bool:
        return self._code.name_of(call.func) == "functools.partial"


def _chain(node: ast.expr) -> tuple[list[ast.Attribute], ast.expr]:
    """Return the attributes of a chain, from the left, and what they are taken from."""
    attributes: list[ast.Attribute] = []
    while isinstance(node, ast.Attribute):
        if node.attr not in BETWEEN:
            attributes.append(node)
        node = node.value
    return attributes[::-1], node
