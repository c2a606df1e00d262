"""A change of a model is reviewed: what changed, with its code, and which calls of the clients it breaks."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner, Result

from clarifai_emulator.cli.main import cli
from unit.contracts.reports import schemas

LOCK = "clarifai.contract.yaml"
MODEL = """\
from typing import Iterator

from clarifai.runners.models.model_class import ModelClass


class Greeter(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str, style: str = "") -> str:
        return prompt + style

    @ModelClass.method
    def generate(self, prompt: str) -> Iterator[str]:
        yield prompt
"""
CONFIG = """\
model: {id: greeter, user_id: me, app_id: main, model_type_id: text-to-text}
build_info: {python_version: "3.11"}
inference_compute_info: {cpu_limit: "1", cpu_memory: 1Gi, num_accelerators: 0}
"""
CLIENT = """\
import os

from clarifai.client import Model

model = Model(url="https://clarifai.com/me/main/models/greeter")
print(model.predict(prompt="Ada"))
print(model.predict("Ada"))
print(model.predict(prompt=3))
print(list(model.generate(prompt="Ada")))
print(Model(os.environ["OTHER"]).predict(prompt="Ada"))
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with the model ``greeter``, committed, and a client of it."""
    for name in ("CLARIFAI_PAT", "CLARIFAI_API_BASE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "greeter" / "1").mkdir(parents=True)
    for name, text in (("1/model.py", MODEL), ("config.yaml", CONFIG), ("requirements.txt", "clarifai==12.5.0\n")):
        (tmp_path / "greeter" / name).write_text(text)
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "client.py").write_text(CLIENT)
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    for words in (["init", "-q"], ["add", "greeter", "app"], [*identity, "commit", "-qm", "first"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, list(words))


def edit(project: Path, old: str, new: str) -> None:
    file = project / "greeter" / "1" / "model.py"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new, 1))


def without_time(text: str) -> list[str]:
    return [line.rpartition(" in ")[0] if line.endswith(" s.") else line for line in text.splitlines()]


def test_a_review_shows_the_code_both_signatures_and_the_calls_that_break_by_this_change(project: Path) -> None:
    edit(project, "def predict(self, prompt: str", "def predict(self, text: str")

    told = run("contract", "diff", "HEAD:greeter", "greeter", "--used-by", "app", "--static")

    assert told.exit_code == 1, told.output
    assert without_time(told.output) == [
        "error[missing-argument] predict(): argument 'text' (str) is required and not given.",
        "  --> app/client.py:6:7",
        '    6 | print(model.predict(prompt="Ada"))',
        "      |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^",
        "  declared: greeter/1/model.py:8:23",
        '      def predict(self, text: str, style: str = "") -> str:',
        "  next: Give the argument.",
        "",
        "error[unknown-argument] predict(): there is no argument 'prompt'; it takes text, style.",
        "  --> app/client.py:6:21",
        '    6 | print(model.predict(prompt="Ada"))',
        "      |                     ^^^^^^^^^^^^",
        "  declared: greeter/1/model.py:8:9",
        '      def predict(self, text: str, style: str = "") -> str:',
        "  next: Use the name that the message suggests, or leave the argument out.",
        "",
        "error[parameter-renamed] predict(): argument 'prompt' (str) is gone, and 'text' of the same type is new.",
        "  --> greeter/1/model.py:8:23",
        '    8 |     def predict(self, text: str, style: str = "") -> str:',
        "      |                       ^^^^^^^^^",
        "  was: predict(prompt: str, style: str = '') -> str  (HEAD:greeter/1/model.py:8:9)",
        "  now: predict(text: str, style: str = '') -> str",
        '  breaks: app/client.py:6:7  print(model.predict(prompt="Ada"))',
        "  next: Keep the old name.",
        "",
        "3 errors; 1 model compared, 1 file and 4 calls checked (1 more call could not be)",
    ]


def test_the_calls_of_a_model_that_is_gone_are_told_and_a_change_that_breaks_none_says_none(project: Path) -> None:
    assert run("contract", "lock", "greeter", "--static").exit_code == 0
    edit(project, 'style: str = "") -> str', "style: str) -> str")
    verified = run("contract", "verify", "greeter", "--used-by", "app", "--static", "--format", "json")
    document = json.loads(verified.output)
    jsonschema.validate(document, schemas.JSON_REPORT)
    change = next(each for each in document["findings"] if each["rule"] == "parameter-now-required")
    assert [each["line"] for each in change["used_by"]] == [6, 7]
    assert {each["line"] for each in document["findings"] if each["file"] == "app/client.py"} == {6, 7}

    text = Path(LOCK).read_text()
    Path("new.yaml").write_text(text.replace("me/main/models/greeter:", "me/main/models/other:"))
    Path("old.yaml").write_text(text + text[text.index("  me/main") :].replace("models/greeter:", "models/more:"))
    gone = run("contract", "diff", "old.yaml", "new.yaml", "--used-by", "app", "--format", "json")
    told = [(each["rule"], each["line"]) for each in json.loads(gone.output)["findings"] if each["line"]]
    assert told == [("model-removed", 5)]


def test_every_report_that_check_writes_is_there_for_show_diff_and_verify(project: Path) -> None:
    assert run("contract", "lock", "greeter", "--static").exit_code == 0
    edit(project, "def generate(self, prompt: str)", "def generate(self, prompt)")
    edit(project, "def predict(self, prompt: str", "def predict(self, text: str")
    for command in (("show", "greeter"), ("diff", LOCK, "greeter"), ("verify", "greeter")):
        done = run("contract", *command, "--static", "--format", "sarif", "--output", "junit:found.xml")
        schemas.sarif().validate(json.loads(done.output))
        schemas.junit().validate(Path("found.xml").read_text())
        files = ["--static", "--baseline", "known.json"]
        assert (done.exit_code, run("contract", *command, *files, "--write-baseline").exit_code) == (1, 0)
        assert run("contract", *command, *files).exit_code == 0


def test_a_comment_in_the_model_ignores_a_rule_of_a_change(project: Path) -> None:
    assert run("contract", "lock", "greeter", "--static").exit_code == 0
    edit(
        project,
        'def predict(self, prompt: str, style: str = "") -> str:',
        'def predict(self, text: str, style: str = "") -> str:  # clarifai: ignore[parameter-renamed] all are told',
    )
    verified = run("contract", "verify", "greeter", "--static")
    assert verified.output.startswith("1 ignored; 1 model compared in ")
    # The same comment is none of what `show` looks for.
    assert "nothing found; 1 model read" in run("contract", "show", "greeter", "--static").output


def test_check_show_and_verify_read_models_and_clients_from_pyproject(project: Path) -> None:
    Path("pyproject.toml").write_text(
        "[tool.clarifai-emulator]\nmodels = ['greeter=https://clarifai.com/me/main/models/greeter']\n"
        "clients = ['app']\n"
    )
    assert run("contract", "lock", "greeter", "--static").exit_code == 0
    checked = run("check", "--static", "--format", "json")
    assert [each["line"] for each in json.loads(checked.output)["findings"]] == [8, 10]
    shown = run("contract", "show", "--static").output
    assert shown.startswith("me/main/models/greeter  (greeter)\n")
    assert "predict(prompt: str, style: str = '') -> str" in shown
    assert "nothing found; 1 model compared" in run("contract", "verify", "--static").output

    Path("pyproject.toml").write_text("[tool.clarifai-emulator]\nmodel = ['greeter']\n")
    refused = run("check")
    assert refused.exit_code == 2
    assert "Unknown key 'model'. Did you mean 'models'?" in refused.output
    Path("pyproject.toml").unlink()
    for command in ("show", "verify"):
        none = run("contract", command)
        assert none.exit_code == 2
        assert (
            "Give at least one model directory, or name them as models in [tool.clarifai-emulator]" in none.output
        )


CALLER = """\
from clarifai.client import Model
from clarifai.runners.models.model_class import ModelClass


class Caller(ModelClass):
    def load_model(self):
        self.greeter = Model(url="https://clarifai.com/me/main/models/greeter")
        self.other = Model(url="https://clarifai.com/me/main/models/other")

    @ModelClass.method
    def predict(self, text: str) -> str:
        return self.greeter.predict(prompt=text) + self.other.predict(text=text)
"""
OTHER = CALLER.replace("return self.greeter.predict(prompt=text) + self.other.predict(text=text)", "return text")


def add_models(project: Path) -> None:
    for name, code in (("caller", CALLER), ("other", OTHER)):
        (project / "models" / name / "1").mkdir(parents=True)
        (project / "models" / name / "1" / "model.py").write_text(code)
        (project / "models" / name / "config.yaml").write_text(CONFIG.replace("greeter", name))
        (project / "models" / name / "requirements.txt").write_text("clarifai==12.5.0\n")


def test_the_models_that_a_change_breaks_are_told_by_name(project: Path):
    add_models(project)
    edit(project, "prompt: str, style", "text: str, style")
    edit(project, "return prompt + style", "return text + style")

    done = run("contract", "diff", "HEAD:greeter", "greeter", "--models", "models", "--static")
    assert done.exit_code == 1, done.output
    assert "in: model caller, which calls predict() of greeter" in done.output
    assert "breaks: models/caller/1/model.py:12:16" in done.output
    # The call of the other model is right, before and after.
    assert "could not be" not in done.output
    report = json.loads(
        run("contract", "diff", "HEAD:greeter", "greeter", "--models=models", "--static", "--json").output
    )
    assert {each["caller"] for each in report["findings"] if each["rule"] == "unknown-argument"} == {"caller"}
    assert [(each["caller"], each["model"], each["verdict"]) for each in report["calls"]] == [
        ("caller", "greeter", "error"), ("caller", "other", "checked"),
    ]  # fmt: skip


def test_a_change_that_breaks_no_model_says_so(project: Path):
    add_models(project)
    edit(project, 'style: str = ""', 'style: str = "", more: int = 0')
    done = run("contract", "diff", "HEAD:greeter", "greeter", "--models", "models", "--static", "--fail-on", "note")
    assert "in: model" not in done.output
    assert "2 calls checked" in done.output


def test_a_folder_without_models_is_named(project: Path):
    done = run("contract", "diff", "HEAD:greeter", "greeter", "--models", "app")
    assert done.exit_code == 2
    assert "'app' holds no model" in done.output
