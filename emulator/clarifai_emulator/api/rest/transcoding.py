"""Transcodes JSON, query parameters and path variables to a request message, and a response message to JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from math import isinf
from typing import Any, TypeVar

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import ParseDict, ParseError

from clarifai_emulator.api.rest.json_errors import find_misfits, kind_of
from clarifai_emulator.api.rest.paths import Bound
from clarifai_emulator.errors import CallerError
from clarifai_emulator.messages.descriptors import is_repeated
from clarifai_emulator.messages.json import as_dict
from clarifai_emulator.spelling import did_you_mean

_TRUE_FALSE = {"true": True, "1": True, "false": False, "0": False}
_MOST_MISFITS = 5
_READ_AT_ONCE = 256 * 1024  # some milliseconds
_TURN_SECONDS = 0.0002
_OF_THE_DOCUMENTATION = {("ListNodepools", "min_runner_replicas"): ("1", "active_usage", "true")}
_FIELDS_OF_BYTES = (b'"base64"', b'"bytes_value"', b'"bytesValue"', b'"buffer"')
_OF_A_VALUE = 100
_LONGEST_NAME = 100
_MOST_DIGITS = 400  # the largest double has 309


def read_request(bound: Bound, values: Iterable[str], query: Iterable[tuple[str, str]], body: bytes) -> Any:
    """The request of an RPC. The path wins over the body, the body over the query. Raises ``CallerError`` 11100."""
    name = bound.rpc.name
    request = bound.rpc.request_type()
    _merge(name, request, _query_as_json(name, request.DESCRIPTOR, query), "query parameters")
    content = read_json(name, body) if body.strip() else {}
    if not isinstance(content, dict):
        raise bad_request(f"The body of {name} must be a JSON object, got {kind_of(content)}.")
    if content and not bound.binding.body:
        raise bad_request(
            f"{bound.binding.method} {bound.binding.path} takes no body.", "Send its fields as query parameters."
        )
    _merge(name, request, content, "body", look_closer=_holds_bytes(body))
    for path, value in zip(bound.variables, values, strict=True):
        _set(request, path, value)
    return request


_Read = TypeVar("_Read")


async def read_aside(size: int, read: Callable[..., _Read], *arguments: Any) -> _Read:
    """Return what ``read`` makes of a body of this many bytes; of a large one, while the loop serves others. Large
    ones are read one after the other."""
    if size <= _READ_AT_ONCE:
        return read(*arguments)
    return await asyncio.get_running_loop().run_in_executor(_reader(), partial(_giving_way, read, *arguments))


@cache
def _reader() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="large JSON")


def _giving_way(read: Callable[..., _Read], *arguments: Any) -> _Read:
    """Read so that the event loop goes on: it waits for the interpreter several times in each call that it
    serves, and as long each time as Python lets a thread have it."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(_TURN_SECONDS)
    try:
        return read(*arguments)
    finally:
        sys.setswitchinterval(usual)


async def size_in_memory(body: bytes) -> int:
    """Return about how many bytes a body of JSON takes while it is read: its text twice, and each of its values."""
    return 2 * len(body) + _OF_A_VALUE * await read_aside(len(body), _values_in, body)


def _values_in(body: bytes) -> int:
    """Count what may be values, in parts: no other thread runs while one is looked through."""
    parts = (body[at : at + _READ_AT_ONCE] for at in range(0, len(body), _READ_AT_ONCE))
    return sum(part.count(sign) for part in parts for sign in (b",", b"{", b"["))


def read_message(name: str, message_type: Any, line: bytes) -> Any:
    """Read one message of a stream of messages. Raises ``CallerError`` 11100."""
    content = read_json(name, line)
    message = message_type()
    _merge(name, message, content, "body", look_closer=_holds_bytes(line))
    return message


def read_json(name: str, data: bytes) -> Any:
    """JSON, and nothing that only Python takes for it. Raises ``CallerError`` 11100."""
    try:
        return json.loads(
            data,
            object_pairs_hook=_without_duplicates,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_of_few_digits,
        )
    except RecursionError:
        raise bad_request(f"The body of {name} is nested too deeply.") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise bad_request(f"The body of {name} is no JSON: {error.msg} at {where}.") from None
    except (UnicodeDecodeError, ValueError) as error:
        raise bad_request(f"The body of {name} is no JSON: {error}.") from None


def as_json(message: Any) -> bytes:
    """A message as the platform writes it."""
    content = as_dict(message, numeric_enums=True, as_answered=True)
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def bad_request(details: str, hint: str = "") -> CallerError:
    """A request that cannot be read."""
    return CallerError(StatusCode.CONN_BAD_REQUEST_FORMAT, details, hint=hint, row="rest.unknown-field")


def _merge(name: str, message: Any, content: Any, what: str, *, look_closer: bool = False) -> None:
    """Put JSON into a message. ``look_closer``: also for what the protobuf library reads without a word."""
    if content == {}:
        return
    unread = ""
    try:
        ParseDict(content, message)
    except (ParseError, TypeError, ValueError, RecursionError) as error:
        unread = str(error).splitlines()[0].rstrip(".")
    if not unread and not look_closer:
        return
    misfits = find_misfits(message.DESCRIPTOR, content, most=_MOST_MISFITS + 1)
    text = "; ".join(misfits[:_MOST_MISFITS]) or unread
    more = "; and more" if len(misfits) > _MOST_MISFITS else ""
    if text:
        raise bad_request(f"The {what} of {name} cannot be read: {text}{more}.")


def _holds_bytes(body: bytes) -> bool:
    """Tell whether a field may be base64, of which the protobuf library leaves out what it does not understand."""
    return any(name in body for name in _FIELDS_OF_BYTES)


def _query_as_json(name: str, descriptor: Any, query: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return ``a.b=1&c=2&c=3`` as ``{"a": {"b": "1"}, "c": ["2", "3"]}``, with booleans where a field is one."""
    content: dict[str, Any] = {}
    for parameter, text in query:
        path, value = _as_of_today(name, parameter, text)
        *parents, last = path.split(".")
        place, owner = content, descriptor
        for part in parents:
            field = _field(name, owner, part, path)
            if field.message_type is None or is_repeated(field):
                raise bad_request(
                    f"The query parameter '{path}' of {name} names a part of '{part}', which has none."
                )
            place = place.setdefault(field.name, {})
            owner = field.message_type
        field = _field(name, owner, last, path)
        given = _TRUE_FALSE.get(value, value) if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL else value
        if is_repeated(field):
            place.setdefault(field.name, []).append(given)
        else:
            place[field.name] = given
    return content


def _as_of_today(name: str, parameter: str, text: str) -> tuple[str, str]:
    """A parameter of the documentation's samples as the RPC has it now, by name and value."""
    only, *today = _OF_THE_DOCUMENTATION.get((name, parameter), (text, parameter, text))
    if text != only:
        raise bad_request(f"{name} takes the query parameter '{parameter}' only as {only}, got '{text[:50]}'.")
    return today[0], today[1]


def _field(name: str, descriptor: Any, part: str, path: str) -> Any:
    field = descriptor.fields_by_name.get(part) or descriptor.fields_by_camelcase_name.get(part)
    if field is None:
        hint = did_you_mean(part, descriptor.fields_by_name)
        raise bad_request(f"{name} has no query parameter '{path}'.", hint)
    return field


def _set(message: Any, path: str, value: str) -> None:
    """Put the text of a path variable where it belongs."""
    *parents, last = path.split(".")
    for part in parents:
        message = getattr(message, part)
    field = message.DESCRIPTOR.fields_by_name[last]
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        try:
            setattr(message, last, value)
        except (UnicodeError, ValueError):
            raise bad_request(f"The path has no proper text for '{path}'.") from None
    elif value.isascii() and value.isdigit() and len(value) < 10:
        setattr(message, last, int(value))
    else:
        raise bad_request(f"The path must have a number for '{path}', got '{value}'.")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict[str, Any]()
    for name, value in pairs:
        if not name.isascii():
            _check_text(name)
        if name in content:
            raise ValueError(f"the name '{name[:_LONGEST_NAME]}' stands twice in one object")
        content[name] = value
    return content


def _check_text(name: str) -> None:
    """Refuse a name with half of a surrogate pair: the protobuf library fails over it."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ValueError(f"the name {name[:_LONGEST_NAME]!a} is no text") from None


def _finite(text: str) -> float:
    """Python takes a number beyond its range for infinity, which JSON does not have."""
    number = float(text)
    if isinf(number):
        raise ValueError(f"the number {text[:50]} is too large")
    return number


def _of_few_digits(text: str) -> int:
    """No field has room for more, and Python's own refusal speaks of Python."""
    if len(text) > _MOST_DIGITS:
        raise ValueError(f"a number has {len(text)} digits; {_MOST_DIGITS} are the most")
    return int(text)


def _refuse_constant(constant: str) -> Any:
    raise ValueError(f"{constant} is not a JSON number")
