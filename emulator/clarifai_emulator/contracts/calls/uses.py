"""Checks what a client does with a call's result: streams that are not read, coroutines that are not awaited."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from clarifai_emulator.contracts.calls.call_sites import CallSite, function_of, is_awaited, loads
from clarifai_emulator.contracts.calls.client_source import Source
from clarifai_emulator.contracts.calls.constants import Evaluator
from clarifai_emulator.contracts.calls.coroutines import SHOWING, VALUE_FUNCTIONS, Coroutines
from clarifai_emulator.contracts.calls.edits import Edits
from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.finding import Edit, Finding
from clarifai_emulator.contracts.signatures.method import Method
from clarifai_emulator.contracts.stubs import stub_types
from clarifai_emulator.contracts.stubs.sdk_surface import FORWARDED

_READING_FUNCTIONS = frozenset(
    {"list", "tuple", "set", "sorted", "sum", "max", "min", "any", "all", "frozenset", "dict", "deque"}
)
_JSON = frozenset({"json.dumps", "json.dump", "dumps", "jsonify", "JSONResponse"})
# Functions that return what other functions return.
_DEEPEST = 5
_SCALARS = frozenset(
    {"STR", "INT", "FLOAT", "BOOL", "BYTES", "TEXT", "IMAGE", "CONCEPT", "REGION", "AUDIO", "VIDEO"}
)


class Uses:
    """Looks at the uses in one file."""

    def __init__(self, source: Source, evaluator: Evaluator) -> None:
        self._source = source
        self._evaluator = evaluator
        self._coroutines = Coroutines(source)
        self._edits = Edits(source)

    def check(self, site: CallSite, method: Method, model: str) -> Iterator[Finding]:
        """Yield what is wrong with how the result of this call is used."""
        call = site.answer or site.call
        assert call is not None
        assert site.call is not None
        about: dict[str, Any] = {"model": model, "method": site.method, "declared": method.location}
        if site.way == "async":
            yield from self._async(site, call, about)
        elif site.way == "notebook":
            yield from self._in_notebook(call, about, f"async_{site.method}")
        elif site.way == "async-client":
            if site.kind == "unary" and not self._source.is_notebook:
                yield from self._awaited(call, about, f"async_client.{site.method}")
        elif self._runs_in_loop(call):
            yield found(
                "sync-in-async",
                f"{site.method}() is called in an async function: it gives a coroutine there, and that fails.",
                self._source.location(call),
                edit=self._in_loop(site, call),
                **about,
            )
        elif site.kind == "unary" and site.way != "batch" and not site.is_open:
            yield from self._letters(site, call, method, about)
        elif site.kind != "unary" and not _is_proto(site.call):
            for each in (call, *self._calls_that_give(call)):
                yield from self._stream(site, each, about)

    def _runs_in_loop(self, call: ast.Call) -> bool:
        # In a notebook the SDK knows that the loop is not the client's.
        return not self._source.is_notebook and isinstance(function_of(self._source, call), ast.AsyncFunctionDef)

    def _in_loop(self, site: CallSite, call: ast.Call) -> Edit | None:
        """Return the asynchronous call of the same method, where the SDK has one."""
        plain = site.kind == "unary" and not site.way and site.method in FORWARDED
        if not plain or not isinstance(call.func, ast.Attribute) or is_awaited(self._source, call):
            return None
        owner = self._edits.text(call.func.value)
        behind = self._source.between(self._source.end(call.func), self._source.end(call))
        return self._edits.awaited(call, f"await (await {owner}.async_{site.method}{behind})")

    def _async(self, site: CallSite, call: ast.Call, about: dict[str, Any]) -> Iterator[Finding]:
        if site.kind == "stream":
            yield found(
                "async-stream",
                f"async_{site.method}() gives nothing: the SDK's own is broken.",
                self._source.location(call),
                **about,
            )
        else:
            yield from self._awaited(call, about, f"async_{site.method}")

    def _awaited(self, call: ast.Call, about: dict[str, Any], name: str) -> Iterator[Finding]:
        """Report a call that gives a coroutine that gives a coroutine."""
        once = self._source.parents.get(call)
        if not isinstance(once, ast.Await):
            yield from self._not_awaited(call, about, name)
        elif self._coroutines.is_lost(once):
            yield found(
                "awaited-once",
                f"`await …{name}(…)` gives a coroutine, not the answer: it must be awaited once more.",
                self._source.location(once),
                hint=f"Write `await (await …{name}(…))`.",
                edit=self._edits.wrapped(once, "await (", ")"),
                **about,
            )

    def _not_awaited(self, call: ast.Call, about: dict[str, Any], name: str, times: int = 2) -> Iterator[Finding]:
        if self._coroutines.is_shown(call):
            text = self._edits.text(call)
            may_await = times == 1 or isinstance(function_of(self._source, call), ast.AsyncFunctionDef)
            yield found(
                "not-awaited",
                f"…{name}(…) gives a coroutine, and nothing awaits it: nothing is sent.",
                self._source.location(call),
                hint=f"Write `{_awaited_text(f'…{name}(…)', times)}`.",
                edit=self._edits.awaited(call, _awaited_text(text, times)) if may_await else None,
                **about,
            )

    def _in_notebook(self, call: ast.Call, about: dict[str, Any], name: str) -> Iterator[Finding]:
        """Report a call in a notebook that is awaited twice: there, the first one gives the answer."""
        once = self._source.parents.get(call)
        if not isinstance(once, ast.Await):
            yield from self._not_awaited(call, about, name, times=1)
        elif is_awaited(self._source, once):
            outer = self._source.parents[once]
            yield found(
                "awaited-twice",
                f"In a notebook `await …{name}(…)` gives the answer, which cannot be awaited again.",
                self._source.location(once),
                hint=f"Write `await …{name}(…)`.",
                edit=self._edits.replaced(outer, self._edits.text(once)) if isinstance(outer, ast.Await) else None,
                **about,
            )

    def _letters(self, site: CallSite, call: ast.Call, method: Method, about: dict[str, Any]) -> Iterator[Finding]:
        outputs = method.signature.output_fields
        kind = stub_types.kind(outputs[0]) if outputs else ""
        if kind not in _SCALARS or _is_proto(call):
            return
        for node in (call, *self._names(call)):
            parent = self._source.parents.get(node)
            loops = isinstance(parent, ast.For | ast.comprehension) and parent.iter is node
            if loops or isinstance(parent, ast.YieldFrom):
                what = "its letters" if kind == "STR" else "it"
                yield found(
                    "letters-of-text",
                    f"{site.method}() answers once, with {stub_types.in_words(outputs[0])}: "
                    f"this loop goes over {what}.",
                    self._source.location(node),
                    **about,
                )

    def _calls_that_give(self, call: ast.Call, depth: int = 0) -> Iterator[ast.Call]:
        """Yield the calls of functions of this file that return what the call gives."""
        parent = self._source.parents.get(call)
        function = function_of(self._source, call)
        returned = isinstance(parent, ast.Return) or (isinstance(parent, ast.Lambda) and parent.body is call)
        if not returned or depth > _DEEPEST:
            return
        for each in self._source.calls:
            if isinstance(each.func, ast.Name) and self._defines(each.func) is function:
                yield each
                yield from self._calls_that_give(each, depth + 1)

    def _defines(self, name: ast.Name) -> ast.AST | None:
        """Return the one function that the name is bound to."""
        scope = self._evaluator.bound(name)
        if scope is None or len(scope[1]) != 1:
            return None
        if isinstance(scope[1][0], ast.Lambda):
            return scope[1][0]
        for each in self._source.inside[scope[0]]:
            if isinstance(each, ast.FunctionDef) and each.name == name.id and not each.decorator_list:
                return each
        return None

    def _stream(self, site: CallSite, call: ast.Call, about: dict[str, Any]) -> Iterator[Finding]:
        parent = self._source.parents.get(call)
        if isinstance(parent, ast.Expr):
            yield self._not_read(site, call, about)
            return
        value = self._as_value(call) or self._as_json(call)
        if value:
            yield self._value(site, call, value, about)
        name = _assigned(parent)
        if name is None:
            return
        scope = function_of(self._source, call) or self._source.tree
        uses = list(loads(scope, name.id))
        if not uses and not isinstance(scope, ast.Module):
            yield self._not_read(site, call, about)
        if self._evaluator.once(name) is not call:
            return
        for each in uses:
            value = self._as_value(each)
            if value:
                yield self._value(site, each, value, about)
        yield from self._twice(site, uses, about)
        for each in uses:
            loop = self._loop_between(each, name) if self._reads_all(each) else None
            if loop is not None:
                yield found(
                    "stream-read-twice",
                    f"The answers of {site.method}() are read in each round of the loop in line {loop.lineno}: "
                    "from the second round on there are none left.",
                    self._source.location(each),
                    **about,
                )

    def _loop_between(self, node: ast.AST, name: ast.Name) -> ast.For | ast.AsyncFor | ast.While | None:
        """Return a loop that a stream is read in, and not made in, and that goes on when it was read."""
        below, made = node, set(self._source.above(name))
        for current in self._source.above(node):
            if current in made:
                break
            if isinstance(current, ast.For | ast.AsyncFor | ast.While) and below in current.body:
                return None if _ends_loop(current) else current
            below = current
        return None

    def _as_json(self, node: ast.expr) -> str:
        """Describe how a container that holds the node is made into JSON; empty where it is not."""
        holder = self._source.parents.get(node)
        if not isinstance(holder, ast.Dict | ast.List | ast.Tuple):
            return ""
        outer = self._source.parents.get(holder)
        places: list[ast.expr] = [holder]
        name = _assigned(outer)
        if name is not None and self._evaluator.once(name) is holder:
            places += loads(function_of(self._source, node) or self._source.tree, name.id)
        for place in places:
            parent = self._source.parents.get(place)
            if isinstance(parent, ast.Call) and place in parent.args and ast.unparse(parent.func) in _JSON:
                return f"{ast.unparse(parent.func)}(…)"
        return ""

    def _twice(self, site: CallSite, uses: list[ast.Name], about: dict[str, Any]) -> Iterator[Finding]:
        read = [each for each in uses if self._reads_all(each)]
        statements = [self._statement(each) for each in read]
        for first, second, node in zip(statements, statements[1:], read[1:], strict=False):
            same = self._source.parents.get(first) is self._source.parents.get(second)
            if same and first is not second and not _leaves(first):
                yield found(
                    "stream-read-twice",
                    f"The answers of {site.method}() were read in line {first.lineno}: here there are none left.",
                    self._source.location(node),
                    **about,
                )

    def _reads_all(self, node: ast.expr) -> bool:
        parent = self._source.parents.get(node)
        if isinstance(parent, ast.For) and parent.iter is node:
            return not any(isinstance(each, ast.Break) for each in ast.walk(parent))
        if isinstance(parent, ast.comprehension):
            return parent.iter is node
        if isinstance(parent, ast.Call) and node in parent.args:
            name = ast.unparse(parent.func)
            return name in _READING_FUNCTIONS or name.endswith(".join")
        return False

    def _statement(self, node: ast.AST) -> ast.stmt:
        return next(each for each in (node, *self._source.above(node)) if isinstance(each, ast.stmt))

    def _names(self, call: ast.Call) -> list[ast.Name]:
        name = _assigned(self._source.parents.get(call))
        if name is None or self._evaluator.once(name) is not call:
            return []
        return list(loads(function_of(self._source, call) or self._source.tree, name.id))

    def _as_value(self, node: ast.expr) -> str:
        """Describe how the node is used as one value; empty where it is not."""
        parent = self._source.parents.get(node)
        if isinstance(parent, ast.Call) and node in parent.args:
            name = ast.unparse(parent.func)
            # Streamlit's `write` reads a stream.
            shows = isinstance(parent.func, ast.Attribute) and parent.func.attr in SHOWING - {"write"}
            return f"{name}(…)" if shows or name in VALUE_FUNCTIONS else ""
        if isinstance(parent, ast.FormattedValue):
            return "text"
        if isinstance(parent, ast.Subscript) and parent.value is node:
            return f"…[{ast.unparse(parent.slice)}]"
        if isinstance(parent, ast.BinOp | ast.Compare):
            is_none = isinstance(parent, ast.Compare) and isinstance(parent.ops[0], ast.Is | ast.IsNot)
            membership = isinstance(parent, ast.Compare) and isinstance(parent.ops[0], ast.In | ast.NotIn)
            return "" if is_none or membership else "one value"
        return ""

    def _not_read(self, site: CallSite, call: ast.Call, about: dict[str, Any]) -> Finding:
        return found(
            "stream-not-read",
            f"The answers of {site.method}() are never read: the request is not even sent.",
            self._source.location(call),
            **about,
        )

    def _value(self, site: CallSite, node: ast.expr, used: str, about: dict[str, Any]) -> Finding:
        return found(
            "stream-as-value",
            f"{site.method}() gives a stream of answers; it is used as {used}.",
            self._source.location(node),
            **about,
        )


def _awaited_text(call: str, times: int) -> str:
    return f"await (await {call})" if times > 1 else f"await {call}"


def _assigned(node: ast.AST | None) -> ast.Name | None:
    """Return the name that a plain assignment binds."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        return node.targets[0]
    return None


def _ends_loop(loop: ast.For | ast.AsyncFor | ast.While) -> bool:
    """Tell whether a loop may end in its first round: with `break`, `return` or `raise`."""
    return any(isinstance(each, ast.Break | ast.Return | ast.Raise) for each in ast.walk(loop))


def _is_proto(call: ast.Call) -> bool:
    return any(each.arg == "with_proto" for each in call.keywords)


def _leaves(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Return | ast.Raise)
