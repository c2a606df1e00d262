"""What the author of a model is told when ``model.py`` cannot be imported."""

from __future__ import annotations

from clarifai_emulator.errors import ModelError


def unusable_model(error: str, kind: str, trace: str) -> ModelError:
    """``error``: the exception in words; ``kind``: the name of its class; ``trace``: the model's traceback."""
    return ModelError(f"model.py cannot be used: {error.splitlines()[-1]}", hint=_hint(kind), log=trace)


def _hint(kind: str) -> str:
    if kind == "ModuleNotFoundError":
        return "Add the package to requirements.txt, or the module to the model directory, and deploy again."
    if kind == "NoMethods":
        return "Mark the methods of your ModelClass subclass with @ModelClass.method."
    if kind in ("SyntaxError", "IndentationError", "TabError"):
        return "Mend the line above and deploy again."
    return "The platform would refuse or fail this model in the same way; mend it and deploy again."
