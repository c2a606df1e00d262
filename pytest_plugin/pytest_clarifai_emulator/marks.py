"""Does what the markers of a test ask for: its topology, its GPUs, its models."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from pytest_clarifai_emulator.cassette import inserted, is_played_whole
from pytest_clarifai_emulator.clarifai_fixture import Clarifai
from pytest_clarifai_emulator.gpu import held
from pytest_clarifai_emulator.settings import Settings


@contextlib.contextmanager
def prepared(account: Clarifai, item: pytest.Item, settings: Settings, given_pat: str) -> Generator[None]:
    """Set up what the test is marked with, outermost marks first."""
    _require_mode(item)
    with contextlib.ExitStack() as stack:
        gpu = item.get_closest_marker("clarifai_gpu")
        if gpu is not None:
            account.gpus = stack.enter_context(held(_count(gpu), account.emulator, settings))
        cassette = item.get_closest_marker("clarifai_cassette")
        if cassette is not None:
            stack.enter_context(inserted(cassette, account, item, settings, given_pat))
        for mark in _outermost_first(item, "clarifai_topology"):
            account.topology(*mark.args)
        for mark in _outermost_first(item, "clarifai_model"):
            _deploy(account, mark, settings)
        for mark in _outermost_first(item, "clarifai_models"):
            _deploy_group(account, mark, settings)
        yield


def _deploy(account: Clarifai, mark: pytest.Mark, settings: Settings) -> None:
    if len(mark.args) != 1:
        pytest.fail("clarifai_model takes one model directory: @pytest.mark.clarifai_model('DIR').", pytrace=False)
    account.deploy(mark.args[0], **_options(mark, settings))


def _deploy_group(account: Clarifai, mark: pytest.Mark, settings: Settings) -> None:
    """Deploy models in the order given: one that asks another while it is loaded comes after it. Where the cassette
    answers every call, what topology files name is asked for nothing, and its models may be missing."""
    if not mark.args:
        pytest.fail(
            "clarifai_models takes model directories and topology files: "
            '@pytest.mark.clarifai_models("DIR", "DIR", "FILE.yaml").',
            pytrace=False,
        )
    options = _options(mark, settings)
    for path in mark.args:
        if Path(path).suffix in (".yaml", ".yml"):
            if not is_played_whole(account):
                account.topology(path)
        else:
            account.deploy(path, **options)


def _options(mark: pytest.Mark, settings: Settings) -> dict[str, Any]:
    """Return the options of ``Clarifai.deploy`` that a mark gives. Fails for a backend that this run has not."""
    options: dict[str, Any] = dict(mark.kwargs)
    backend = options.pop("backend", settings.backend)
    if backend != settings.backend:
        pytest.fail(
            f"The test needs the backend {backend!r}, this run uses {settings.backend!r}: "
            f"run it with --clarifai-backend {backend}.",
            pytrace=False,
        )
    return options


def _require_mode(item: pytest.Item) -> None:
    mark = item.get_closest_marker("clarifai_retries")
    if mark is not None and mark.args not in (("virtual",), ("real",)):
        given = ", ".join(map(repr, mark.args)) or "nothing"
        pytest.fail(f'clarifai_retries takes "virtual" or "real", found {given}.', pytrace=False)


def _outermost_first(item: pytest.Item, name: str) -> list[pytest.Mark]:
    return list(item.iter_markers(name))[::-1]


def _count(mark: pytest.Mark) -> int:
    given = mark.args[0] if mark.args else mark.kwargs.get("n", 1)
    return int(given)
