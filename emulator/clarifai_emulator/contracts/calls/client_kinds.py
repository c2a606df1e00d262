"""Tells by its name what a client file is, and finds the files below folders that are some kind of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from pathlib import Path

_SKIPPED = frozenset(
    [".git", ".venv", "venv", "env", "node_modules", "__pycache__", "site-packages", "build", "dist", ".tox"]
)
# Hidden folders whose files CI runs.
_CI = frozenset([".github", ".gitlab", ".circleci"])
TYPESCRIPT_SUFFIXES = (".ts", ".mts", ".cts")
_JAVASCRIPT = (".js", ".mjs", ".cjs", ".jsx", ".tsx", *TYPESCRIPT_SUFFIXES)
_SHELL = (".sh", ".bash", ".zsh")
_MARKDOWN = (".md", ".markdown")
_MAKEFILES = ("makefile", "gnumakefile")
_DOCKERFILES = ("dockerfile", "containerfile")


class ClientKind(Enum):
    """Kinds of files. All but Python, notebooks and Markdown is read by parsers of other languages."""

    PYTHON = "Python"
    NOTEBOOK = "a notebook"
    JAVASCRIPT = "JavaScript or TypeScript"
    SHELL = "a shell script"
    MAKEFILE = "a Makefile"
    DOCKERFILE = "a Dockerfile"
    YAML = "YAML"
    MARKDOWN = "Markdown"


# They hold commands among other things, and are looked at where a command sends something.
COMMAND_KINDS = frozenset({ClientKind.MAKEFILE, ClientKind.DOCKERFILE, ClientKind.YAML})
FOREIGN_KINDS = COMMAND_KINDS | {ClientKind.JAVASCRIPT, ClientKind.SHELL}
_BY_SUFFIX = {
    ".py": ClientKind.PYTHON,
    ".ipynb": ClientKind.NOTEBOOK,
    ".yml": ClientKind.YAML,
    ".yaml": ClientKind.YAML,
    ".mk": ClientKind.MAKEFILE,
    **dict.fromkeys(_JAVASCRIPT, ClientKind.JAVASCRIPT),
    **dict.fromkeys(_SHELL, ClientKind.SHELL),
    **dict.fromkeys(_MARKDOWN, ClientKind.MARKDOWN),
}


def client_kind(path: Path) -> ClientKind:
    """Return what a file is that is to be checked: Python where its name says nothing else."""
    return _kind(path.name) or ClientKind.PYTHON


def _kind(name: str) -> ClientKind | None:
    low = name.lower()
    stem, suffix = os.path.splitext(low)
    if low in _MAKEFILES:
        return ClientKind.MAKEFILE
    if suffix in _BY_SUFFIX:
        return _BY_SUFFIX[suffix]
    # Dockerfile, Dockerfile.gpu, gpu.Dockerfile
    is_dockerfile = stem.partition(".")[0] in _DOCKERFILES or suffix.removeprefix(".") in _DOCKERFILES
    return ClientKind.DOCKERFILE if is_dockerfile else None


def files_below(
    paths: Iterable[Path], unlisted: Callable[[OSError], None] = lambda _: None, docs: bool = False
) -> Iterator[Path]:
    """Yield what is named, and every file of some kind in the folders that are. ``unlisted`` is told of folders
    that cannot be read. ``docs``: Markdown in folders, too. Links to folders are not followed."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for folder, names, files in os.walk(path, onerror=unlisted):
            names[:] = [
                name for name in names if name not in _SKIPPED and (not name.startswith(".") or name in _CI)
            ]
            for name in files:
                kind = _kind(name)
                if kind is not None and (docs or kind is not ClientKind.MARKDOWN):
                    yield Path(folder, name)
