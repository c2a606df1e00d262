"""The examples of docs/workflows.md about making workflows run as they stand there."""

from __future__ import annotations

import json
import re
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from clarifai_emulator.control.thread import EmulatorThread
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
