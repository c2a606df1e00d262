"""The scenarios of the SDK's `runners/test_model_deploy.py` that ask the platform about instances and deployments.

Upstream the platform is a mock there, and what is read of huggingface.co is another service's.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from clarifai.client.auth import create_stub
from clarifai.client.auth.helper import ClarifaiAuthHelper
from clarifai.errors import UserError
from clarifai.runners.models.model_builder import deploy_model
from clarifai.runners.models.model_deploy import ModelDeployer, stream_model_logs
from clarifai.utils.compute_presets import resolve_gpu
from clarifai.utils.config import resolve_user_id
from clarifai_grpc.grpc.api.resources_pb2 import Model
from clarifai_grpc.grpc.api.service_pb2 import GetModelVersionRequest

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import MODELS, Client, wait_for
from flow.upstream.commands import TOKEN, Commands

URL = "https://clarifai.com/me/demo/models/hello"
A10G = {"num_accelerators": 1, "accelerator_memory": "24Gi", "accelerator_type": ["NVIDIA-*"]}


@pytest.fixture
def version_id(emulator: EmulatorThread) -> str:
    """Deploy a model without a replica; return the id of its version."""
    return emulator.deploy(MODELS / "hello", min_replicas=0).version_id


@pytest.fixture
def pool(client: Client) -> None:
    """Make a nodepool with one type of instance."""
    cluster = {"id": "cluster", "cloud_provider": {"id": "aws"}, "region": "us-east-1", "managed_by": "clarifai",
               "cluster_type": "dedicated"}  # fmt: skip
    client.call("PostComputeClusters", compute_clusters=[cluster])
    nodepool = {"id": "pool", "instance_types": [{"id": "g5.xlarge"}], "max_instances": 1,
                "node_capacity_type": {"capacity_types": [1]}}  # fmt: skip
    answer = client.call("PostNodepools", compute_cluster_id="cluster", nodepools=[nodepool])
    assert answer.status.code == 10000, answer


def deployer(emulator: EmulatorThread, **given: Any) -> Any:
    return ModelDeployer(model_url=URL, user_id="me", pat=TOKEN, base_url=emulator.url, **given)


@pytest.mark.parametrize("name", ["g5.xlarge", "G5.XLARGE", "NVIDIA-A10G", "A10G"])
def test_an_instance_is_found_by_its_id_or_its_gpu(emulator: EmulatorThread, name: str) -> None:
    found: Any = resolve_gpu(name, pat=TOKEN, base_url=emulator.url)
    assert found["inference_compute_info"]["num_accelerators"] == 1
    assert found["instance_type_id"].lower().startswith("g5.")


def test_an_instance_that_is_not_there_is_refused_with_those_that_are(emulator: EmulatorThread) -> None:
    with pytest.raises((UserError, ValueError), match="no-such-instance"):
        resolve_gpu("no-such-instance", pat=TOKEN, base_url=emulator.url)


def test_an_address_without_a_scheme_is_tried(emulator: EmulatorThread) -> None:
    host = emulator.url.removeprefix("http://")
    assert ClarifaiAuthHelper("me", "main", TOKEN, base=emulator.url, ui=host).ui == emulator.url
    with pytest.raises(Exception, match=r"Could not get a valid response from url: 127.0.0.1:9"):
        ClarifaiAuthHelper("me", "main", TOKEN, base=emulator.url, ui="127.0.0.1:9")


async def test_a_version_is_shown_to_the_asynchronous_stub(emulator: EmulatorThread, version_id: str) -> None:
    auth = ClarifaiAuthHelper("me", "demo", TOKEN, base=emulator.url)
    stub: Any = create_stub(auth, is_async=True)
    answer = await stub.GetModelVersion(
        GetModelVersionRequest(user_app_id=auth.get_user_app_id_proto(), model_id="hello", version_id=version_id)
    )
    assert answer.model_version.id == version_id


def test_the_user_is_asked_for_by_the_token(emulator: EmulatorThread) -> None:
    assert resolve_user_id(pat=TOKEN, base_url=emulator.url) == "me"


@pytest.mark.usefixtures("pool")
class TestNodepools:
    def test_an_instance_that_it_has_passes(self, emulator: EmulatorThread) -> None:
        deployer(emulator, instance_type="g5.xlarge")._validate_nodepool_instance_type("cluster", "pool")
        deployer(emulator)._validate_nodepool_instance_type("cluster", "gone")  # nothing is asked for

    @pytest.mark.parametrize(
        ("nodepool", "says"),
        [
            ("pool", "Instance type 'g6.xlarge' is not available in nodepool 'pool'.\n.*Available.*: g5.xlarge"),
            ("gone", "Nodepool 'gone' not found in compute cluster 'cluster'"),
        ],
    )
    def test_any_other_is_refused(self, emulator: EmulatorThread, nodepool: str, says: str) -> None:
        with pytest.raises(UserError, match=says):
            deployer(emulator, instance_type="g6.xlarge")._validate_nodepool_instance_type("cluster", nodepool)

    def test_the_command_refuses_it_too(self, emulator: EmulatorThread, tmp_path: Path, version_id: str) -> None:
        said = Commands(emulator.url, tmp_path).refused(
            "model", "deploy", "--model-url", URL, "--instance", "t3a.medium", "--nodepool-id", "pool",
            "--compute-cluster-id", "cluster",
        )  # fmt: skip
        assert "Instance type 't3a.medium' is not available in nodepool 'pool'" in said


class TestComputeOfAVersion:
    @pytest.fixture
    def model(self, client: Client) -> Model:
        """Make a model whose version wants an A10G."""
        where = {"user_id": "me", "app_id": "demo"}
        client.call("PostApps", user_app_id={"user_id": "me"}, apps=[{"id": "demo"}])
        client.call("PostModels", user_app_id=where, models=[{"id": "wants"}])
        answer = client.call("PostModelVersions", user_app_id=where, model_id="wants",
                             model_versions=[{"inference_compute_info": A10G}])  # fmt: skip
        assert answer.status.code == 10000, answer
        return answer.model

    @pytest.mark.parametrize(
        ("instance", "memory"), [("g6e.xlarge", "46068Mi"), ("g5.xlarge", "24Gi"), (None, "24Gi")]
    )
    def test_it_grows_with_the_instance_and_keeps_its_kind_of_gpu(
        self, emulator: EmulatorThread, client: Client, model: Model, instance: str | None, memory: str
    ) -> None:
        from clarifai.client import Model as SdkModel

        asked = deployer(emulator, instance_type=instance, model_version_id=model.model_version.id)
        sdk = SdkModel(model_id="wants", app_id="demo", user_id="me", pat=TOKEN, base_url=emulator.url)
        asked._auto_update_compute_if_needed(sdk)
        shown = client.call("GetModelVersion", user_app_id={"user_id": "me", "app_id": "demo"}, model_id="wants",
                            version_id=model.model_version.id).model_version  # fmt: skip
        needs = shown.inference_compute_info
        assert (list(needs.accelerator_type), needs.num_accelerators) == (["NVIDIA-*"], 1)
        assert needs.accelerator_memory == memory


class TestDeployments:
    def deploy(self, version_id: str, deployment: str, **given: Any) -> Any:
        return deploy_model(
            model_id="hello", app_id="demo", user_id="me", cluster_user_id="me", deployment_id=deployment,
            model_version_id=version_id, nodepool_id="cpu", compute_cluster_id="local", pat=TOKEN, **given,
        )  # fmt: skip

    def test_it_prints_what_it_made_unless_it_is_to_be_quiet(
        self, emulator: EmulatorThread, version_id: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert self.deploy(version_id, "first")
        assert "first" in capsys.readouterr().out
        assert self.deploy(version_id, "second", quiet=True)
        assert capsys.readouterr().out == ""

    def test_what_the_platform_refuses_is_passed_on_in_its_words(
        self, emulator: EmulatorThread, version_id: str
    ) -> None:
        with pytest.raises(UserError, match=r"already exists; choose another id"):
            self.deploy(version_id, "deploy-hello", raise_on_error=True)
        assert not self.deploy(version_id, "deploy-hello", quiet=True)

    def test_what_is_to_be_deployed_must_be_said_once(self, cli: Commands) -> None:
        assert "model" in cli.refused("model", "deploy", "--instance", "t3a.medium").lower()
        assert cli.refused("model", "deploy", "here", "--model-url", URL, "--instance", "t3a.medium")
        assert "instance" in cli.refused("model", "deploy", "--model-url", URL).lower()

    @pytest.fixture
    def cli(self, emulator: EmulatorThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
        monkeypatch.chdir(tmp_path)
        return Commands(emulator.url, tmp_path)


class TestLogs:
    def test_events_of_a_runner_come_once(self, emulator: EmulatorThread, client: Client) -> None:
        emulator.deploy(MODELS / "hello")
        where: dict[str, Any] = {"compute_cluster_id": "local", "nodepool_id": "cpu"}
        (runner,) = client.call("ListRunners", user_app_id={"user_id": "me"}, **where).runners
        auth = ClarifaiAuthHelper("me", "demo", TOKEN, base=emulator.url)
        seen: set[Any] = set()
        deployer: Any = ModelDeployer
        ask = partial(deployer._fetch_runner_logs, create_stub(auth), auth.get_user_app_id_proto())
        page, lines = ask("local", "cpu", runner.id, seen, 1)
        assert any("ready" in line for line in lines), lines
        assert ask("local", "cpu", runner.id, seen, page)[1] == []

    def test_the_log_of_its_runner_is_printed(
        self, emulator: EmulatorThread, capsys: pytest.CaptureFixture[str]
    ) -> None:
        emulator.deploy(MODELS / "hello")
        for given in ({"model_url": URL}, {"model_id": "hello", "user_id": "me", "app_id": "demo"}):

            def said(given: dict[str, str] = given) -> str:
                stream_model_logs(**given, pat=TOKEN, base_url=emulator.url, follow=False)
                return capsys.readouterr().out

            # What a model prints is read a moment after it is ready.
            wait_for(lambda said=said: "ModelServer initialized" in said())
            assert "Streaming logs for model 'hello'" in said()
            assert said().count("ModelServer initialized") == 1

    def test_which_model_must_be_said_and_be_deployed(self, emulator: EmulatorThread, client: Client) -> None:
        with pytest.raises(UserError, match="You must specify --model-url or --model-id"):
            stream_model_logs(pat=TOKEN, base_url=emulator.url)
        where = {"user_id": "me", "app_id": "demo"}
        client.call("PostApps", user_app_id={"user_id": "me"}, apps=[{"id": "demo"}])
        client.call("PostModels", user_app_id=where, models=[{"id": "hello"}])
        client.call("PostModelVersions", user_app_id=where, model_id="hello", model_versions=[{}])
        with pytest.raises(UserError, match="No active runner found for model 'hello'"):
            stream_model_logs(model_url=URL, pat=TOKEN, base_url=emulator.url, follow=False)
