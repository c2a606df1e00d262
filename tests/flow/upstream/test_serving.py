"""The scenarios of the SDK's `cli/test_local_runner_cli.py`: what `clarifai model serve` makes and finds again.

Upstream the platform is a mock. Here the command makes everything on the emulator; only the server that it starts
last is replaced, as it would never end: `test_official_cli.py` lets it serve.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import Client
from flow.official_cli import model_directory
from flow.upstream.commands import Commands

PRIVATE, PUBLIC = 10, 50


class Server:
    """Takes the place of the SDK's server, and notes what it is asked to serve."""

    asked: dict[str, Any]

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def serve(self, *_: Any, **given: Any) -> None:
        Server.asked = given

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **given: Server.asked.update(given)  # pyright: ignore[reportUnknownLambdaType]


@pytest.fixture
def cli(emulator: EmulatorThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("clarifai.runners.server.ModelServer", Server)
    Server.asked = {}
    return Commands(emulator.url, tmp_path)


@pytest.fixture
def hello(tmp_path: Path) -> Path:
    return model_directory(tmp_path / "hello")


class Made:
    """Looks at what a run of the command has made."""

    def __init__(self, cli: Commands, client: Client) -> None:
        self.cli = cli
        self.client = client

    @property
    def context(self) -> Any:
        context = yaml.safe_load(self.cli.config.read_text())["contexts"]["default"]
        return context.get("env", context)

    @property
    def saved(self) -> Any:
        """Return what the command noted of the model."""
        return self.context["CLARIFAI_SERVE_STATE"]["hello"]

    def versions(self) -> list[Any]:
        """Return the versions of the model, the newest first."""
        where = {"user_id": "me", "app_id": self.app}
        return list(self.client.call("ListModelVersions", user_app_id=where, model_id="hello").model_versions)

    @property
    def app(self) -> str:
        (model,) = self.client.call("ListModels", user_app_id={"user_id": "me"}).models
        return model.app_id

    def counts(self) -> dict[str, int]:
        runners = self.client.call(
            "ListRunners",
            compute_cluster_id=self.saved["compute_cluster_id"],
            nodepool_id=self.saved["nodepool_id"],
        ).runners
        deployments = self.client.call("ListDeployments", user_app_id={"user_id": "me"}).deployments
        return {"versions": len(self.versions()), "runners": len(runners), "deployments": len(deployments)}


@pytest.fixture
def made(cli: Commands, client: Client) -> Made:
    return Made(cli, client)


ONE_OF_EACH = {"versions": 1, "runners": 1, "deployments": 1}


def test_it_makes_what_is_missing_and_notes_it(cli: Commands, made: Made, hello: Path, client: Client) -> None:
    cli.ok("model", "serve", hello)
    assert made.counts() == ONE_OF_EACH
    saved = made.saved
    assert {"model_version_id", "runner_id", "deployment_id", "signatures_hash"} <= set(saved)
    assert made.versions()[0].id == saved["model_version_id"]
    cluster = client.call("GetComputeCluster", compute_cluster_id=saved["compute_cluster_id"]).compute_cluster
    assert cluster.cluster_type == "local-dev"
    assert Server.asked["runner_id"] == saved["runner_id"]


def test_it_finds_again_what_it_made(cli: Commands, made: Made, hello: Path) -> None:
    cli.ok("model", "serve", hello)
    first = made.saved
    said = cli.ok("model", "serve", hello)
    assert made.counts() == ONE_OF_EACH
    assert made.saved == first
    for ready in ("Model version ready", "Runner ready", "Deployment ready"):
        assert ready in said


def test_other_signatures_are_another_version(cli: Commands, made: Made, hello: Path) -> None:
    cli.ok("model", "serve", hello)
    source = hello / "1" / "model.py"
    source.write_text(source.read_text().replace("n: int = 1", "n: float = 1.0"))
    cli.ok("model", "serve", hello)
    assert made.counts()["versions"] == 2


def test_public_changes_what_others_see(cli: Commands, made: Made, hello: Path, client: Client) -> None:
    for words, visible in (((), PRIVATE), (("--public",), PUBLIC), ((), PRIVATE)):
        cli.ok("model", "serve", hello, *words)
        where = {"user_id": "me", "app_id": made.app}
        assert client.call("GetApp", user_app_id=where).app.visibility.gettable == visible
        assert client.call("GetModel", user_app_id=where, model_id="hello").model.visibility.gettable == visible
    assert made.versions()[0].visibility.gettable == PRIVATE


def test_a_version_that_is_made_public_is_public(cli: Commands, made: Made, hello: Path) -> None:
    cli.ok("model", "serve", hello, "--public")
    assert made.versions()[0].visibility.gettable == PUBLIC


def test_a_saved_version_that_is_gone_is_made_anew(cli: Commands, made: Made, hello: Path, client: Client) -> None:
    cli.ok("model", "serve", hello)
    gone = made.saved["model_version_id"]
    where = {"user_id": "me", "app_id": made.app}
    client.call("DeleteModelVersion", user_app_id=where, model_id="hello", version_id=gone)
    cli.ok("model", "serve", hello)
    assert made.saved["model_version_id"] != gone
    assert len(made.versions()) == 1


def test_what_older_versions_of_the_sdk_noted_is_understood(cli: Commands, made: Made, hello: Path) -> None:
    cli.ok("model", "serve", hello)
    saved = made.saved
    config = yaml.safe_load(cli.config.read_text())
    context = config["contexts"]["default"]
    env = context.get("env", context)
    del env["CLARIFAI_SERVE_STATE"]
    flat = {"CLARIFAI_MODEL_ID": "hello", "CLARIFAI_MODEL_VERSION_ID": saved["model_version_id"],
            "CLARIFAI_RUNNER_ID": saved["runner_id"], "CLARIFAI_DEPLOYMENT_ID": saved["deployment_id"]}  # fmt: skip
    env |= flat
    cli.config.write_text(yaml.safe_dump(config))
    cli.ok("model", "serve", hello)
    assert made.counts()["runners"] == 1
    env["CLARIFAI_MODEL_ID"] = "another"  # of another model: not taken
    cli.config.write_text(yaml.safe_dump(config))
    cli.ok("model", "serve", hello)
    assert made.saved["deployment_id"]


def test_how_many_at_once_reaches_the_server(cli: Commands, hello: Path) -> None:
    cli.ok("model", "serve", hello, "--concurrency", "24")
    assert Server.asked["num_threads"] == 24


def test_it_leaves_everything_there_unless_it_is_to_clean(
    cli: Commands, made: Made, hello: Path, client: Client
) -> None:
    assert "deprecated" in cli.ok("model", "serve", hello, "--keep").lower()
    assert made.counts() == ONE_OF_EACH
    cli.ok("model", "serve", hello, "--clean")
    assert client.call("ListDeployments", user_app_id={"user_id": "me"}).deployments == []


def test_requirements_that_are_not_installed_are_refused_first(cli: Commands, hello: Path, client: Client) -> None:
    (hello / "requirements.txt").write_text("no-such-package-at-all==1.0\n")
    cli.refused("model", "serve", hello)
    assert client.call("ListModels", user_app_id={"user_id": "me"}).models == []
    assert Server.asked == {}


def test_a_folder_without_a_config_is_refused(cli: Commands, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "config.yaml" in cli.refused("model", "serve", tmp_path / "empty")
