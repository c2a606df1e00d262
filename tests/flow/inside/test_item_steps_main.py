"""A request is spared the SDK's steps that would change nothing, and nobody can tell: the SDK's own steps and the
spared ones are compared on the same requests."""

from __future__ import annotations

import functools
import importlib
import logging
import os
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Data
from clarifai_grpc.grpc.api.service_pb2 import PostModelOutputsRequest
from hypothesis import given
from hypothesis import strategies as st

from clarifai_emulator.inside import item_steps_main
from clarifai_emulator.inside.zygote_main import environ_with, import_sdk

STEPS = ("ensure_urls_downloaded", "inject_secrets", "req_secrets_context")
Steps = dict[str, Callable[..., Any]]


@functools.cache
def _runner() -> Any:
    import_sdk()
    return importlib.import_module("clarifai.runners.models.model_runner")


@functools.cache
def _steps() -> tuple[Steps, Steps]:
    """Return the SDK's own steps, and the spared ones."""
    runner = _runner()
    own = {name: getattr(runner, name) for name in STEPS}
    try:
        item_steps_main.spare()
        return own, {name: getattr(runner, name) for name in STEPS}
    finally:
        for name, step in own.items():
            setattr(runner, name, step)


@pytest.fixture
def runner() -> Iterator[Any]:
    """The SDK's module, put back as it was."""
    module = _runner()
    before = {name: getattr(module, name) for name in STEPS}
    yield module
    for name, step in before.items():
        setattr(module, name, step)


@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the one file that requests link to and that is there."""
    folder = tmp_path_factory.mktemp("linked")
    (folder / "here").write_text("content")
    return folder


FILES = st.sampled_from(["", "here", "missing"])
LINKS = st.fixed_dictionaries(
    {kind: st.tuples(FILES, st.sampled_from([b"", b"given"])) for kind in ("image", "video", "audio", "text")}
)
NAMES = st.sampled_from(["temperature", "secrets", "PATH", "A_VARIABLE"])
SECRET = st.fixed_dictionaries(
    {"secret_type": st.sampled_from(["req", "env"]), "id": st.just("s")},
    optional={"env_var": st.sampled_from(["A_VARIABLE", "ANOTHER"]), "value": st.sampled_from(["one", 2.0, ""])},
)
PARAMS = st.none() | st.dictionaries(NAMES, st.text(max_size=3) | st.floats() | st.lists(SECRET, max_size=2))


def _data(folder: Path, links: dict[str, tuple[str, bytes]]) -> Data:
    data = Data()
    for kind, (file, given_bytes) in links.items():
        value = getattr(data, kind)
        if file:
            value.url = str(folder / file)
        if given_bytes:
            if kind == "text":
                value.raw = given_bytes.decode()
            else:
                value.base64 = given_bytes
    return data


def _request(folder: Path, inputs: list[tuple[Any, list[Any]]], params: Any) -> Any:
    request = PostModelOutputsRequest()
    for links, parts in inputs:
        data = request.inputs.add().data
        data.CopyFrom(_data(folder, links))
        for each in parts:
            data.parts.add().data.CopyFrom(_data(folder, each))
    if params is not None:
        request.model.model_version.output_info.params.update(params)
    return request


def _outcome(steps: Steps, request: Any, *, injects_first: bool) -> tuple[Any, ...]:
    """Take a request through the steps: what becomes of it, what its model finds, what is logged."""
    said: list[str] = []
    listener = logging.Handler()
    listener.emit = lambda record: said.append(record.getMessage())
    logger = logging.getLogger("clarifai")
    level = logger.level
    logger.addHandler(listener)
    logger.setLevel(logging.DEBUG)
    try:
        steps["ensure_urls_downloaded"](request, auth_helper=None)
        if injects_first:
            steps["inject_secrets"](request)
        with steps["req_secrets_context"](request):
            seen = dict(os.environ)
            if not injects_first:  # as in a stream, which opens the context first
                steps["inject_secrets"](request)
    finally:
        logger.removeHandler(listener)
        logger.setLevel(level)
    return request.SerializeToString(deterministic=True), seen, dict(os.environ), sorted(said)


@given(st.lists(st.tuples(LINKS, st.lists(LINKS, max_size=2)), max_size=2), PARAMS, st.booleans())
def test_the_spared_steps_do_to_any_request_what_the_sdk_does(
    linked: Path, inputs: list[Any], params: Any, injects_first: bool
) -> None:
    own, spared = _steps()
    request = _request(linked, inputs, params)
    copy = PostModelOutputsRequest.FromString(request.SerializeToString())
    with environ_with({"A_VARIABLE": "outside", "CLARIFAI_SECRET": "not for requests"}):
        mine, theirs = (
            _outcome(steps, each, injects_first=injects_first) for steps, each in ((spared, request), (own, copy))
        )
    assert mine == theirs


def test_no_thread_is_started_for_a_request_without_urls(monkeypatch: pytest.MonkeyPatch, linked: Path) -> None:
    own, spared = _steps()
    pools: list[Any] = []
    fetcher = importlib.import_module("clarifai.runners.utils.url_fetcher")
    genuine = fetcher.concurrent.futures.ThreadPoolExecutor

    def made(*args: Any, **options: Any) -> Any:
        pools.append(options)
        return genuine(*args, **options)

    monkeypatch.setattr(fetcher.concurrent.futures, "ThreadPoolExecutor", made)
    spared["ensure_urls_downloaded"](_request(linked, [({"text": ("", b"given")}, [{}])], None))
    assert pools == []
    for steps in (own, spared):
        request = _request(linked, [({}, [{"image": ("here", b"")}])], None)
        steps["ensure_urls_downloaded"](request)
        assert request.inputs[0].data.parts[0].data.image.base64 == b"content"
    assert len(pools) == 2


def test_a_variable_that_changes_is_in_the_next_request() -> None:
    _, spared = _steps()
    seen: list[str] = []
    for value in ("one", "one", "two", None):
        with environ_with({"A_VARIABLE": value}):
            request = PostModelOutputsRequest()
            spared["inject_secrets"](request)
            params = request.model.model_version.output_info.params
            seen.append(str(dict(params).get("A_VARIABLE", "")))
    assert seen == ["one", "one", "two", ""]


def test_secrets_in_files_are_read_for_each_request(tmp_path: Path) -> None:
    _, spared = _steps()
    file = tmp_path / "key" / "key"
    file.parent.mkdir()
    seen: list[str] = []
    with environ_with({"CLARIFAI_SECRETS_PATH": str(tmp_path)}):
        for value in ("one", "two"):
            file.write_text(f"API_KEY={value}\n")
            request = PostModelOutputsRequest()
            spared["inject_secrets"](request)
            seen.append(request.model.model_version.output_info.params["API_KEY"])
    assert seen == ["one", "two"]


def test_a_step_that_does_something_else_stays_as_it_is(runner: Any) -> None:
    def ensure_urls_downloaded(request: Any, auth_helper: Any = None) -> None:
        request.model_id = "resized"  # a name that is not known

    compiled = len
    runner.ensure_urls_downloaded, runner.inject_secrets = ensure_urls_downloaded, compiled
    item_steps_main.spare()
    assert (runner.ensure_urls_downloaded, runner.inject_secrets) == (ensure_urls_downloaded, compiled)


def test_a_version_of_the_sdk_without_a_step_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def older(name: str) -> Any:
        return types.ModuleType(name)

    monkeypatch.setattr(item_steps_main.importlib, "import_module", older)
    item_steps_main.spare()


def test_steps_are_spared_once(runner: Any) -> None:
    item_steps_main.spare()
    once = [getattr(runner, name) for name in STEPS]
    item_steps_main.spare()
    assert [getattr(runner, name) for name in STEPS] == once
    assert all(hasattr(each, "is_spared") for each in once)
