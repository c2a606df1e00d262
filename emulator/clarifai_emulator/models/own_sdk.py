"""Says why the SDK that is installed beside the emulator, whose version its user chose, cannot run a model."""

from __future__ import annotations

from collections.abc import Iterable

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from clarifai_emulator.inside.sdk_versions_main import REPLACED, since
from clarifai_emulator.models.requirements import CURRENT_INTERPRETER, Installed, Line, unsatisfied_lines

# The first SDK whose runner starts as today's does, and the first that can be imported beside protobuf 7.
OLDEST = since("health-port")
_BESIDE_PROTOBUF_7 = since("protobuf-7")
# The last of them is about Python 3.13.0, which crashes while it imports 0.0.60 and later.
WORKING_RUNNER = REPLACED[-1].instead
_NEWEST = "9999"


def reasons_against_own_sdk(lines: Iterable[Line], installed: Installed = CURRENT_INTERPRETER) -> list[str]:
    """Say why a model with these requirements is not run with the SDK that is here, one sentence each."""
    version = installed.version("clarifai")
    if version is None:
        return ["clarifai is not installed"]
    reasons = [
        f"{each}, and Python 3.13.0 crashes while it imports a newer one"
        for each in unsatisfied_lines([Line(WORKING_RUNNER)], installed)
    ]
    if Version(version) < Version(_BESIDE_PROTOBUF_7):
        reasons += [
            f"{each} beside clarifai {version}" for each in unsatisfied_lines([Line("protobuf<7")], installed)
        ]
    if Version(version) < Version(OLDEST) and _allows_newer(lines):
        reasons.append(f"clarifai {version} is installed, and the model's requirements allow a newer one")
    return reasons


def sdk_for_models(installed: Installed = CURRENT_INTERPRETER) -> str:
    """Return the SDK of models that name none: the installed one, unless it is an old one."""
    version = installed.version("clarifai")
    return f"clarifai=={version}" if version and Version(version) >= Version(OLDEST) else f"clarifai>={OLDEST}"


def _allows_newer(lines: Iterable[Line]) -> bool:
    """Tell whether the requirements leave the SDK open, so that the platform would install the newest."""
    for line in lines:
        try:
            requirement = Requirement(line.text)
        except InvalidRequirement:
            continue
        if canonicalize_name(requirement.name) == "clarifai" and not any(
            requirement.specifier.contains(each, prereleases=True) for each in (OLDEST, _NEWEST)
        ):
            return False
    return True
