"""The examples of docs/workflows.md run as they stand there."""

from __future__ import annotations

import json
import re
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from clarifai.client.app import App
from clarifai.client.workflow import Workflow

from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.workflows.operators.operator_table import OPERATORS, REFUSED
from flow.driver import MODELS, Client, running

PAGE = (Path(__file__).parents[2] / "docs" / "workflows.md").read_text()


def examples(language: str) -> list[str]:
    """Return the examples in a language, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def deployed(emulator: EmulatorThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EmulatorThread:
    emulator.deploy(MODELS / "hello", min_replicas=0)
    monkeypatch.chdir(tmp_path)
    return emulator


def test_the_sdk_makes_the_workflow_of_the_page(
    deployed: EmulatorThread, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("workflow.yml").write_text(examples("yml")[0])
    exec(compile(examples("python")[0], "workflows.md", "exec"), {})
    said = capsys.readouterr().out.splitlines()
    assert "['first', 'second']" in said
    assert "['greet-twice']" in said
    asked = {"user_id": "me", "app_id": "demo"}
    shown = client.call("GetWorkflow", user_app_id=asked, workflow_id="greet-twice").workflow
    assert shown.description == "Greets the greeting"
    assert "model_version_id" in Path("exported.yml").read_text()


def test_curl_makes_shows_and_deletes_one(deployed: EmulatorThread) -> None:
    commands = [line.strip() for line in re.split(r"\n(?=curl )", examples("sh")[0])]
    answers = [
        json.loads(
            subprocess.run(
                ["bash", "-c", f"{command} --silent --show-error"],
                env={"PATH": "/usr/local/bin:/usr/bin:/bin", "CLARIFAI_API_BASE": deployed.url},
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for command in commands
    ]
    assert [each["status"]["code"] for each in answers] == [10000] * 4
    assert answers[1]["workflow"]["nodes"][0]["model"]["name"] == "hello"
    assert len(answers[2]["workflow_versions"]) == 1


def test_the_topology_of_the_page_works(tmp_path: Path) -> None:
    file = tmp_path / "topology.yaml"
    file.write_text(examples("yaml")[0].replace("fixtures/models", str(MODELS)))
    with running(topology=(file,)) as emulator, closing(Client(emulator.url)) as client:
        asked = {"user_id": "me", "app_id": "flows"}
        shown = client.call("GetWorkflow", user_app_id=asked, workflow_id="greet-twice").workflow
        assert [node.id for node in shown.nodes] == ["first", "second"]


def test_the_sdk_and_curl_run_the_workflow_of_the_page(
    deployed: EmulatorThread, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("workflow.yml").write_text(examples("yml")[0])
    App(user_id="me", app_id="demo").create_workflow("workflow.yml")
    exec(compile(examples("python")[1], "workflows.md", "exec"), {})
    assert capsys.readouterr().out.splitlines()[-2:] == ["hello Hello, Ada!", "hello Hello, Hello, Ada!!"]
    command = [f"{examples('sh')[1].strip()} --silent --show-error"]
    environ = {"PATH": "/usr/local/bin:/usr/bin:/bin", "CLARIFAI_API_BASE": deployed.url}
    done = subprocess.run(["bash", "-c", *command], env=environ, capture_output=True, text=True, check=True)
    outputs = json.loads(done.stdout)["results"][0]["outputs"]
    assert [each["data"]["text"]["raw"] for each in outputs] == ["Hello, Ada!", "Hello, Hello, Ada!!"]


def test_the_operator_of_the_page_prompts_the_model(deployed: EmulatorThread) -> None:
    Path("ask.yml").write_text(examples("yml")[1])
    App(user_id="me", app_id="demo").create_workflow("ask.yml")
    answer = Workflow(user_id="me", app_id="demo", workflow_id="ask").predict_by_bytes(b"Ada", input_type="text")
    assert answer.results[0].outputs[1].data.text.raw == "Hello, the one called Ada!"


def test_the_page_names_every_operator() -> None:
    assert [name for name in (*OPERATORS, *REFUSED) if f"`{name}`" not in PAGE and "tracker" not in name] == []
