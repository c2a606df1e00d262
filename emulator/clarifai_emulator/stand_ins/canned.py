"""Writes the model directory that gives canned answers: an ordinary model, run as any other."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from clarifai_emulator.stand_ins.entry import Answer

_FILES = ("config.yaml", "requirements.txt", "1/model.py")
_ANSWERS = "1/answers.json"


def canned_model(model_id: str, answers: Sequence[Answer], cache_dir: Path) -> Path:
    """The directory of a model that gives these answers. The same ones are the same directory, made once."""
    template = resources.files("clarifai_emulator.stand_ins") / "template"
    files = {name: template.joinpath(*name.split("/")).read_text(encoding="utf-8") for name in _FILES}
    files["config.yaml"] = files["config.yaml"].replace("MODEL_ID", json.dumps(model_id))
    said = [{"contains": each.contains.casefold(), "text": each.text} for each in answers]
    files[_ANSWERS] = json.dumps(said, ensure_ascii=False, indent=1)
    name = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:32]
    target = cache_dir / "stand-ins" / name
    if not target.is_dir():
        _write(files, target)
    return target


def _write(files: dict[str, str], target: Path) -> None:
    """All of it or nothing: another emulator may look for the same directory now."""
    target.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".making-", dir=target.parent))
    try:
        for name, text in files.items():
            (made / name).parent.mkdir(exist_ok=True)
            (made / name).write_text(text, encoding="utf-8")
        os.replace(made, target)
    except OSError:
        shutil.rmtree(made, ignore_errors=True)
        if not target.is_dir():
            raise
