"""Markers, ini options and command-line options take effect."""

from __future__ import annotations

from typing import Any

import pytest

from plugin.conftest import MODELS, Run

TESTS = """
import pytest
from clarifai.client import Model

HELLO = "{models}/hello"


@pytest.mark.clarifai_model("models/hello")
def test_marked():
    assert Model(url="https://clarifai.com/me/demo/models/hello").predict(prompt="x") == "Hello, x!"


@pytest.mark.clarifai_model(HELLO, nodepool="cpu", deployment="mine")
class TestOfAClass:
    def test_in_a_class(self, clarifai):
        (hello,) = clarifai.deployed
        assert hello.deployment_id == "mine"

    @pytest.mark.clarifai_model(HELLO, model="acme/search/models/ranker")
    def test_both(self, clarifai):
        assert [each.key[2] for each in clarifai.deployed] == ["hello", "ranker"]


@pytest.mark.clarifai_topology("team.yaml")
def test_topology(clarifai):
    Model(url="https://clarifai.com/me/demo/models/hello").predict(prompt="x")
    clarifai.assert_routed(deployment="hello-search", nodepool="small")


@pytest.mark.clarifai_topology("broken.yaml")
def test_broken_topology():
    pass


@pytest.mark.clarifai_model(HELLO, backend="docker")
def test_other_backend():
    pass


@pytest.mark.clarifai_model()
def test_no_directory():
    pass


@pytest.mark.clarifai_model("nowhere")
def test_no_such_directory():
    pass


@pytest.mark.clarifai_gpu(2)
def test_gpus(clarifai):
    assert len(clarifai.gpus) == 2


@pytest.mark.clarifai_gpu
@pytest.mark.clarifai_model("{models}/gpu", nodepool="gpu")
def test_a_model_on_its_gpu(clarifai):
    (deployment,) = clarifai.status()["deployments"]
    assert deployment["versions"][0]["replicas"][0]["devices"] == list(clarifai.gpus)


@pytest.mark.clarifai_gpu(3)
def test_too_many_gpus():
    pass


def test_no_gpu_is_held_without_the_mark(clarifai):
    assert clarifai.gpus == ()
"""
TEAM = """
compute_clusters:
  - {id: search, cloud_provider: {id: aws}, region: us-east-1, managed_by: clarifai, cluster_type: dedicated}
nodepools:
  - id: small
    compute_cluster: {id: search}
    instance_types: [{id: t3a.medium}]
    node_capacity_type: {capacity_types: [1]}
    max_instances: 2
models:
  - path: models/hello
    deploy: {nodepool: small, deployment_id: hello-search, min_replicas: 1}
"""


@pytest.fixture(scope="module")
def run(nested: Any) -> Run:
    files = {"test_marks.py": TESTS, "team.yaml": TEAM, "broken.yaml": "nodepolls: []\n"}
    for path in (MODELS / "hello").rglob("*.*"):
        if path.suffix in (".py", ".yaml", ".txt"):
            files[f"models/hello/{path.relative_to(MODELS / 'hello')}"] = path.read_text()
    return nested(files, ini="clarifai_gpus = 2")


@pytest.mark.parametrize(
    "name",
    [
        "test_marked",
        "test_in_a_class",
        "test_both",
        "test_topology",
        "test_gpus",
        "test_a_model_on_its_gpu",
        "test_no_gpu_is_held_without_the_mark",
    ],
)
def test_marks_prepare_the_account(run: Run, name: str) -> None:
    assert run.outcome(name) == "PASSED", run.failure(name)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("test_broken_topology", "nodepolls: is not a known name; did you mean 'nodepools'?"),
        ("test_other_backend", "The test needs the backend 'docker', this run uses 'process': run it with"),
        ("test_no_directory", "clarifai_model takes one model directory: @pytest.mark.clarifai_model('DIR')."),
        ("test_no_such_directory", "nowhere"),
        ("test_too_many_gpus", "The test wants 3 GPUs, this machine has 2. `clarifai_gpus = 3` in the ini file"),
    ],
)
def test_marks_that_cannot_be_done_say_why(run: Run, name: str, words: str) -> None:
    assert run.outcome(name) == "ERROR"
    assert words in run.failure(name)


def test_the_header_says_how_tests_run(run: Run) -> None:
    assert "clarifai: backend process, 2 simulated GPUs, contract strict, real platform refused" in run.text


def test_markers_and_fixtures_are_documented(nested: Any) -> None:
    run = nested({"test_none.py": ""}, "--markers")
    for mark in ("clarifai_model(path, **options)", "clarifai_topology(*files)", "clarifai_gpu(n=1)"):
        assert f"@pytest.mark.{mark}: " in run.text
    run = nested({"test_none.py": ""}, "--fixtures")
    for name in ("clarifai", "clarifai_emulator [session scope]", "clarifai_faults"):
        assert f"\n{name} -- " in run.text or f"\n{name}\n" in run.text
    assert "The test's own account on the emulator, empty at first" in run.text


def test_strict_markers_know_them(nested: Any) -> None:
    test = "import pytest\n@pytest.mark.clarifai_gpu(1)\ndef test_a():\n    pass\n"
    run = nested({"test_a.py": test}, "--strict-markers", "--collect-only")
    assert run.code == 0
    assert "1 test collected" in run.text


def test_missing_gpus_can_be_skipped(nested: Any) -> None:
    test = "import pytest\n@pytest.mark.clarifai_gpu(1)\ndef test_a():\n    pass\n"
    run = nested({"test_a.py": test}, "--clarifai-gpus", "0", ini="clarifai_gpu_missing = skip")
    assert run.outcome("test_a") == "SKIPPED"


WRONG = {
    "clarifai_backend = dokcer": "clarifai_backend must be one of process, docker, inprocess, found 'dokcer'",
    "clarifai_scope = session": "clarifai_scope must be one of worker, shared, found 'session'",
    "clarifai_hold_seconds = soon": "clarifai_hold_seconds must be a number that is not negative, found 'soon'",
    "clarifai_gpus = two": "clarifai_gpus must be a whole number, found 'two'",
    "clarifai_contract = loud": "clarifai_contract must be one of strict, warn, off, found 'loud'",
    "clarifai_fuzz_seconds = never": "clarifai_fuzz_seconds must be a number that is not negative, found 'never'",
    "clarifai_docker_limits = maybe": "clarifai_docker_limits must be yes or no, found 'maybe'",
    "clarifai_cassettes = some": "clarifai_cassettes must be one of none, once, new, all, found 'some'",
}


@pytest.fixture(scope="module")
def wrong(nested: Any) -> Run:
    return nested({"test_a.py": "def test_a():\n    pass\n"}, ini="\n".join(WRONG))


@pytest.mark.parametrize("ini", WRONG)
def test_a_wrong_option_is_refused_with_what_it_may_be(wrong: Run, ini: str) -> None:
    assert wrong.code == 4
    assert WRONG[ini] in wrong.text


def test_options_of_pyproject_toml(nested: Any) -> None:
    files = {
        "pytest.ini": "",
        "pyproject.toml": '[tool.pytest.ini_options]\nclarifai_runner = "genuine"\n'
        'asyncio_default_fixture_loop_scope = "function"\n',
        "test_a.py": """
            def test_a(clarifai):
                assert clarifai.emulator.config.runner == "genuine"
                assert clarifai.deploy("{models}/hello").model.predict(prompt="x") == "Hello, x!"
            """,
    }
    run = nested(files, "-c", "pyproject.toml")
    assert run.outcome("test_a") == "PASSED", run.failure("test_a")
    assert "runner genuine" in run.text


def test_options_of_up_are_settings_here_too_and_its_variables_count(
    nested: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLARIFAI_EMULATOR_DOCKER_BASE_IMAGE", "from-the-variable")
    test = """
        def test_a(clarifai):
            config = clarifai.emulator.config
            assert (config.docker.base_image, config.docker.limits) == ("from-the-variable", False)
            assert (config.queue_size, config.request_seconds) == (7, 9.0)
        """
    ini = "clarifai_docker_base_image = ini\nclarifai_docker_limits = no\nclarifai_queue_size = 7"
    run = nested({"test_a.py": test}, "--clarifai-request-seconds", "9", ini=ini)
    assert run.outcome("test_a") == "PASSED", run.text


def test_in_process_a_test_reaches_into_the_model(nested: Any) -> None:
    test = """
        import sys

        def test_patched(clarifai, monkeypatch):
            hello = clarifai.deploy("{models}/hello")
            files = {str(getattr(each, "__file__", "")): each for each in list(sys.modules.values())}
            model = files["{models}/hello/1/model.py"]
            from clarifai.runners.models.model_class import ModelClass

            @ModelClass.method
            def predict(self, prompt: str, n: int = 1) -> str:
                return "patched"

            monkeypatch.setattr(model.Hello, "predict", predict)
            assert hello.model.predict(prompt="x") == "patched"

        def test_not_patched_any_more(clarifai):
            assert clarifai.deploy("{models}/hello").model.predict(prompt="x") == "Hello, x!"
        """
    run = nested({"test_a.py": test}, "--clarifai-backend", "inprocess")
    assert run.outcome("test_patched") == "PASSED", run.failure("test_patched")
    assert run.outcome("test_not_patched_any_more") == "PASSED"
