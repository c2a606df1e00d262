"""Implements ``clarifai.stand_in``: answers that a test writes down serve a model under its name."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clarifai_emulator.errors import ConfigError
from clarifai_emulator.messages.address import ModelAddress, ModelKey
from clarifai_emulator.topology.files import load_topology
from clarifai_emulator.topology.stand_ins import stand_in_directory
from pytest_clarifai_emulator.called_model import CalledModel
from pytest_clarifai_emulator.serving import Serving


class StandInModel(CalledModel):
    """A model that a stand-in serves."""

    def __init__(self, serving: Serving, key: ModelKey) -> None:
        super().__init__(serving)
        self._key = key

    def __repr__(self) -> str:
        return f"<{'/'.join(self._key)}, a stand-in>"

    @property
    def key(self) -> ModelKey:
        return self._key


def set_up_stand_in(
    serving: Serving, key: ModelKey, user_id: str, deploy: Callable[..., CalledModel], **ways: Any
) -> CalledModel:
    """Let what is given of ``script``, ``answers`` and ``path`` serve a model: on shared compute, as a hosted one;
    one's own model has a deployment. Raises ``ConfigError`` and ``ValueError``."""
    given = {name: value for name, value in ways.items() if value is not None}
    if len(given) != 1:
        raise ValueError(f"stand_in() needs one of script=, answers= and path=, got {', '.join(given) or 'none'}")
    is_own = key[0] in ("me", user_id)
    name = ModelAddress(*key).name
    if is_own and "path" in given:
        return deploy(given["path"], model=name)
    with _topology_file(name, given) as file, _plainly(file):
        if not is_own:
            serving.thread.apply(file)
            return StandInModel(serving, key)
        (stand_in,) = load_topology((file,)).stand_ins
        return deploy(stand_in_directory(stand_in, serving.thread.config.cache_dir), model=name)


@contextmanager
def _topology_file(name: str, given: dict[str, Any]) -> Generator[Path]:
    for way, value in given.items():
        if isinstance(value, str | bytes) or not isinstance(value, Sequence | Path):
            raise ValueError(f"{way}= is a list of answers, got {value!r:.200}")
    text = json.dumps({"stand_ins": [{"model": name, **given}]}, default=str)
    with tempfile.TemporaryDirectory(prefix="clarifai-stand-in-") as folder:
        file = Path(folder) / "stand_in.json"
        file.write_text(text, encoding="utf-8")
        yield file


@contextmanager
def _plainly(file: Path) -> Generator[None]:
    """Say of problems where they are in the call: the file is nobody's."""
    try:
        yield
    except ConfigError as error:
        problems = [each.removeprefix(f"{file}:1: ").removeprefix("stand_ins[0].") for each in error.problems]
        what = (
            "clarifai.stand_in() cannot be used:" if problems else error.what.replace(f"{file}:1", "The stand-in")
        )
        raise ConfigError(what, problems, hint=error.hint) from None
