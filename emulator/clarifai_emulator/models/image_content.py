"""Tells what of a model directory comes into its image on the platform: `1/` and two files, unless a Dockerfile of
the user's brings more.

Source: the Dockerfile templates of clarifai 12.5.0 (``clarifai/runners/dockerfile_template``), which copy ``1``,
``requirements.txt`` and ``config.yaml``. The upload sends everything; the build leaves the rest behind.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

DOCKERFILE = "Dockerfile"
# As the SDK's loader looks for it: the first one there is.
MODEL_FILES = ("model.py", "1/model.py")
# What the SDK's own Dockerfiles copy.
ALWAYS = frozenset({"1", "config.yaml", "requirements.txt"})
# Nobody's code reads these; a folder of these alone beside `1/` is nothing to speak of.
_NO_MATTER = (
    "*.md",
    "*.rst",
    "LICENSE*",
    "NOTICE*",
    "README*",
    "Dockerfile*",
    "Makefile",
    "*.bak",
    "*~",
    "*.pyc",
    ".DS_Store",
    ".dockerignore",
    ".git*",
    ".pre-commit-config.yaml",
    ".*_cache",
    ".idea",
    ".vscode",
    ".venv",
    "venv",
    "__pycache__",
    "node_modules",
)


@dataclass(frozen=True, slots=True)
class ImageContent:
    """The entries of a model directory that its image has. ``brings_all``: a Dockerfile copies the whole
    directory, or does what cannot be followed. ``names``: the entries that are copied, as patterns. ``beside``: the
    entries that are there and left out, in alphabetical order, without what nobody's code reads."""

    brings_all: bool
    names: frozenset[str]
    beside: tuple[str, ...]

    def has(self, name: str) -> bool:
        """Tell whether an entry of the directory itself is in the image."""
        return self.brings_all or any(fnmatch.fnmatchcase(name, each) for each in self.names)


def model_file_of(directory: Path) -> Path:
    """Return the file that is the model: ``1/model.py``, or a ``model.py`` beside config.yaml, for which the SDK's
    loader looks first, where that is in the image."""
    beside = directory / "model.py"
    if beside.is_file() and image_content(directory).has("model.py"):
        return beside
    return directory / "1" / "model.py"


def image_content(directory: Path) -> ImageContent:
    """Read a Dockerfile that is there, and look at what lies in the directory."""
    found = content_by(_dockerfile(directory))
    beside = sorted(each for each in _entries(directory) if not found.has(each) and not _is_no_matter(each))
    return replace(found, beside=tuple(beside))


def content_by(dockerfile: str) -> ImageContent:
    """Return what an image has by the text of its Dockerfile, which is empty where there is none."""
    brings_all, names = False, set(ALWAYS)
    for source in _copied(dockerfile):
        first = PurePosixPath(os.path.normpath(source.lstrip("/"))).parts[:1]
        if not first or first[0] in ("*", "..") or "$" in source:
            brings_all = True
        else:
            names.add(first[0])
    return ImageContent(brings_all, frozenset(names), ())


def _dockerfile(directory: Path) -> str:
    try:
        return (directory / DOCKERFILE).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _entries(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []


def _is_no_matter(name: str) -> bool:
    return any(fnmatch.fnmatchcase(name, each) for each in _NO_MATTER)


def _copied(text: str) -> Iterator[str]:
    """Yield what the lines of a Dockerfile copy out of the build's context."""
    for line in re.sub(r"\\[ \t]*\r?\n", " ", re.sub(r"(?m)^\s*#.*\n", "", text)).splitlines():
        word, _, rest = line.strip().partition(" ")
        if word.upper() in ("COPY", "ADD") and "--from=" not in rest:
            yield from _sources(rest)
        elif word.upper() == "RUN" and re.search(r"--mount=\S*type=bind(?!\S*from=)", rest):
            yield "."


def _sources(rest: str) -> list[str]:
    """Return the sources of one COPY or ADD: all its words but options and the last, which is where they go."""
    rest = rest.strip()
    try:
        words = json.loads(rest) if rest.startswith("[") else shlex.split(rest)
    except ValueError:
        return ["."]  # it cannot be followed
    words = [str(each) for each in words if not str(each).startswith("--")]
    return [each for each in words[:-1] if "://" not in each and not each.startswith("<<")]
