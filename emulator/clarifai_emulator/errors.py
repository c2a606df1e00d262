"""Describes errors as data: a Clarifai status code, what happened, and what to do next.

The type says whose fault it is:

* ``CallerError``: the request, the model or the configuration is wrong. Rendered as the platform would
  (``response.status``), never logged with a trace.
* ``TransportError``: nobody's; the call ends with a gRPC status instead of an answer, because a test asked for it.
* anything else that reaches the request chain is a bug of the emulator: logged with its trace and answered as
  an internal error (99009).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

# Descriptions the platform is publicly known to send, by the name of the code; every other code is described by
# its name. Those up to UPLOAD_DONE are in recorded answers (logs and samples of Clarifai/docs, clarifai-javascript
# #34 and #35, tests of clarifai-python-grpc), the others in the documentation's list of status codes, in an older
# one where that explains instead.
_DESCRIPTIONS: dict[str, str] = {
    "SUCCESS": "Ok",
    "FAILURE": "Failure",
    "CONN_KEY_INVALID": "Invalid API key or Invalid API key/application pair",
    "CONN_KEY_NOT_FOUND": "API key not found",
    "CONN_DOES_NOT_EXIST": "Resource does not exist",
    "CONN_INVALID_REQUEST": "Invalid request",
    "CONN_METHOD_NOT_ALLOWED": "Method not allowed",
    "MODEL_TRAINED": "Model is trained and ready for deployment",
    "MODEL_BUILDING": "Model image is currently being built.",
    "MODEL_DOES_NOT_EXIST": "Model does not exist",
    "CONCEPTS_INVALID_REQUEST": "Invalid request",
    "DATABASE_DUPLICATE_KEY": "Object has a duplicate ID; another object with same ID already exist",
    "UPLOAD_IN_PROGRESS": "Upload in progress",
    "UPLOAD_DONE": "Upload done",
    "MIXED_STATUS": "Mixed Success",
    "TRY_AGAIN": "Try the request again",
    "MOVED": "Resource moved",
    "CONN_TOKEN_INVALID": "Invalid authentication token used",
    "CONN_CREDENTIALS_INVALID": "Invalid authentication credentials",
    "CONN_EXCEED_HOURLY_LIMIT": "Hourly request limit exceeded",
    "CONN_EXCEED_MONTHLY_LIMIT": "Monthly request limit exceeded",
    "CONN_THROTTLED": "Making too many requests",
    "CONN_EXCEEDS_LIMITS": "Account limits exceeded",
    "CONN_INSUFFICIENT_SCOPES": "API key has insufficient scopes",
    "CONN_BAD_REQUEST_FORMAT": "Bad request format",
    "PREDICT_INVALID_REQUEST": "Invalid request",
    "WORKFLOW_INVALID_GRAPH": "Workflow graph is invalid",
    "RPC_REQUEST_QUEUE_FULL": "Sorry, the server is too busy at the moment. Please try again later",
    "RPC_SERVER_UNAVAILABLE": "Sorry, the server is unavailable at the moment. Please try again later",
    "RPC_REQUEST_TIMEOUT": "Sorry, your request has timed out. Please try your request again",
    "RPC_MAX_MESSAGE_SIZE_EXCEEDED": "Sorry, the request sent is larger than the allowed limit. Please contact "
    "support@clarifai.com",
}
# The platform turns these names around: DEPLOYMENT_INVALID_REQUEST is "Invalid deployment request" (recorded), and
# MODEL_INVALID_ARGUMENT "Invalid model argument" (the list).
_INVALID = re.compile(r"(\w+)_INVALID_(ARGUMENT|REQUEST)")


# gRPC's own numbers of the statuses that are failures.
GRPC_CODES: dict[str, int] = {
    "CANCELLED": 1,
    "UNKNOWN": 2,
    "INVALID_ARGUMENT": 3,
    "DEADLINE_EXCEEDED": 4,
    "NOT_FOUND": 5,
    "ALREADY_EXISTS": 6,
    "PERMISSION_DENIED": 7,
    "RESOURCE_EXHAUSTED": 8,
    "FAILED_PRECONDITION": 9,
    "ABORTED": 10,
    "OUT_OF_RANGE": 11,
    "UNIMPLEMENTED": 12,
    "INTERNAL": 13,
    "UNAVAILABLE": 14,
    "DATA_LOSS": 15,
    "UNAUTHENTICATED": 16,
}


def describe(code: int) -> str:
    """Return the platform's sentence for a status code, e.g. ``25900`` → ``Deployment does not exist``."""
    # Commands import this module, and most of them no protobuf.
    from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

    try:
        name = StatusCode.Name(code)  # pyright: ignore[reportArgumentType]
    except ValueError:
        return f"Status {code}"
    if name in _DESCRIPTIONS:
        return _DESCRIPTIONS[name]
    turned = _INVALID.sub(r"invalid_\1_\2", name)
    return turned.replace("_", " ").capitalize()


_LONGEST_WORD = 300
_LONG_WORD = re.compile(rf"\S{{{_LONGEST_WORD + 1},}}")
_LONGEST_TEXT = 16_000


def shortened(text: str) -> str:
    """Shorten a text that may quote what a request holds: long words lose their end, a long text its middle."""
    if len(text) <= _LONGEST_WORD:
        return text
    text = _LONG_WORD.sub(lambda word: f"{word[0][:_LONGEST_WORD]}… [{len(word[0])} characters]", text)
    left_out = len(text) - _LONGEST_TEXT
    if left_out <= 0:
        return text
    half = _LONGEST_TEXT // 2
    return f"{text[:half]}… [{left_out} characters left out] …{text[-half:]}"


class EmulatorError(Exception):
    """Base of every error this package raises on purpose."""


class NoRoom(EmulatorError):
    """Says that a replica cannot be placed now; ``for_good`` when no amount of waiting helps."""

    def __init__(self, reason: str, *, for_good: bool) -> None:
        super().__init__(reason)
        self.for_good = for_good


class CallerError(EmulatorError):
    """A request that the platform would refuse.

    ``code``: Clarifai status code. ``details``: what happened and what was expected. ``hint``: what to do
    next; joined to the details in the answer, because clients show nothing else. Both are ``shortened``.
    ``description`` overrides the platform's sentence for the code where a source gives another one. ``row``: the
    row of the fidelity table that says why it is refused so.
    """

    def __init__(
        self,
        code: int,
        details: str,
        *,
        hint: str = "",
        description: str = "",
        stack_trace: Sequence[str] = (),
        row: str = "",
    ) -> None:
        self.code = code
        self.row = row
        self.details = shortened(details)
        self.hint = shortened(hint)
        super().__init__(self.details)
        self.description = description or describe(code)
        self.stack_trace = tuple(stack_trace)

    @property
    def message(self) -> str:
        """Return details and hint as one text."""
        return f"{self.details} {self.hint}".strip()

    def __str__(self) -> str:
        return self.message


class TransportError(EmulatorError):
    """A call that ends with a gRPC status instead of an answer. ``name``: one of ``GRPC_CODES``."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message

    @property
    def code(self) -> int:
        """Return gRPC's number of the status."""
        return GRPC_CODES[self.name]


class ConfigError(EmulatorError):
    """The emulator cannot start, or a file it was given cannot be used. Holds every problem found."""

    def __init__(self, what: str, problems: Sequence[str], *, hint: str = "") -> None:
        self.what = what
        self.problems = tuple(problems)
        self.hint = hint
        lines = [what, *(f"  - {problem}" for problem in self.problems)]
        super().__init__("\n".join([*lines, hint] if hint else lines))


class ModelError(EmulatorError):
    """A model directory that cannot be deployed: broken files, a missing dependency, code that raises.

    ``summary``: one sentence with the cause. ``log``: the model's own traceback or the
    installer's last lines.
    """

    def __init__(self, summary: str, *, hint: str = "", log: str = "") -> None:
        self.summary = summary
        self.hint = hint
        self.log = log
        parts = [summary, log.rstrip(), hint]
        super().__init__("\n".join(part for part in parts if part))


class ControlError(EmulatorError):
    """An emulator that cannot be found, reached or controlled.

    ``message``: what happened. ``hint``: what to do next. ``reason``: ``not running`` when there is none, ``usage``
    when the caller has to choose or write something else. ``data``: further facts, as JSON.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        reason: Literal["failed", "not running", "usage"] = "failed",
        data: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.reason = reason
        self.data = dict(data or {})


class LeftOut(EmulatorError):
    """A part of the emulator that the distribution which runs does not have. ``message``: what is missing;
    ``hint``: what to install."""

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(f"{message} {hint}")
        self.message = message
        self.hint = hint


class UnforeseenError(EmulatorError):
    """An error that the emulator did not raise on purpose, as another process is told of it."""
