"""Knows the Dockerfile that the SDK writes into a model directory (`clarifai model init`, `… upload`)."""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from string import Template

_TEMPLATE = Path("runners/dockerfile_template/Dockerfile.template")
# What the SDK fills in. Additional packages (ffmpeg) are not in the list: nothing else would install them.
_FILLED_IN = ("DOWNLOADER_IMAGE", "FINAL_IMAGE", "CLARIFAI_VERSION")
# It copies a file that no model directory has: the platform adds it to what was uploaded.
PLATFORMS_FILE = "downloader/unused.yaml"


def is_untouched(text: str) -> bool:
    """Tell whether this is the Dockerfile that the installed SDK writes for a model, on whichever of its images."""
    pattern = _pattern()
    return pattern is not None and pattern.fullmatch(_normal(text)) is not None


@cache
def _pattern() -> re.Pattern[str] | None:
    sdk = find_spec("clarifai")
    folders = list(sdk.submodule_search_locations or ()) if sdk is not None else []
    try:
        template = (Path(folders[0]) / _TEMPLATE).read_text(encoding="utf-8")
    except (IndexError, OSError):  # an SDK without it: nothing is recognised, every Dockerfile counts
        return None
    marks = {name: f"\0{name}\0" for name in _FILLED_IN}
    filled = Template(template).safe_substitute(name="main", ADDITIONAL_PACKAGES="", **marks)
    words = re.escape(_normal(filled))
    for mark in marks.values():
        words = words.replace(re.escape(mark), r"\S+")
    return re.compile(words)


def _normal(text: str) -> str:
    """Without what says nothing: blank lines, and spaces at the ends of lines."""
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip())
