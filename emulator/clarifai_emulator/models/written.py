"""Finds the files that a model writes into its own directory: they are no edits of its code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from clarifai_emulator.models.version_source import Watched

if TYPE_CHECKING:
    from clarifai_emulator.models.code import Code, CodeReader

_CODE_SUFFIXES = (".py", ".pyi")
_MOST_NAMED = 3


class WrittenFiles:
    """Remembers the written files of each model directory. ``on_found(directory, files)`` is told of files that
    are taken for a model's own."""

    def __init__(self, on_found: Callable[[Path, Sequence[str]], None] = lambda directory, files: None) -> None:
        self._on_found = on_found
        self._own: dict[Path, set[str]] = {}
        self._suspected: dict[Path, dict[str, float]] = {}  # when each was first written so

    def reader(self, directory: Path, watched: Watched) -> CodeReader:
        """Reads a directory without its model's own files."""
        # Directories are read for the dev loop alone.
        from clarifai_emulator.models.code import CodeReader

        return CodeReader(directory, watched, self._own.setdefault(directory, set()))

    def of(self, directory: Path) -> set[str]:
        """Return the model's own files."""
        return self._own.setdefault(directory, set())

    def find(
        self, directory: Path, before: Code, after: Code, was_at_work: Callable[[float], bool]
    ) -> Sequence[str]:
        """Files between ``before`` and ``after`` that the model wrote; from now on they do not count.
        ``was_at_work(time)``: whether a replica loaded the model, or worked on a request, at that time."""
        suspected = self._suspected.setdefault(directory, {})
        found: list[str] = []
        for name in before.changed(after):
            file = after.files.get(name)
            if file is None or _is_code(name) or not file.stamp or not was_at_work(file.written):
                continue
            first = suspected.setdefault(name, file.written)
            if name not in before.files or first != file.written:
                found.append(name)
        if found:
            self.of(directory).update(found)
            self._on_found(directory, found)
        return found


def _is_code(name: str) -> bool:
    from clarifai_emulator.models.code import ALWAYS_WATCHED

    return name in ALWAYS_WATCHED or PurePath(name).suffix in _CODE_SUFFIXES


def are_the_models_own(files: Sequence[str]) -> str:
    """Say in a sentence that these files are the model's own, and what to do about it."""
    it, itself = ("it", "is") if len(files) == 1 else ("they", "are")
    return (
        f"{named(files)} {itself} written by the model itself, so {it} {itself} no edit and not watched any more; "
        "leave such files out with --exclude or .gitignore"
    )


def changed_while_loading(files: Sequence[str]) -> str:
    """Say why a replica cannot tell which code it has loaded."""
    it = "it" if len(files) == 1 else "them"
    return (
        f"{named(files)} changed while the model was being loaded; if the model writes {it} itself, leave {it} out "
        "with --exclude or .gitignore"
    )


def named(names: Sequence[str]) -> str:
    """List the first three names, and say how many more there are."""
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
