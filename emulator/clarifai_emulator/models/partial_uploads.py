"""Keeps uploads that were broken off, so that they can go on where they ended.

The proto's comment of PostModelVersionsUpload: "if your upload is interrupted, you can resume the upload by sending
the config again with the model_version_id".
"""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from clarifai_emulator.store import Key

_MOST = 8


@dataclass(slots=True)
class PartialUpload:
    """Describes the archive of a version that has arrived in part: ``parts`` of it whole, with ``received`` of its
    ``total`` bytes, at ``path``."""

    path: Path
    total: int
    parts: int = 0
    received: int = 0

    @property
    def left(self) -> int:
        """Return how many bytes are still to come."""
        return self.total - self.received

    def cut(self) -> None:
        """Remove what the file has of a part that was cut off."""
        if self.path.stat().st_size > self.received:
            os.truncate(self.path, self.received)

    def start_over(self) -> None:
        """Forget what came: all of it comes again."""
        if self.parts:
            self.parts = self.received = 0
            self.cut()

    def take(self, size: int) -> None:
        """Count a part that is on the disk."""
        self.parts += 1
        self.received += size


class PartialUploads:
    """Holds the uploads of one emulator that are under way or were broken off, by the version that they are to be.

    Of those that were broken off, the newest are kept: at most eight, with ``max_bytes`` together.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._under_way: set[Key] = set()
        self._broken_off: OrderedDict[Key, PartialUpload] = OrderedDict()

    def is_under_way(self, version: Key) -> bool:
        """Tell whether the parts of this version are coming just now."""
        return version in self._under_way

    def begin(self, version: Key) -> PartialUpload | None:
        """Note that the parts of a version are coming; return what came before, if that was kept."""
        self._under_way.add(version)
        known = self._broken_off.pop(version, None)
        return known if known is not None and known.path.exists() else None

    def end(self, version: Key) -> None:
        """Note that no more of a version comes: it is whole, or cannot be."""
        self._under_way.discard(version)

    def break_off(self, version: Key, upload: PartialUpload) -> None:
        """Keep what came of a version, and remove the oldest of what would be too much then."""
        self._under_way.discard(version)
        self._broken_off[version] = upload
        while len(self._broken_off) > _MOST or self._bytes > self._max_bytes:
            _, oldest = self._broken_off.popitem(last=False)
            oldest.path.unlink(missing_ok=True)

    @property
    def _bytes(self) -> int:
        return sum(each.received for each in self._broken_off.values())
