"""Writes a file whole or not at all, so that who reads it meanwhile sees the old text or the new one."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def write_whole(path: Path, text: str, *, is_private: bool = False) -> None:
    """Write ``text`` beside ``path`` and move it there. ``is_private``: readable by its user only. Raises
    ``OSError``, and has left ``path`` as it was and nothing beside it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with suppress(FileNotFoundError):
        draft.unlink()
    mode = 0o600 if is_private else 0o666
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
            file.write(text)
        draft.replace(path)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise
