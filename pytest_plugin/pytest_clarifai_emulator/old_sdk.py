"""Lets an SDK before 12.2 be imported beside protobuf 7 in tests, and says so; tells one that ignores our address.

SDKs from 11.3 to 12.1 ask a field for its `label` while they are imported. protobuf 7 took it away, and those SDKs
do not ask for an older one: a project which pins nothing but the SDK cannot import it. Imports nothing by itself.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

# A property of a test's report, so that the end of the run tells it once, with and without xdist.
OLD_SDK = "clarifai_old_sdk"
_NEEDS_LABELS = ((11, 3), (12, 2))  # from the first on, before the second
_LOOKS_AT_BASE = "11.4.3"


class OldSdk:
    """Gives protobuf's fields their `label` back, for an SDK that needs it. ``note``: what the user is told."""

    def __init__(self) -> None:
        self.note = ""
        self._given: Any = None  # the class that was given it

    def around(self, module: ModuleType, execute: Callable[[ModuleType], None]) -> None:
        """Run the code of the package ``clarifai``, before which nothing of the SDK has run."""
        execute(module)
        version = str(getattr(module, "__version__", ""))
        numbers = tuple(int(each) for each in re.findall(r"\d+", version)[:2])
        if not _NEEDS_LABELS[0] <= numbers < _NEEDS_LABELS[1]:
            return
        import google.protobuf
        from google.protobuf.descriptor import FieldDescriptor
        from google.protobuf.timestamp_pb2 import Timestamp

        kind: Any = type(Timestamp.DESCRIPTOR.fields[0])
        if hasattr(kind, "label"):
            return

        def label(field: Any) -> int:
            if field.is_repeated:
                return FieldDescriptor.LABEL_REPEATED
            return FieldDescriptor.LABEL_REQUIRED if field.is_required else FieldDescriptor.LABEL_OPTIONAL

        kind.label = property(label)
        self._given = kind
        self.note = (
            f"clarifai {version} cannot be imported beside protobuf {google.protobuf.__version__}: here it could, "
            "for the tests alone. Pin `protobuf<7` beside the SDK."
        )

    def restore(self) -> None:
        """Take it away again."""
        if self._given is not None:
            del self._given.label
            self._given = None


def ignores_base() -> str:
    """Say that the SDK of this process does not look at CLARIFAI_API_BASE, and what to do; else empty."""
    constants = sys.modules.get("clarifai.utils.constants")
    if constants is None or hasattr(constants, "DEFAULT_BASE"):
        return ""
    version = str(getattr(sys.modules.get("clarifai"), "__version__", "")) or "this old"
    return (
        f"clarifai {version} does not look at CLARIFAI_API_BASE, as {_LOOKS_AT_BASE} and later do: give its "
        "clients `base_url=clarifai.url`."
    )
