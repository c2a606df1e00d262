"""Notes calls that the SDK itself refuses: nothing of them reaches the emulator, which could say what is wrong.

    model.predict(nme="x") ─► ModelClient raises "Got unexpected key: nme" ─► a note: method, arguments, the line
    a test fails ─► refused_calls.py checks the notes against the signatures

The SDK's methods are wrapped in functions that look on and let every exception through. Imports nothing of the
emulator, and waits until somebody else imports the SDK.
"""

from __future__ import annotations

import contextlib
import dis
import functools
import inspect
import os
from collections.abc import Callable, Generator
from dataclasses import dataclass
from types import FrameType, ModuleType
from typing import Any

import pytest

CLIENT_MODULE = "clarifai.client.model_client"
_SENDERS = ("_predict", "_generate", "_stream", "_async_predict", "_async_generate", "_async_stream")
# Modules whose frames are between the caller and the SDK's exception.
_BETWEEN = ("clarifai", "asyncio", "concurrent", "functools", "contextlib")
_MOST = 100  # notes of one test
_WITH_PROTO = "with_proto"


@dataclass(frozen=True, slots=True)
class CallPlace:
    """The line that made a call: the innermost one that is not the SDK's."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        where = f"{os.path.relpath(self.file)}:{self.line}"
        return where if self.function == "<module>" else f"{where} in {self.function}"


@dataclass(frozen=True, slots=True)
class RefusedCall:
    """A call that ended inside the SDK. ``arguments``: of each of its inputs. ``problem``: the rule that the call
    as such breaks, and how; empty if only its arguments can be wrong. ``probed``: the method was maybe only looked
    for, as ``hasattr`` does."""

    model: tuple[str, str, str]
    method: str
    arguments: tuple[dict[str, Any], ...]
    signatures: dict[str, Any]
    place: CallPlace
    problem: tuple[str, str] = ("", "")
    probed: bool = False


class CallWatch:
    """Watches the SDK's ``ModelClient`` while ``is_active()``. ``noted``: the refused calls, until cleared."""

    def __init__(self, is_active: Callable[[], bool]) -> None:
        self._is_active = is_active
        self._patches = pytest.MonkeyPatch()
        self.noted: list[RefusedCall] = []

    def watch(self, module: ModuleType) -> None:
        """Look on from now on. An SDK without these methods, older or newer, is left alone."""
        client: Any = getattr(module, "ModelClient", None)
        if client is None:
            return
        for name in _SENDERS:
            self._replace(client, name, self._sender)
        self._replace(client, "_define_functions", self._definer)
        self._replace(client, "__getattr__", self._getter)

    def remove(self) -> None:
        """Look on no more."""
        self._patches.undo()

    def _replace(self, client: Any, name: str, make: Callable[[Any], Any]) -> None:
        original = client.__dict__.get(name)
        if original is not None:
            self._patches.setattr(client, name, make(original))

    # ── values that the SDK can't send ─────────────────────────────────────────────────────────────────

    def _sender(self, original: Any) -> Any:
        """Wrap ``original``, which takes the inputs of a call and sends them, in a function of the same kind."""
        if inspect.isasyncgenfunction(original):
            return self._async_generator(original)
        if inspect.iscoroutinefunction(original):
            return self._coroutine(original)
        if inspect.isgeneratorfunction(original):
            return self._generator(original)

        @functools.wraps(original)
        def watched(client: Any, inputs: Any, *args: Any, **named: Any) -> Any:
            __tracebackhide__ = True
            with self._noting(client, inputs, *args, **named):
                return original(client, inputs, *args, **named)

        return watched

    def _generator(self, original: Any) -> Any:
        @functools.wraps(original)
        def watched(client: Any, inputs: Any, *args: Any, **named: Any) -> Any:
            __tracebackhide__ = True
            with self._noting(client, inputs, *args, **named):
                return (yield from original(client, inputs, *args, **named))

        return watched

    def _coroutine(self, original: Any) -> Any:
        @functools.wraps(original)
        async def watched(client: Any, inputs: Any, *args: Any, **named: Any) -> Any:
            __tracebackhide__ = True
            with self._noting(client, inputs, *args, **named):
                return await original(client, inputs, *args, **named)

        return watched

    def _async_generator(self, original: Any) -> Any:
        @functools.wraps(original)
        async def watched(client: Any, inputs: Any, *args: Any, **named: Any) -> Any:
            __tracebackhide__ = True
            with self._noting(client, inputs, *args, **named):
                async for each in original(client, inputs, *args, **named):
                    yield each

        return watched

    @contextlib.contextmanager
    def _noting(
        self, client: Any, inputs: Any, method_name: str = "predict", *_: Any, **__: Any
    ) -> Generator[None]:
        """Note the call when the block raises; the SDK takes streams out of the inputs, so they are kept before."""
        __tracebackhide__ = True
        given = _copied(inputs)
        try:
            yield
        except Exception:
            self._note(client, method_name, given)
            raise

    # ── calls that do not fit any signature ────────────────────────────────────────────────────────────

    def _definer(self, original: Any) -> Any:
        """Wrap ``_define_functions``, which makes a function of each method of the model."""

        @functools.wraps(original)
        def watched(client: Any, *args: Any, **named: Any) -> Any:
            __tracebackhide__ = True
            result = original(client, *args, **named)
            for name, signature in (client._method_signatures or {}).items():
                function = client.__dict__.get(name)
                if function is not None:
                    setattr(client, name, self._method(client, name, signature, function))
            return result

        return watched

    def _method(self, client: Any, name: str, signature: Any, function: Any) -> Any:
        names = list(dict.fromkeys(each.name.partition(".")[0] for each in signature.input_fields))

        @functools.wraps(function)
        def method(*args: Any, **named: Any) -> Any:
            __tracebackhide__ = True
            problem, arguments = _bound(name, names, args, named)
            if arguments is not None:
                self._note(client, name, (arguments,), problem=problem)
            return function(*args, **named)

        return method

    # ── methods that there are not ─────────────────────────────────────────────────────────────────────

    def _getter(self, original: Any) -> Any:
        @functools.wraps(original)
        def watched(client: Any, name: str) -> Any:
            __tracebackhide__ = True
            try:
                return original(client, name)
            except AttributeError:
                if not name.startswith("_") and client.__dict__.get("_method_signatures"):
                    frame = _caller()
                    self._note(client, name, (), frame=frame, probed=not _is_attribute(frame))
                raise

        return watched

    def _note(
        self,
        client: Any,
        method: str,
        arguments: tuple[dict[str, Any], ...],
        *,
        problem: tuple[str, str] = ("", ""),
        probed: bool = False,
        frame: FrameType | None = None,
    ) -> None:
        """Note a refused call. Never raises: the call's own exception is the one that counts."""
        if not self._is_active() or len(self.noted) >= _MOST:
            return
        frame = frame or _caller()
        place = CallPlace(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
        with contextlib.suppress(AttributeError):  # another version of the SDK may lack these
            template = client.request_template
            model = (template.user_app_id.user_id, template.user_app_id.app_id, template.model_id)
            signatures = dict(client._method_signatures or {})
            self.noted.append(RefusedCall(model, method, arguments, signatures, place, problem, probed))


def _copied(inputs: Any) -> tuple[dict[str, Any], ...]:
    """Copy the arguments of each input as they are now: the SDK takes streams out of them."""
    each: list[Any] = inputs if isinstance(inputs, list) else [inputs]
    return tuple(dict(one) for one in each if isinstance(one, dict))


def _bound(
    method: str, names: list[str], args: tuple[Any, ...], named: dict[str, Any]
) -> tuple[tuple[str, str], dict[str, Any] | None]:
    """Return the rule that the arguments break by their number, and how, with all of them by name; None in place of
    the rule when the SDK takes the arguments, which it counts before it looks at a value."""
    given = {name: value for name, value in named.items() if name != _WITH_PROTO}
    twice = [name for name in names[: len(args)] if name in given]
    arguments = {**dict(zip(names, args, strict=False)), **given}
    if len(args) > len(names):
        takes = f"{len(names)} argument{'s' * (len(names) != 1)}"
        return ("extra-argument", f"{method}() takes {takes}, {len(args)} are given."), arguments
    if twice:
        return ("repeated-argument", f"{method}() is given '{twice[0]}' twice: by position and by name."), arguments
    if len(args) + len(given) > len(names):
        return ("", ""), arguments  # has an unknown name
    return ("", ""), None


def _caller() -> FrameType:
    """Return the innermost frame that is neither the SDK's nor ours."""
    frame = inspect.currentframe()
    assert frame is not None, "Python has frames"
    while frame.f_back is not None and _is_passed_over(frame):
        frame = frame.f_back
    return frame


def _is_passed_over(frame: FrameType) -> bool:
    module = str(frame.f_globals.get("__name__", ""))
    return module.partition(".")[0] in _BETWEEN or module == __name__


def _is_attribute(frame: FrameType) -> bool:
    """Tell whether the frame reads an attribute just now, rather than calls ``hasattr`` or ``getattr``."""
    code = frame.f_code.co_code
    if not 0 <= frame.f_lasti < len(code):
        return False
    return dis.opname[code[frame.f_lasti]] in ("LOAD_ATTR", "LOAD_METHOD")
