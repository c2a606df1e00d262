"""Decides what a stand-in answers: which turn of a script a request is, and whether the request fits it.

Nothing is remembered: the turn is the number of answers in the conversation that a request brings along. So
replicas, restarts, repeated requests and conversations side by side change nothing. Replicas have a copy of this
file and nothing else of the emulator: it imports none of it.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

_SHOWN = 200

# An answer as ``script.json`` has it: ``text``, ``contains`` and ``calls``, each with ``tool``, ``arguments`` (as
# JSON) and ``unchecked``.
SaidAnswer = Mapping[str, Any]


class UnfitRequest(ValueError):
    """A request that is not what a script expects."""

    __module__ = "builtins"  # a traceback names it alone


class ConversationRequest(NamedTuple):
    """A request in a conversation. ``answers``: how many the model has given in it. ``latest``: what was said since
    the last of them, by ``sender``; ``opening``: what was said before the first. ``tools``: the arguments of each
    that is offered, as JSON Schema."""

    answers: int
    latest: str
    sender: str
    opening: str
    tools: Mapping[str, Mapping[str, Any]]


def fitting_answer(model: str, answers: Sequence[SaidAnswer], asked: ConversationRequest) -> SaidAnswer:
    """Return the first answer that fits what was said last. Raises ``UnfitRequest``."""
    found = next((each for each in answers if _is_said(each["contains"], asked.latest)), None)
    if found is None:
        raise UnfitRequest(
            f"This stand-in has no answer to {_shown(asked.latest)}. Give it one without `contains`."
        )
    _require_offered(f"An answer of {model}", found, asked)
    return found


def next_answer(model: str, scripts: Sequence[Sequence[SaidAnswer]], asked: ConversationRequest) -> SaidAnswer:
    """Return what comes next in the script of a conversation. Raises ``UnfitRequest`` that names the step, what was
    expected and what came."""
    script = next((each for each in scripts if _is_said(each[0]["contains"], asked.opening)), None)
    if script is None and len(scripts) > 1:
        begun = ", ".join(repr(each[0]["contains"]) for each in scripts)
        raise UnfitRequest(
            f"No script of {model} is for a conversation that begins with {_shown(asked.opening)}: the first steps "
            f"expect {begun}. Change a first step's `contains`, or add a script without it, at the end."
        )
    script = script or scripts[0]
    came = f"Last came {_shown(asked.latest)} ({asked.sender})"
    if asked.answers == 0 and asked.sender == "tool":
        raise UnfitRequest(
            f"The script of {model} got the result of a tool in a conversation without the call of it. {came}. "
            "Send the whole conversation: the script's next step is known by the answers in it."
        )
    if asked.answers >= len(script):
        raise UnfitRequest(
            f"The script of {model} has ended: it has {_steps(len(script))}, and this is request "
            f"{asked.answers + 1} of a conversation. {came}. Add a step, or let the conversation end earlier."
        )
    answer = script[asked.answers]
    step = f"Step {asked.answers + 1} of the script of {model}"
    if not _is_said(answer["contains"], asked.latest):
        raise UnfitRequest(
            f"{step} expects a message that contains {answer['contains']!r}. {came}. Change what is sent, or the "
            "step's `contains`."
        )
    _require_offered(step, answer, asked)
    return answer


def _require_offered(step: str, answer: SaidAnswer, asked: ConversationRequest) -> None:
    for call in answer["calls"]:
        if call["unchecked"]:
            continue
        schema = asked.tools.get(call["tool"])
        if schema is None:
            raise UnfitRequest(_not_offered(step, call["tool"], asked.tools))
        _require_arguments(step, call, schema)


def _not_offered(step: str, tool: str, offered: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(tool, offered, 1)
    offers = f"it offers {', '.join(sorted(offered))}" if offered else "it offers none"
    hint = f" Did you mean {near[0]!r}?" if near else ""
    none = "" if offered else " An agent whose tool server cannot be reached offers none: see its log."
    return (
        f"{step} calls the tool {tool!r}, which the request does not offer: {offers}.{hint}{none} "
        "`unchecked: true` calls it all the same."
    )


def _require_arguments(step: str, call: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
    """Hold the names of a call's arguments against the schema of its tool."""
    arguments = _object_in(call["arguments"])
    known: Mapping[str, Any] = _of_kind(schema.get("properties"), dict, {})
    wanted: Sequence[str] = _of_kind(schema.get("required"), list, ())
    problem = ""
    if arguments is None:
        problem = f"arguments that are no JSON object: {call['arguments'][:_SHOWN]!r}"
    elif missing := [name for name in wanted if name not in arguments]:
        problem = f"no {' and no '.join(map(repr, missing))}"
    elif known and (strange := [name for name in arguments if name not in known]):
        problem = f"{' and '.join(map(repr, strange))}, which the tool does not have"
    if problem:
        takes = ", ".join(known) or "nothing"
        raise UnfitRequest(
            f"{step} calls the tool {call['tool']!r} with {problem}; the tool takes {takes}. Change the step's "
            "`arguments`; `unchecked: true` calls it all the same."
        )


def _of_kind(value: Any, kind: type, otherwise: Any) -> Any:
    return value if isinstance(value, kind) else otherwise


def _object_in(text: str) -> dict[str, Any] | None:
    try:
        content = json.loads(text)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _is_said(wanted: str, text: str) -> bool:
    return wanted.casefold() in text.casefold()


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


def _steps(count: int) -> str:
    return f"{count} step{'s' * (count != 1)}"
