"""Implements ``assert_called``: checks that a model, or a tool of it, was called as a test thinks it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from clarifai_emulator.control.call_records import Call
from clarifai_emulator.messages.data_values import shown_call
from clarifai_emulator.spelling import did_you_mean_or

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class WantedCall:
    """The call that a test asks for. ``model``: its key, joined with slashes, or its id alone. ``method`` and
    ``tool``: empty for any. ``arguments``: those that must be equal; others may be there. ``by``: the model that
    makes the call, as ``model`` has it; empty for the test itself, None for anybody."""

    model: str
    method: str = ""
    tool: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])
    by: str | None = None

    def __str__(self) -> str:
        by = "" if self.by is None else f" by {self.by or 'the test itself'}"
        return f"{self._what}{by}"

    @property
    def _what(self) -> str:
        name = f"tool {self.tool}" if self.tool else self.method
        return shown_call(name or "any method", self.arguments) if self.arguments else name

    def is_of(self, call: Call) -> bool:
        """Tell whether a call is one of the model."""
        return self.model in (call.model, call.model.rpartition("/")[2])

    def fits(self, call: Call) -> bool:
        """Tell whether a call is the wanted one."""
        if not self.is_of(call) or (self.tool and call.tool != self.tool):
            return False
        if self.method and call.method != self.method:
            return False
        if self.by is not None and self.by not in (call.by, call.by.rpartition("/")[2]):
            return False
        given = (call.tool_arguments,) if self.tool else call.all_arguments or (call.arguments,)
        return any(_has(each, self.arguments) for each in given)


def require_called(calls: Sequence[Call], wanted: WantedCall, times: int | None) -> None:
    """Fail the test unless there is such a call; of ``times``, unless there are so many."""
    __tracebackhide__ = True
    count = sum(wanted.fits(call) for call in calls)
    if count == times or (times is None and count):
        return
    pytest.fail("\n".join(_complaint(calls, wanted, times, count)), pytrace=False)


def _has(given: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(name in given and bool(given[name] == value) for name, value in wanted.items())


def _complaint(calls: Sequence[Call], wanted: WantedCall, times: int | None, count: int) -> Iterator[str]:
    said = f"{wanted.model} was not called" if not count else f"{wanted.model} was called {_times(count)}"
    asked = f": {wanted}" if str(wanted) else ""
    yield f"{said}{asked}{'' if times is None else f'; expected {_times(times)}'}."
    own = [call for call in calls if wanted.is_of(call)]
    shown = [call for call in own if call.tool] if wanted.tool else own
    if shown:
        yield "It was called:"
        yield from _listed(shown)
    elif own:
        yield (
            f"It was asked {_times(len(own))}, and no tool was called. An agent that found no tools says so in its "
            "log."
        )
    elif calls:
        yield f"No call of it was made{_near(wanted, calls)}. These were:"
        yield from _listed(calls)
    else:
        yield (
            "No model was called. Only calls of models that run here are seen: tools that are functions of an "
            "agent's own code are not."
        )
    if wanted.tool and shown and wanted.tool not in {call.tool for call in shown}:
        near = did_you_mean_or(wanted.tool, sorted({call.tool for call in shown}), "")
        if near:
            yield f"{near[0].upper()}{near[1:]}"


def _near(wanted: WantedCall, calls: Sequence[Call]) -> str:
    names = sorted({name for call in calls for name in (call.model, call.model.rpartition("/")[2])})
    near = did_you_mean_or(wanted.model, names, "")
    return f"; {near.rstrip('?')}" if near else ""


def _listed(calls: Sequence[Call]) -> Iterator[str]:
    yield from (f"  {call}" for call in calls[:_SHOWN])
    if len(calls) > _SHOWN:
        yield f"  … and {len(calls) - _SHOWN} more"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
