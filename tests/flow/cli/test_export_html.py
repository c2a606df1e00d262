"""`clarifai-emulator export --format html` writes the page of a running emulator to one file."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flow.cli.test_page_command import command
from flow.driver import Client, inference_request
from flow.page_driver import PLANTED
from flow.processes import EmulatorProcess

SECRET = "a-secret-value-that-nobody-sees"


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorProcess]:
    process = EmulatorProcess(tmp_path_factory.mktemp("emulator"), "hello")
    client = process.client()
    client.call("PostSecrets", secrets=[{"id": "mine", "value": SECRET}])
    predict(client, f"you {PLANTED}")
    predict(client, f"my secret is {SECRET}")
    client.close()
    yield process
    process.end(signal.SIGTERM)


def predict(client: Client, prompt: str) -> None:
    client.call("PostModelOutputs", inference_request("hello", prompt=prompt))


def saved_in(document: str) -> Any:
    (text,) = re.findall(r'<script type="application/json" id="saved">(.*?)</script>', document, re.S)
    return json.loads(text)


def export(emulator: EmulatorProcess, file: str, *words: str) -> subprocess.CompletedProcess[str]:
    return command(emulator, "export", "--format", "html", file, *words)


def test_the_page_is_in_the_file_with_what_it_shows(emulator: EmulatorProcess, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    done = export(emulator, str(file))
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(
        rf"Wrote the page to {re.escape(str(file))}: \d+ requests, 1 replica\. Open it in a browser\. It holds no "
        r"keys and secrets, but whatever models printed and answered\.\n",
        done.stdout,
    )
    saved = saved_in(file.read_text())
    assert saved["title"] == f"Clarifai emulator at {emulator.url}"
    assert saved["notes"] == []
    assert saved["answers"]["state"]["state"]["deployments"][0]["deployment_id"] == "deploy-hello"
    replica = next(each["replica_id"] for each in saved["events"] if each["kind"] == "replica.live")
    assert saved["answers"][f"log?replica={replica}"]["lines"]
    assert {"route.decided", "work.sent", "request.finished"} <= {each["kind"] for each in saved["events"]}


def test_nothing_in_it_comes_from_elsewhere_and_its_policy_names_its_own_parts(
    emulator: EmulatorProcess, tmp_path: Path
) -> None:
    export(emulator, str(tmp_path / "page.html"))
    text = (tmp_path / "page.html").read_text()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    assert re.fullmatch(
        r"default-src 'none'; script-src 'sha256-[^']+'; style-src 'sha256-[^']+'; "
        r"img-src data: blob:; media-src data: blob:; base-uri 'none'; form-action 'none'",
        policy,
    )
    assert text.count("<script") == 2
    assert text.count("</script") == 2
    assert PLANTED not in text


def test_no_secret_is_in_it_and_only_its_user_reads_it(emulator: EmulatorProcess, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    export(emulator, str(file))
    text = file.read_text()
    state = emulator.temporary.parent / "state"
    running = [json.loads(each.read_text()) for each in state.rglob("*.json")]
    tokens = [each["token"] for each in running if "token" in each]
    assert tokens
    assert not [each for each in (SECRET, *tokens) if each in text]
    assert file.stat().st_mode & 0o077 == 0


def test_standard_output_has_the_document_alone(emulator: EmulatorProcess) -> None:
    done = export(emulator, "-")
    assert done.stdout.startswith("<!doctype html>")
    assert done.stdout.endswith("</html>\n")
    assert done.stderr == ""


def test_as_json_it_says_what_is_in_it(emulator: EmulatorProcess, tmp_path: Path) -> None:
    told = json.loads(export(emulator, str(tmp_path / "page.html"), "--json").stdout)
    assert told["file"] == str(tmp_path / "page.html")
    assert (told["replicas"], told["notes"]) == (1, [])


def test_a_file_that_cannot_be_written_is_told(emulator: EmulatorProcess, tmp_path: Path) -> None:
    done = export(emulator, str(tmp_path / "none" / "page.html"))
    assert done.returncode == 1
    assert "page.html cannot be written: No such file or directory." in done.stderr


def test_json_is_what_it_was_without_the_option(emulator: EmulatorProcess, tmp_path: Path) -> None:
    done = command(emulator, "export", str(tmp_path / "all.json"))
    assert "It holds keys and secrets in clear text." in done.stdout
    assert json.loads((tmp_path / "all.json").read_text())["resources"]


def test_the_help_has_an_example(emulator: EmulatorProcess) -> None:
    assert "clarifai-emulator export --format html page.html" in command(emulator, "export", "--help").stdout


def test_without_its_page_an_emulator_is_exported_and_says_what_was_not_kept(tmp_path: Path) -> None:
    process = EmulatorProcess(tmp_path, "hello", options=["--no-page"])
    client = process.client()
    predict(client, "x")
    client.close()
    try:
        done = export(process, str(tmp_path / "page.html"))
        assert done.returncode == 0, done.stderr
        assert (
            "was started with --no-page, so what its requests were asked and answered was not kept" in done.stderr
        )
        saved = saved_in((tmp_path / "page.html").read_text())
        assert len(saved["notes"]) == 1
        assert any(each["kind"] == "request.finished" for each in saved["events"])
    finally:
        process.end(signal.SIGTERM)
