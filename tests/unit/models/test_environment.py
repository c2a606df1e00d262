"""A model runs in its own Python environment or in one that is built for it; a failed build says what to do."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from clarifai_emulator.models import environment
from clarifai_emulator.models.environment import describe_environment, prepare_environment
from clarifai_emulator.models.requirements import (
    Installed,
    UnreadableRequirements,
    names_clarifai,
    read_lines,
    unpin_unknown_sdk,
    unsatisfied_requirements,
)
from clarifai_emulator.models.uv_runs import uv_environment
from model_requirements import MakeModel, model_with

CURRENT = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def model(tmp_path: Path) -> MakeModel:
    """Return a function that writes a model directory with these requirements."""
    return partial(model_with, tmp_path)


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


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            "clarifai\n".encode("utf-16"),
            "requirements.txt is UTF-16 text, which the SDK does not read: save it as UTF-8 (`pip freeze > …` "
            "writes UTF-16 in Windows PowerShell 5)",
        ),
        (
            "\ufeffclarifai\n".encode(),
            "requirements.txt begins with a byte order mark, which the SDK takes for a part of the first name: "
            "save it as UTF-8 without one",
        ),
        (
            b"# caf\xe9\nclarifai\n",
            "requirements.txt cannot be read: 'utf-8' codec can't decode byte 0xe9 in position 5: invalid "
            "continuation byte",
        ),
    ],
)
def test_requirements_in_another_encoding_are_refused_by_its_name(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "requirements.txt").write_bytes(data)
    with pytest.raises(UnreadableRequirements) as refused:
        list(read_lines(tmp_path / "requirements.txt"))
    assert str(refused.value) == said


def test_a_byte_order_mark_before_a_comment_harms_nobody(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_bytes("\ufeff# mine\r\nclarifai\r\n".encode())
    assert [line.text for line in read_lines(tmp_path / "requirements.txt")] == ["clarifai"]
