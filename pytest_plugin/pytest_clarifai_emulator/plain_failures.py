"""Shows failures without a traceback if a few lines explain them: a model nobody deployed, a wrong path.

test_client.py:12: The test has not deployed the model 'me/demo/models/hello'.
  Model(url="https://clarifai.com/me/demo/models/hello").predict(prompt="x")
  Deploy it first, with the fixture `clarifai`: clarifai.deploy("../models/hello")
"""

from __future__ import annotations

import linecache
import os
import sysconfig
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest

from clarifai_emulator.api.access.auth import Caller
from clarifai_emulator.contracts.signatures.model_files import read_model_files
from clarifai_emulator.errors import EmulatorError
from clarifai_emulator.messages.address import ModelAddress, ModelKey
from clarifai_emulator.spelling import nearest
from pytest_clarifai_emulator.model_paths import TestPaths, model_directories
from pytest_clarifai_emulator.serving import Serving

_NOT_THERE = "MODEL_DOES_NOT_EXIST"
# Packages that make calls or run tests: their lines are not the mistake.
_NOT_THE_USERS = ("clarifai", "clarifai_emulator", "pytest_clarifai_emulator", "_pytest", "pluggy")
_LIBRARIES = (sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))


def plain_failure(item: pytest.Item, error: BaseException, serving: Serving, user_id: str, paths: TestPaths) -> str:
    """Describe the failure of a test, with its place; empty when it needs its traceback."""
    if item.config.getoption("fulltrace", False):
        return ""
    frames = list(_own_frames(error))
    where = " → ".join(_where(each) for each in frames) or _line_of(item)
    if isinstance(error, EmulatorError):
        return f"{where}: {error}"
    model = _missing_model(error)
    if model is None or _is_deployed(model, serving, user_id):
        return ""
    lines = _forgotten(model, serving, user_id, paths)
    source = linecache.getline(frames[-1][0].f_code.co_filename, frames[-1][1]).strip() if frames else ""
    return "\n  ".join([f"{where}: {next(lines)}", *([source] if source else []), *lines])


def _forgotten(model: ModelKey, serving: Serving, user_id: str, paths: TestPaths) -> Iterator[str]:
    name = _name("/".join(model), user_id)
    deployed = [_name(each, user_id) for each in serving.models()]
    yield f"The test has not deployed the model '{name}'."
    by_id = {each.rpartition("/")[2]: each for each in deployed}
    near = nearest(model[2], by_id)
    if near:
        yield f"Did you mean '{by_id[near]}', which it has deployed?"
        return
    if deployed:
        yield f"It has deployed {', '.join(deployed)}."
    same = [each for each in model_directories(paths.root) if read_model_files(each).model_id == model[2]]
    same.sort(key=lambda each: each.name != model[2])
    path = f'"{paths.shown(same[0])}"' if same else "DIR"
    yield f"Deploy it first, with the fixture `clarifai`: clarifai.deploy({path})"


def _is_deployed(model: ModelKey, serving: Serving, user_id: str) -> bool:
    """Tell whether the model is there after all, for other callers."""
    return "/".join((Caller(user_id).resolve(model[0]), *model[1:])) in serving.models()


def _name(key: str, user_id: str) -> str:
    """Name a model's key as a test does: ``me/demo/models/hello``."""
    user, app, model = key.split("/")
    return ModelAddress("me" if user in ("", user_id) else user, app, model).name


def _missing_model(error: BaseException) -> ModelKey | None:
    """Return the model that the SDK was told does not exist."""
    for each in _chain(error):
        if _NOT_THERE not in _text(each):
            continue
        for frame, _ in _frames(each):
            found = _model_of(frame.f_locals.get("self"))
            if found is not None:
                return found
    return None


def _model_of(client: Any) -> ModelKey | None:
    """Return the model of the SDK's ``Model`` or ``ModelClient``."""
    if not type(client).__module__.startswith("clarifai.client.model"):
        return None
    values = vars(client)
    template = values.get("request_template")
    owner = template.user_app_id if template is not None else values.get("user_app_id")
    model_id = template.model_id if template is not None else values.get("id")
    info = values.get("model_info")
    model_id = model_id or (info.id if info is not None else "")
    return (owner.user_id, owner.app_id, model_id) if owner is not None and model_id else None


def _text(error: BaseException) -> str:
    """Return the exception's text; empty if that fails, as it may for the user's own exceptions."""
    try:
        return str(error)
    except Exception:
        return ""


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _frames(error: BaseException) -> Iterator[tuple[FrameType, int]]:
    traceback = error.__traceback__
    while traceback is not None:
        yield traceback.tb_frame, traceback.tb_lineno
        traceback = traceback.tb_next


def _own_frames(error: BaseException) -> Iterator[tuple[FrameType, int]]:
    """Yield frames of the user's code, outermost first."""
    for frame, line in _frames(error):
        module = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if module not in _NOT_THE_USERS and not frame.f_code.co_filename.startswith(_LIBRARIES):
            yield frame, line


def _where(frame: tuple[FrameType, int]) -> str:
    return f"{os.path.relpath(frame[0].f_code.co_filename)}:{frame[1]}"


def _line_of(item: pytest.Item) -> str:
    file, line, _ = item.location
    return file if line is None else f"{file}:{line + 1}"
