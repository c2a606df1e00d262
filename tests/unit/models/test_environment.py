"""A model runs in its own Python environment or in one that is built for it; a failed build says what to do."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from clarifai_emulator.errors import ModelError
from clarifai_emulator.models import environment
from clarifai_emulator.models.directory import ModelDirectory, read_model_directory
from clarifai_emulator.models.environment import (
    WORKING_RUNNER,
    describe_environment,
    prepare_environment,
    uv_environment,
)
from clarifai_emulator.models.requirements import (
    Installed,
    UnreadableRequirements,
    names_clarifai,
    read_lines,
    unpin_unknown_sdk,
    unsatisfied_requirements,
)

CURRENT = f"{sys.version_info.major}.{sys.version_info.minor}"
MakeModel = Callable[..., ModelDirectory]


@pytest.fixture
def model(tmp_path: Path) -> MakeModel:
    """Return a function that writes a model directory with these requirements."""

    def make(requirements: str, python_version: str = "") -> ModelDirectory:
        root = tmp_path / "m"
        (root / "1").mkdir(parents=True, exist_ok=True)
        build = f'build_info: {{python_version: "{python_version}"}}\n' if python_version else ""
        (root / "config.yaml").write_text(f"model: {{id: m}}\n{build}")
        (root / "requirements.txt").write_text(requirements)
        (root / "1" / "model.py").write_text("")
        return read_model_directory(root)

    return make


def installed(**versions: str) -> Installed:
    return Installed(
        version=versions.get,
        requires=lambda name: ["h2>=4; extra == 'http2'", "idna"] if name == "httpx" else [],
    )


class TestRequirements:
    @pytest.fixture
    def reasons(self, tmp_path: Path) -> Callable[[str], list[str]]:
        def check(text: str) -> list[str]:
            (tmp_path / "requirements.txt").write_text(text)
            return unsatisfied_requirements(
                tmp_path / "requirements.txt",
                installed(clarifai="12.5.0", numpy="2.1.0", httpx="0.28", six="2.0rc1"),
            )

        return check

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "# a comment\n\nclarifai # and another",
            "clarifai>=12,<13\nnumpy == 2.1.0",
            "Clarifai",
            "numpy \\\n  >=2",
            "pywin32; sys_platform == 'win32'",
            "--index-url https://example.com/simple\n--pre\nnumpy",
            "numpy==2.1.0 --hash=sha256:00",
            "six>=1.9",
            "httpx",
        ],
    )
    def test_are_satisfied(self, reasons: Callable[[str], list[str]], text: str) -> None:
        assert reasons(text) == []

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("torch", "torch is not installed"),
            ("numpy<2", "numpy<2 is required, 2.1.0 is installed"),
            ("httpx[http2]", "h2 is not installed (httpx[http2] needs it)"),
            ("numpy @ https://example.com/numpy.whl", "numpy @ https://example.com/numpy.whl is a URL or a path"),
            ("numpy @ https://example.com/numpy", "numpy comes from a URL, always installed afresh"),
            ("git+https://example.com/numpy.git", "is a URL or a path, always installed afresh"),
            ("-e .", "-e . is a URL or a path, always installed afresh"),
            ("./wheels/numpy.whl", "is a URL or a path"),
            ("numpy=>2", "'numpy=>2' cannot be read as a requirement"),
            ("-r missing.txt", "requirements.txt includes missing.txt, which does not exist"),
        ],
    )
    def test_are_not_satisfied_for_a_reason(
        self, reasons: Callable[[str], list[str]], text: str, reason: str
    ) -> None:
        assert len(reasons(text)) == 1
        assert reason in reasons(text)[0]

    @pytest.mark.parametrize("option", ["-r more.txt", "--requirement more.txt", "--requirement=more.txt"])
    def test_of_included_files_count(
        self, tmp_path: Path, reasons: Callable[[str], list[str]], option: str
    ) -> None:
        (tmp_path / "more.txt").write_text("torch\n-r requirements.txt\n")
        assert reasons(option) == ["torch is not installed"]

    def test_constraints_limit_what_is_installed_and_ask_for_nothing(
        self, tmp_path: Path, reasons: Callable[[str], list[str]]
    ) -> None:
        (tmp_path / "limits.txt").write_text("torch==2.0\nnumpy<2\n")
        assert reasons("-c limits.txt") == ["numpy<2 is required, 2.1.0 is installed"]

    def test_that_are_no_text_are_refused_by_name(self, tmp_path: Path) -> None:
        (tmp_path / "requirements.txt").write_bytes(b"\xff")
        with pytest.raises(UnreadableRequirements, match=r"requirements\.txt cannot be read"):
            list(read_lines(tmp_path / "requirements.txt"))

    @pytest.mark.parametrize(
        ("text", "named"),
        [
            ("clarifai", True),
            ("Clarifai>=12", True),
            ("git+https://example.com/Clarifai/clarifai-python.git", True),
            ("clarifai-grpc", False),
            ("git+https://example.com/Clarifai/clarifai-python-grpc.git", False),
            ("clarifai; python_version < '3'", False),
            ("numpy", False),
        ],
    )
    def test_name_the_sdk_or_not(self, tmp_path: Path, text: str, named: bool) -> None:
        (tmp_path / "requirements.txt").write_text(text)
        assert names_clarifai(list(read_lines(tmp_path / "requirements.txt"))) is named


class TestUvEnvironment:
    def test_says_pips_settings_in_uvs_words(self) -> None:
        env = uv_environment(
            {
                "PIP_INDEX_URL": "https://one",
                "PIP_EXTRA_INDEX_URL": "https://two https://three",
                "PIP_CERT": "ca.pem",
                "PIP_FIND_LINKS": "a b",
            }
        )
        assert env["UV_DEFAULT_INDEX"] == "https://one"
        assert env["UV_INDEX"] == "https://two https://three"
        assert env["UV_INDEX_STRATEGY"] == "unsafe-best-match", "pip takes the best version of all indexes"
        assert env["SSL_CERT_FILE"] == "ca.pem"
        assert env["UV_FIND_LINKS"] == "a,b"

    def test_leaves_uvs_own_settings_and_everything_else_alone(self) -> None:
        env = uv_environment(
            {
                "PIP_INDEX_URL": "https://pip",
                "UV_DEFAULT_INDEX": "https://uv",
                "UV_INDEX": "https://mine",
                "HTTPS_PROXY": "p",
            }
        )
        assert env["UV_DEFAULT_INDEX"] == "https://uv"
        assert "UV_INDEX_STRATEGY" not in env
        assert env["HTTPS_PROXY"] == "p"

    def test_does_not_lead_uv_into_our_own_environment(self) -> None:
        assert "VIRTUAL_ENV" not in uv_environment({"VIRTUAL_ENV": "ours"})


class TestTheCurrentInterpreter:
    @pytest.mark.parametrize("python_version", ["", CURRENT])
    async def test_is_used_when_all_fits(self, model: MakeModel, tmp_path: Path, python_version: str) -> None:
        said: list[str] = []
        python = await prepare_environment(model("clarifai\n", python_version), tmp_path / "cache", said.append)
        assert python == Path(sys.executable)
        assert said == []
        assert not (tmp_path / "cache").exists()
        assert "the emulator's own Python" in describe_environment(python)

    def test_does_not_fit_another_python_version(self, model: MakeModel) -> None:
        reasons = environment.reasons_to_build(model("clarifai\n", "3.99"))
        assert reasons == [f"Python 3.99 is required, this is {sys.version.split()[0]}"]


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
    monkeypatch.setattr(environment, "find_uv_bin", lambda: str(fake.binary))
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
            f" clarifai=={metadata.version('clarifai')} {WORKING_RUNNER}",
        ]
        assert said[0] == "building a Python environment for m: a-missing-package is not installed"
        assert "Installed 1 package" in said
        assert said[-1] == f"the Python environment for m is ready: {target}"
        assert describe_environment(python) == f"built with uv for its requirements.txt: {target}"

    async def test_leaves_the_runners_version_to_requirements_that_name_it(
        self, model: MakeModel, tmp_path: Path, uv: Uv
    ) -> None:
        await prepare_environment(model("clarifai==1.0\n"), tmp_path / "cache", print, environ=uv.environ)
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


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("clarifai==None\n", "clarifai\n"),
        ("numpy\nclarifai==None", "numpy\nclarifai"),
        ("clarifai==12.5.0\n", ""),
        ("# clarifai==None\nclarifai-grpc==None\n", ""),
    ],
)
def test_the_pin_that_the_sdk_writes_without_the_network_is_undone(tmp_path: Path, before: str, after: str) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text(before)
    assert unpin_unknown_sdk(file) is bool(after)
    assert file.read_text() == (after or before)


def test_without_requirements_there_is_no_pin(tmp_path: Path) -> None:
    assert unpin_unknown_sdk(tmp_path / "requirements.txt") is False
