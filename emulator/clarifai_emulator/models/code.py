"""Reads the files of a model directory at one moment, and their hash: what the dev loop compares.

Files are read again and again, so one whose size and times are as they were is not read a second time.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from clarifai_emulator.models.config_content import CONFIG_FILE
from clarifai_emulator.models.directory import (
    HASH_CONTENT_BELOW,
    NOT_CODE_DIRS,
    REQUIREMENTS_FILE,
    digest_of,
    is_part_of_model,
    is_special,
)
from clarifai_emulator.models.image_content import DOCKERFILE, MODEL_FILES, content_by
from clarifai_emulator.models.version_source import Watched

# What a model directory is not one without; these count whatever the globs say.
ALWAYS_WATCHED = frozenset({CONFIG_FILE, REQUIREMENTS_FILE, DOCKERFILE, *MODEL_FILES})
_IGNORE_FILE = ".gitignore"
# A file that was written so shortly before it was read may change again without a change of its times.
_SETTLED_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class CodeFile:
    """A file of the code. ``stamp``: size and times as the file system has them; ``content`` stands for what is in
    it; ``text`` is kept of the few files that a plan looks into."""

    stamp: tuple[int, ...]
    content: str
    text: str | None = None

    @property
    def written(self) -> float:
        """Return when the file was last written or put there, in seconds since the epoch; 0 if it cannot be
        read."""
        return max(self.stamp[1:3]) / 1e9 if self.stamp else 0.0


@dataclass(frozen=True, slots=True)
class Code:
    """All watched files of a directory by their path, with ``/``; ``digest`` is the content hash of them."""

    files: Mapping[str, CodeFile] = field(default_factory=dict[str, CodeFile])
    digest: str = ""
    read_ns: int = 0

    def text(self, name: str) -> str:
        """Return a file's text; empty when it is not there."""
        file = self.files.get(name)
        return (file.text or "") if file is not None else ""

    @property
    def model_file(self) -> str:
        """Return the path of the file that has the model class: as the SDK's loader finds it in the image."""
        content = content_by(self.text(DOCKERFILE))
        files = (name for name in MODEL_FILES if name in self.files and content.has(name.partition("/")[0]))
        return next(files, MODEL_FILES[-1])

    def without(self, names: Set[str]) -> Code:
        """Return the code without these files."""
        files = {name: file for name, file in self.files.items() if name not in names}
        return self if len(files) == len(self.files) else Code(files, _digest(files), self.read_ns)

    def changed(self, after: Code) -> list[str]:
        """Files that are new, gone or different in ``after``, in alphabetical order."""
        names = {*self.files, *after.files}
        return sorted(name for name in names if _content_of(self, name) != _content_of(after, name))


class CodeReader:
    """Reads one directory, with its globs and .gitignore; without the files ``left_out``, which may become more."""

    def __init__(self, directory: Path, watched: Watched, left_out: Set[str] = frozenset()) -> None:
        from pathspec import GitIgnoreSpec

        self._directory = directory
        self._include = GitIgnoreSpec.from_lines(watched.include) if watched.include else None
        self._exclude = GitIgnoreSpec.from_lines(watched.exclude)
        self._left_out = left_out
        self._last = Code()

    def read(self) -> Code:
        """Read the files as they are now."""
        now = time.time_ns()
        last, files = self._last, dict[str, CodeFile]()
        ignored = _Ignored(self._directory)
        for folder, folders, names in os.walk(self._directory):
            base = PurePath(folder).relative_to(self._directory)
            folders[:] = [each for each in folders if not self._skips_folder(base / each, ignored)]
            for name in names:
                path = (base / name).as_posix()
                is_code = path not in self._left_out and self.counts(path, ignored)
                file = _read(self._directory / path, path, last) if is_code else None
                if file is not None:
                    files[path] = file
        self._last = Code(files, _digest(files), now)
        return self._last

    def counts(self, path: str, ignored: _Ignored | None = None) -> bool:
        """Tell whether a file (relative, with ``/``) is watched."""
        if path in ALWAYS_WATCHED:
            return True
        if not is_part_of_model(PurePath(path)) or self._exclude.match_file(path):
            return False
        if self._include is not None and not self._include.match_file(path):
            return False
        return not (ignored or _Ignored(self._directory)).has(path)

    def _skips_folder(self, folder: PurePath, ignored: _Ignored) -> bool:
        if folder.name in NOT_CODE_DIRS or folder.name.startswith("."):
            return True
        path = f"{folder.as_posix()}/"
        return path != "1/" and ignored.has(path)


def _digest(files: Mapping[str, CodeFile]) -> str:
    return digest_of({name: file.content for name, file in files.items()})


class _Ignored:
    """The .gitignore files of the directory and of the folders above it, up to the repository's."""

    def __init__(self, directory: Path) -> None:
        self._specs = list(_ignore_specs(directory))

    def has(self, path: str) -> bool:
        """Tell whether git would leave this path (relative to the directory) out."""
        return any(spec.match_file(prefix + path) for prefix, spec in self._specs)


def _ignore_specs(directory: Path) -> Iterator[tuple[str, Any]]:
    """Read the ignore files from the directory upwards, each with the path from its folder to the directory."""
    from pathspec import GitIgnoreSpec

    found: list[tuple[str, Any]] = []
    prefix, folder = "", directory
    while True:
        file = folder / _IGNORE_FILE
        if file.is_file():
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
            found.append((prefix, GitIgnoreSpec.from_lines(lines)))
        if (folder / ".git").exists():
            return iter(found)
        if folder.parent == folder:
            return iter(found[:1] if prefix and found and found[0][0] == "" else [])
        prefix, folder = f"{folder.name}/{prefix}", folder.parent


def _read(file: Path, path: str, last: Code) -> CodeFile | None:
    """Read a file, unless it is as it was; None for one that is no part of a model."""
    try:
        stat = file.stat()
    except OSError:
        return CodeFile((), "unreadable")
    if is_special(stat):
        return None
    stamp = (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
    known = last.files.get(path)
    if known is not None and known.stamp == stamp and stat.st_ctime_ns < last.read_ns - _SETTLED_NS:
        return known
    if stat.st_size >= HASH_CONTENT_BELOW:
        return CodeFile(stamp, f"{stat.st_size} {stat.st_mtime_ns}")
    try:
        data = file.read_bytes()
    except OSError:
        return CodeFile(stamp, "unreadable")
    is_read = path in ALWAYS_WATCHED or path.endswith(".py")
    text = data.decode("utf-8", "replace") if is_read else None
    return CodeFile(stamp, hashlib.sha256(data).hexdigest(), text)


def _content_of(code: Code, name: str) -> str | None:
    file = code.files.get(name)
    return file.content if file is not None else None
