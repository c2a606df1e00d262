"""Tells the author of a model why ``model.py``, or the SDK beneath it, cannot be imported, and what to do."""

from __future__ import annotations

from collections.abc import Sequence

from clarifai_emulator.errors import ModelError

_SDK_MISSES = "Name `clarifai` in the model's requirements.txt, or mend the environment."
_SDK_MISFITS = (
    "The packages that requirements.txt leads to do not fit together: name a newer `clarifai`, or an "
    "older version of the package that the traceback names (an old SDK often needs `protobuf<7`)."
)


def unusable_model(error: str, kind: str, trace: str) -> ModelError:
    """Return the error for a model that cannot be used. ``error``: the exception in words; ``kind``: the name of
    its class; ``trace``: the model's traceback."""
    return ModelError(f"model.py cannot be used: {error.splitlines()[-1]}", hint=_hint(kind), log=trace)


def sdk_broke(lines: Sequence[str]) -> bool:
    """Tell whether an interpreter printed a traceback through the SDK, and not only through the model."""
    trace = "\n".join(lines).rpartition("Traceback (most recent call last)")
    return bool(trace[1]) and any(f"/site-packages/{name}/" in trace[2] for name in ("clarifai", "clarifai_grpc"))


def sdk_hint(lines: Sequence[str]) -> str:
    """Say what to do about an SDK that cannot be imported, by the traceback that its interpreter printed."""
    return _SDK_MISFITS if sdk_broke(lines) else _SDK_MISSES


def _hint(kind: str) -> str:
    if kind == "ModuleNotFoundError":
        return "Add the package to requirements.txt, or the module to the model directory, and deploy again."
    if kind == "NoMethods":
        return "Mark the methods of your ModelClass subclass with @ModelClass.method."
    if kind in ("SyntaxError", "IndentationError", "TabError"):
        return "Mend the line above and deploy again."
    return "The platform would refuse or fail this model in the same way; mend it and deploy again."
