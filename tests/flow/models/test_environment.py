"""Tests building model environments with uv, for real and with a program in its place."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
import time
from functools import partial
from importlib import metadata
from pathlib import Path

import pytest

from clarifai_emulator.errors import ModelError
from clarifai_emulator.models import environment, uv_runs
from clarifai_emulator.models.environment import describe_environment, prepare_environment
from model_requirements import MakeModel, model_with


@pytest.fixture
def model(tmp_path: Path) -> MakeModel:
    """Return a function that writes a model directory with these requirements."""
    return partial(model_with, tmp_path)


# On exactly this Python, the runner that the SDK asks for cannot be imported.
REPLACED = (
    ["pip install --python {python} --no-deps clarifai-protocol<0.0.60; python_full_version == '3.13.0'"]
    if sys.version_info[:3] == (3, 13, 0)
    else []
)

FAKE_UV = """#!{python}
import os, sys, time
with open(os.environ["CALLS"], "a") as calls:
    calls.write(" ".join(sys.argv[1:]) + "\\n")
if sys.argv[1] == "venv":
    os.makedirs(sys.argv[-1] + "/bin")
    open(sys.argv[-1] + "/bin/python", "w").close()
elif "SLEEP" in os.environ:
    with open(os.environ["SLEEP"], "w") as file:
        file.write(str(os.getpid()))
    time.sleep(60)
elif "FAIL" in os.environ:
    print(os.environ["FAIL"], file=sys.stderr)
    sys.exit(1)
else:
    print("Installed 1 package", file=sys.stderr)
"""


class Uv:
    """A uv that installs nothing: writes down how it was called, and fails or hangs when told to."""

    def __init__(self, folder: Path) -> None:
        self.binary = folder / "uv"
        self.binary.write_text(FAKE_UV.format(python=sys.executable))
        self.binary.chmod(self.binary.stat().st_mode | stat.S_IXUSR)
        self.log = folder / "calls"
        self.environ = {"CALLS": str(self.log), "PATH": os.environ["PATH"]}

    @property
    def calls(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Uv:
    fake = Uv(tmp_path)
    monkeypatch.setattr(uv_runs, "uv_program", lambda: str(fake.binary))
    return fake


class TestBuilding:
    async def test_installs_the_requirements_and_our_version_of_the_runner(
        self, model: MakeModel, tmp_path: Path, uv: Uv
    ) -> None:
        said: list[str] = []
        python = await prepare_environment(
            model("a-missing-package\n"), tmp_path / "cache", said.append, environ=uv.environ
        )
        target = python.parent.parent
        assert target.parent == tmp_path / "cache" / "environments"
        assert uv.calls == [
            f"venv --python {sys.executable} {target}",
            f"pip install --python {python} -r {tmp_path / 'm' / 'requirements.txt'}"
            f" clarifai=={metadata.version('clarifai')}",
            *(each.format(python=python) for each in REPLACED),
        ]
        assert said[0] == "building a Python environment for m: a-missing-package is not installed"
        assert "Installed 1 package" in said
        assert said[-1] == f"the Python environment for m is ready: {target}"
        assert describe_environment(python) == f"built with uv for its requirements.txt: {target}"

    async def test_leaves_the_runners_version_to_requirements_that_name_it(
        self, model: MakeModel, tmp_path: Path, uv: Uv
    ) -> None:
        await prepare_environment(model("clarifai==12.4.0\n"), tmp_path / "cache", print, environ=uv.environ)
        assert " clarifai==" not in uv.calls[1]

    async def test_asks_uv_for_the_python_of_the_config(self, model: MakeModel, tmp_path: Path, uv: Uv) -> None:
        await prepare_environment(model("clarifai\n", "3.99"), tmp_path / "cache", print, environ=uv.environ)
        assert uv.calls[0].startswith("venv --python 3.99 ")

    async def test_happens_once_for_the_same_requirements(self, model: MakeModel, tmp_path: Path, uv: Uv) -> None:
        first = await prepare_environment(model("nope\n"), tmp_path / "cache", print, environ=uv.environ)
        (tmp_path / "m" / "1" / "model.py").write_text("changed = True")
        again = await prepare_environment(model("# why\nnope\n"), tmp_path / "cache", print, environ=uv.environ)
        other = await prepare_environment(model("nope>1\n"), tmp_path / "cache", print, environ=uv.environ)
        assert first == again != other
        assert len(uv.calls) == 4

    async def test_happens_again_when_an_included_file_changes(
        self, model: MakeModel, tmp_path: Path, uv: Uv
    ) -> None:
        directory = model("-r more.txt\n")
        (directory.path / "more.txt").write_text("nope==1")
        first = await prepare_environment(directory, tmp_path / "cache", print, environ=uv.environ)
        (directory.path / "more.txt").write_text("nope==2")
        assert await prepare_environment(directory, tmp_path / "cache", print, environ=uv.environ) != first

    async def test_happens_once_when_two_ask_at_the_same_time(
        self, model: MakeModel, tmp_path: Path, uv: Uv
    ) -> None:
        said: list[str] = []
        directory = model("nope\n")
        pythons = await asyncio.gather(
            *(prepare_environment(directory, tmp_path / "cache", said.append, environ=uv.environ) for _ in "ab")
        )
        assert pythons[0] == pythons[1]
        assert len(uv.calls) == 2
        assert said.count("waiting for another process that builds the same Python environment") == 1

    async def test_starts_afresh_after_a_build_that_was_killed(
        self, model: MakeModel, tmp_path: Path, uv: Uv
    ) -> None:
        directory = model("nope\n")
        python = await prepare_environment(directory, tmp_path / "cache", print, environ=uv.environ)
        (python.parent.parent / ".complete").unlink()
        (python.parent / "leftover").touch()
        await prepare_environment(directory, tmp_path / "cache", print, environ=uv.environ)
        assert len(uv.calls) == 4
        assert not (python.parent / "leftover").exists()

    async def test_that_is_cancelled_leaves_no_process_and_nothing_usable(
        self, model: MakeModel, tmp_path: Path, uv: Uv
    ) -> None:
        pid_file = tmp_path / "pid"
        environ = {**uv.environ, "SLEEP": str(pid_file)}
        task = asyncio.create_task(prepare_environment(model("nope\n"), tmp_path / "c", print, environ=environ))
        while not (pid_file.exists() and pid_file.read_text()):
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid_file.read_text()), 0)
        (target,) = [name for name in os.listdir(tmp_path / "c" / "environments") if not name.endswith(".lock")]
        assert ".complete" not in os.listdir(tmp_path / "c" / "environments" / target)

    async def test_with_a_missing_include_says_so_and_starts_nothing(
        self, model: MakeModel, tmp_path: Path, uv: Uv
    ) -> None:
        with pytest.raises(ModelError, match=r"includes more\.txt, which does not exist"):
            await prepare_environment(model("-r more.txt\n"), tmp_path / "c", print, environ=uv.environ)
        assert uv.calls == []


@pytest.mark.parametrize(
    ("output", "cause", "hint"),
    [
        (
            "error: No solution found when resolving dependencies\n"
            "  cause: Because nope was not found in the package registry and you require nope, …",
            "cannot be built: the package index has no nope.",
            "Check its spelling in requirements.txt",
        ),
        (
            "error: No solution found when resolving dependencies\n"
            "  cause: Because there is no version of six==99 …",
            "cannot be built: no set of versions fits all requirements.",
            "Relax the versions in requirements.txt",
        ),
        (
            "error: No solution found when resolving dependencies\n"
            "  cause: Because you require mcp==1.23.0 and mcp==1.24.0, your requirements are unsatisfiable.",
            "no set of versions fits all requirements. Because you require mcp==1.23.0 and mcp==1.24.0, your "
            "requirements are unsatisfiable.",
            "Relax the versions in requirements.txt",
        ),
        (
            "error: No solution found when resolving dependencies\n"
            "  cause: Because all of:\n             big>=5,<=5.9\n             big>=5.10\n"
            "         depend on small>=0.22, we can conclude that big>=5 depends on small>=0.22.\n"
            "         And because you require small==0.21 and big>=5, your requirements are unsatisfiable.",
            "fits all requirements. Because you require small==0.21 and big>=5, your requirements are",
            "Relax the versions in requirements.txt",
        ),
        (
            "error: Failed to fetch: https://index.invalid/simple/six/\n  cause: dns error",
            "cannot be built: the package index cannot be reached (https://index.invalid/simple/six/).",
            "Check the network, the proxy (HTTPS_PROXY) and the index",
        ),
        (
            "error: No interpreter found for Python 3.99 in managed installations or search path",
            "cannot be built: Python 3.99 is neither on this machine nor could it be downloaded.",
            "Install Python 3.99, or remove build_info.python_version from config.yaml",
        ),
        (
            "error: Couldn't parse requirement in `requirements.txt` at position 0",
            "cannot be built: it has a line that cannot be read.",
            "Correct that line.",
        ),
        (
            "error: Failed to build `flash-attn==2.8`\n  cause: The build backend returned an error",
            "cannot be built: flash-attn==2.8 is for machines with an NVIDIA GPU and its CUDA toolkit",
            "Deploy it where there is one, in a container whose image has it",
        ),
        (
            "error: Failed to build `odd-thing==1.0`\n  cause: The build backend returned an error",
            "cannot be built: odd-thing==1.0 has no ready-made build for this machine",
            "Use a version that has a wheel for this Python",
        ),
        ("error: disk full", "cannot be built: uv failed.", "Read uv's last lines above."),
    ],
)
async def test_a_failed_build_says_why_and_what_to_do(
    model: MakeModel, tmp_path: Path, uv: Uv, output: str, cause: str, hint: str
) -> None:
    directory = model("nope\n", "3.99")
    with pytest.raises(ModelError) as caught:
        await prepare_environment(directory, tmp_path / "c", print, environ={**uv.environ, "FAIL": output})
    assert caught.value.summary.startswith(f"The Python environment for {directory.requirements_file} ")
    assert cause in caught.value.summary
    assert not caught.value.summary.endswith("..")
    assert hint in caught.value.hint
    assert caught.value.log == output
    assert [path.suffix for path in (tmp_path / "c" / "environments").iterdir()] == [".lock"]


@pytest.mark.slow
async def test_a_real_environment_has_the_packages_and_the_runner_and_is_kept(
    model: MakeModel, tmp_path: Path
) -> None:
    directory = model("six\n")
    if not environment.reasons_to_build(directory):
        pytest.skip("six is installed here, so there is nothing to build")
    said: list[str] = []
    python = await prepare_environment(directory, tmp_path / "cache", said.append)
    check = "import six, clarifai.runners.server, sys; print(sys.prefix)"
    shown = await asyncio.to_thread(subprocess.check_output, [str(python), "-c", check], text=True)
    assert shown.strip().endswith(str(python.parent.parent))
    assert any("six" in line for line in said)

    said.clear()
    begin = time.monotonic()
    assert await prepare_environment(directory, tmp_path / "cache", said.append) == python
    assert time.monotonic() - begin < 1
    assert said == []
