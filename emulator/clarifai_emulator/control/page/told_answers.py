"""Tells a browser what a call that it made came to: each answer with its values, then how the call ended."""

from __future__ import annotations

from functools import partial
from typing import Any

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.call import ApiCall
from clarifai_emulator.api.failed import failure_reason
from clarifai_emulator.api.secret_texts import SecretTexts
from clarifai_emulator.control.page.call_views import OUTPUT, value_address
from clarifai_emulator.control.page.known_secrets import known_secrets
from clarifai_emulator.control.page.page_values import ValueView, shown_values
from clarifai_emulator.control.page.try_requests import Attempt
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.errors import TransportError, describe

_GOOD = (StatusCode.SUCCESS, StatusCode.ZERO)
# Of a traceback, the last lines: the error is at its end.
_MOST_LINES = 500


class ToldAnswers:
    """Makes lines for a browser of the answers to one call."""

    def __init__(self, emulator: Emulator, attempt: Attempt, call: ApiCall) -> None:
        self._clock = emulator.clock
        self._attempt = attempt
        self._call = call
        self._secrets = SecretTexts(known_secrets(emulator))
        self._number = 0

    def line(self, answer: Any) -> dict[str, Any]:
        """Tell of one answer, or of the ``TransportError`` that ended the call. Raises any other error."""
        if isinstance(answer, TransportError):
            return self._failed(0, answer.name, answer.message, [])
        if isinstance(answer, Exception):
            raise answer
        status = answer.status
        if status.code not in _GOOD:
            return self._failed(status.code, status.description, *_failure_of(answer))
        line = {"answer": self._values(answer), **self._about()}
        self._number += 1
        return line

    def end(self) -> dict[str, Any]:
        """Tell that the call ended well."""
        done = {"code": StatusCode.SUCCESS, "description": describe(StatusCode.SUCCESS), "answers": self._number}
        return {"done": done, **self._about()}

    def _values(self, answer: Any) -> list[dict[str, Any]]:
        fields, view = self._attempt.signature.output_fields, ValueView(self._secrets)
        found: list[dict[str, Any]] = []
        for item, output in enumerate(answer.outputs):
            found += shown_values(output.data, fields, view.at(partial(self._address_of, item)))
        return found

    def _address_of(self, item: int, path: str) -> str:
        """Return where the whole of a value is; empty where the answer is too large to be kept."""
        kept = self._call.kept
        outputs = kept.outputs if kept is not None else []
        if self._number >= len(outputs) or outputs[self._number].held is None:
            return ""
        return value_address(self._call.request_id, OUTPUT, self._number, item, path)

    def _failed(self, code: int, description: str, details: str, trace: list[str]) -> dict[str, Any]:
        lines = "\n".join(trace).splitlines()
        error = {
            "code": code,
            "description": description or (describe(code) if code else ""),
            "details": self._secrets.hide(details),
            "stack_trace": self._secrets.hide("\n".join(lines[-_MOST_LINES:])),
        }
        return {"error": error, **self._about()}

    def _about(self) -> dict[str, Any]:
        """Return what is known of the call by now."""
        call = self._call
        return {
            "request_id": call.request_id,
            "milliseconds": round((self._clock.monotonic() - call.started) * 1000, 3),
        }


def _failure_of(answer: Any) -> tuple[str, list[str]]:
    """Return what failed, and the traceback: of an output, where the answer itself only says that one failed."""
    failed = (each.status for each in answer.outputs if each.status.code not in _GOOD)
    stati = [answer.status, *failed]
    told = next((each for each in stati if each.details or each.stack_trace), answer.status)
    trace = list(told.stack_trace)
    # With a traceback there is the kind of the error, and the line of the model.
    return (failure_reason(told) if trace else told.details), trace
