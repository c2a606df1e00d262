"""What can go wrong, as data: a Clarifai status code, what happened, and what to do next.

Whose fault it is, is the type:

* ``CallerError``: the request, the model or the configuration is wrong. Rendered as the platform would
  (``response.status``), never logged with a trace.
* anything else that reaches the request chain is a bug of the emulator: logged with its trace and answered as
  an internal error (99009).
"""

from __future__ import annotations

from collections.abc import Sequence

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

# Descriptions the platform is publicly known to send; every other code is described by its name.
_DESCRIPTIONS: dict[int, str] = {
    StatusCode.SUCCESS: "Ok",
    StatusCode.CONN_KEY_INVALID: "Invalid API key or Invalid API key/application pair",
    StatusCode.CONN_KEY_NOT_FOUND: "API key not found",
    StatusCode.CONN_INVALID_REQUEST: "Invalid request",
    StatusCode.MODEL_DOES_NOT_EXIST: "Model does not exist",
}


def describe(code: int) -> str:
    """The platform's sentence for a status code, e.g. ``25900`` → ``Deployment does not exist``."""
    known = _DESCRIPTIONS.get(code)
    if known is not None:
        return known
    try:
        return StatusCode.Name(code).replace("_", " ").capitalize()  # pyright: ignore[reportArgumentType]
    except ValueError:
        return f"Status {code}"


class EmulatorError(Exception):
    """Base of every error this package raises on purpose."""


class CallerError(EmulatorError):
    """A request that the platform would refuse.

    ``code``: Clarifai status code. ``details``: what happened and what was expected. ``hint``: what to do
    next; joined to the details in the answer, because clients show nothing else. ``description`` overrides
    the platform's sentence for the code where a source gives another one.
    """

    def __init__(
        self,
        code: int,
        details: str,
        *,
        hint: str = "",
        description: str = "",
        stack_trace: Sequence[str] = (),
    ) -> None:
        super().__init__(details)
        self.code = code
        self.details = details
        self.hint = hint
        self.description = description or describe(code)
        self.stack_trace = tuple(stack_trace)

    @property
    def message(self) -> str:
        """Details and hint as one text."""
        return f"{self.details} {self.hint}".strip()

    def __str__(self) -> str:
        return self.message


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
