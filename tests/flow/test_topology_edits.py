"""An edit of a running emulator's topology files is applied as a whole, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import MODELS, Client, inference_request, live_replicas, running, text_of, wait_for, write_model

BASE = f"""
compute_clusters:
  - {{id: c, cloud_provider: {{id: aws}}, region: us-east-1, managed_by: clarifai, cluster_type: dedicated}}
nodepools:
  - {{id: one, instance_types: [{{id: t3a.medium}}], node_capacity_type: {{capacity_types: [1]}}, max_instances: 3}}
  - {{id: two, instance_types: [{{id: t3a.medium}}], node_capacity_type: {{capacity_types: [1]}}, max_instances: 3}}
models:
  - {{path: {MODELS / "hello"}, deploy: {{nodepool: one, deployment_id: by-model, min_replicas: 1}}}}
deployments:
  - id: by-hand
    nodepools: [{{id: two}}]
    autoscale_config: {{min_replicas: 1, max_replicas: 3}}
    worker: {{model: {{id: hello, app_id: demo, user_id: me}}}}
"""


class Edited:
    """A running emulator and its topology file."""

    def __init__(self, emulator: EmulatorThread, file: Path) -> None:
        self.emulator = emulator
        self.file = file
        self.client = Client(emulator.url)

    def save(self, old: str = "", new: str = "") -> Any:
        """Edit what was there at first; return what came of it."""
        assert old in BASE
        self.file.write_text(BASE.replace(old, new, 1))
        return self.emulator.reload_topology()

    def replicas(self, deployment: str, count: int = 1) -> set[str]:
        """Return the ids of a deployment's replicas, once there are so many."""
        wait_for(lambda: len(live_replicas(self.emulator, deployment)) == count)
        return {each["replica_id"] for each in live_replicas(self.emulator, deployment)}

    def nodepool(self, nodepool_id: str) -> Any:
        return self.client.call("GetNodepool", compute_cluster_id="c", nodepool_id=nodepool_id).nodepool

    def deployment(self, deployment_id: str) -> Any:
        return self.client.call("GetDeployment", deployment_id=deployment_id).deployment


@pytest.fixture(scope="module")
def _edited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edited]:
    file = tmp_path_factory.mktemp("topology") / "topology.yaml"
    file.write_text(BASE)
    with running(topology=(file,)) as emulator:
        edited = Edited(emulator, file)
        yield edited
        edited.client.close()


@pytest.fixture
def edited(_edited: Edited) -> Edited:
    """Return the emulator and its file as they are after the start."""
    _edited.file.write_text(BASE)
    _edited.emulator.reset()
    return _edited


def test_other_autoscaling_keeps_the_replicas_and_starts_only_what_is_missing(edited: Edited) -> None:
    before = edited.replicas("by-hand")
    outcome = edited.save("min_replicas: 1, max", "min_replicas: 2, max")
    assert (outcome.state, outcome.message) == ("applied", "deployment by-hand: other autoscale_config")
    assert before < edited.replicas("by-hand", 2)
    (event,) = edited.emulator.events("topology.applied")
    assert event.fields["message"] == "deployment by-hand: other autoscale_config"
    assert edited.save().state == "applied", "back again"


def test_the_deployment_of_a_model_keeps_its_replica_and_version_with_other_settings(edited: Edited) -> None:
    before, version = edited.replicas("by-model"), edited.deployment("by-model").worker.model.model_version.id
    outcome = edited.save("min_replicas: 1}}", "min_replicas: 1, max_replicas: 2}}")
    assert outcome.message.endswith("other settings")
    assert edited.deployment("by-model").autoscale_config.max_replicas == 2
    assert edited.deployment("by-model").worker.model.model_version.id == version
    assert edited.replicas("by-model") == before


def test_other_nodepools_move_the_replica_there_and_nothing_else_restarts(edited: Edited) -> None:
    stays, moves = edited.replicas("by-model"), edited.replicas("by-hand")
    assert edited.save("nodepools: [{id: two}]", "nodepools: [{id: one}]").state == "applied"
    wait_for(lambda: edited.replicas("by-hand").isdisjoint(moves))
    assert [each.id for each in edited.deployment("by-hand").nodepools] == ["one"]
    assert edited.replicas("by-model") == stays


def test_a_larger_nodepool_and_a_new_deployment_are_there_at_once(edited: Edited) -> None:
    text = BASE.replace("max_instances: 3", "max_instances: 7", 1) + BASE.partition("deployments:\n")[2].replace(
        "by-hand", "new-one"
    )
    edited.file.write_text(text)
    outcome = edited.emulator.reload_topology()
    assert outcome.done == (
        "nodepool one: other max_instances",
        "deployment new-one is new",
    )
    answer = edited.client.call("PostModelOutputs", inference_request("hello", deployment="new-one", prompt="you"))
    assert text_of(answer) == "Hello, you!"


def test_what_is_back_at_zero_or_gone_from_the_file_is_as_if_it_had_never_been_said(edited: Edited) -> None:
    set_ = "id: two, description: spare, min_instances: 1,"
    assert edited.save("id: two,", set_).message == "nodepool two: other description, min_instances"
    assert edited.nodepool("two").min_instances == 1
    outcome = edited.save("id: two,", "id: two, min_instances: 0,")
    assert outcome.message == "nodepool two: other description, min_instances"
    nodepool = edited.nodepool("two")
    assert (nodepool.description, nodepool.min_instances, nodepool.max_instances) == ("", 0, 3)


def test_a_deployment_that_follows_the_newest_version_no_more_stays_at_it(edited: Edited) -> None:
    before, version = edited.replicas("by-hand"), edited.deployment("by-hand").worker.model.model_version.id
    assert edited.save("  - id: by-hand", "  - id: by-hand\n    deploy_latest_version: true").state == "applied"
    assert edited.deployment("by-hand").deploy_latest_version
    assert edited.save().message == "deployment by-hand: other deploy_latest_version"
    deployment = edited.deployment("by-hand")
    assert (deployment.deploy_latest_version, deployment.worker.model.model_version.id) == (False, version)
    assert edited.replicas("by-hand") == before


def test_no_replicas_are_wanted_where_the_file_said_some(edited: Edited) -> None:
    edited.replicas("by-hand")
    edited.save("min_replicas: 1, max_replicas: 3", "min_replicas: 0, max_replicas: 3")
    assert edited.deployment("by-hand").autoscale_config.min_replicas == 0
    edited.save("min_replicas: 1}}", "min_replicas: 0}}")
    assert edited.deployment("by-model").autoscale_config.min_replicas == 0


def test_the_checks_of_the_platform_hold_for_what_is_gone_from_the_file(edited: Edited) -> None:
    outcome = edited.save("max_instances: 3", "min_instances: 2, max_instances: 0")
    assert outcome.state == "refused"
    assert outcome.problems[0].endswith("nodepools[0].min_instances: 2 is more than max_instances 0")


def test_what_the_files_name_no_more_is_not_deployed_any_more_and_the_rest_is_said(edited: Edited) -> None:
    edited.replicas("by-hand")
    text = BASE.partition("deployments:\n")[0]
    cut = text.index("  - {id: two")
    edited.file.write_text(text[:cut] + text[text.index("models:") :])
    outcome = edited.emulator.reload_topology()
    assert outcome.message == ("deployment by-hand is no longer deployed; stays until the next start: nodepool two")
    wait_for(lambda: [each["deployment_id"] for each in edited.emulator.status()["deployments"]] == ["by-model"])


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("max_replicas: 3", "max_replica: 3", "max_replica"),
        ("nodepools: [{id: two}]", "nodepools: [{id: nowhere}]", "nodepool 'nowhere' does not exist"),
        ("  - id: by-hand", "  - id: by-hand\n    id: [", "is not valid YAML"),
    ],
    ids=["unknown field", "missing nodepool", "no YAML"],
)
def test_a_broken_file_leaves_everything_as_it_was_and_says_why(
    edited: Edited, old: str, new: str, problem: str
) -> None:
    before, known = edited.replicas("by-hand"), edited.deployment("by-hand")
    edited.file.write_text(BASE.replace(old, new).replace("max_instances: 3", "max_instances: 9", 1))
    outcome = edited.emulator.reload_topology()
    assert outcome.state == "refused"
    assert outcome.message.startswith("The topology is as it was: its files cannot be used.\n  - ")
    assert problem in outcome.problems[0]
    (event,) = edited.emulator.events("topology.refused")
    assert event.fields["problems"] == list(outcome.problems)
    assert edited.deployment("by-hand").autoscale_config == known.autoscale_config
    assert edited.nodepool("one").max_instances == 3, "nothing of the file was applied"
    assert edited.replicas("by-hand") == before
    assert edited.save("max_replicas: 3", "max_replicas: 4").state == "applied", "the save that mends it"


def test_an_edit_that_fails_late_undoes_its_own_part_and_nothing_that_clients_did_meanwhile(
    edited: Edited, tmp_path: Path
) -> None:
    go_on, text = tmp_path / "go on", (MODELS / "hello" / "1" / "model.py").read_text()
    waits = f"import os, time\nwhile not os.path.exists({str(go_on)!r}):\n    time.sleep(0.02)\n"
    good = f"  - {{path: {write_model(tmp_path, 'good', text)}, deploy: {{nodepool: new}}}}\n"
    bad = f"  - {{path: {write_model(tmp_path, 'bad', waits + 'raise OSError(1)')}}}\n"
    nodepool = "  - {id: new, instance_types: [{id: t3a.medium}], max_instances: 1}\n"
    edited.file.write_text(BASE.replace("models:\n", f"{nodepool}models:\n{good}{bad}").replace(": 3", ": 4"))
    with ThreadPoolExecutor(1) as pool:
        saved = pool.submit(edited.emulator.reload_topology)
        wait_for(lambda: edited.deployment("deploy-good").id)
        edited.client.call("PostApps", user_app_id={"user_id": "me"}, apps=[{"id": "meanwhile"}])
        edited.client.call("PatchApps", user_app_id={"user_id": "me"}, apps=[{"id": "demo", "description": "mine"}],
                           action="merge")  # fmt: skip
        go_on.touch()
        outcome = saved.result(30)
    assert outcome.state == "refused"
    assert "bad" in outcome.problems[0]
    before = {"by-hand", "by-model"}
    assert {each.id for each in edited.client.call("ListDeployments").deployments} == before
    assert edited.nodepool("one").max_instances == 3
    assert edited.client.call("GetNodepool", compute_cluster_id="c", nodepool_id="new").status.code != 10000
    user_app = {"user_id": "me", "app_id": "demo"}
    assert [each.id for each in edited.client.call("ListModels", user_app_id=user_app).models] == ["hello"]
    apps = edited.client.call("ListApps", user_app_id={"user_id": "me"}).apps
    assert {each.id: each.description for each in apps} == {"meanwhile": "", "demo": "mine"}


def test_a_save_without_a_change_is_none(edited: Edited) -> None:
    edited.file.write_text("# only a comment\n" + BASE)
    assert edited.emulator.reload_topology().state == "unchanged"
    assert edited.emulator.events("topology") == []


def test_faults_of_the_files_are_replaced_and_others_stay(edited: Edited) -> None:
    from clarifai_emulator.faults import Fault

    edited.emulator.faults.add(Fault(id="mine", status="MODEL_DEPLOYING", times=1))
    edited.file.write_text(BASE + "faults:\n  - {id: written, status: MODEL_DEPLOYING, times: 1}\n")
    assert edited.emulator.reload_topology().message == "other faults"
    assert {each.id for each in edited.emulator.faults} == {"mine", "written"}
    edited.save()
    assert {each.id for each in edited.emulator.faults} == {"mine"}
