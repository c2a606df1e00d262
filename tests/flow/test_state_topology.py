"""Each start with `up --state DIR --topology FILE` applies what was edited since the last one, no more."""

from __future__ import annotations

import random
import shutil
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.errors import ConfigError
from clarifai_emulator.state.state_schema import FILE
from flow.driver import MODELS, Client, free_port, inference_request, running, text_of, wait_for, write_model
from flow.processes import command, emulator_process

BASE = """
apps:
  - {id: shelf, description: from the file}
compute_clusters:
  - {id: c, cloud_provider: {id: aws}, region: us-east-1, managed_by: clarifai, cluster_type: dedicated}
nodepools:
  - {id: one, instance_types: [{id: t3a.medium}], node_capacity_type: {capacity_types: [1]}, max_instances: 3}
models:
  - {id: hello, app_id: demo}
  - {id: named, app_id: elsewhere, user_id: other}
deployments:
  - id: by-hand
    nodepools: [{id: one}]
    autoscale_config: {min_replicas: 0, max_replicas: 3}
    worker: {model: {id: hello, app_id: demo, user_id: me}}
  - id: second
    nodepools: [{id: one}]
    autoscale_config: {min_replicas: 0, max_replicas: 1}
    worker: {model: {id: named, app_id: elsewhere, user_id: other}}
secrets:
  - {id: token, value: from the file}
"""
HELLO = f"{{path: {MODELS / 'hello'}, deploy: {{nodepool: one, deployment_id: by-model, min_replicas: 0}}}}"
UNCHANGED = "The topology is what was applied to the state in {state}: nothing to do."


class Platform:
    """A state directory and a topology file, with which emulators are started one after another."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "kept"
        self.file = folder / "mine.yaml"
        self.file.write_text(BASE)

    def run_code(self) -> None:
        """Let the model have code."""
        self.edit("{id: hello, app_id: demo}", HELLO)

    def edit(self, old: str, new: str) -> None:
        text = self.file.read_text()
        assert old in text
        self.file.write_text(text.replace(old, new, 1))

    @contextmanager
    def run(self, *, topology: bool = True) -> Iterator[Running]:
        with running(data_dir=self.state, topology=(self.file,) if topology else ()) as emulator:
            at_hand = Running(emulator)
            yield at_hand
            at_hand.client.close()


class Running:
    """The resources on an emulator."""

    def __init__(self, emulator: EmulatorThread) -> None:
        self.emulator = emulator
        self.client = Client(emulator.url)

    def applied(self) -> list[str]:
        """Return in words which topologies were applied to resources that were there."""
        return [event.fields["message"] for event in self.emulator.events("topology.applied")]

    def nodepool(self, nodepool_id: str = "one") -> Any:
        return self.client.call("GetNodepool", compute_cluster_id="c", nodepool_id=nodepool_id).nodepool

    def deployment(self, deployment_id: str = "by-hand") -> Any:
        return self.client.call("GetDeployment", deployment_id=deployment_id).deployment

    def deployments(self) -> set[str]:
        return {each.id for each in self.client.call("ListDeployments").deployments}

    def versions(self) -> list[str]:
        response = self.client.call(
            "ListModelVersions", user_app_id={"user_id": "me", "app_id": "demo"}, model_id="hello"
        )
        return [each.id for each in response.model_versions]

    def patch(self, deployment_id: str, **fields: Any) -> None:
        response = self.client.call(
            "PatchDeployments", deployments=[{"id": deployment_id, **fields}], action="overwrite"
        )
        assert response.status.code == 10000, response.status

    def answer(self, deployment: str) -> str:
        request = inference_request("hello", deployment=deployment, prompt="you")
        return text_of(self.client.call("PostModelOutputs", request))


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(tmp_path)


def test_a_start_with_the_same_files_changes_nothing_and_says_so(
    platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    platform.run_code()
    with platform.run() as first:
        versions, deployment = first.versions(), first.deployment()
    caplog.clear()
    with caplog.at_level("INFO", "clarifai_emulator"), platform.run() as second:
        assert second.applied() == []
        assert UNCHANGED.format(state=platform.state) in caplog.messages
        assert (second.versions(), second.deployment()) == (versions, deployment)
        assert second.answer("by-hand") == "Hello, you!"


def test_what_was_edited_between_two_starts_is_applied_and_nothing_is_refused_as_there_already(
    platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    platform.run_code()
    with platform.run() as first:
        versions = first.versions()
    platform.edit("max_instances: 3", "max_instances: 7")
    platform.edit("max_replicas: 3", "max_replicas: 4")
    platform.edit("value: from the file", "value: another")
    platform.edit("by-model, min_replicas: 0", "by-model, min_replicas: 0, max_replicas: 2")
    platform.edit("models:\n", "  - {id: two, instance_types: [{id: t3a.medium}], max_instances: 1}\nmodels:\n")
    with caplog.at_level("INFO", "clarifai_emulator"), platform.run() as second:
        (message,) = second.applied()
        assert message == (
            "secret token: other value, nodepool two is new, nodepool one: other max_instances, "
            f"model {MODELS / 'hello'}: other settings, deployment by-hand: other autoscale_config"
        )
        assert f"The topology differs from what was applied to the state: {message}" in caplog.messages
        assert (second.nodepool().max_instances, second.nodepool("two").max_instances) == (7, 1)
        assert second.deployment().autoscale_config.max_replicas == 4
        assert second.deployment("by-model").autoscale_config.max_replicas == 2
        assert second.versions() == versions, "no new version of the same code"
    with platform.run() as third:
        assert third.applied() == [], "it is remembered"


def test_what_the_api_changed_since_stays_where_the_file_says_the_same_as_before(platform: Platform) -> None:
    with platform.run() as first:
        first.patch("by-hand", autoscale_config={"min_replicas": 0, "max_replicas": 9})
        first.client.call("DeleteDeployments", ids=["second"])
        first.client.call("PostApps", user_app_id={"user_id": "me"}, apps=[{"id": "made-by-hand"}])
    platform.edit("max_instances: 3", "max_instances: 5")
    with platform.run() as second:
        assert second.applied() == ["nodepool one: other max_instances"]
        assert second.deployment().autoscale_config.max_replicas == 9
        assert second.deployments() == {"by-hand"}, "what was deleted is not there again"
        apps = {each.id for each in second.client.call("ListApps", user_app_id={"user_id": "me"}).apps}
        assert {"made-by-hand", "shelf"} <= apps


def test_what_is_gone_from_the_file_is_not_deployed_and_the_rest_stays_until_it_is_deleted(
    platform: Platform,
) -> None:
    with platform.run():
        pass
    platform.edit("  - {id: shelf, description: from the file}", "  []")
    text = platform.file.read_text()
    platform.file.write_text(text[: text.index("deployments:")] + text[text.index("secrets:") :])
    with platform.run() as second:
        assert second.applied() == [
            "deployment by-hand is no longer deployed, deployment second is no longer deployed; "
            "stays until it is deleted: app shelf"
        ]
        assert second.deployments() == set()
    with platform.run() as third:
        assert third.applied() == []


def test_a_model_whose_directory_is_gone_with_its_entry_is_not_deployed_any_more(
    platform: Platform, tmp_path: Path
) -> None:
    directory = write_model(tmp_path, "short-lived", (MODELS / "hello" / "1" / "model.py").read_text())
    entry = f"  - {{path: {directory}, deploy: {{nodepool: one, min_replicas: 0}}}}\n"
    platform.edit("models:\n", f"models:\n{entry}")
    with platform.run() as first:
        assert "deploy-short-lived" in first.deployments()
    platform.edit(entry, "")
    shutil.rmtree(directory)
    with platform.run() as second:
        assert second.applied() == [f"model {directory} is no longer deployed"]
        assert second.deployments() == {"by-hand", "second"}


def test_something_that_was_made_by_hand_is_made_to_be_as_the_file_says(platform: Platform) -> None:
    with platform.run() as first:
        made = {"id": "shelf-two", "description": "by hand", "metadata": {"mine": "stays"}}
        first.client.call("PostApps", user_app_id={"user_id": "me"}, apps=[made])
    platform.edit(
        "  - {id: shelf, description: from the file}",
        "  - {id: shelf, description: from the file}\n  - {id: shelf-two, description: written}",
    )
    with platform.run() as second:
        assert second.applied() == ["app shelf-two: other description"]
        app = second.client.call("GetApp", user_app_id={"user_id": "me", "app_id": "shelf-two"}).app
        assert (app.description, app.metadata["mine"]) == ("written", "stays")


def test_something_that_was_deleted_by_hand_is_made_anew_once_its_entry_is_edited(platform: Platform) -> None:
    with platform.run() as first:
        first.client.call("DeleteDeployments", ids=["by-hand"])
    platform.edit("max_replicas: 3", "max_replicas: 2")
    with platform.run() as second:
        assert second.applied() == ["deployment by-hand is new"]
        assert second.deployment().autoscale_config.max_replicas == 2


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("max_replicas: 3", "max_replica: 3", "did you mean 'max_replicas'?"),
        ("nodepools: [{id: one}]", "nodepools: [{id: nowhere}]", "nodepool 'nowhere' does not exist"),
        ("max_instances: 7", "min_instances: 2, max_instances: 1", "2 is more than max_instances 1"),
    ],
    ids=["unknown field", "missing nodepool", "refused by the platform"],
)
def test_a_bad_file_refuses_the_start_with_its_place_and_the_state_is_as_it_was(
    platform: Platform, old: str, new: str, problem: str
) -> None:
    with platform.run():
        pass
    platform.edit("max_instances: 3", "max_instances: 7")
    platform.edit("description: from the file", "description: edited")
    platform.edit(old, new)
    with pytest.raises(ConfigError) as refused, platform.run():
        pass
    (line,) = refused.value.problems
    assert line.startswith(f"{platform.file}:")
    assert problem in line
    assert str(refused.value).endswith("\nThe state is as it was. Mend the file, or start without --topology.")
    with platform.run(topology=False) as at_hand:
        assert at_hand.nodepool().max_instances == 3, "nothing of the file was applied"
        app = at_hand.client.call("GetApp", user_app_id={"user_id": "me", "app_id": "shelf"}).app
        assert app.description == "from the file"
    platform.edit(new, old)
    with platform.run() as mended:
        (message,) = mended.applied()
        assert message == "app shelf: other description, nodepool one: other max_instances", "of both edits"


def test_an_edit_while_a_restored_emulator_runs_is_applied_and_remembered(platform: Platform) -> None:
    with platform.run():
        pass
    with platform.run() as second:
        platform.edit("max_instances: 3", "max_instances: 4")
        assert second.emulator.reload_topology().message == "nodepool one: other max_instances"
        assert second.nodepool().max_instances == 4
        platform.edit("max_instances: 4", "max_instance: 4")
        assert second.emulator.reload_topology().state == "refused"
        platform.edit("max_instance: 4", "max_instances: 4")
    with platform.run() as third:
        assert third.applied() == []
        assert third.nodepool().max_instances == 4


def test_a_start_without_the_files_forgets_nothing_of_them(platform: Platform) -> None:
    with platform.run():
        pass
    with platform.run(topology=False) as second:
        assert second.emulator.reload_topology().state == "unchanged"
        second.patch("by-hand", autoscale_config={"min_replicas": 0, "max_replicas": 9})
    with platform.run() as third:
        assert third.applied() == []
        assert third.deployment().autoscale_config.max_replicas == 9


def test_files_that_come_to_a_state_made_without_them_are_applied(platform: Platform) -> None:
    platform.run_code()
    with platform.run(topology=False) as first:
        first.client.call("PostApps", user_app_id={"user_id": "me"}, apps=[{"id": "shelf"}])
    with platform.run() as second:
        (message,) = second.applied()
        assert message.startswith("app shelf: other description, secret token is new, compute cluster c is new, ")
        assert second.answer("by-hand") == "Hello, you!"


def test_after_a_reset_the_files_are_applied_as_a_whole(platform: Platform) -> None:
    with platform.run() as first:
        first.client.call("DeleteDeployments", ids=["by-hand"])
        first.emulator.reset()
        assert first.deployments() == {"by-hand", "second"}
    with platform.run() as second:
        assert second.applied() == []


def test_faults_and_stand_ins_are_those_of_the_files_at_every_start(platform: Platform) -> None:
    more = f"""
faults:
  - {{id: written, status: MODEL_DEPLOYING, times: 1}}
stand_ins:
  - {{model: openai/chat-completion/models/gpt-x, path: {MODELS / "hello"}}}
"""
    with platform.run():
        pass
    platform.file.write_text(BASE + more)
    for _ in range(2):
        with platform.run() as again:
            assert again.applied() == []
            assert [each.id for each in again.emulator.faults] == ["written"]
            request = inference_request("gpt-x", user="openai", app="chat-completion", prompt="you")
            again.client.call("PostModelOutputs", request)  # the fault's
            assert text_of(again.client.call("PostModelOutputs", request)) == "Hello, you!"


def test_a_state_of_an_earlier_release_is_read_and_everything_in_the_files_(platform: Platform) -> None:
    platform.run_code()
    with platform.run() as first:
        versions = first.versions()
        first.patch("by-hand", autoscale_config={"min_replicas": 0, "max_replicas": 9})
    with sqlite3.connect(platform.state / FILE) as database:
        # Earlier releases had no notes, and no checksums.
        database.executescript(
            "DROP TABLE notes; ALTER TABLE resources DROP COLUMN checksum; "
            "ALTER TABLE log_lines DROP COLUMN checksum; PRAGMA user_version = 1"
        )
    database.close()
    with platform.run() as second:
        assert second.applied() == ["deployment by-hand: other autoscale_config"]
        assert second.deployment().autoscale_config.max_replicas == 3, "as the file says"
        assert second.versions() == versions


# ── processes that are killed ──────────────────────────────────────────────────────────────────────────


def require_after_start(folder: Path, *, max_instances: int, says: str = "", **start: Any) -> None:
    """Fail unless a start says this, the nodepool is as the file says, and nothing is refused as already there."""
    with emulator_process(folder, "hello", **start) as emulator:
        client = emulator.client()
        wait_for(lambda: says in (folder / "emulator.log").read_text())
        nodepool = client.call("GetNodepool", compute_cluster_id="c", nodepool_id="one").nodepool
        assert nodepool.max_instances == max_instances
        client.close()
    assert "already exists" not in (folder / "emulator.log").read_text()


@pytest.mark.slow
def test_after_kill_9_what_was_edited_meanwhile_is_applied(tmp_path: Path) -> None:
    file, port = tmp_path / "mine.yaml", free_port()
    options = ["--state", str(tmp_path / "kept"), "--topology", str(file)]
    file.write_text(BASE.partition("models:")[0])
    with emulator_process(tmp_path, "hello", port=port, options=options) as first:
        first.client().close()
        first.end(signal.SIGKILL)
    file.write_text(file.read_text().replace("max_instances: 3", "max_instances: 6"))
    require_after_start(tmp_path, max_instances=6, says="other max_instances", port=port, options=options)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_kill_9_while_the_files_are_applied_leaves_the_rest_to_the_next_start(tmp_path: Path, seed: int) -> None:
    options = ["--state", str(tmp_path / "kept"), "--topology", str(tmp_path / "mine.yaml")]
    (tmp_path / "mine.yaml").write_text(BASE.partition("models:")[0])
    with emulator_process(tmp_path, "hello", options=options) as emulator:
        wait_for(lambda: (tmp_path / "kept" / FILE).exists(), seconds=30)
        killer = threading.Timer(random.Random(seed).uniform(0.0, 0.8), emulator.process.kill)
        killer.start()
        killer.join()
        emulator.process.wait(timeout=15)
    require_after_start(tmp_path, max_instances=3, options=options)


@pytest.mark.slow
def test_an_imported_state_takes_the_files_of_its_new_emulator(tmp_path: Path) -> None:
    file, document, port = tmp_path / "mine.yaml", tmp_path / "platform.json", free_port()
    file.write_text(BASE.partition("models:")[0])
    with emulator_process(tmp_path, "hello", options=["--topology", str(file)]) as first:
        first.client().close()
        wait_for(lambda: command(tmp_path, "export", "--port", str(first.port), str(document)).returncode == 0)
    options = ["--state", str(tmp_path / "kept")]
    with emulator_process(tmp_path, port=port, options=options) as second:
        second.client().close()
        imported = command(tmp_path, "import", "--port", str(port), str(document))
        assert imported.returncode == 0, imported.stderr
        second.end(signal.SIGTERM)
    file.write_text(file.read_text().replace("max_instances: 3", "max_instances: 6"))
    options += ["--topology", str(file)]
    require_after_start(tmp_path, max_instances=6, says="other max_instances", port=port, options=options)
