"""The command ``contract`` works as its user runs it: on directories, git revisions and a running control plane."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from clarifai_emulator.cli.main import cli
from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import MODELS, write_model
from flow.test_cli import Shell

LOCK = "clarifai.contract.yaml"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with the model ``hello``, committed."""
    for name in ("CLARIFAI_PAT", "CLARIFAI_API_BASE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    shutil.copytree(MODELS / "hello", tmp_path / "hello")
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    for words in (["init", "-q"], ["add", "hello"], [*identity, "commit", "-qm", "hello"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["contract", *words])


def edit(project: Path, old: str, new: str) -> None:
    file = project / "hello" / "1" / "model.py"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def locked_line(method: str) -> int:
    """Return the line of the lock file on which the method stands."""
    return Path(LOCK).read_text().split("\n").index(f"    {method}:") + 1


def test_a_breaking_change_fails_verify_and_passes_once_mended(project: Path) -> None:
    locked = run("lock", "hello")
    assert (locked.exit_code, locked.output) == (0, f"{LOCK}: 1 model, 3 methods\n")
    assert run("verify", "hello").output.startswith("nothing found; 1 model compared in ")

    edit(project, "prompt: str, n: int = 1", "text: str, n: int = 1")
    refused = run("verify", "hello")
    assert refused.exit_code == 1
    assert refused.output.splitlines()[:-1] == [
        "error[parameter-renamed] predict(): argument 'prompt' (str) is gone, and 'text' of the same type is new.",
        "  --> hello/1/model.py:10:23",
        "   10 |     def predict(self, text: str, n: int = 1) -> str:",
        "      |                       ^^^^^^^^^",
        f"  was: predict(prompt: str, n: int = 1) -> str  ({LOCK}:{locked_line('predict')})",
        "  now: predict(text: str, n: int = 1) -> str",
        "  next: Keep the old name.",
        "",
    ]
    assert run("lock", "hello", "--check").exit_code == 1

    edit(project, "text: str, n: int = 1", "prompt: str, n: int = 1, tag: str = ''")
    mended = run("verify", "hello", "--json")
    assert mended.exit_code == 0
    assert [each["rule"] for each in json.loads(mended.output)["findings"]] == ["optional-parameter-added"]


@pytest.mark.slow
def test_a_git_revision_is_compared_without_checking_it_out(project: Path) -> None:
    edit(project, "n: int = 1", "n: float = 1")
    told = run("diff", "HEAD:hello", "hello")
    assert told.exit_code == 1
    assert (
        "error[integer-to-float] predict(): argument 'n' was int, is float.\n  --> hello/1/model.py:10:36\n"
        in told.output
    )
    assert run("diff", "HEAD:hello", "hello", "--clients", "fetching").output.startswith("nothing found; ")
    assert run("diff", "HEAD:hello", "hello", "--rule", "integer-to-float=note").exit_code == 0
    unknown = run("diff", "v9:hello", "hello")
    assert unknown.exit_code == 2
    assert unknown.output.startswith("Error: 'v9:hello' cannot be taken from git:\n  - fatal: ")


def test_a_running_control_plane_is_asked_by_model_url(project: Path, emulator: EmulatorThread) -> None:
    deployed = emulator.deploy(project / "hello")
    locked = run("lock", deployed.model_url, "-o", "remote.yaml", "--base-url", emulator.url)
    assert locked.exit_code == 0, locked.output
    run("lock", "hello", "-o", "local.yaml")
    assert Path("remote.yaml").read_text() == Path("local.yaml").read_text()

    edit(project, "def generate(self", "def generated(self")
    told = run("diff", deployed.model_url, "hello", "--base-url", emulator.url)
    assert told.exit_code == 1
    assert (
        "error[method-removed] Method 'generate' is gone; there are predict, generated, stream. "
        "Is it 'generated' now?\n  --> hello/1/model.py\n  was: generate(" in told.output
    )
    absent = run("diff", "me/demo/models/absent", "hello", "--base-url", emulator.url)
    assert absent.exit_code == 2
    assert "cannot be asked for me/demo/models/absent:\n  - 21200" in absent.output


def test_a_model_that_left_a_folder_is_told_and_one_that_was_not_named_is_none_of_it(project: Path) -> None:
    (project / "models").mkdir()
    for name in ("one", "two"):
        shutil.copytree(MODELS / "hello", project / "models" / name)
        config = project / "models" / name / "config.yaml"
        config.write_text(config.read_text().replace("id: hello", f"id: {name}"))
    assert run("lock", "models").exit_code == 0
    assert run("diff", LOCK, "models/one").output.startswith("nothing found; ")

    shutil.rmtree(project / "models" / "two")

    told = run("diff", LOCK, "models")
    assert told.exit_code == 1
    assert told.output.startswith("error[model-removed]")
    assert "Model me/demo/models/two is gone." in told.output
    assert "note[model-added]" in run("diff", "models", LOCK).output


def test_what_cannot_be_understood_is_exit_code_2(project: Path) -> None:
    nothing = run("diff", "absent", "hello")
    assert nothing.exit_code == 2
    assert nothing.output == (
        "Error: 'absent' names no contract:\n  - it is neither a file, a directory, REVISION:PATH nor a model URL\n"
        "Next: Give a lock file, a model directory, a git revision such as main:my-model, or a model URL.\n"
    )
    assert run("verify", "hello").exit_code == 2
    assert run("rules", "out-of-rang").output.startswith(
        "Error: There is no rule 'out-of-rang'. Did you mean 'out-of-range'?"
    )
    run("lock", "hello")
    assert run("diff", LOCK, "hello", "--rule", "nonsense=off").exit_code == 2


def test_show_goes_on_after_a_directory_that_fails(project: Path) -> None:
    shown = run("show", str(MODELS / "crash_syntax"), "hello", str(MODELS / "crash_unsignable"), "--json")
    assert shown.exit_code == 1
    first, second, third = json.loads(shown.output)
    assert (first["way"], first["methods"]) == ("failed", [])
    assert "syntax-error" in [each["rule"] for each in first["findings"]]
    assert [each["name"] for each in second["methods"]] == ["predict", "generate", "stream"]
    assert second["methods"][0]["input_fields"][1] == {"name": "n", "type": "INT", "default": "1"}
    assert "optional-annotation" in [each["rule"] for each in third["findings"]]
    assert {each["rule"] for each in second["findings"]}.isdisjoint({"syntax-error", "optional-annotation"})
    plain = run("show", "hello", "--static")
    assert plain.exit_code == 0
    assert "  read from the source alone: less exact\n" in plain.output
    assert "predict(prompt: str, n: int = 1) -> str" in plain.output


@pytest.mark.slow
def test_a_baseline_and_a_comment_with_a_reason_silence(project: Path) -> None:
    run("lock", "hello")
    edit(project, "n: int = 1", "n: int = 2")
    options = ["--fail-on", "warning", "--baseline", "known.json"]
    assert run("diff", LOCK, "hello", "--fail-on", "warning").exit_code == 1
    assert run("diff", LOCK, "hello", *options, "--write-baseline").exit_code == 0
    assert run("diff", LOCK, "hello", *options).output.startswith("1 in the baseline; ")
    edit(project, "n: int = 2)", "n: int = 3)")
    assert run("diff", LOCK, "hello", *options).exit_code == 1


def test_fuzz_calls_a_deployed_model(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    shell.ok("up", "--detach", "--port", "0")
    try:
        shell.ok("deploy", MODELS / "hello", "--nodepool", "cpu")
        told = shell.run("contract", "fuzz", "hello", "--examples", "3")
        assert told.returncode == 0, told.stderr
        assert told.stdout.splitlines()[-1].startswith("nothing found; 9 calls made in ")
        assert "predict: 3 calls, nothing found" in told.stdout
    finally:
        shell.ok("down")


@pytest.mark.slow
def test_check_fuzzes_the_deployed_models_too(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    code = "from clarifai.runners.models.model_class import ModelClass\n\n\nclass Weak(ModelClass):\n"
    code += "    @ModelClass.method\n    def predict(self, n: int) -> float:\n        return 1 / n\n"
    model = write_model(tmp_path / "models", "weak", code)
    words = ("check", "--fuzz", "--model", str(model))
    assert shell.run(*words).returncode == 4
    shell.ok("up", "--detach", "--port", "0")
    try:
        missing = shell.run(*words)
        assert missing.returncode == 1
        assert "--fuzz calls deployed models, and 'weak' is not deployed at http://" in missing.stderr
        assert f"Next: Deploy it with `clarifai-emulator deploy {model}`." in missing.stderr

        shell.ok("deploy", model, "--nodepool", "cpu")
        found = shell.run(*words, "--json")
        assert found.returncode == 1, found.stderr
        [finding] = json.loads(found.stdout)["findings"]
        assert finding["message"] == "predict(): fails for n=0: division by zero"
        assert (finding["rule"], Path(finding["file"]).name, finding["line"]) == ("crashing-method", "model.py", 6)
        assert "weak.predict: " in found.stderr
    finally:
        shell.ok("down")
