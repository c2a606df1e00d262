"""Calls that would reach the real platform, or nobody, are refused, and the refusal says what to do."""

from __future__ import annotations

from typing import Any

import pytest

from plugin.conftest import Run

TESTS = """
import threading
import urllib.request

import pytest
from clarifai.client import Model, User

HELLO = "{models}/hello"
URL = "https://clarifai.com/me/demo/models/hello"


def test_no_fixture():
    Model(url=URL).predict(prompt="x")


def test_other_base(clarifai):
    clarifai.deploy(HELLO)
    Model(url=URL, base_url="https://api.clarifai.com", pat="x").predict(prompt="x")


def test_http():
    urllib.request.urlopen("https://api.clarifai.com/v2/users/me")


def test_caught():
    try:
        User(user_id="me").get_user_info()
    except BaseException:
        pass


def test_in_a_thread():
    def call():
        try:
            User(user_id="me").get_user_info()
        except BaseException:
            pass
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()


def test_after_another_one(clarifai):
    clarifai.deploy(HELLO)


def test_no_fixture_while_an_emulator_runs():
    Model(url=URL).predict(prompt="x")


def test_pictures_of_the_documentation_are_no_account():
    from pytest_clarifai_emulator.guard import is_platform
    assert not is_platform("samples.clarifai.com")
    assert is_platform("api.clarifai.com") and is_platform("api.clarifai.com:443") and is_platform("clarifai.com")
    assert not is_platform("notclarifai.com") and not is_platform("127.0.0.1:80")


def test_everything_else_is_looked_up():
    import socket
    assert socket.getaddrinfo("localhost", 80)


@pytest.fixture(scope="module")
def deployed(clarifai_emulator):
    return clarifai_emulator.deploy(HELLO)


def test_a_longer_lived_fixture(deployed):
    assert Model(url=deployed.model_url).predict(prompt="x") == "Hello, x!"


def test_asked_for_while_it_runs(request):
    hello = request.getfixturevalue("clarifai").deploy(HELLO)
    assert hello.model.predict(prompt="x") == "Hello, x!"


async def call():
    from clarifai_grpc.grpc.api import service_pb2, service_pb2_grpc
    import grpc
    import os
    async with grpc.aio.insecure_channel(os.environ["CLARIFAI_API_BASE"].removeprefix("http://")) as channel:
        stub = service_pb2_grpc.V2Stub(channel)
        return await stub.GetUser(service_pb2.GetUserRequest(), metadata=[("authorization", "Key x")])


def test_async_without_a_fixture():
    import asyncio
    asyncio.run(call())


def test_async(clarifai):
    import asyncio
    assert asyncio.run(call()).user.id == "me"
"""


@pytest.fixture(scope="module")
def run(nested: Any) -> Run:
    return nested({"test_refusals.py": TESTS})


@pytest.mark.parametrize(
    "name",
    ["test_no_fixture", "test_no_fixture_while_an_emulator_runs", "test_async_without_a_fixture"],
)
def test_a_call_without_a_fixture_names_the_fixture(run: Run, name: str) -> None:
    assert run.outcome(name) == "FAILED"
    assert (
        f"test_refusals.py::{name} calls the Clarifai platform, but uses none of its fixtures. Add `clarifai` to "
        "its arguments (or `clarifai_emulator`, for a longer-lived fixture); `--clarifai-allow-real` lets it call "
        "the real platform."
    ) in run.failure(name)


def test_a_client_with_a_base_url_of_its_own(run: Run) -> None:
    assert run.outcome("test_other_base") == "FAILED"
    assert (
        "test_refusals.py::test_other_base would have called the real Clarifai platform (api.clarifai.com). The "
        "test uses the emulator, but this client was told another base URL, or none and does not look at "
        "CLARIFAI_API_BASE (clarifai before 11.4.3): leave `base_url` out, or pass `clarifai.url`."
    ) in run.failure("test_other_base")


def test_http_clients_are_refused_too(run: Run) -> None:
    assert run.outcome("test_http") == "FAILED"
    assert "would have called the real Clarifai platform (api.clarifai.com). Add the fixture `clarifai`" in run.text


@pytest.mark.parametrize("name", ["test_caught", "test_in_a_thread"])
def test_a_refusal_that_is_swallowed_fails_the_test_all_the_same(run: Run, name: str) -> None:
    assert run.outcome(name) == "FAILED"
    assert f"test_refusals.py::{name} calls the Clarifai platform" in run.failure(name)


@pytest.mark.parametrize(
    "name",
    [
        "test_after_another_one",
        "test_pictures_of_the_documentation_are_no_account",
        "test_everything_else_is_looked_up",
        "test_a_longer_lived_fixture",
        "test_asked_for_while_it_runs",
        "test_async",
    ],
)
def test_everything_else_is_let_through(run: Run, name: str) -> None:
    assert run.outcome(name) == "PASSED", run.failure(name)


def test_a_call_at_import_is_refused(nested: Any) -> None:
    run = nested({"test_early.py": 'from clarifai.client import User\nUser(user_id="me").get_user_info()\n'})
    assert run.code == 2
    assert "The Clarifai platform was called while tests were being collected. Call it inside a test" in run.text


def test_an_sdk_that_was_imported_too_early_is_explained(nested: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "early.py": "import clarifai.client\n",
        "test_early.py": "def test_hello(clarifai):\n    pass\n",
    }
    monkeypatch.setenv("PYTHONPATH", ".")
    run = nested(files, "-p", "early")
    assert run.outcome("test_hello") == "ERROR"
    assert (
        "The clarifai SDK was imported too early: it keeps the base URL that it found then, https://api.clarifai.com"
        in run.failure("test_hello")
    )


def test_allow_real_leaves_the_environment_alone(nested: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLARIFAI_API_BASE", "https://api-staging.example.com")
    test = """
        import os, socket

        def test_untouched():
            assert os.environ["CLARIFAI_API_BASE"] == "https://api-staging.example.com"
            assert "CLARIFAI_PAT" not in os.environ
            assert socket.getaddrinfo.__module__ == "socket"
        """
    run = nested({"test_real.py": test}, "--clarifai-allow-real")
    assert run.outcome("test_untouched") == "PASSED"
    assert "real platform allowed" in run.text


def test_an_emulator_of_ones_own_stays_ones_own(nested: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLARIFAI_API_BASE", "http://127.0.0.1:7878")
    test = """
        import os

        def test_mine():
            assert os.environ["CLARIFAI_API_BASE"] == "http://127.0.0.1:7878"

        def test_ours(clarifai):
            assert os.environ["CLARIFAI_API_BASE"] == clarifai.url != "http://127.0.0.1:7878"
            from clarifai.client import User
            assert User(user_id="me").get_user_info().user.id == "me"
        """
    run = nested({"test_mine.py": test})
    assert (run.outcome("test_mine"), run.outcome("test_ours")) == ("PASSED", "PASSED"), run.text


def test_the_users_own_settings_are_neither_read_nor_written(
    nested: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    settings = tmp_path / ".config" / "clarifai" / "config"
    settings.parent.mkdir(parents=True)
    settings.write_text("current_context: real\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    test = """
        import os
        from pathlib import Path
        from clarifai.utils import constants, misc
        REAL = os.environ["HOME"]

        def test_home(clarifai):
            assert not str(constants.DEFAULT_CONFIG).startswith(REAL)
            assert "clarifai-home-" in str(misc.DEFAULT_CONFIG)
            assert os.environ["HOME"] != REAL

        def test_afterwards():
            assert os.environ["HOME"] == REAL and "CLARIFAI_EMULATOR_PYTEST" in os.environ
        """
    run = nested({"test_home.py": test})
    assert (run.outcome("test_home"), run.outcome("test_afterwards")) == ("PASSED", "PASSED"), run.text
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["config"]
