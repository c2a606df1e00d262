"""Decodes what the reader of a model's signatures answered: messages, or an error for the model's author."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from clarifai_grpc.grpc.api import resources_pb2

from clarifai_emulator.backends.backend import Exit
from clarifai_emulator.backends.model_errors import sdk_broke, sdk_hint, unusable_model
from clarifai_emulator.errors import ModelError

# How long importing model.py may take.
INSPECT_SECONDS = 120.0
_LAST_LINES = 20


class SignatureReader(Protocol):
    """A process that reads the signatures of a model."""

    @property
    def exited(self) -> asyncio.Future[Exit]:
        """Resolved when the process has ended and its output was read."""
        ...

    def kill(self) -> None:
        """End the process."""
        ...


class Signatures(list[Any]):
    """The ``MethodSignature`` messages. ``warning``: what has to be said about how they were read; mostly
    nothing."""

    warning = ""


def mocked_warning(error: str, where: Mapping[str, Any] | None) -> str:
    """Warn of signatures that were read with mocks. ``error``: the exception in words; ``where``: the model's line
    that it came through."""
    place = f" ({Path(where['file']).name}, line {where['line']})" if where else ""
    last = error.splitlines()[-1].rstrip(".")
    return (
        f"model.py cannot be imported here: {last}{place}. Its methods were read with every third-party module "
        "replaced by a mock, as the SDK's upload reads them; a replica needs the real thing."
    )


def decode_answer(answer: bytes, exit_: Exit, lines: Sequence[str]) -> dict[str, Any]:
    """Decode what the reader said. ``exit_``, ``lines``: how it ended and what it printed. Raises ``ModelError``
    when it said nothing."""
    if not answer and exit_.code == 1 and sdk_broke(lines):
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        raise ModelError(
            f"The Clarifai SDK of this model's environment cannot be imported: {last.rstrip('.')}.",
            hint=sdk_hint(lines),
            log="\n".join(lines[-_LAST_LINES:]),
        )
    if not answer:
        raise ModelError(
            f"model.py ended the interpreter while it was being imported ({exit_}).",
            hint="Look for os._exit(), sys.exit() or a crashing native library at the module's top level.",
            log="\n".join(lines[-_LAST_LINES:]),
        )
    try:
        return json.loads(answer)
    except ValueError:
        raise ModelError(
            "What was read of model.py cannot be understood: something else was written into the answer.",
            hint="Look for writes to file descriptors that model.py has not opened, at the module's top level.",
            log="\n".join(lines[-_LAST_LINES:]),
        ) from None


def signatures_in(answer: Mapping[str, Any]) -> Signatures:
    """The ``MethodSignature`` messages of an answer. Raises ``ModelError`` with the model's own traceback."""
    if "error" in answer:
        raise unusable_model(
            answer["error"], answer["kind"], answer["traceback"], answer["hint"], answer["packages"]
        )
    decoded = (base64.b64decode(text) for text in answer["signatures"])
    signatures = Signatures(resources_pb2.MethodSignature.FromString(data) for data in decoded)
    if "mocked" in answer:
        signatures.warning = mocked_warning(answer["mocked"]["error"], answer["mocked"]["where"])
    return signatures


async def end_of(reader: SignatureReader, lines: Sequence[str], seconds: float) -> Exit:
    """Wait until the reader ends; end it after so many seconds. ``lines``: what it prints. Raises ``ModelError``
    when it did not come to an end by itself."""
    try:
        return await asyncio.wait_for(asyncio.shield(reader.exited), seconds)
    except TimeoutError:
        raise ModelError(
            f"model.py was still being imported after {seconds:.0f} s.",
            hint="Move slow work from the module's top level into load_model().",
            log="\n".join(lines[-_LAST_LINES:]),
        ) from None
    finally:
        reader.kill()
