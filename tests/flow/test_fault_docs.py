"""The examples of docs/faults.md run as they stand there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.faults.fault import NAMES
from flow.driver import MODELS, Client, running

pytest_plugins = ["pytester"]

PAGE = (Path(__file__).parents[2] / "docs" / "faults.md").read_text()


def examples(language: str) -> str:
    """Return the only example in a language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return found


def test_the_tests_of_the_page_pass(pytester: pytest.Pytester) -> None:
    (pytester.path / "hello").symlink_to(MODELS / "hello")
    pytester.makepyfile(examples("python"))
    pytester.runpytest_subprocess("-q").assert_outcomes(passed=2)


def test_the_commands_of_the_page_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))

    def run(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "clarifai_emulator", *words], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("up", "--port", "0", "--detach")
    try:
        said = [run(*shlex.split(line)[1:]) for line in examples("sh").splitlines()]
    finally:
        run("down")
    added = ["busy", "fault-1", "slow"]
    assert [text.split(" is injected from now on")[0] for text in said[:3]] == added
    assert all(re.search(rf"^  {name} ", said[3], re.MULTILINE) for name in added)
    assert said[5].count("Removed ") == 2


def test_the_topology_of_the_page_works(tmp_path: Path) -> None:
    file = tmp_path / "topology.yaml"
    file.write_text(examples("yaml"))
    with running(topology=(file,)) as emulator:
        client = Client(emulator.url)
        assert client.call("ListModels").status.code == StatusCode.SUCCESS
        assert [each.id for each in emulator.faults] == ["busy", "cold", "slow"]
        assert [event.fields["fault_id"] for event in emulator.events("fault.injected")] == ["slow"]
        client.close()


def test_the_page_has_every_name() -> None:
    for name in set(NAMES) - {"id"}:
        assert f"`{name}`" in PAGE or f"`{name}:" in PAGE, name
