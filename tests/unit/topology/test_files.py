"""Topology files: the SDK's own config files, several at once, and what is said about mistakes."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Deployment

from clarifai_emulator.errors import ConfigError
from clarifai_emulator.faults import Fault
from clarifai_emulator.topology.files import ModelDeploy, Topology, load_topology

CLUSTER = """
compute_cluster:
  id: "gpu-cluster"
  description: "where it runs"
  cloud_provider:
    id: "aws"
  region: "us-east-1"
  managed_by: "clarifai"
  cluster_type: "dedicated"
  visibility:
    gettable: 10
"""
NODEPOOL = """
nodepool:
  id: "gpu-pool"
  compute_cluster:
    id: "gpu-cluster"
    user_id: "ada"
  description: "the nodes"
  instance_types:
    - id: "g5.xlarge"
      compute_info:
        cpu_limit: "8"
        cpu_memory: "16Gi"
        num_accelerators: 1
        accelerator_memory: "24Gi"
        accelerator_type: ["NVIDIA-A10G"]
  node_capacity_type:
    capacity_types: [1, SPOT_TYPE]
  min_instances: 0
  max_instances: 3
"""
DEPLOYMENT = """
deployment:
  id: "chat"
  autoscale_config:
    min_replicas: 0
    max_replicas: 2
  worker:
    model:
      id: "chat-model"
      model_version:
        id: "0123456789abcdef0123456789abcdef"
      user_id: "openai"
      app_id: "chat"
  scheduling_choice: 4
  nodepools:
    - id: "gpu-pool"
      compute_cluster:
        id: "gpu-cluster"
        user_id: "ada"
  metadata: {team: [search, chat], cost: 1.5}
  email_reminder_after: 3600
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def load(folder: Path, *texts: str) -> Topology:
    paths: list[Path] = []
    for number, text in enumerate(texts, start=1):
        path = folder / f"file{number}.yaml"
        path.write_text(dedent(text))
        paths.append(path)
    return load_topology(paths)


def problems(folder: Path, *texts: str) -> list[str]:
    with pytest.raises(ConfigError, match="The topology cannot be used") as caught:
        load(folder, *texts)
    return [problem.replace(f"{folder}/", "") for problem in caught.value.problems]


def test_the_config_files_of_the_sdk_work_unchanged(folder: Path) -> None:
    topology = load(folder, CLUSTER, NODEPOOL, DEPLOYMENT)

    [cluster] = topology.compute_clusters
    assert cluster.message.cloud_provider.id == "aws"
    assert cluster.message.visibility.gettable == 10
    [nodepool] = topology.nodepools
    assert list(nodepool.message.node_capacity_type.capacity_types) == [1, 2]
    assert nodepool.message.instance_types[0].compute_info.accelerator_type == ["NVIDIA-A10G"]
    [deployment] = topology.deployments
    assert deployment.message.scheduling_choice == Deployment.PERFORMANCE
    assert deployment.message.worker.model.model_version.id == "0123456789abcdef0123456789abcdef"
    assert deployment.message.metadata["cost"] == 1.5
    assert deployment.message.email_reminder_after.seconds == 3600


def test_an_owner_that_one_file_names_holds_for_the_others(folder: Path) -> None:
    topology = load(folder, CLUSTER, NODEPOOL, DEPLOYMENT)
    assert topology.compute_clusters[0].user_id == "ada"
    assert topology.nodepools[0].user_id == "ada"
    assert topology.deployments[0].user_id == "ada"


def test_without_any_owner_everything_is_the_emulators_own_user(folder: Path) -> None:
    topology = load(folder, CLUSTER, "app: {id: a}\n---\ncompute_cluster: {id: other, user_id: me}")
    assert [entry.user_id for entry in topology.compute_clusters] == ["", ""]
    assert topology.compute_clusters[1].where.endswith("file2.yaml:3")


def test_lists_and_several_documents(folder: Path) -> None:
    topology = load(
        folder,
        """
        # first
        users: [{id: openai}]
        apps:
          - {id: chat, user_id: openai, visibility: {gettable: PUBLIC}}
        secrets: [{id: TOKEN, value: hidden}]
        ---
        compute_clusters: [{id: one}, {id: two}]
        ---
        nodepools:
          - {id: pool, compute_cluster: {id: one}}
          - {id: pool, compute_cluster: {id: two}}
        deployments:
          - id: chat
            nodepools: [{id: pool, compute_cluster: {id: two}}]
        """,
    )
    assert topology.users[0].user_id == "openai"
    assert topology.apps[0].user_id == "openai"
    assert topology.apps[0].message.visibility.gettable == 50
    assert topology.secrets[0].message.value == "hidden"
    assert [entry.message.id for entry in topology.compute_clusters] == ["one", "two"]
    assert [entry.message.compute_cluster.id for entry in topology.nodepools] == ["one", "two"]


def test_a_nodepool_without_a_cluster_is_in_the_only_one(folder: Path) -> None:
    topology = load(folder, CLUSTER, "nodepool: {id: pool}", "deployment: {id: chat, nodepools: [{id: pool}]}")
    assert topology.nodepools[0].message.compute_cluster.id == "gpu-cluster"
    assert topology.deployments[0].message.nodepools[0].compute_cluster.id == "gpu-cluster"


def test_a_nodepool_that_could_be_in_several_clusters_must_say_which(folder: Path) -> None:
    text = "compute_clusters: [{id: one}, {id: two}]\nnodepool: {id: pool}"
    assert problems(folder, text) == [
        "file1.yaml:2: nodepool 'pool' needs compute_cluster.id (one of one, two)",
    ]


def test_models_with_and_without_a_directory(folder: Path) -> None:
    (folder / "echo").mkdir()
    topology = load(
        folder,
        """
        models:
          - path: echo
            user_id: ada
            deploy: {nodepool: cpu, deployment_id: echo, min_replicas: 0, max_replicas: 2}
          - path: ./echo
            id: echo-again
            app_id: other
            deploy: true
          - {id: gpt, user_id: openai, app_id: chat, model_type_id: any-to-any}
        """,
    )
    first, second, third = topology.models
    assert first.path == folder / "echo"
    assert first.user_id == "ada"
    assert first.deploy == ModelDeploy(nodepool_id="cpu", deployment_id="echo", min_replicas=0, max_replicas=2)
    assert second.message.id == "echo-again"
    assert second.deploy == ModelDeploy()
    assert third.path is None
    assert third.deploy is None
    assert third.message.model_type_id == "any-to-any"


def test_the_code_of_two_versions_of_a_model_may_be_in_two_directories(folder: Path) -> None:
    (folder / "new").mkdir()
    (folder / "old").mkdir()
    entries = ", ".join(
        f"{{id: m, app_id: a, path: {each}, model_version: {{id: {each}}}}}" for each in ("old", "new")
    )
    assert [each.message.model_version.id for each in load(folder, f"models: [{entries}]").models] == ["old", "new"]


def test_every_problem_is_named_with_file_line_and_key(folder: Path) -> None:
    found = problems(
        folder,
        """\
        compute_cluster:
          id: gpu
          regoin: us-east-1
          visibility: {gettable: 11}
        nodepol: {}
        """,
        """\
        nodepool:
          id: pool
          compute_cluster: {id: gpu}
          min_instances: many
          instance_types:
            - id: 5
        """,
        "models: [{path: nowhere}, {user_id: openai}]",
    )
    assert found == [
        "file1.yaml:3: compute_cluster.regoin: is not a known name; did you mean 'region'?",
        "file1.yaml:4: compute_cluster.visibility.gettable: 11 is none of "
        "0 UNKNOWN_VISIBILITY, 10 PRIVATE, 30 ORG, 50 PUBLIC",
        "file1.yaml:5: nodepol: is not a known name; did you mean 'nodepool'?",
        "file2.yaml:4: nodepool.min_instances: expected a whole number of at least 0, found 'many'",
        "file2.yaml:6: nodepool.instance_types[0].id: expected a text, found int; write it in quotes",
        f"file3.yaml:1: models[0].path: {folder / 'nowhere'} is not a directory".replace(f"{folder}/", ""),
        "file3.yaml:1: models[1]: needs an id",
        "file3.yaml:1: models[1]: needs an app_id (or a path, whose config.yaml has it)",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("compute_cluster: [", "file1.yaml:1: is not valid YAML: expected the node content"),
        ("- nodepool", "file1.yaml:1: expected a mapping of names to values, found a list"),
        ("apps: {id: one}", "file1.yaml:1: apps: expected a list, found a mapping"),
        ("app: text", "file1.yaml:1: app: expected a mapping of names to values, found 'text'"),
        ("app: {id: [a]}", "file1.yaml:1: app.id: expected a single value, found a list"),
        ("app: {id: a, id: b}", "file1.yaml:1: app.id: is given twice"),
        ("deployment: {id: a, graceful_deploy: 1}",
         "file1.yaml:1: deployment.graceful_deploy: expected true or false, found 1"),
        ("apps: [{id: a}, {id: a}]", "file1.yaml:1: app 'a' is named twice in the topology"),
        ("compute_cluster: {region: x}", "file1.yaml:1: compute_cluster: needs an id"),
        ("nodepool: {id: a, compute_cluster: {id: b}, max_instances: 5000000000}",
         "file1.yaml:1: nodepool.max_instances: Value out of range: 5000000000"),
        ("model: {id: a, app_id: b, deploy: true}",
         "file1.yaml:1: model: has deploy but no path: there is nothing to run"),
        ("model: {path: ., deploy: {nodepol: x}}",
         "file1.yaml:1: model.deploy.nodepol: is not a known name; did you mean 'nodepool'?"),
        ("model: {path: ., model_version: {id: v, num_threads: 3}}",
         "file1.yaml:1: model.model_version.num_threads: cannot be given beside path: it is what the code there "
         "makes it; only id can"),
        ("models: [{id: m, app_id: a, path: ., model_version: {id: v}}, "
         "{id: m, app_id: a, path: ., model_version: {id: v}}]",
         "file1.yaml:1: model 'm' is named twice in the topology"),
        ("app: {id: a, created_at: !!set {a}}", "file1.yaml:1: app.created_at: {'a'} cannot be read as Timestamp"),
        ("nodepool: {id: a}", "file1.yaml:1: nodepool 'a' needs compute_cluster.id "
         "(the topology has no compute cluster)"),
        ("app: {id: !secret a}", "file1.yaml:1: is not plain YAML: could not determine a constructor"),
    ],
)  # fmt: skip
def test_a_mistake(folder: Path, text: str, problem: str) -> None:
    assert problems(folder, text)[0].startswith(problem)


def test_a_secret_is_never_in_an_error(folder: Path) -> None:
    assert problems(folder, "secret: {id: TOKEN, value: 12345}") == [
        "file1.yaml:1: secret.value: expected a text, found int; write it in quotes"
    ]


def test_faults_are_read_with_their_lines(folder: Path) -> None:
    topology = load(
        folder,
        """\
        faults:
          - {id: busy, model: hello, status: MODEL_BUSY_PLEASE_RETRY, times: 2}
          - rpc: "Get*"
            latency: normal:0.3,0.1
            probability: 0.5
          - {latency: 0.25, cold_start: hold}
        """,
    )
    assert [entry.fault for entry in topology.faults] == [
        Fault(id="busy", model="hello", status="MODEL_BUSY_PLEASE_RETRY", times=2),
        Fault(rpc="Get*", latency="normal:0.3,0.1", probability=0.5),
        Fault(latency=0.25, cold_start="hold"),
    ]
    assert [entry.where.rpartition("/")[2] for entry in topology.faults] == [f"file1.yaml:{n}" for n in (2, 3, 6)]


def test_what_is_wrong_with_a_fault_is_named_with_its_line(folder: Path) -> None:
    found = problems(
        folder,
        """\
        faults:
          - id: busy
            status: MODEL_BUSY
            times: many
          - {id: cut, cut_afer: 1}
          - {id: cut}
          - {}
          - cut
          - {id: a, throttle: true}
          - {id: a, latency: 1}
        """,
    )
    assert found == [
        "file1.yaml:4: faults[0].times: expected a whole number, found 'many'",
        "file1.yaml:5: faults[1].cut_afer: is not a known name; did you mean 'cut_after'?",
        "file1.yaml:6: faults[2]: does nothing; give one of status, grpc, throttle, latency, cut_after, "
        "lose_replica, cold_start, scale_to_zero",
        "file1.yaml:7: faults[3]: is empty",
        "file1.yaml:8: faults[4]: expected a mapping of names to values, found 'cut'",
        "file1.yaml:10: faults[6]: fault 'a' is named twice in the topology",
    ]


def test_a_file_that_is_not_there(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml:1: cannot be read: .*No such file"):
        load_topology([folder / "none.yaml"])


def test_empty_files_and_anchors(folder: Path) -> None:
    topology = load(
        folder,
        "# nothing yet\n",
        """
        compute_clusters:
          - &base {id: one, region: us-east-1, cluster_type: dedicated}
          - {<<: *base, id: two}
        """,
    )
    assert [(each.message.id, each.message.region) for each in topology.compute_clusters] == [
        ("one", "us-east-1"),
        ("two", "us-east-1"),
    ]


def test_a_nodepool_says_where_its_replicas_run_and_whether_they_share_accelerators(folder: Path) -> None:
    (nodepool,) = load(folder, CLUSTER, NODEPOOL + "  backend: docker\n  share_accelerators: true\n").nodepools
    assert dict(nodepool.message.metadata) == {
        "emulator_backend": "docker",
        "emulator_share_accelerators": True,
    }


def test_a_backend_that_there_is_not_is_a_problem_of_its_line(folder: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(folder, CLUSTER, NODEPOOL + "  backend: kubernetes\n  share_accelerators: maybe\n")
    assert "'kubernetes' is none of process, inprocess, docker" in str(caught.value)
    assert "must be true or false, got 'maybe'" in str(caught.value)


WORKFLOW = """
workflow:
  id: read
  app_id: flows
  nodes:
    - id: detector
      model: {model_id: faces, model_version_id: 0123456789abcdef0123456789abcdef, user_id: clarifai, app_id: main}
    - id: cropper
      model: {id: crops, app_id: flows}
      node_inputs: [{node_id: detector}]
      suppress_output: true
"""


def test_a_workflow_is_written_as_for_the_sdk_or_with_the_platforms_names(folder: Path) -> None:
    (entry,) = load(folder, WORKFLOW).workflows
    detector, cropper = entry.message.nodes
    assert (detector.model.user_id, detector.model.app_id, detector.model.id) == ("clarifai", "main", "faces")
    assert detector.model.model_version.id == "0123456789abcdef0123456789abcdef"
    assert (cropper.model.id, cropper.node_inputs[0].node_id) == ("crops", "detector")
    assert cropper.suppress_output


def test_what_is_wrong_with_a_workflow_is_named_with_its_line(folder: Path) -> None:
    text = WORKFLOW.replace("  app_id: flows\n", "", 1).replace("model_id: faces", "model_id: faces, id: faces")
    text = text.replace("suppress_output", "supress_output")
    assert problems(folder, text, "workflow: {id: read, app_id: a}\n---\nworkflow: {id: read, app_id: a}\n") == [
        "file1.yaml:6: workflow.nodes[0].model.id: is given twice",
        "file1.yaml:10: workflow.nodes[1].supress_output: is not a known name; did you mean 'suppress_output'?",
        "file1.yaml:3: workflow: needs an app_id: the app that it is to be in",
        "file2.yaml:3: workflow 'read' is named twice in the topology",
    ]


@pytest.mark.parametrize("nodes", ["x", "[x]", "[{model: x}]", "[{model: {model_id: [1]}}]", "{}", "[[]]"])
def test_nodes_of_any_shape_are_read_or_complained_of(folder: Path, nodes: str) -> None:
    said = problems(folder, f"workflow: {{id: w, app_id: a, nodes: {nodes}}}\n")
    assert said, "each of these is wrong"
    assert all(each.startswith("file1.yaml:1: workflow.nodes") for each in said)
