"""Tells the author of a model why ``model.py``, or the SDK beneath it, cannot be imported, and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clarifai_emulator.errors import ModelError
from clarifai_emulator.inside.sdk_versions_main import has, numbers
from clarifai_emulator.models.missing_modules import ELSEWHERE, folder_of, hint_for_missing

# The exception for code of another version of the SDK (``inside/other_sdk_main.py``).
OTHER_SDK = "OtherSdk"
# The exception for an SDK that cannot be imported (``inside/sdk_main.py``).
_BROKEN_SDK = "BrokenSdk"
_SDK_MISSES = "Name `clarifai` in the model's requirements.txt, or mend the environment."
_SDK_MISFITS = (
    "The packages that requirements.txt leads to do not fit together: name a newer `clarifai`, or an "
    "older version of the package that the traceback names (an old SDK often needs `protobuf<7`)."
)


def unusable_model(
    error: str, kind: str, trace: str, hint: str = "", packages: Mapping[str, str] | None = None
) -> ModelError:
    """Return the error for a model that cannot be used. ``error``: the exception in words; ``kind``: the name of
    its class; ``trace``: the model's traceback; ``hint``: the way out, where the exception brought one;
    ``packages``: the versions of the SDK and what it stands on."""
    if kind == _BROKEN_SDK:
        last = error.splitlines()[-1].removeprefix(f"{_BROKEN_SDK}: ")
        return broken_sdk("the model's environment", last, trace, packages or {})
    said = error.splitlines()[-1].removeprefix(f"{OTHER_SDK}: ")
    hint = hint or hint_for_missing(said, folder_of(trace)) or _hint(kind)
    return ModelError(f"model.py cannot be used: {said}", hint=hint, log=trace)


def broken_sdk(where: str, last: str, trace: str, packages: Mapping[str, str]) -> ModelError:
    """Return the error for an SDK that cannot be imported. ``where``: in which interpreter; ``last``: the exception
    in words; ``trace``: its traceback; ``packages``: the versions of the SDK and what it stands on."""
    version = packages.get("clarifai", "")
    named = f"clarifai {version}" if version else "The Clarifai SDK"
    others = ", ".join(f"{name} {of}" for name, of in packages.items() if name != "clarifai")
    beside = f" beside {others}" if version and others else ""
    hint = sdk_hint(trace.splitlines())
    if version and not has("protobuf-7", version) and numbers(packages.get("protobuf", "")) >= (7, 0, 0):
        hint = f"clarifai {version} needs `protobuf<7`: name that in requirements.txt, or a newer `clarifai`."
    return ModelError(f"{named} cannot be imported by {where}{beside}: {last.rstrip('.')}.", hint=hint, log=trace)


def sdk_broke(lines: Sequence[str]) -> bool:
    """Tell whether an interpreter printed a traceback through the SDK, and not only through the model."""
    trace = "\n".join(lines).rpartition("Traceback (most recent call last)")
    return bool(trace[1]) and any(f"/site-packages/{name}/" in trace[2] for name in ("clarifai", "clarifai_grpc"))


def sdk_hint(lines: Sequence[str]) -> str:
    """Say what to do about an SDK that cannot be imported, by the traceback that its interpreter printed."""
    return _SDK_MISFITS if sdk_broke(lines) else _SDK_MISSES


def _hint(kind: str) -> str:
    if kind == "ModuleNotFoundError":
        return f"{ELSEWHERE}, and deploy again."
    if kind == "NoMethods":
        return "Mark the methods of your ModelClass subclass with @ModelClass.method."
    if kind in ("SyntaxError", "IndentationError", "TabError"):
        return "Mend the line above and deploy again."
    return "The platform would refuse or fail this model in the same way; mend it and deploy again."
