"""The unmodified SDK creates, lists, reads and deletes resources over real gRPC."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from clarifai_emulator.api.access.auth import Authenticator
from clarifai_emulator.api.chain import RequestChain
from clarifai_emulator.api.transport.grpc_server import ApiHandlers
from clarifai_emulator.clock import SystemClock
from clarifai_emulator.events import EventBus
from grpc_port import grpc_port
from resource_api import ResourceApi

PAT = "0123456789abcdef0123456789abcdef"


class ServerThread:
    """Serves the resource handlers on a free port, on an event loop of its own."""

    def __init__(self) -> None:
        self.api = ResourceApi()
        self.port = 0
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> ServerThread:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        clock = SystemClock()
        chain = RequestChain(
            authenticator=Authenticator(user_id="ada", callers={}), events=EventBus(clock), clock=clock
        )
        async with grpc_port(ApiHandlers(self.api.handlers, chain).find) as address:
            self.port = int(address.rpartition(":")[2])
            self._ready.set()
            await self._stop.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerThread]:
    with ServerThread() as running:
        base = f"http://127.0.0.1:{running.port}"
        patch = pytest.MonkeyPatch()
        # The SDK reads these when it is imported, so they come first.
        patch.setenv("CLARIFAI_API_BASE", base)
        patch.setenv("CLARIFAI_PAT", PAT)
        patch.setenv("CLARIFAI_USER_ID", "ada")
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        yield running
        patch.undo()


@pytest.fixture
def user(server: ServerThread) -> Any:
    from clarifai.client.user import User

    server.api.store.reset()
    return User(user_id="ada", pat=PAT, base_url=os.environ["CLARIFAI_API_BASE"])


@pytest.fixture
def config_file(tmp_path: Path) -> Any:
    def write(**document: Any) -> str:
        path = tmp_path / f"{next(iter(document))}.yaml"
        path.write_text(yaml.safe_dump(document))
        return str(path)

    return write


CLUSTER = {
    "id": "gpu-cluster",
    "description": "where it runs",
    "cloud_provider": {"id": "aws"},
    "region": "us-east-1",
    "managed_by": "clarifai",
    "cluster_type": "dedicated",
    "visibility": {"gettable": 10},
}
NODEPOOL = {
    "id": "gpu-pool",
    "description": "the nodes",
    "compute_cluster": {"id": "gpu-cluster", "user_id": "ada"},
    "node_capacity_type": {"capacity_types": [1, 2]},
    "instance_types": [{"id": "g5.xlarge"}],
    "min_instances": 0,
    "max_instances": 3,
    "visibility": {"gettable": 10},
}
DEPLOYMENT = {
    "id": "chat",
    "autoscale_config": {"min_replicas": 0, "max_replicas": 2, "scale_down_delay_seconds": 30,
                         "scale_to_zero_delay_seconds": 30},
    "worker": {"model": {"id": "chat-model", "app_id": "app", "user_id": "ada"}},
    "scheduling_choice": 4,
    "nodepools": [{"id": "gpu-pool", "compute_cluster": {"id": "gpu-cluster", "user_id": "ada"}}],
    "visibility": {"gettable": 10},
}  # fmt: skip


@pytest.fixture
def nodepool(user: Any, config_file: Any) -> Any:
    cluster = user.create_compute_cluster(config_filepath=config_file(compute_cluster=CLUSTER))
    return cluster.create_nodepool(config_filepath=config_file(nodepool=NODEPOOL))


@pytest.fixture
def model(user: Any) -> Any:
    return user.create_app("app").create_model("chat-model", model_type_id="any-to-any")


def test_a_cluster_from_a_config_file_comes_back_with_its_key_hidden(user: Any, config_file: Any) -> None:
    user.create_compute_cluster(config_filepath=config_file(compute_cluster=CLUSTER))

    found = user.compute_cluster("gpu-cluster")
    assert found.compute_cluster_info.description == "where it runs"
    assert found.compute_cluster_info.key.id == "****"
    assert [each.id for each in user.list_compute_clusters()] == ["gpu-cluster"]


def test_a_nodepool_shows_its_cluster_and_the_sizes_of_its_instances(nodepool: Any, user: Any) -> None:
    [found] = user.compute_cluster("gpu-cluster").list_nodepools()
    assert found.nodepool_info.compute_cluster.region == "us-east-1"
    assert found.nodepool_info.instance_types[0].compute_info.num_accelerators == 1
    assert user.compute_cluster("gpu-cluster").nodepool("gpu-pool").nodepool_info.max_instances == 3


def test_a_deployment_from_a_config_file(nodepool: Any, model: Any, config_file: Any) -> None:
    version = model.create_version(pretrained_model_config={"local_dev": True})

    nodepool.create_deployment(config_filepath=config_file(deployment=DEPLOYMENT))

    info = nodepool.deployment("chat").deployment_info
    assert info.worker.model.model_version.id == version.model_version.id
    assert info.autoscale_config.max_replicas == 2
    assert info.nodepools[0].compute_cluster.cloud_provider.id == "aws"
    assert [each.id for each in nodepool.list_deployments()] == ["chat"]


def test_deleting_from_the_inside_out(nodepool: Any, model: Any, user: Any, config_file: Any) -> None:
    nodepool.create_deployment(config_filepath=config_file(deployment=DEPLOYMENT))

    nodepool.delete_deployments(["chat"])
    assert list(nodepool.list_deployments()) == []
    user.compute_cluster("gpu-cluster").delete_nodepools(["gpu-pool"])
    user.delete_compute_clusters(["gpu-cluster"])
    assert list(user.list_compute_clusters()) == []


@pytest.mark.timeout(30)
def test_a_listing_of_many_pages_ends(user: Any, server: ServerThread) -> None:
    for number in range(300):
        server.api.cluster(f"cluster-{number:03}")

    found = [each.id for each in user.list_compute_clusters()]
    assert found == [f"cluster-{number:03}" for number in reversed(range(300))]
    assert len(list(user.list_compute_clusters(page_no=2, per_page=16))) == 16


def test_a_listing_of_exactly_one_page_ends(user: Any, server: ServerThread) -> None:
    for number in range(128):
        server.api.cluster(f"cluster-{number:03}")
    assert len(list(user.list_compute_clusters())) == 128


def test_a_duplicate_id_says_so(user: Any, config_file: Any) -> None:
    path = config_file(compute_cluster=CLUSTER)
    user.create_compute_cluster(config_filepath=path)
    with pytest.raises(Exception, match=r"(?s)DATABASE_DUPLICATE_KEY.*gpu-cluster.*already exists"):
        user.create_compute_cluster(config_filepath=path)


def test_an_unknown_nodepool_names_the_ones_there_are(nodepool: Any, model: Any) -> None:
    wrong = {**DEPLOYMENT, "nodepools": [{"id": "gpu-pol", "compute_cluster": {"id": "gpu-cluster"}}]}
    expected = r"(?s)NODEPOOL_DOES_NOT_EXIST.*gpu-pol.*does not exist.*Did you mean .*gpu-pool"
    with pytest.raises(Exception, match=expected):
        nodepool.create_deployment(deployment_config={"deployment": wrong})


def test_a_model_that_does_not_exist(user: Any) -> None:
    from clarifai.client.model import Model

    with pytest.raises(Exception, match=r"(?s)MODEL_DOES_NOT_EXIST.*details: \"Model .*none.* does not exist\.\""):
        Model(url="https://clarifai.com/ada/app/models/none", pat=PAT, base_url=os.environ["CLARIFAI_API_BASE"])


def test_models_and_versions(model: Any, user: Any) -> None:
    newest = ""
    for _ in range(2):
        newest = model.create_version(pretrained_model_config={"local_dev": True}).model_version.id
    versions = [each.model_version.id for each in model.list_versions()]
    assert len(versions) == 2
    assert versions[0] == newest  # pyright: ignore[reportPossiblyUnboundVariable]
    assert [each.id for each in user.app("app").list_models()] == ["chat-model"]
    assert user.list_models(show=False)[0]["url"] == "https://clarifai.com/ada/app/models/chat-model"


def test_a_local_runner_gets_an_id(nodepool: Any, model: Any) -> None:
    worker = {"model": {"id": "chat-model", "app_id": "app", "user_id": "ada"}}
    runner = nodepool.create_runner(runner_config={"runner": {"worker": worker, "num_replicas": 1}})
    assert len(runner.id) == 32
    assert [each.id for each in nodepool.list_runners()] == [runner.id]
    assert nodepool.runner(runner.id).runner_info.num_replicas == 1


def test_secrets_come_back_to_their_owner(user: Any) -> None:
    user.create_secrets([{"id": "TOKEN", "value": "hidden", "description": "of the upstream"}])
    user.patch_secrets([{"id": "TOKEN", "value": "changed"}], action="overwrite")
    [secret] = user.list_secrets()
    assert secret["value"] == "changed"
    assert user.get_secret("TOKEN")["value"] == "changed"
    user.delete_secrets(["TOKEN"])
    assert list(user.list_secrets()) == []


def test_the_catalogue(user: Any) -> None:
    assert "aws" in [provider.id for provider in user.list_cloud_providers()]
    region, *_ = user.list_cloud_regions("aws")
    types = user.list_instance_types("aws", region.id)
    assert "g5.xlarge" in [each.id for each in types]
