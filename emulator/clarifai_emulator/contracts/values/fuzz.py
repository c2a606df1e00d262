"""Drives every method of a deployed model with generated values of its signature.

    signature ─► strategies (hypothesis) ─► call(method, arguments) ─► crashed? hung? gave what it declares?

A failure is made as small as it can be before it is told, while the method's time lasts. A call that hangs is told
as it is: it still runs, and would keep the next ones from being answered. The same seed gives the same calls. Needs
the extra ``fuzz`` (hypothesis), and the SDK where a method takes media.
"""

from __future__ import annotations

import importlib.util
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from clarifai_grpc.grpc.api.resources_pb2 import MethodSignature

from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.finding import Finding
from clarifai_emulator.contracts.signatures.shapes import MethodShape, Shape, Type, method_shape
from clarifai_emulator.contracts.values.python_values import check_result, shown
from clarifai_emulator.contracts.values.wire import lost_result, may_be_lost
from clarifai_emulator.errors import ConfigError

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

# Calls a method with arguments by name and gives its result, as the SDK does. Raises what the model raises.
Call = Callable[[str, dict[str, Any]], Any]
# Seconds: of one call, and of all calls of one method.
CALL_SECONDS, METHOD_SECONDS = 10.0, 60.0
_LONGEST_STREAM = 1000
# Large enough to find what a method does not expect, small enough not to fill the machine's memory.
_LARGEST = 1000


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """The result of fuzzing one method. ``calls`` were made; ``finding`` is None when all went well.
    ``is_cut_short``: its time was up before everything was tried."""

    method: str
    calls: int
    finding: Finding | None
    is_cut_short: bool = False


class _Wrong(Exception):
    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule, self.message = rule, message


class _Stop(BaseException):
    """Ends the calls of a method: hypothesis would go on after an ordinary exception."""


def fuzz(
    signatures: Sequence[MethodSignature],
    call: Call,
    *,
    model: str = "",
    examples: int = 25,
    seconds: float = CALL_SECONDS,
    method_seconds: float = METHOD_SECONDS,
    seed: int = 0,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Fuzzed]:
    """Yield one result for each method, as it comes. ``examples``: calls of each method, more while a failure is
    made smaller; ``seconds``: a call that takes longer hangs; ``method_seconds``: after them no further call of a
    method is begun. Raises ``ConfigError`` without hypothesis."""
    if importlib.util.find_spec("hypothesis") is None:
        hint = "pip install 'clarifai-emulator[fuzz]'"
        raise ConfigError("Fuzzing needs hypothesis:", ["it is not installed"], hint=hint)
    for signature in signatures:
        yield _Method(signature, call, model, seconds, method_seconds, clock).run(examples, seed)


class _Method:
    """The calls of one method."""

    def __init__(
        self,
        signature: MethodSignature,
        call: Call,
        model: str,
        seconds: float,
        method_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self._signature = signature
        self._shape = method_shape(signature)
        self._call = call
        self._model = model
        self._seconds = seconds
        self._clock = clock
        self._end = clock() + method_seconds
        self._calls = 0
        # Told when nothing worse is found: whatever else is tried goes on.
        self._is_result_lost = False
        # What went wrong so far, with the shortest arguments.
        self._worst: tuple[int, _Wrong] | None = None

    def run(self, examples: int, seed: int) -> Fuzzed:
        import hypothesis

        settings = hypothesis.settings(
            max_examples=examples,
            deadline=None,
            database=None,
            report_multiple_bugs=False,
            print_blob=False,
            phases=[hypothesis.Phase.generate, hypothesis.Phase.shrink],
            suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.large_base_example],
        )
        attempt = settings(hypothesis.seed(seed)(hypothesis.given(arguments_of(self._shape))(self._attempt)))
        try:
            attempt()
        except _Wrong as wrong:
            return self._told(wrong)
        except _Stop:
            return self._told(self._worst[1] if self._worst is not None else None, is_cut_short=True)
        return self._told(None)

    def _told(self, wrong: _Wrong | None, *, is_cut_short: bool = False) -> Fuzzed:
        name = self._shape.name
        if wrong is None and self._is_result_lost:
            wrong = _Wrong("result-lost", lost_result(self._shape).message)
        if wrong is None:
            return Fuzzed(name, self._calls, None, is_cut_short)
        finding = found(wrong.rule, f"{name}(): {wrong.message}", model=self._model, method=name)
        return Fuzzed(name, self._calls, finding, is_cut_short)

    def _attempt(self, arguments: Mapping[str, Any]) -> None:
        if self._calls and self._clock() > self._end:
            raise _Stop
        self._calls += 1
        said = ", ".join(f"{name}={shown(value)}" for name, value in arguments.items())
        try:
            self._try(dict(arguments), said or "no arguments")
        except _Wrong as wrong:
            if self._worst is None or len(said) <= self._worst[0]:
                self._worst = (len(said), wrong)
            if wrong.rule == "hanging-method":
                raise _Stop from None
            raise

    def _try(self, arguments: dict[str, Any], said: str) -> None:
        """Make one call. Raises ``_Wrong``."""
        outcome = self._within_time(arguments)
        if outcome is None:
            raise _Wrong("hanging-method", f"no answer after {self._seconds:g} s to {said}.")
        results, error = outcome
        if error is not None:
            raise _Wrong("crashing-method", f"fails for {said}: {_cause(error)}")
        for result in results:
            if not arguments and isinstance(result, dict) and not result and may_be_lost(self._shape):
                self._is_result_lost = True
                continue
            for problem in check_result(self._signature, result):
                message = problem.message.removeprefix(f"{self._shape.name}(): ")
                raise _Wrong(problem.rule, f"for {said} {message}")

    def _within_time(self, arguments: dict[str, Any]) -> tuple[list[Any], Exception | None] | None:
        """Return the results or the error; None when neither came in time. A call that hangs keeps its thread."""
        outcome: list[tuple[list[Any], Exception | None]] = []

        def work() -> None:
            try:
                outcome.append((self._results(arguments), None))
            except Exception as error:
                outcome.append(([], error))

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(self._seconds)
        return outcome[0] if outcome else None

    def _results(self, arguments: dict[str, Any]) -> list[Any]:
        if self._shape.stream:
            arguments[self._shape.stream] = iter(arguments[self._shape.stream])
        result = self._call(self._shape.name, arguments)
        streams = self._shape.result is not None and self._shape.result.iterator
        return list(islice(result, _LONGEST_STREAM)) if streams else [result]


def _cause(error: Exception) -> str:
    """Return what the model said, out of the response that the SDK shows."""
    text = str(error)
    if text == "generator raised StopIteration":
        return "it yields nothing, and the SDK's client fails for a stream of nothing."
    for line in text.splitlines():
        if line.strip().startswith("details: "):
            return line.strip().removeprefix("details: ").strip('"')
    lines = text.splitlines() or [type(error).__name__]
    return lines[0][:200]


def arguments_of(shape: MethodShape) -> SearchStrategy[dict[str, Any]]:
    """Arguments by name: the required ones always, the others often."""
    from hypothesis import strategies as st

    required = {name: _argument(each) for name, each in shape.inputs.items() if each.required or each.iterator}
    optional = {name: _argument(each) for name, each in shape.inputs.items() if name not in required}
    return st.fixed_dictionaries(required, optional=optional) | st.fixed_dictionaries({**required, **optional})


def _argument(shape: Shape) -> SearchStrategy[Any]:
    from hypothesis import strategies as st

    values = values_of(shape)
    return st.lists(values, min_size=1, max_size=4) if shape.iterator else values


def values_of(shape: Shape) -> SearchStrategy[Any]:
    """Values that the shape allows, its range and choices kept."""
    from hypothesis import strategies as st

    if shape.type == Type.LIST:
        return st.lists(values_of(shape.args[0]), max_size=4)
    if shape.type == Type.TUPLE:
        return st.tuples(*map(values_of, shape.args))
    if shape.type == Type.NAMED_FIELDS:
        return st.fixed_dictionaries({each.name: values_of(each) for each in shape.args})
    if shape.choices:
        return st.sampled_from([_as_declared(shape, each) for each in shape.choices])
    return _plain(shape)


def _as_declared(shape: Shape, choice: str) -> Any:
    """Choices are published as text."""
    return int(choice) if shape.type == Type.INT else float(choice) if shape.type == Type.FLOAT else choice


def _plain(shape: Shape) -> SearchStrategy[Any]:
    from hypothesis import strategies as st

    low = -_LARGEST if shape.low is None else shape.low
    high = max(low, _LARGEST) if shape.high is None else shape.high
    text = st.text(st.characters(codec="utf-8"), max_size=40)
    if shape.type == Type.INT:
        least, most = int(-(-low // 1)), int(high)
        return st.sampled_from(_corners(least, most)) | st.integers(least, most)
    if shape.type == Type.FLOAT:
        return st.sampled_from(_corners(low, high)) | st.floats(low, high, allow_nan=False)
    if shape.type == Type.JSON_DATA:
        return _json(text, shape)
    simple: dict[int, SearchStrategy[Any]] = {
        Type.STR: text,
        Type.BOOL: st.booleans(),
        Type.BYTES: st.binary(max_size=64),
    }
    return simple[shape.type] if shape.type in simple else _media(shape)


def _corners(low: Any, high: Any) -> list[Any]:
    """Numbers at which methods often fail, and which chance seldom meets."""
    kind = type(low)
    return [kind(each) for each in (0, 1, -1, low, high) if low <= each <= high] or [low]


def _json(text: SearchStrategy[str], shape: Shape) -> SearchStrategy[Any]:
    """Return a strategy for JSON. Dict or list, as model.py declares, is not published; a default tells, else dicts
    are usual."""
    from hypothesis import strategies as st

    leaves = st.one_of(st.none(), st.booleans(), st.floats(-_LARGEST, _LARGEST), text)
    if isinstance(shape.default, list):
        return st.lists(leaves, max_size=4)
    return st.dictionaries(text, leaves, max_size=4)


def _media(shape: Shape) -> SearchStrategy[Any]:
    from clarifai.runners.utils import data_types
    from hypothesis import strategies as st

    if shape.type == Type.NDARRAY:
        import numpy

        floats = st.lists(st.floats(-_LARGEST, _LARGEST, width=32), min_size=1, max_size=8)
        return floats.map(lambda values: numpy.array(values, dtype="float32"))
    made: Mapping[int, Callable[[], Any]] = {
        Type.TEXT: lambda: data_types.Text("text"),
        Type.IMAGE: lambda: data_types.Image.from_pil(_picture()),
        Type.CONCEPT: lambda: data_types.Concept("concept", value=0.5),
        Type.REGION: lambda: data_types.Region(box=[0.1, 0.1, 0.9, 0.9]),
        Type.FRAME: lambda: data_types.Frame(image=data_types.Image.from_pil(_picture())),
        Type.AUDIO: lambda: data_types.Audio(bytes=b"RIFF"),
        Type.VIDEO: lambda: data_types.Video(bytes=b"video"),
    }
    return st.builds(made[shape.type])


def _picture() -> Any:
    import PIL.Image

    return PIL.Image.new("RGB", (8, 8), "red")
