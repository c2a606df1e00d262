"""Reads requests of OpenAI's API as turns of a conversation, and writes answers in its forms: whole, and in pieces.

The same request gets the same ids. Replicas that stand in for a model have a copy of this file, and of
``script_turns.py`` beside it.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_PIECE = 8  # characters of arguments in a piece
_TURN = re.compile(r"resp_(\d+)_")
_CALL = re.compile(r"call_(\d+)_\d+$")

Message = dict[str, Any]
Offered = dict[str, Mapping[str, Any]]


# ── what was said ──────────────────────────────────────────────────────────────────────────────────────────


def chat_conversation(messages: Any) -> list[tuple[str, str]]:
    """Return who said what in a chat, in order; an answer of the model's is one turn. Raises ``ValueError``."""
    return [(str(each.get("role")), text_of(each.get("content"))) for each in _objects("messages", messages)]


def response_conversation(request: Message) -> list[tuple[str, str]]:
    """Return who said what in a request for a response; one answer may be several items there, and those that came
    before may be named by ``previous_response_id`` alone. Raises ``ValueError``."""
    given = request.get("input") or ""
    items = [{"role": "user", "content": given}] if isinstance(given, str) else _objects("input", given)
    previous = _TURN.match(str(request.get("previous_response_id") or ""))
    said = [("assistant", "")] * int(previous.group(1)) if previous else []
    called: set[str] = set()  # turns of which calls were seen
    for item in items:
        kind = item.get("type") or "message"
        if kind == "function_call_output":
            said.append(("tool", text_of(item.get("output"))))
        elif kind == "message" and item.get("role") != "assistant":
            said.append((str(item.get("role")), text_of(item.get("content"))))
        elif kind in ("message", "function_call"):
            turn = _CALL.match(str(item.get("call_id") or ""))
            if turn is not None and turn.group(1) in called:
                continue  # one of several calls of an answer, whose results may stand between them
            if turn is not None:
                called.add(turn.group(1))
            if not said or said[-1][0] != "assistant" or (kind == "message" and said[-1][1]):
                said.append(("assistant", text_of(item.get("content"))))
    return said


def text_of(content: Any) -> str:
    """Return the text of a message, which may come in parts."""
    if isinstance(content, list):
        parts: list[Any] = content
        return " ".join(str(part.get("text") or "") for part in parts if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def offered_tools(request: Message) -> Offered:
    """Return the tools that a request offers, of a chat or for a response, with the schema of their arguments.
    Raises ``ValueError``."""
    found: Offered = {}
    if request.get("tool_choice") == "none":
        return found
    for tool in _objects("tools", request.get("tools")):
        function = tool.get("function") or tool
        if tool.get("type", "function") == "function" and isinstance(function, dict) and function.get("name"):
            schema: Any = function.get("parameters")
            found[str(function["name"])] = schema if isinstance(schema, dict) else {}
    return found


def _objects(name: str, value: Any) -> list[Message]:
    """Return a list of objects in a request; an empty one where it is left out."""
    items: list[Any] = value if isinstance(value, list) else [] if value is None else [value]
    odd = [each for each in items if not isinstance(each, dict)]
    if odd:
        raise ValueError(f"`{name}` must be a list of objects, got {json.dumps(odd[0])[:100]} in it.")
    return items


# ── chat completions ───────────────────────────────────────────────────────────────────────────────────────


def chat_calls(answer: Mapping[str, Any], turn: int) -> list[Message]:
    """Return the calls of tools of an answer, as a chat has them."""
    return [
        {
            "id": f"call_{turn}_{index}",
            "type": "function",
            "function": {"name": call["tool"], "arguments": call["arguments"]},
        }
        for index, call in enumerate(answer["calls"], 1)
    ]


def chat_completion(request: Message, answer: Mapping[str, Any], turn: int) -> Message:
    """Return an answer as a chat completion."""
    calls = chat_calls(answer, turn)
    message: Message = {"role": "assistant", "content": answer["text"] or None if calls else answer["text"]}
    if calls:
        message["tool_calls"] = calls
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}
    usage = _usage(request.get("messages") or (), answer)
    return {**_head(request, "chat.completion"), "choices": [choice], "usage": usage}


def chat_chunks(request: Message, answer: Mapping[str, Any], turn: int) -> Iterator[Message]:
    """Yield an answer as the chunks of a chat completion."""
    head = _head(request, "chat.completion.chunk")
    calls = chat_calls(answer, turn)
    for delta in _deltas(answer["text"], calls):
        yield {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    reason = "tool_calls" if calls else "stop"
    yield {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
    if (request.get("stream_options") or {}).get("include_usage"):
        yield {**head, "choices": [], "usage": _usage(request.get("messages") or (), answer)}


def _deltas(text: str, calls: list[Message]) -> Iterator[Message]:
    yield {"role": "assistant", "content": None if calls and not text else ""}
    if text or not calls:
        yield from ({"content": piece} for piece in in_pieces(text))
    for index, call in enumerate(calls):
        function = call["function"]
        yield {"tool_calls": [{**call, "index": index, "function": {"name": function["name"], "arguments": ""}}]}
        for piece in _cut(function["arguments"]):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


# ── responses ──────────────────────────────────────────────────────────────────────────────────────────────


def whole_response(request: Message, answer: Mapping[str, Any], turn: int) -> Message:
    """Return an answer as a response."""
    name = _name_of(request)
    output: list[Message] = []
    if answer["text"] or not answer["calls"]:
        part = {"type": "output_text", "text": answer["text"], "annotations": []}
        item: Message = {"id": f"msg_{turn}_{name}", "type": "message", "role": "assistant", "status": "completed"}
        output.append({**item, "content": [part]})
    for call in chat_calls(answer, turn):
        function = call["function"]
        item = {"id": f"fc_{turn}_{call['id']}", "type": "function_call", "status": "completed"}
        output.append({**item, "call_id": call["id"], "name": function["name"], "arguments": function["arguments"]})
    said = [{"content": text} for _, text in response_conversation(request)]
    usage = _usage(said, answer)
    return {
        "id": f"resp_{turn}_{name}",
        "object": "response",
        "created_at": int(time.time()),
        "model": request.get("model", "stand-in"),
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": request.get("instructions"),
        "metadata": {},
        "output": output,
        "parallel_tool_calls": True,
        "temperature": request.get("temperature"),
        "top_p": request.get("top_p"),
        "tool_choice": request.get("tool_choice") or "auto",
        "tools": request.get("tools") or [],
        "usage": {
            "input_tokens": usage["prompt_tokens"],
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": usage["completion_tokens"],
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": usage["total_tokens"],
        },
    }


def response_events(request: Message, answer: Mapping[str, Any], turn: int) -> Iterator[Message]:
    """Yield an answer as the events of a response."""
    whole = whole_response(request, answer, turn)
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    events: list[Message] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    for index, item in enumerate(whole["output"]):
        empty = {"content": []} if item["type"] == "message" else {"arguments": ""}
        started = {**item, **empty, "status": "in_progress"}
        events.append({"type": "response.output_item.added", "output_index": index, "item": started})
        place = {"item_id": item["id"], "output_index": index}
        events += _text_events(item, place) if item["type"] == "message" else _call_events(item, place)
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    events.append({"type": "response.completed", "response": whole})
    for number, event in enumerate(events):
        yield {**event, "sequence_number": number}


def _text_events(item: Message, place: Message) -> Iterator[Message]:
    (part,) = item["content"]
    place = {**place, "content_index": 0}
    yield {"type": "response.content_part.added", **place, "part": {**part, "text": ""}}
    for piece in in_pieces(part["text"]):
        yield {"type": "response.output_text.delta", **place, "delta": piece, "logprobs": []}
    yield {"type": "response.output_text.done", **place, "text": part["text"], "logprobs": []}
    yield {"type": "response.content_part.done", **place, "part": part}


def _call_events(item: Message, place: Message) -> Iterator[Message]:
    for piece in _cut(item["arguments"]):
        yield {"type": "response.function_call_arguments.delta", **place, "delta": piece}
    done = {"name": item["name"], "arguments": item["arguments"]}
    yield {"type": "response.function_call_arguments.done", **place, **done}


# ── both ───────────────────────────────────────────────────────────────────────────────────────────────────


def in_pieces(text: str) -> list[str]:
    """Return a text in words, with the blanks before them."""
    return re.findall(r"\s*\S+\s*$|\s*\S+", text) or [text]


def _cut(text: str) -> list[str]:
    return [text[at : at + _PIECE] for at in range(0, len(text), _PIECE)]


def _name_of(request: Message) -> str:
    """Return what is the same for the same request."""
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()[:24]


def _head(request: Message, kind: str) -> Message:
    return {
        "id": f"chatcmpl-{_name_of(request)}",
        "object": kind,
        "created": int(time.time()),
        "model": request.get("model", "stand-in"),
    }


def _usage(said: Iterable[Message], answer: Mapping[str, Any]) -> dict[str, int]:
    asked = sum(_words(text_of(each.get("content"))) for each in said)
    answered = _words(answer["text"]) + sum(_words(call["arguments"]) for call in answer["calls"])
    return {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered}


def _words(text: str) -> int:
    return len(text.split())
