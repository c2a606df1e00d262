"""A repository with a model and its client: the wrong call is found before anything is deployed, and mended."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from clarifai_emulator.contracts.calls.client_check import GivenModel, check_calls

MODEL = '''\
from typing import Iterator

from clarifai.runners.models.model_class import ModelClass
from clarifai.runners.utils.data_utils import Param


class Greeter(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str, loudness: int = Param(default=1, min_value=1, max_value=3)) -> str:
        """Greets."""
        return f"Hello, {prompt}{'!' * loudness}"

    @ModelClass.method
    def generate(self, prompt: str) -> Iterator[str]:
        yield from self.predict(prompt).split()
'''
CONFIG = """\
model: {id: greeter, user_id: me, app_id: main, model_type_id: text-to-text}
build_info: {python_version: "3.11"}
inference_compute_info: {cpu_limit: "1", cpu_memory: 1Gi, num_accelerators: 0}
"""
CLIENT = """\
from clarifai.client import Model

GREETER = "https://clarifai.com/me/main/models/greeter"


def greet(name: str) -> str:
    model = Model(url=GREETER)
    return model.predict(prompt=name, loudnes=2)
"""
LINE = 8
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    model = tmp_path / "models" / "greeter"
    (model / "1").mkdir(parents=True)
    (model / "1" / "model.py").write_text(MODEL)
    (model / "config.yaml").write_text(CONFIG)
    (model / "requirements.txt").write_text("clarifai==12.5.0\n")
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "client.py").write_text(CLIENT)
    return tmp_path


def command(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "clarifai_emulator", *arguments]
    environ = {"XDG_CACHE_HOME": str(repository / "cache"), "PATH": "/usr/bin:/bin", "HOME": str(repository)}
    return subprocess.run(
        words, cwd=repository, env=environ, capture_output=True, text=True, check=False, timeout=100
    )


def test_a_wrong_call_fails_the_check_at_its_line_and_passes_once_it_is_mended(repository: Path):
    failed = command(repository, "check", "app", "--model", "models/greeter")

    assert failed.returncode == 1, failed.stderr
    assert failed.stdout.splitlines()[:6] == [
        "error[unknown-argument] predict(): there is no argument 'loudnes'; it takes prompt, loudness. Did you "
        "mean 'loudness'?",
        f"  --> app/client.py:{LINE}:39",
        f"    {LINE} |     return model.predict(prompt=name, loudnes=2)",
        "      |                                       ^^^^^^^^^",
        "  declared: models/greeter/1/model.py:9:36",
        "      def predict(self, prompt: str, loudness: int = Param(default=1, min_value=1, max_value=3)) -> str:",
    ]

    client = repository / "app" / "client.py"
    client.write_text(CLIENT.replace("loudnes=2", "loudness=2"))
    passed = command(repository, "check", "app", "--model", "models/greeter")

    assert (passed.returncode, passed.stderr) == (0, "")
    assert passed.stdout.startswith("nothing found; 1 file and 1 call checked in ")


def test_every_call_can_be_listed_with_what_became_of_it(repository: Path):
    client = repository / "app" / "client.py"
    client.write_text(
        CLIENT.replace("loudnes=2)", "loudnes=2)  # clarifai: ignore[unknown-argument] the next version takes it")
        + "\n\nModel(url=GREETER).predict('Ada')\nModel(url=GREETER).predit('Ada')\n"
        "Model(url=input()).predict('Ada')\n"
    )

    listed = command(repository, "check", "app", "--model", "models/greeter", "--show-calls").stdout.splitlines()
    plain = command(repository, "check", "app", "--model", "models/greeter").stdout.splitlines()
    document = json.loads(command(repository, "check", "app", "--model", "models/greeter", "--json").stdout)

    assert listed[-6:-1] == [
        "app/client.py:8:12: ignored: predict() of greeter [unknown-argument: the next version takes it]",
        "app/client.py:11:1: checked: predict() of greeter",
        "app/client.py:12:1: error: predit() of greeter [unknown-method]",
        "app/client.py:13:1: unchecked: predict() [unknown-model]",
        "",
    ]
    assert listed[-1].startswith(
        "1 error, 1 unchecked, 1 ignored; 1 file, 4 calls (1 checked, 1 unchecked, 1 wrong, 1 ig"
    )
    assert plain[-1].split(" in ")[0] == listed[-1].split(" in ")[0]
    assert not any("app/client.py:11:1" in line for line in plain)
    assert [(each["line"], each["verdict"], each["rule"]) for each in document["calls"]] == [
        (8, "ignored", "unknown-argument"),
        (11, "checked", ""),
        (12, "error", "unknown-method"),
        (13, "unchecked", "unknown-model"),
    ]


def test_the_same_from_python(repository: Path):
    models = [GivenModel(repository / "models" / "greeter")]

    (finding,) = check_calls([repository / "app"], models).findings

    assert finding.location is not None
    assert (finding.rule, finding.location.line) == ("unknown-argument", LINE)
    (repository / "app" / "client.py").write_text(CLIENT.replace("loudnes=2", "loudness=2"))
    assert check_calls([repository / "app"], models).findings == ()


def test_a_change_of_the_model_that_breaks_the_client_is_found_in_the_client(repository: Path):
    (repository / "app" / "client.py").write_text(CLIENT.replace("loudnes=2", "loudness=2"))
    model = repository / "models" / "greeter" / "1" / "model.py"
    assert command(repository, "check", "app", "--model", "models/greeter").returncode == 0

    model.write_text(MODEL.replace("max_value=3", "max_value=1"))
    report = command(repository, "check", "app", "--model", "models/greeter", "--json")

    assert report.returncode == 1
    (finding,) = json.loads(report.stdout)["findings"]
    assert (finding["rule"], finding["file"], finding["line"]) == ("out-of-range", "app/client.py", LINE)


def test_findings_can_be_ignored_with_a_reason_lowered_and_kept_in_a_baseline(repository: Path):
    client, check = repository / "app" / "client.py", ["check", "app", "--model", "models/greeter"]

    lowered = command(repository, *check, "--severity", "unknown-argument=warning")
    kept = command(repository, *check, "--baseline", "known.json", "--write-baseline")
    known = command(repository, *check, "--baseline", "known.json")
    client.write_text(CLIENT.rstrip() + "  # clarifai: ignore[unknown-argument] the next version has it\n")
    ignored = command(repository, *check)

    assert (lowered.returncode, kept.returncode, known.returncode, ignored.returncode) == (0, 0, 0, 0)
    assert "warning[unknown-argument]" in lowered.stdout
    assert kept.stderr == "Wrote 1 finding to known.json.\n"
    assert known.stdout.startswith("1 in the baseline; ")
    assert ignored.stdout.startswith("1 ignored; ")


def test_what_was_not_checked_fails_where_that_is_asked_for(repository: Path):
    (repository / "app" / "client.py").write_text(
        "import os\nfrom clarifai.client import Model\nModel(os.environ['MODEL']).predict('x')\n"
    )
    check = ["check", "app", "--model", "models/greeter"]

    assert command(repository, *check).returncode == 0
    assert command(repository, *check, "--fail-on", "unchecked").returncode == 1
    assert (
        command(repository, "check", "app", "--model", "models/greeter=*", "--fail-on", "unchecked").returncode == 0
    )


def test_reports_go_to_files_beside_what_is_shown(repository: Path):
    files = ("--output", "sarif:found.sarif", "--output", "junit:found.xml")
    done = command(repository, "check", "app", "--model", "models/greeter", "--format", "github", *files)

    assert done.stdout.startswith(f"::error file=app/client.py,line={LINE},")
    assert json.loads((repository / "found.sarif").read_text())["version"] == "2.1.0"
    assert "<failure" in (repository / "found.xml").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Say what to check: files or folders, or several models that call one another."),
        (["--model", "models/greeter"], "Say what to check: files or folders, or several models"),
        (["app"], "Give at least one --model DIR"),
        (["nowhere", "--model", "models/greeter"], "there is no "),
        (["app", "--model", "models/none"], "there is no directory models/none\n"),
        (["app", "--model", "models/greter"], "no directory models/greter; did you mean models/greeter?"),
        (["app", "--model", "app/client.py"], "app/client.py is a file, not a model directory"),
        (["app", "--model", "models/greeter=me/greeter"], "'me/greeter' is no address of a model"),
        (
            ["app", "--model", "models/greeter", "--severity", "unknown-argumnt=off"],
            "Did you mean 'unknown-argument'?",
        ),
        (["app", "--model", "models/greeter", "--output", "pdf:x"], "write FORMAT:FILE"),
        (["app", "--model", "models/greeter", "--baseline", "none.json"], "there is no such file"),
    ],
)
def test_what_cannot_be_checked_is_exit_code_2_and_says_why(repository: Path, arguments: list[str], message: str):
    done = command(repository, "check", *arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_stubs_are_written_for_editors(repository: Path):
    done = command(repository, "stubs", "models/greeter")

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "Greeter  https://clarifai.com/me/main/models/greeter",
        "Wrote 3 files to typings.",
    ]
    assert "class Greeter(Model):" in (repository / "typings/clarifai/client/model.pyi").read_text()


def test_a_script_with_openais_client_is_held_against_the_models_too(repository: Path):
    (repository / "app" / "client.py").write_text(
        "from openai import OpenAI\n\n"
        'client = OpenAI(base_url="https://api.clarifai.com/v2/ext/openai/v1", api_key="…")\n'
        "messages = [{'role': 'user', 'content': 'Hello'}]\n"
        'client.chat.completions.create(model="me/main/greeter", messages=messages)\n'
        'client.chat.completions.create(model="me/main/models/greeter", messages=messages)\n'
    )

    failed = command(repository, "check", "app", "--model", "models/greeter")

    assert failed.returncode == 1, failed.stderr
    said = [line for line in failed.stdout.splitlines() if line.startswith(("error", "  -->", "  next"))]
    assert said == [
        "error[wrong-url] chat.completions.create(): `model` must be a model's URL, as "
        "https://clarifai.com/USER/APP/models/MODEL, or USER/APP/models/MODEL, with /versions/VERSION behind it "
        "for a certain version; a hosted model's id alone will do. Got 'me/main/greeter'. Did you mean "
        "'me/main/models/greeter'?",
        "  --> app/client.py:5:38",
        "  next: Write 'me/main/models/greeter'.",
        "error[no-openai] Model 'greeter' has no method openai_transport; it has predict, generate. This endpoint "
        "needs a model whose class has that method.",
        "  --> app/client.py:6:38",
        "  next: Derive the model's class from OpenAIModelClass, or call it with `Model(url=…)`.",
    ]


def test_code_in_documentation_is_checked_where_it_is_named_or_asked_for(repository: Path):
    (repository / "app" / "client.py").unlink()
    page = repository / "app" / "README.md"
    page.write_text(
        "# Greeter\n\n"
        "```python\nfrom clarifai.client import Model\n\n"
        'model = Model(url="https://clarifai.com/me/main/models/greeter")\n```\n\n'
        "1. Greet:\n\n   ```py\n   print(model.predict(promt='Ada'))\n   ```\n\n"
        "2. Later:\n\n   ```python\n   model.predict(\n   ```\n"
    )
    models = ["--model", "models/greeter"]

    left_out = command(repository, "check", "app", *models)
    named = command(repository, "check", "app/README.md", *models)
    asked_for = command(repository, "check", "app", "--docs", *models)

    assert left_out.stdout.startswith("nothing found; 0 files and 0 calls checked in "), left_out.stdout
    assert [line for line in named.stdout.splitlines() if line.startswith(("error", "unchecked", "  -->"))] == [
        "error[unknown-argument] predict(): there is no argument 'promt'; it takes prompt, loudness. Did you mean "
        "'prompt'?",
        "  --> app/README.md:12:24",
        f"unchecked[unreadable-cell] The block around line 18 of README.md is not Python {PYTHON}: '(' was never "
        "closed. Nothing in this block is checked; the others are.",
        "  --> app/README.md:18:17",
    ]
    assert "   12 |    print(model.predict(promt='Ada'))\n      |                        ^^^^^" in named.stdout
    assert "  next: Mend it, or name another language behind the fence, as ```text.\n" in named.stdout
    assert (named.returncode, asked_for.returncode) == (1, 1)
    assert asked_for.stdout.splitlines()[0] == named.stdout.splitlines()[0]

    page.write_text(page.read_text().replace("='Ada'))", "='Ada'))  # clarifai: ignore[unknown-argument] a test"))
    assert (
        command(repository, "check", "app/README.md", *models)
        .stdout.splitlines()[-1]
        .startswith("1 unchecked, 1 ignored;")
    )


def test_a_block_in_typescript_alone_is_checked_in_documentation_too(repository: Path):
    page = repository / "README.md"
    page.write_text(
        "```ts\nimport { Model } from 'clarifai-nodejs'\n"
        "const model = new Model({ url: 'https://clarifai.com/me/main/models/greeter' })\n"
        "await model.predict({ methodName: 'predict', promt: 'Ada' })\n```\n"
    )
    failed = command(repository, "check", "README.md", "--model", "models/greeter")
    assert "error[unknown-argument] predict(): there is no argument 'promt'" in failed.stdout
    assert "  --> README.md:4:" in failed.stdout


def test_commands_in_ci_and_in_makefiles_are_checked_at_their_line(repository: Path):
    (repository / "app" / "client.py").unlink()
    (repository / ".github/workflows").mkdir(parents=True)
    curl = "curl https://api.clarifai.com/v2/users/me/apps/main/models/greeter/outputs -d '{}'"
    (repository / ".github/workflows/ci.yml").write_text(
        f"jobs:\n  a:\n    steps:\n    - run: {curl.replace('models', 'model')}\n"
    )
    (repository / "Makefile").write_text(f"ask:\n\t@{curl.replace('greeter', 'greter')}\n")
    body = curl.replace("{}", '{"input": []}')
    (repository / "Dockerfile").write_text(f"FROM scratch\nRUN {body}\n")

    failed = command(repository, "check", ".", "--model", "models/greeter")

    said = [line for line in failed.stdout.splitlines() if line.startswith(("error", "unchecked", "  -->"))]
    assert said == [
        "error[wrong-url] There is no path /v2/users/me/apps/main/model/greeter/outputs. "
        "The outputs of a model are at /v2/users/USER/apps/APP/models/MODEL/outputs.",
        "  --> .github/workflows/ci.yml:4:17",
        'error[wrong-body] curl: Message type "clarifai.api.PostModelOutputsRequest" has no field named "input" at '
        '"PostModelOutputsRequest".',
        f"  --> Dockerfile:2:{5 + body.index('{') - 1}",
        "unchecked[model-not-given] curl: no --model was given for me/main/models/greter, so it is not checked. "
        "Did you mean 'me/main/models/greeter'?",
        "  --> Makefile:2:8",
    ]
    assert failed.returncode == 1


def test_clients_in_typescript_are_checked_and_ignored_alike(repository: Path):
    (repository / "app" / "client.py").unlink()
    client = repository / "app" / "client.ts"
    client.write_text(
        "import { Model } from 'clarifai-nodejs'\n\n"
        "const model = new Model({ url: 'https://clarifai.com/me/main/models/greeter' })\n"
        "await model.predict({ methodName: 'predict', prompt: 'Ada', loudness: 9 })\n"
    )
    check = ["check", "app", "--model", "models/greeter"]

    failed = command(repository, *check)
    client.write_text(client.read_text().replace("9 })", "9 }) // clarifai: ignore[out-of-range] the next one may"))
    ignored = command(repository, *check)

    assert failed.stdout.splitlines()[:2] == [
        "error[out-of-range] predict(): argument 'loudness' is 9, and 1 to 3 is declared.",
        "  --> app/client.ts:4:71",
    ]
    assert ignored.stdout.startswith("1 ignored; 1 file, 1 call (1 ignored) in ")
    assert (failed.returncode, ignored.returncode) == (1, 0)
