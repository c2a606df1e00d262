"""Whatever a model directory holds, its contract says what is wrong with it, and nothing is left behind."""

from __future__ import annotations

import resource
import time
from pathlib import Path

import pytest

from clarifai_emulator.contracts.signatures.read_signatures import ModelContract, read_signatures
from flow.driver import write_model

MODEL = """
from clarifai.runners.models.model_class import ModelClass

class Bad(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str = "") -> str:
        return prompt
"""
BOMB = "a: &a [x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 8)}]\n"
    for before, name in zip("abcdefg", "bcdefgh", strict=True)
)
UNFOLDS = "config.yaml: refers to itself, or unfolds to more than 200000 values; write them out without anchors."


def messages(contract: ModelContract) -> list[str]:
    return [each.message for each in contract.findings]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (BOMB + "model: {id: bad}\n", UNFOLDS),
        ("model: &it\n  id: bad\n  itself: *it\n", UNFOLDS),
        (
            f"model: {'[' * 3000}{']' * 3000}\n",
            "config.yaml: is nested too deeply to be read; write it with fewer brackets.",
        ),
    ],
)
def test_a_config_that_would_take_for_ever(tmp_path: Path, config: str, message: str) -> None:
    directory = write_model(tmp_path, "bad", MODEL)
    (directory / "config.yaml").write_text(config)
    assert message in messages(read_signatures(directory, static=True))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (f"x = {'-' * 100_000}1\n{MODEL}", "model.py is nested too deeply to be read without running it."),
        (
            "x = '" + "x" * 3_000_000 + "'\n" + MODEL,
            "model.py has more than 2 MiB, which is not read without running it.",
        ),
        (
            MODEL.replace('""', "'\\ud800'"),
            "The SDK refuses predict(): 'utf-8' codec can't encode character '\\ud800' in position 0: surrogates "
            "not allowed.",
        ),
        (
            "import sys\nsys.exit(3)\n" + MODEL,
            "model.py cannot be used: it ends with `sys.exit(3)` while it is imported",
        ),
        (
            "print 'hello'\n",
            "model.py cannot be used: SyntaxError: Missing parentheses in call to 'print'. Did you",
        ),
    ],
)
def test_code_that_cannot_be_read_from_its_source(tmp_path: Path, source: str, message: str) -> None:
    contract = read_signatures(write_model(tmp_path, "bad", source), static=True)
    assert any(each.startswith(message) for each in messages(contract)), messages(contract)


def test_requirements_that_are_a_link_to_themselves(tmp_path: Path) -> None:
    directory = write_model(tmp_path, "bad", MODEL)
    (directory / "requirements.txt").unlink()
    (directory / "requirements.txt").symlink_to("requirements.txt")
    assert f"requirements.txt is missing in {directory}." in messages(read_signatures(directory, static=True))


def test_a_model_that_prints_without_end(tmp_path: Path) -> None:
    source = "import sys\nwhile True:\n    sys.stdout.write('x' * 100_000)\n"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    contract = read_signatures(write_model(tmp_path, "bad", source), seconds=2)
    assert "model.py was still being imported after 2 s." in messages(contract)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024, "KiB"


def test_a_process_that_the_model_starts_is_not_left_behind(tmp_path: Path) -> None:
    mark = str(41_000 + time.time_ns() % 1000)
    source = f"import subprocess\nsubprocess.Popen(['sleep', '{mark}'], start_new_session=True)\n{MODEL}"
    contract = read_signatures(write_model(tmp_path, "bad", source), upload=True)
    assert [each.signature.name for each in contract.methods] == ["predict"]
    assert [each for each in Path("/proc").glob("[0-9]*/cmdline") if mark in _text(each)] == []


def _text(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:  # it has ended
        return ""
