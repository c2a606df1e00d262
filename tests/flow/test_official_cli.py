"""The official `clarifai` command line works unmodified, pointed at the emulator by base URL alone.

Each test runs the real command in a process of its own, with an empty HOME.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import grpc
import pytest

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import MODELS, Client, free_port, running, text_of, wait_for
from flow.official_cli import PYTHON, Official, model_directory, request, served_by
from flow.processes import TOKEN
from flow.served_files import serving_files

# A test is a dozen processes that each import the SDK.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

packs_this_python = pytest.mark.skipif(
    PYTHON not in ("3.11", "3.12"),
    reason=f"the SDK packs models for Python 3.11 and 3.12, and this is {PYTHON}: building one needs the network",
)

# One white pixel.
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTj2/QAAAABJRU5ErkJggg=="
)
ACCOUNTS = """
users:
  - {id: ada, first_name: Ada, last_name: Lovelace, email: ada@example.com}
  - {id: bob}
organisations: [{id: zebra, members: [ada]}, {id: acme, name: Acme Ltd, members: [ada]}]
tokens: [{token: ada-token, user: ada}, {token: bob-token, user: bob}]
"""
CLUSTER = """
compute_cluster:
  id: of-the-file
  description: made by the CLI
  cloud_provider: {id: aws}
  region: us-east-1
  managed_by: clarifai
  cluster_type: dedicated
  visibility: {gettable: 10}
"""
NODEPOOL = """
nodepool:
  id: of-the-file
  compute_cluster: {id: mine, user_id: me}
  description: made by the CLI
  instance_types: [{id: t3a.medium, compute_info: {cpu_limit: "1", cpu_memory: 2Gi}}]
  node_capacity_type: {capacity_types: [1]}
  max_instances: 1
  min_instances: 0
"""
DEPLOYMENT = """
deployment:
  id: of-the-file
  user_id: me
  worker: {model: {id: hello, app_id: demo, user_id: me}}
  nodepools: [{id: pool, compute_cluster: {id: mine, user_id: me}}]
  autoscale_config: {min_replicas: 0, max_replicas: 1}
  scheduling_choice: 4
"""


@pytest.fixture(scope="module")
def served() -> Iterator[EmulatorThread]:
    with running() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def cli(served: EmulatorThread, tmp_path_factory: pytest.TempPathFactory) -> Official:
    return Official(served.url, tmp_path_factory.mktemp("home"))


@pytest.fixture
def empty(served: EmulatorThread) -> EmulatorThread:
    served.reset()
    return served


@pytest.fixture
def hello(tmp_path: Path) -> Path:
    """Write the sample model as a user of the platform has it: with the SDK and the Python it is written for."""
    return model_directory(tmp_path / "hello")


class TestAccount:
    def test_login_config_and_whoami(self, cli: Official, empty: EmulatorThread) -> None:
        said = cli.ok("login", cli.url, "--pat", TOKEN)
        assert f"Logged in as me ({cli.url})" in said
        assert f"CLARIFAI_API_BASE: {cli.url}" in cli.ok("config", "view")
        context = cli.ok("config", "current-context").split()[0]
        assert f"{context} " in cli.ok("config", "get-contexts")
        assert "User:     me" in cli.ok("whoami")

    def test_the_organisations_of_a_user(self, tmp_path: Path) -> None:
        pats = tmp_path / "pats.yaml"
        pats.write_text(ACCOUNTS)
        pats.chmod(0o600)
        with running(pats_file=pats, user_id="ada") as emulator:
            cli = Official(emulator.url, tmp_path, pat="ada-token")
            said = cli.ok("whoami", "--orgs")
            assert re.search(r"Organizations:\n +acme +Acme Ltd\n +zebra +zebra\n", said)
            said = cli.ok("whoami", "--all")
            assert "Acme Ltd" in said
            # The CLI looks for a field that no User has, whatever is answered.
            assert "Warning: could not fetch full profile from API." in said
            known = json.loads(cli.ok("whoami", "--orgs", "-o", "json"))
            assert known["user_id"] == "ada"
            assert known["organizations"] == [{"id": "acme", "name": "Acme Ltd"}, {"id": "zebra", "name": "zebra"}]
            said = cli.ok("login", emulator.url, "--pat", "ada-token", stdin="2\n")  # for whom, it asks
            assert "Logged in as acme" in said
            alone = Official(emulator.url, tmp_path, pat="bob-token")
            assert "Organizations" not in alone.ok("whoami", "--orgs")

    def test_login_with_a_token_that_is_not_accepted(self, tmp_path: Path) -> None:
        with running(pats={"good-token": "me"}) as emulator, pytest.raises(AssertionError, match="API key"):
            Official(emulator.url, tmp_path)

    def test_instances(self, cli: Official, empty: EmulatorThread) -> None:
        said = cli.ok("list-instances", "--cloud", "aws", "--gpu", "L4")
        assert re.search(r"g6\.xlarge\s+aws\s+us-east-1\s+1\s+NVIDIA-L4\s", said)
        assert "t3a.medium" not in said


class TestCompute:
    def test_clusters_nodepools_and_deployments(self, cli: Official, empty: EmulatorThread, tmp_path: Path) -> None:
        empty.deploy(MODELS / "hello")
        files = {"cluster": CLUSTER, "nodepool": NODEPOOL, "deployment": DEPLOYMENT}
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        cli.ok("computecluster", "create", "mine", "--config", tmp_path / "cluster")
        cli.ok("nodepool", "create", "mine", "pool", "--config", tmp_path / "nodepool")
        cli.ok("deployment", "create", "pool", "served", "--config", tmp_path / "deployment")

        assert re.search(r"mine\s+me\s+made by the CLI", cli.ok("computecluster", "list"))
        assert re.search(r"pool\s+me\s+mine\s+made by the CLI", cli.ok("nodepool", "list", "mine"))
        assert re.search(r"served\s+hello\s+\w{12}\s+pool\s+mine", cli.ok("deployment", "list"))
        assert "Replicas (live/desired): 0/0" in cli.ok("deployment", "get", "served")

        assert "Deployment 'served' deleted." in cli.ok("deployment", "delete", "served")
        cli.ok("nodepool", "delete", "mine", "pool")
        cli.ok("computecluster", "delete", "mine")
        assert "mine" not in cli.ok("computecluster", "list")

    def test_what_does_not_exist(self, cli: Official, empty: EmulatorThread) -> None:
        done = cli.run("deployment", "get", "nothing")
        assert done.returncode == 1
        assert "Deployment 'nothing' not found." in done.stderr
        assert "Status: Resource does not exist" in done.stderr


@packs_this_python
class TestAModelsLife:
    def test_from_init_to_undeploy(self, cli: Official, empty: EmulatorThread, tmp_path: Path) -> None:
        said = cli.ok("model", "init", tmp_path / "fresh")
        assert (tmp_path / "fresh" / "1" / "model.py").is_file(), said

        hello, name = model_directory(tmp_path / "hello"), "me/demo/models/hello"
        url = f"https://clarifai.com/{name}"
        said = cli.ok("model", "upload", hello, stdin="y\n")
        assert "Building image... done" in said
        version = re.search(r"Version: +(\w{32})", said)
        assert version is not None

        said = cli.ok("model", "deploy", "--model-url", url, "--instance", "t3a.medium")
        assert f"Version:          {version[1]}" in said
        assert "Model is ready! Live replicas: 1" in said
        deployment = re.search(r"Deployment '(deploy-hello-\w{6})' created", said)
        assert deployment is not None
        said = cli.ok("model", "status", name)
        assert "Replicas (live/desired): 1/1" in said
        assert "Nodepool:         deploy-np-t3a-medium" in said

        assert cli.ok("model", "predict", name, "you", "--deployment", deployment[1]).strip() == "Hello,you!"
        assert "ModelServer initialized" in cli.ok("model", "logs", "--model-url", url, "--no-follow")
        events = cli.ok("model", "logs", "--deployment", deployment[1], "--log-type", "events", "--no-follow")
        assert "replica.live: ready after" in events
        assert re.search(r"hello\s+text-to-text\s", cli.ok("model", "list", "me"))

        assert f"Deployment '{deployment[1]}' deleted." in cli.ok("model", "undeploy", name)
        assert "No deployments found." in cli.ok("deployment", "list")

    def test_deploying_a_directory(self, cli: Official, empty: EmulatorThread, hello: Path) -> None:
        said = cli.ok("model", "deploy", hello, "--instance", "t3a.medium")
        assert "Building image... done" in said
        assert "Model is ready! Live replicas: 1" in said
        route = cli.ok("model", "predict", "me/demo/models/hello", "you", "--method", "predict")
        assert route.strip() == "Hello, you!"

    def test_an_app_that_is_not_there_is_asked_about(
        self, cli: Official, empty: EmulatorThread, hello: Path
    ) -> None:
        config = hello / "config.yaml"
        config.write_text(config.read_text().replace("app_id: demo", "app_id: never-seen"))
        refused = cli.run("model", "upload", hello, stdin="n\n")
        assert refused.returncode != 0
        assert "Do you want to create App `never-seen`?" in refused.stdout
        assert "Building image... done" in cli.ok("model", "upload", hello, stdin="y\n")
        assert "Building image... done" in cli.ok("model", "upload", hello)

    def test_what_links_lead_to_and_the_number_of_threads_come_with_the_version(
        self, cli: Official, empty: EmulatorThread, hello: Path, tmp_path: Path
    ) -> None:
        source = hello / "1" / "model.py"
        source.rename(tmp_path / "elsewhere.py")
        source.symlink_to(tmp_path / "elsewhere.py")
        with (hello / "config.yaml").open("a") as config:
            config.write("\nnum_threads: 5\n")
        assert "Building image... done" in cli.ok("model", "upload", hello, stdin="y\n")
        with closing(Client(empty.url)) as client:
            (version,) = client.call(
                "ListModelVersions", user_app_id=request().user_app_id, model_id="hello"
            ).model_versions
        assert version.num_threads == 5
        assert "predict" in [each.name for each in version.method_signatures]

    def test_every_line_of_the_build_log_comes_once(
        self, cli: Official, empty: EmulatorThread, hello: Path
    ) -> None:
        said = cli.ok("model", "upload", hello, "--verbose", stdin="y\n")
        for line in ("unpacking the archive", "reading the method signatures of model.py", "is built: predict,"):
            assert said.count(line) == 1, line
        assert "Model build complete!" in said

    def test_a_build_that_fails(self, cli: Official, empty: EmulatorThread, hello: Path) -> None:
        """The CLI leaves checkpoints out of the archive; what reads them while it is imported works on its user's
        machine only."""
        source = hello / "1" / "model.py"
        (hello / "1" / "checkpoints").mkdir()
        (hello / "1" / "checkpoints" / "weights").write_text("1")
        source.write_text(
            f"import pathlib\n{source.read_text()}\n"
            "WEIGHTS = (pathlib.Path(__file__).parent / 'checkpoints' / 'weights').read_text()\n"
        )
        said = cli.ok("model", "upload", hello, stdin="y\n")  # the CLI itself says that it failed, and ends with 0
        assert "Model build failed with status: model.py cannot be used: FileNotFoundError" in said
        assert "reading the method signatures of model.py" in said
        assert "Upload failed. Check logs above for details." in said
        url = "https://clarifai.com/me/demo/models/hello"
        done = cli.run("model", "deploy", "--model-url", url, "--instance", "t3a.medium")
        assert done.returncode != 0
        assert "was not built: model.py cannot be used" in done.stdout + done.stderr


class TestPredict:
    NAME = "me/demo/models/hello"

    @pytest.fixture(autouse=True)
    def _deployed(self, empty: EmulatorThread) -> None:
        empty.deploy(MODELS / "hello")

    def test_inputs_of_every_form(self, cli: Official) -> None:
        predict = ("model", "predict", self.NAME, "--method", "predict")
        assert cli.ok(*predict, "text").strip() == "Hello, text!"
        assert cli.ok(*predict, stdin="piped\n").strip() == "Hello, piped!"
        assert cli.ok(*predict, "-i", "prompt=pairs", "-i", "n=2").strip() == "Hello, pairs!!"
        assert cli.ok(*predict, "--inputs", '{"prompt": "json"}').strip() == "Hello, json!"
        assert cli.ok(*predict, "text", "-o", "json").strip() == '{"result": "Hello, text!"}'
        assert cli.ok("model", "predict", self.NAME, "streamed").strip() == "Hello,streamed!"
        url = f"https://clarifai.com/{self.NAME}"
        said = cli.ok("model", "predict", "--model-url", url, "-i", "prompt=url", "--method", "predict")
        assert said.strip() == "Hello, url!"

    def test_a_chat(self, cli: Official, empty: EmulatorThread) -> None:
        empty.deploy(MODELS / "openai")
        predict = ("model", "predict", "me/demo/models/openai")
        # As the model cuts it; what follows is the chunk with the usage, which the CLI shows as it is.
        assert cli.ok(*predict, "--chat", "hello there").startswith("Yousaid:hellothere{")
        assert cli.ok(*predict, "hello").startswith("Yousaid:hello{")
        assert cli.ok(*predict, stdin="piped").startswith("Yousaid:piped{")
        said = json.loads(cli.ok(*predict, "--chat", "hello", "-o", "json"))
        assert said["result"].startswith("Yousaid:hello{")
        done = cli.run("model", "predict", self.NAME, "--chat", "hello")
        assert done.returncode == 2
        assert "does not support OpenAI chat. Available methods: predict, generate, stream" in done.stderr

    def test_a_picture_from_a_file_and_from_an_address(
        self, cli: Official, empty: EmulatorThread, tmp_path: Path
    ) -> None:
        empty.deploy(MODELS / "types")
        (tmp_path / "dot.png").write_bytes(PICTURE)
        predict = ("model", "predict", "me/demo/models/types", "--method", "echo_image")
        assert cli.ok(*predict, "--file", tmp_path / "dot.png").strip() == f"Image(bytes=<{len(PICTURE)} bytes>)"
        with serving_files(tmp_path) as address:
            said = cli.ok(*predict, "--url", f"{address}/dot.png")
        assert f"bytes=<{len(PICTURE)} bytes>" in said  # the runner has fetched it

    def test_where_to_can_be_said_in_every_form(self, cli: Official, empty: EmulatorThread) -> None:
        url = f"https://clarifai.com/{self.NAME}"
        said = ("--method", "predict", "-i", "prompt=you")
        for words in (
            (self.NAME, "--deployment", "deploy-hello"),
            (self.NAME, "--deployment_id", "deploy-hello", "--deployment_user_id", "me"),
            (self.NAME, "--compute_cluster_id", "local", "--nodepool_id", "cpu"),
            ("--model_url", url),
            (f"{url}/versions/{versions_of(empty.url)[0]}",),
        ):
            assert cli.ok("model", "predict", *words, *said).strip() == "Hello, you!", words
        rules = [event.fields["rule"] for event in empty.events("route.decided")]
        assert rules[-5:] == ["explicit_deployment"] * 2 + ["explicit_nodepool"] + ["owner_default"] * 2

    def test_input_that_it_cannot_take(self, cli: Official) -> None:
        predict = ("model", "predict", self.NAME, "--method", "predict")
        for words, says in (
            ((), "No input provided."),
            (("-i", "prompt"), "Invalid input format: 'prompt'. Use key=value."),
            (("--inputs", "{"), "Invalid JSON in --inputs parameter"),
            (("-i", "promt=x"), "promt"),
        ):
            done = cli.run(*predict, *words)
            assert done.returncode != 0
            assert says in done.stdout + done.stderr

    def test_the_methods(self, cli: Official) -> None:
        said = cli.ok("model", "predict", self.NAME, "--info")
        assert "def predict(prompt: str, n: int = 1) -> str:" in said
        assert "def generate(prompt: str) -> Iterator[str]:" in said

    def test_a_model_that_is_deployed_nowhere(self, cli: Official, empty: EmulatorThread) -> None:
        cli.ok("model", "undeploy", "--deployment", "deploy-hello")
        done = cli.run("model", "predict", self.NAME, "text", "--method", "predict")
        assert done.returncode == 1
        assert "MODEL_NOT_DEPLOYED" in done.stderr


class TestServe:
    def test_in_the_current_environment(self, cli: Official, empty: EmulatorThread, hello: Path) -> None:
        with cli.serving(hello), served_by(empty.url) as client:
            assert text_of(client.call("PostModelOutputs", request())) == "Hello, you!"
            assert "Replicas (live/desired): 1/1" in cli.ok("model", "status", "me/demo/models/hello")
            assert self.state(empty) == ("ready", "", 1)
        wait_for(lambda: self.state(empty)[2] == 0)
        waits = "its nodepool has no nodes of its own: start the runner yourself"
        assert self.state(empty) == ("scaled to zero", waits, 0)
        again = cli.home / "serve.log"
        with cli.serving(hello), served_by(empty.url) as client:
            assert text_of(client.call("PostModelOutputs", request())) == "Hello, you!"
            versions = client.call("ListModelVersions", user_app_id=request().user_app_id, model_id="hello")
            assert len(versions.model_versions) == 1, again.read_text()

    @staticmethod
    def state(emulator: EmulatorThread) -> tuple[str, str, int]:
        """Return the deployment's state, what it waits for, and how many replicas it has."""
        (deployment,) = emulator.status()["deployments"]
        (version,) = deployment["versions"]
        return version["state"], version["pending"], len(version["replicas"])

    @pytest.mark.slow
    def test_in_an_environment_of_its_own(self, cli: Official, empty: EmulatorThread, tmp_path: Path) -> None:
        model = model_directory(tmp_path / "hello", ["humanize==4.12.0"])
        source = model / "1" / "model.py"
        source.write_text(f"import humanize\n{source.read_text()}")
        network = {name: os.environ.get(name, "") for name in ("HTTPS_PROXY", "UV_OFFLINE", "NO_PROXY", "no_proxy")}
        with cli.serving(model, "--mode", "env", **network), served_by(empty.url, seconds=200) as client:
            assert text_of(client.call("PostModelOutputs", request())) == "Hello, you!"

    def test_as_a_grpc_server_without_the_platform(self, cli: Official, hello: Path) -> None:
        port = free_port()
        with cli.serving(hello, "--grpc", "--port", str(port)):
            client = Client(f"http://127.0.0.1:{port}")

            def answer() -> str:
                try:
                    return text_of(client.call("PostModelOutputs", request()))
                except grpc.RpcError:
                    return ""

            assert wait_for(answer, seconds=30) == "Hello, you!"
            client.close()


def versions_of(url: str) -> list[str]:
    client = Client(url)
    found = client.call("ListModelVersions", user_app_id={"user_id": "me", "app_id": "demo"}, model_id="hello")
    client.close()
    return [each.id for each in found.model_versions]
