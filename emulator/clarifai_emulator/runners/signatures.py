"""What the reader of a model's signatures answered: messages, or an error for the model's author."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from clarifai_grpc.grpc.api import resources_pb2

from clarifai_emulator.errors import ModelError
from clarifai_emulator.runners.backend import Exit
from clarifai_emulator.runners.unusable import unusable_model

# How long importing model.py may take.
INSPECT_SECONDS = 120.0
_LAST_LINES = 20


def decode_signatures(answer: bytes, exit_: Exit, lines: Sequence[str]) -> list[Any]:
    """The ``MethodSignature`` messages of an answer. ``exit_``, ``lines``: how the reader ended and what it
    printed. Raises ``ModelError`` with the model's own traceback."""
    if not answer:
        raise ModelError(
            f"model.py ended the interpreter while it was being imported ({exit_}).",
            hint="Look for os._exit(), sys.exit() or a crashing native library at the module's top level.",
            log="\n".join(lines[-_LAST_LINES:]),
        )
    result = json.loads(answer)
    if "error" in result:
        raise unusable_model(result["error"], result["kind"], result["traceback"])
    decoded = (base64.b64decode(text) for text in result["signatures"])
    return [resources_pb2.MethodSignature.FromString(data) for data in decoded]


def still_importing(lines: Sequence[str], seconds: float) -> ModelError:
    """The reader did not come to an end."""
    return ModelError(
        f"model.py was still being imported after {seconds:.0f} s.",
        hint="Move slow work from the module's top level into load_model().",
        log="\n".join(lines[-_LAST_LINES:]),
    )
