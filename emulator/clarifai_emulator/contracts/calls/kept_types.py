"""Keeps the types that clients are checked with, for the next run with the same models."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

_MARK = "made-of"
_PREFIX = "types-"
# Seconds after which types that were not made for this run are removed: no run takes that long.
_OLD = 3600.0


class KeptTypes:
    """The folders of types of one run, each made whole or not at all. ``cache``: where to keep them, where anything
    can be kept; ``work``: a folder of this run alone. ``salt``: what they depend on."""

    def __init__(self, cache: Path | None, work: Path, salt: str) -> None:
        self._cache = cache
        self._work = work
        self._salt = salt

    def folder(self, name: str, make: Callable[[], Mapping[str, str]]) -> Path:
        """Return the folder of this name; ``make`` gives its files and their texts, where it is not there as it was
        made."""
        kept = self._cache / f"{_PREFIX}{self._salt[:20]}-{name}" if self._cache is not None else None
        if kept is not None and _is_whole(kept):
            return kept
        made = self._work / name
        _write(made, make())
        if kept is None or self._cache is None:
            return made
        try:
            return _moved(made, self._cache, kept)
        except OSError:  # a full disk, a folder of another user
            return made


def _moved(made: Path, cache: Path, kept: Path) -> Path:
    """Move a folder to where it is kept; another run may do the same at this moment."""
    _remove_old(cache)
    draft = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}", dir=cache))
    try:
        shutil.copytree(made, draft, dirs_exist_ok=True)
        if kept.exists() and not _is_whole(kept):
            kept.rename(draft.with_suffix(".bad"))
            shutil.rmtree(draft.with_suffix(".bad"), ignore_errors=True)
        draft.rename(kept)
        return kept
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    digest = hashlib.sha256()
    for name in sorted(texts):
        path, content = folder / name, texts[name].encode()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        digest.update(f"{name}\0{len(content)}\n".encode() + content)
    (folder / _MARK).write_text("\n".join([digest.hexdigest(), *sorted(texts)]))


def _is_whole(folder: Path) -> bool:
    """Tell whether the files are as they were made."""
    try:
        said, *names = (folder / _MARK).read_text().split("\n")
        digest = hashlib.sha256()
        for name in names:
            content = (folder / name).read_bytes()
            digest.update(f"{name}\0{len(content)}\n".encode() + content)
    except (OSError, ValueError):
        return False
    return bool(names) and digest.hexdigest() == said


def _remove_old(cache: Path) -> None:
    """Remove types of other models, and of other versions of these: they are made anew in no time."""
    before = time.time() - _OLD
    for name in os.listdir(cache):
        path = cache / name
        with suppress(OSError):
            if name.lstrip(".").startswith(_PREFIX) and path.stat().st_mtime < before:
                shutil.rmtree(path, ignore_errors=True)
