"""Handles the mark ``clarifai_cassette``: finds a test's cassette, plays its calls back or records them.

none   play back; fail without a file        new   play back, and record what is missing once   play back; record
without a file      all   record everything anew
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Generator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Model

from clarifai_emulator.api.access.auth import Caller
from clarifai_emulator.api.playback import Mode
from clarifai_emulator.cassettes import Cassette, RecordedModel, is_of_another_tool, read_cassette
from clarifai_emulator.cassettes.matching import model_in
from clarifai_emulator.contracts.signatures.shapes import method_shape
from clarifai_emulator.control.verbs import CassetteUse
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.faults.selectors import is_called, name_parts
from clarifai_emulator.messages.address import ModelKey
from clarifai_emulator.models.directory import read_model_directory
from clarifai_emulator.spelling import did_you_mean
from pytest_clarifai_emulator.clarifai_fixture import Clarifai
from pytest_clarifai_emulator.deployed import DeployedModel
from pytest_clarifai_emulator.settings import Settings

_MODES = ("none", "once", "new", "all")
_AGAIN = "Record it again: --clarifai-cassettes all."


@contextlib.contextmanager
def inserted(
    mark: pytest.Mark, account: Clarifai, item: pytest.Item, settings: Settings, pat: str
) -> Generator[None]:
    """Let the calls of the test go through its cassette; write it when the test has passed."""
    file = cassette_file(mark, item, settings)
    mode = _mode(str(mark.kwargs.get("mode") or settings.cassette_mode), file)
    # Another tool's file is not overwritten: reading it raises an error that says so.
    is_read = file.exists() and (mode is not Mode.RECORD or is_of_another_tool(file))
    cassette = read_cassette(file) if is_read else Cassette()
    record_from, pat = _upstream(mark.kwargs.get("record_from"), mode, settings, pat)
    only = _only(mark, cassette, file, mode)
    use = CassetteUse(cassette, mode, str(file), record_from, pat, only)
    if mode is Mode.REPLAY:
        account.replaying = lambda path, model: _stand_in(cassette, file, path, only)
    account.cassette = use
    if mode is Mode.REPLAY and only:
        account.emulator.run(partial(_named, account.user_id, _played(cassette, account.user_id, only)))
    account.serving.insert(use)
    try:
        yield
    finally:
        used = account.serving.eject()
    if used.changed:
        used.cassette.models.update(_recorded(account.deployed))
        used.cassette.write(file)


def is_played_whole(account: Clarifai) -> bool:
    """Tell whether the cassette answers every call of the test."""
    use = account.cassette
    return use is not None and use.mode is Mode.REPLAY and not use.only


def cassette_file(mark: pytest.Mark, item: pytest.Item, settings: Settings) -> Path:
    """Return the path of a test's cassette: in a folder beside its file, named after the test unless the mark says.

    The name ends with ``.clarifai.yaml``, because pytest-recording uses the shorter one. Cassettes that were
    recorded under the shorter name are played from there.
    """
    folder = item.path.parent / settings.cassette_dir
    name = mark.args[0] if mark.args else mark.kwargs.get("name")
    if name is not None:
        path = folder / str(name)
        return path if path.suffix in (".yaml", ".yml") else path.with_name(f"{path.name}.yaml")
    stem = f"{item.path.stem}/{re.sub(r'[^A-Za-z0-9._-]+', '-', item.name).strip('-')}"
    file, older = folder / f"{stem}.clarifai.yaml", folder / f"{stem}.yaml"
    return older if not file.exists() and older.exists() and not is_of_another_tool(older) else file


def _mode(wanted: str, file: Path) -> Mode:
    if wanted not in _MODES:
        pytest.fail(f"clarifai_cassette takes mode {', '.join(_MODES)}, found {wanted!r}.", pytrace=False)
    if wanted == "none" and not file.exists():
        pytest.fail(
            f"There is no cassette {file}, and mode none records nothing. Record it: --clarifai-cassettes once.",
            pytrace=False,
        )
    if wanted in ("none", "once"):
        return Mode.REPLAY if file.exists() else Mode.RECORD
    return Mode.BOTH if wanted == "new" else Mode.RECORD


def _upstream(base_url: str | None, mode: Mode, settings: Settings, pat: str) -> tuple[str, str]:
    """Return the platform to record from and a token of it; both are empty for the emulator itself."""
    if base_url is None or mode is Mode.REPLAY:
        return "", ""
    is_local = urlsplit(base_url).hostname in ("127.0.0.1", "localhost")
    if not settings.record_real and not is_local:
        pytest.fail(
            f"The cassette is to be recorded from {base_url}: that needs --clarifai-record-real and CLARIFAI_PAT.",
            pytrace=False,
        )
    if not pat and not is_local:
        pytest.fail(f"To record from {base_url}, set CLARIFAI_PAT to a token of yours.", pytrace=False)
    return base_url, pat or "none"


def _only(mark: pytest.Mark, cassette: Cassette, file: Path, mode: Mode) -> tuple[str, ...]:
    """Return the models whose calls alone are played. Fails for one that the cassette has no call of."""
    given = mark.kwargs.get("only") or ()
    only = (given,) if isinstance(given, str) else tuple(map(str, given))
    there = _models_in(cassette)
    for name in only:
        try:
            parts = name_parts(name, "USER/APP/ID")
        except ValueError as error:
            pytest.fail(f"clarifai_cassette(only=…) takes names of models: {error}.", pytrace=False)
        if mode is Mode.REPLAY and not any(is_called(each.split("/"), parts) for each in there):
            known = ", ".join(there) or "no model"
            guess = did_you_mean(name, [each.rpartition("/")[2] for each in there], lead=" ")
            text = f"The cassette {file} has no call of {name!r}; it has calls of {known}.{guess} {_AGAIN}"
            pytest.fail(text, pytrace=False)
    return only


def _stand_in(cassette: Cassette, file: Path, path: Path, only: tuple[str, ...]) -> tuple[str, str, str] | None:
    """Return the model that the cassette stands in for; None for one that runs. Fails when it was recorded with
    other signatures."""
    recorded = cassette.models.get(path.name)
    if only and (recorded is None or not _is_one_of(recorded.key, only)):
        return None
    if recorded is None:
        known = ", ".join(cassette.models) or "none"
        pytest.fail(
            f"The cassette {file} was recorded without the model {path.name}; it has: {known}. {_AGAIN}",
            pytrace=False,
        )
    if path.is_dir():
        _require_fresh(recorded, file, path)
    return recorded.key


def _is_one_of(key: ModelKey, only: tuple[str, ...]) -> bool:
    return any(is_called(key, name_parts(each, "USER/APP/ID")) for each in only)


def _models_in(cassette: Cassette) -> list[str]:
    """Return the models that the calls of a cassette are for, as ``USER/APP/ID``."""
    return sorted({model for call in cassette.calls if (model := model_in(call.requests[0]))})


def _played(cassette: Cassette, user_id: str, only: tuple[str, ...]) -> list[tuple[ModelKey, str]]:
    """Return the models of a user whose calls are played, each with the versions that it had then; "" for none that
    is known."""
    found: list[tuple[ModelKey, str]] = []
    for name in _models_in(cassette):
        user, _, rest = name.partition("/")
        app, _, model_id = rest.partition("/")
        key = (Caller(user_id).resolve(user), app, model_id)
        if key[0] == user_id and _is_one_of(key, only):
            found += [(key, version_id) for version_id in _versions_in(cassette, name) or [""]]
    return found


def _versions_in(cassette: Cassette, model: str) -> list[str]:
    """Return the versions of a model that its recorded answers show."""
    answers = [each for call in cassette.calls if model_in(call.requests[0]) == model for each in call.answers]
    shown = [each["model"].get("model_version") for each in answers if isinstance(each.get("model"), dict)]
    ids = [str(each.get("id") or "") for each in shown if isinstance(each, dict)]
    return list(dict.fromkeys(filter(None, ids)))


def _named(user_id: str, models: list[tuple[ModelKey, str]], emulator: Emulator) -> None:
    """Let models be there that are played while others run: workflows refer to them."""
    for key, version_id in models:
        emulator.provisioner.of(user_id).name_model(key, Model(id=key[2], app_id=key[1]), version_id)


def _require_fresh(recorded: RecordedModel, file: Path, path: Path) -> None:
    """Fail if the model's signatures have changed since the recording; other changes are fine."""
    if read_model_directory(path).content_hash == recorded.content_hash:
        return
    from clarifai_emulator.contracts.signatures.read_signatures import read_signatures

    now = [str(method_shape(method.signature)) for method in read_signatures(path).methods]
    if sorted(now) == sorted(recorded.methods):
        return
    gone = [f"  - {each}" for each in recorded.methods if each not in now]
    new = [f"  + {each}" for each in now if each not in recorded.methods]
    pytest.fail(
        "\n".join([f"The cassette {file} is stale: the signatures of {path} have changed.", *gone, *new, _AGAIN]),
        pytrace=False,
    )


def _recorded(handles: list[DeployedModel]) -> dict[str, RecordedModel]:
    found: dict[str, RecordedModel] = {}
    for handle in handles:
        methods = tuple(str(method_shape(each)) for each in handle.deployed.signatures)
        content_hash = read_model_directory(handle.path).content_hash
        found[handle.path.name] = RecordedModel(handle.key, content_hash, methods)
    return found


def problems_of(account: Clarifai) -> str:
    """Say why the test fails because of its cassette: requests that are not recorded; empty when there are none."""
    problems = account.serving.cassette_problems()
    return "\n".join([*problems, _AGAIN]) if problems else ""
