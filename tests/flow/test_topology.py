"""A team's own Clarifai config files work as a topology as they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.errors import ConfigError
from flow.driver import MODELS, Client, inference_request, running, wait_for

CONFIGS = Path(__file__).parents[2] / "fixtures" / "configs"
TEAM = tuple(CONFIGS / "team" / name for name in ("compute_cluster.yaml", "nodepool.yaml", "deployment.yaml"))
LLAMA = {"model_id": "Llama-3_2-3B-Instruct", "user": "meta", "app": "Llama-3"}


def test_a_teams_files_create_what_they_name_on_a_machine_that_has_none_of_it() -> None:
    with running(topology=TEAM) as emulator:
        client = Client(emulator.url)
        deployment = client.call("GetDeployment", deployment_id="team-llama").deployment
        assert deployment.autoscale_config.traffic_history_seconds == 100
        assert deployment.worker.model.user_id == "meta"
        assert deployment.nodepools[0].compute_cluster.id == "team-cluster"
        nodepool = client.call("GetNodepool", compute_cluster_id="team-cluster", nodepool_id="team-gpus").nodepool
        assert nodepool.instance_types[0].compute_info.accelerator_type == ["NVIDIA-A10G"]
        client.close()


def test_a_model_without_code_here_says_so_in_status_and_to_the_client() -> None:
    with running(topology=TEAM) as emulator:
        wait_for(lambda: emulator.status()["deployments"][0]["versions"][0]["state"] == "failed")
        error = emulator.status()["deployments"][0]["versions"][0]["error"]
        assert "meta/Llama-3/models/Llama-3_2-3B-Instruct is known by name only" in error
        client = Client(emulator.url)
        response = client.call("PostModelOutputs", inference_request(**LLAMA, deployment="team-llama", prompt="x"))
        assert response.status.code == StatusCode.MODEL_DEPLOYMENT_FAILED
        assert (
            "clarifai-emulator deploy DIR --model meta/Llama-3/models/Llama-3_2-3B-Instruct"
            in response.status.details
        )
        client.close()


def test_another_users_model_is_served_once_its_code_is_deployed_under_its_name() -> None:
    with running(topology=TEAM) as emulator:
        emulator.deploy(MODELS / "hello", model="meta/Llama-3/models/Llama-3_2-3B-Instruct", nodepool_id="cpu")
        client = Client(emulator.url)
        response = client.call("PostModelOutputs", inference_request(**LLAMA, prompt="x"))
        assert response.status.code == StatusCode.SUCCESS
        decision = emulator.events("route.decided")[0].fields
        assert decision["rule"] == "owner_default"
        assert decision["reason"].startswith("The model's owner has none, the caller has deployment")
        client.close()


def test_a_topology_with_models_deploys_them() -> None:
    with running(topology=(CONFIGS / "demo.yaml",)) as emulator:
        client = Client(emulator.url)
        response = client.call("PostModelOutputs", inference_request("hello", deployment="demo-hello", prompt="x"))
        assert response.outputs[0].data.parts[0].data.string_value == "Hello, x!"
        assert emulator.events("route.decided")[0].fields["nodepools"] == ["me/demo-cluster/small"]
        client.close()


def test_every_problem_of_a_topology_is_listed_with_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text(
        "nodepool:\n  id: np\n  compute_cluster: {id: nowhere}\n  max_instance: 1\n"
        "---\ndeployment:\n  id: d\n  schedulng_choice: 4\n"
    )
    with pytest.raises(ConfigError) as raised, running(topology=(file,)):
        pass
    assert "broken.yaml:4: nodepool.max_instance" in str(raised.value)
    assert "max_instances" in str(raised.value)
    assert "scheduling_choice" in str(raised.value)


def test_what_the_platform_would_refuse_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "refused.yaml"
    file.write_text("nodepool:\n  id: np\n  compute_cluster: {id: nowhere}\n  instance_types: [{id: t3a.medium}]\n")
    with pytest.raises(ConfigError) as raised, running(topology=(file,)):
        pass
    assert "refused.yaml:2: " in str(raised.value) or "refused.yaml:1: " in str(raised.value)
    assert "'nowhere'" in str(raised.value)


def test_reset_brings_back_what_the_topology_names() -> None:
    with running(topology=TEAM) as emulator:
        client = Client(emulator.url)
        client.call("DeleteDeployments", ids=["team-llama"])
        assert emulator.status()["deployments"] == []
        emulator.reset()
        assert [d["deployment_id"] for d in emulator.status()["deployments"]] == ["team-llama"]
        client.close()


def test_a_user_of_a_topology_has_what_the_file_says_of_it(tmp_path: Path) -> None:
    path = tmp_path / "topology.yaml"
    path.write_text("users:\n- {id: eve, first_name: Eve}\n- {id: shy, visibility: {gettable: 10}}\n")
    with running(topology=(path,)) as emulator:
        client = Client(emulator.url)
        assert client.call("GetUser", user_app_id={"user_id": "eve"}).user.first_name == "Eve"
        assert client.call("GetUser", user_app_id={"user_id": "shy"}).status.code == StatusCode.CONN_DOES_NOT_EXIST
        client.close()
