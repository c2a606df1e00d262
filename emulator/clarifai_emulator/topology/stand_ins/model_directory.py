"""Writes the model directory of a stand-in that is no code of the user's: an ordinary model, run as any other."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import asdict
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from clarifai_emulator.messages.address import ModelAddress
from clarifai_emulator.topology.stand_ins.entry import StandIn

_TEMPLATES = "clarifai_emulator.topology.stand_ins"
_MATCHING = "clarifai_emulator.cassettes"


def stand_in_directory(stand_in: StandIn, cache_dir: Path) -> Path:
    """Return the model directory that serves a hosted model. One that is written is written once: the same
    answers are the same directory."""
    if stand_in.path is not None:
        return stand_in.path
    files = _recorded(stand_in) if stand_in.recording is not None else _scripted(stand_in)
    files["config.yaml"] = _text_of(_TEMPLATES, "templates", "config.yaml").replace(
        "MODEL_ID", json.dumps(stand_in.model[2])
    )
    files["requirements.txt"] = _text_of(_TEMPLATES, "templates", "requirements.txt")
    name = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:32]
    target = cache_dir / "stand-ins" / name
    if not target.is_dir():
        _write(files, target)
    return target


def _scripted(stand_in: StandIn) -> dict[str, str]:
    scripts = stand_in.scripts or (stand_in.answers,)
    told = {
        "model": ModelAddress(*stand_in.model).name,
        "in_order": bool(stand_in.scripts),
        "scripts": [[asdict(answer) for answer in script] for script in scripts],
    }
    return {
        "1/model.py": _text_of(_TEMPLATES, "templates", "scripted", "model.py"),
        "1/script_turns.py": _text_of(_TEMPLATES, "script_turns.py"),
        "1/openai_forms.py": _text_of(_TEMPLATES, "openai_forms.py"),
        "1/script.json": json.dumps(told, ensure_ascii=False, indent=1),
    }


def _recorded(stand_in: StandIn) -> dict[str, str]:
    recording = stand_in.recording
    assert recording is not None, "asked for by its caller"
    told = {
        "cassette": recording.name,
        "calls": [each.as_dict() for each in recording.calls],
        "signatures": recording.signatures,
    }
    return {
        "1/model.py": _text_of(_TEMPLATES, "templates", "recorded", "model.py"),
        "1/matching.py": _text_of(_MATCHING, "matching.py"),
        "1/recording.json": json.dumps(told, ensure_ascii=False),
    }


def _text_of(package: str, *names: str) -> str:
    found: Traversable = resources.files(package)
    for name in names:
        found = found / name
    return found.read_text(encoding="utf-8")


def _write(files: dict[str, str], target: Path) -> None:
    """Write all of it or nothing: another emulator may look for the same directory now."""
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
