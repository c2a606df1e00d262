"""The plugin works beside others, in several processes and in any order, and costs little when nobody uses it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from plugin.conftest import Run

MANY = """
import os
import pytest
from clarifai.client import Model

HELLO = "{models}/hello"


@pytest.mark.parametrize("number", range(16))
def test_each_worker_has_an_account_of_its_own(clarifai, number):
    assert clarifai.status()["deployments"] == []
    hello = clarifai.deploy(HELLO, deployment=f"d{number}")
    assert hello.model.predict(prompt=str(number)) == f"Hello, {number}!"
    assert Model(url=hello.url, deployment_id=f"d{number}").predict(prompt="x") == "Hello, x!"
    assert [call.arguments["prompt"] for call in hello.calls] == [str(number), "x"]
    assert os.environ["CLARIFAI_API_BASE"] == clarifai.url


@pytest.mark.clarifai_gpu(1)
@pytest.mark.parametrize("number", range(6))
def test_gpus_are_shared_by_turns(clarifai, number, tmp_path_factory):
    lock = tmp_path_factory.getbasetemp().parent / f"{clarifai.gpus[0]}.taken"
    lock.touch(exist_ok=False)
    lock.unlink()
"""


@pytest.mark.slow
def test_four_workers_do_not_meet(nested: Any) -> None:
    run: Run = nested({"test_many.py": MANY}, "-n", "4", "--clarifai-gpus", "1")
    assert "22 passed" in run.text, run.text


@pytest.mark.slow
def test_any_order(nested: Any) -> None:
    run = nested({"test_many.py": MANY}, "--random-order", "--random-order-seed=7", "--clarifai-gpus", "1")
    assert "22 passed" in run.text, run.text


ASYNC = """
import pytest

HELLO = "{models}/hello"


@pytest.mark.anyio
async def test_anyio(clarifai, anyio_backend_name):
    import anyio
    hello = clarifai.deploy(HELLO)
    answer = await anyio.to_thread.run_sync(lambda: hello.model.predict(prompt="x"))
    assert answer == "Hello, x!"


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.mark.asyncio
async def test_raw_async(clarifai):
    import grpc
    from clarifai_grpc.grpc.api import service_pb2, service_pb2_grpc
    async with grpc.aio.insecure_channel(clarifai.url.removeprefix("http://")) as channel:
        metadata = [("authorization", f"Key {clarifai.pat}")]
        answer = await service_pb2_grpc.V2Stub(channel).GetUser(service_pb2.GetUserRequest(), metadata=metadata)
    assert answer.user.id == "me"
"""


def test_async_tests(nested: Any) -> None:
    run = nested({"test_async.py": ASYNC})
    for name in ("test_anyio", "test_raw_async"):
        assert run.outcome(name) == "PASSED", run.failure(name)


UNUSED = """
import sys

def test_nothing_of_ours_is_imported():
    not_ours = ("clarifai_emulator", "grpc", "clarifai", "yaml", "asyncio")
    assert [name for name in sys.modules if name.split(".")[0] in not_ours] == []
    plugin = [name.partition(".")[2] for name in sys.modules if name.startswith("pytest_clarifai_emulator.")]
    light = "guard import_hooks method_coverage old_sdk overcommitted plugin sdk_calls sdk_clock session settings "
    light += "temp_homes test_environment up_settings"
    assert sorted(plugin) == light.split()
"""


def test_a_session_that_uses_nothing_imports_nothing(nested: Any) -> None:
    # Two of the plugins that are installed here import asyncio themselves.
    run = nested({"test_unused.py": UNUSED, "pytest.ini": "[pytest]\n"}, "-p", "no:asyncio", "-p", "no:anyio")
    assert run.outcome("test_nothing_of_ours_is_imported") == "PASSED", run.failure(
        "test_nothing_of_ours_is_imported"
    )


@pytest.mark.parametrize("package", ["clarifai_emulator", "pytest_clarifai_emulator"])
def test_a_package_imports_nothing_before_a_name_is_used(package: str) -> None:
    program = (
        f"import importlib, sys, typing; had = set(sys.modules); import {package}; print(*set(sys.modules) - had)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {"__future__", package}


def test_collecting_starts_nothing(nested: Any) -> None:
    run = nested({"test_many.py": MANY}, "--collect-only", "-q")
    assert (run.code, "22 tests collected in" in run.text) == (0, True)


@pytest.mark.parametrize(
    "names", ["xdist asyncio anyio logging junitxml capture", "terminalreporter"], ids=["many", "terminal"]
)
def test_other_plugins_may_be_missing(nested: Any, names: str) -> None:
    test = "def test_a(clarifai):\n    assert clarifai.url\n"
    without = [option for name in names.split() for option in ("-p", f"no:{name}")]
    run = nested({"test_a.py": test, "pytest.ini": "[pytest]\n"}, *without)
    assert run.code == 0, run.text


def test_the_plugin_itself_may_be_switched_off(nested: Any) -> None:
    test = """
        import os, socket

        def test_off():
            assert "CLARIFAI_EMULATOR_PYTEST" not in os.environ and socket.getaddrinfo.__module__ == "socket"

        def test_used(clarifai):
            pass
        """
    run = nested({"test_a.py": test}, "-p", "no:clarifai_emulator")
    assert run.outcome("test_off") == "PASSED"
    assert "fixture 'clarifai' not found" in run.failure("test_used")


def test_the_environment_is_as_before_afterwards(pytester: pytest.Pytester) -> None:
    import os
    import socket

    pytester.makepyfile("def test_a():\n    pass\n")
    before = dict(os.environ), socket.getaddrinfo
    pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:asyncio").assert_outcomes(passed=1)
    for name in ("CLARIFAI_API_BASE", "CLARIFAI_PAT", "CLARIFAI_USER_ID", "CLARIFAI_EMULATOR_PYTEST"):
        assert os.environ.get(name) == before[0].get(name)
    assert socket.getaddrinfo is before[1]
