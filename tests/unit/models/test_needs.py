"""Programs that a model starts and does not find, and causes of failures to load, are named with the way out."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from clarifai_emulator.models.load_failures import way_out
from clarifai_emulator.models.needs import missing_needs

HERE = Path(sys.executable)


def needs(folder: Path, code: str, *, has: str = "") -> list[tuple[str, int, bool]]:
    (folder / "1").mkdir(exist_ok=True)
    (folder / "1" / "model.py").write_text(code)
    found = missing_needs(folder, HERE, which=lambda name: f"/bin/{name}" if name == has else None)
    return [(each.name, each.line, each.is_program) for each in found]


@pytest.mark.parametrize(
    "code",
    [
        "run('ollama serve')",
        "run(['ollama', 'list'], check=False)",
        "shell(f'ollama pull {name}')",
    ],
)
def test_a_server_program_that_is_not_on_the_path_is_named_with_its_line(tmp_path: Path, code: str) -> None:
    assert needs(tmp_path, f"import os\n{code}\n") == [("ollama", 2, True)]
    assert needs(tmp_path, f"import os\n{code}\n", has="ollama") == []


def test_a_server_module_that_its_environment_lacks_is_named(tmp_path: Path) -> None:
    assert needs(tmp_path, "cmds = [PYTHON, '-m', 'vllm.entrypoints.openai.api_server']\n") == [("vllm", 1, False)]
    assert needs(tmp_path, "cmds = [PYTHON, '-m', 'http.server']\n") == []


def test_what_only_looks_like_a_command_is_none(tmp_path: Path) -> None:
    code = "print('ollama')\nNAMES = ['ollama']\nlog('ollamas are nice')\nvllm = 'vllm'\n"
    assert needs(tmp_path, code) == []
    assert needs(tmp_path, "def broken(:\n") == []


def test_the_sentence_says_where_and_the_way_out_how(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "server.py").write_text("run('lms server start')\n")
    (missing,) = missing_needs(tmp_path, HERE, which=lambda name: None)
    assert missing.text == "1/server.py (line 1) starts the program 'lms', which is not on the PATH"
    assert missing.way_out == "Install it (https://lmstudio.ai (then `lms bootstrap`)), and deploy again."


@pytest.mark.parametrize(
    ("last", "says"),
    [
        (
            "openai.APIConnectionError: Connection error.",
            "It asks a server at http://localhost:8000/v1, and nothing",
        ),
        ("ConnectionRefusedError: [Errno 111] Connection refused", "It asks a server at http://localhost:8000/v1"),
        ("RuntimeError: No CUDA GPUs are available", "It needs a real GPU with its driver"),
        ("OSError: We couldn't connect to 'https://huggingface.co' to load the files", "could not be fetched from"),
        ("huggingface_hub.errors.GatedRepoError: 401 Client Error.", "set HF_TOKEN for the emulator"),
        ("KeyError: 'BRAVE_API_KEY'", "It wants the variable BRAVE_API_KEY: set it where the emulator starts"),
        ("ValueError: GITHUB_TOKEN environment variable is not set", "It wants the variable GITHUB_TOKEN"),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'npx'", "It starts or reads 'npx'"),
    ],
)
def test_the_end_of_a_traceback_tells_what_is_missing(last: str, says: str) -> None:
    trace = f'Traceback (most recent call last):\n  File "model.py", line 3, in load_model\n    x()\n{last}'
    assert says in way_out(trace, 'client = OpenAI(base_url="http://localhost:8000/v1")\n')


def test_a_network_error_while_weights_are_fetched_is_about_weights() -> None:
    trace = (
        '  File "/venv/huggingface_hub/file_download.py", line 9, in get\n    raise\nhttpx.ConnectError: [Errno -2]'
    )
    assert "could not be fetched from Hugging Face" in way_out(trace, "url = 'http://localhost:8000'")


def test_a_traceback_of_the_models_own_making_gets_no_advice() -> None:
    assert way_out("Traceback (most recent call last):\n  …\nKeyError: 'missing'") == ""
    assert way_out("") == ""
