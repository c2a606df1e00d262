"""The fixture ``clarifai`` gives each test an empty account, with models, resources, and what happened."""

from __future__ import annotations

from typing import Any

import pytest

from plugin.conftest import Run

TESTS = """
import os
import time
from pathlib import Path

import pytest
from clarifai.client import Model, User
from clarifai_emulator import Fault

HELLO = "{models}/hello"
SEEN = {}


def test_readme(clarifai):
    hello = clarifai.deploy(HELLO)
    assert hello.model.predict(prompt="you") == "Hello, you!"
    hello.assert_routed(rule="owner_default")


def test_an_sdk_imported_above_the_tests_is_fine(clarifai):
    clarifai.deploy(HELLO)
    assert Model(url="https://clarifai.com/me/demo/models/hello").predict(prompt="x") == "Hello, x!"


def test_every_kind_of_call_is_told(clarifai):
    hello = clarifai.deploy(HELLO)
    hello.model.predict(prompt="a", n=0)
    list(hello.model.generate(prompt="b"))
    list(hello.model.stream(iter(["c", "d"])))
    unary, server, bidi = hello.calls
    assert (unary.method, unary.kind, unary.arguments, unary.results) == (
        "predict", "unary", {"prompt": "a", "n": 0}, ("Hello, a",)
    )
    assert (server.method, server.kind, server.results) == ("generate", "server stream", ("Hello,", "b!"))
    assert (bidi.method, bidi.kind, bidi.results) == ("stream", "bidi", ("Hello, c!", "Hello, d!"))
    assert [each["prompts"] for each in bidi.all_arguments] == ["c", "d"]
    assert unary.ok and unary.status == 10000 and unary.status_name == "SUCCESS" and unary.milliseconds > 0
    assert str(unary).startswith("me/demo/hello predict(prompt='a', n=0) → 'Hello, a' [10000 SUCCESS in ")


def test_a_batch_is_told_whole(clarifai):
    hello = clarifai.deploy(HELLO)
    hello.model.predict([{"prompt": "a"}, {"prompt": "b"}])
    assert [each["prompt"] for call in hello.calls for each in call.all_arguments] == ["a", "b"]


def test_routes(clarifai):
    hello = clarifai.deploy(HELLO)
    hello.model.predict(prompt="a")
    (route,) = clarifai.routes
    assert (route.rule, route.deployment, route.nodepool) == ("owner_default", "me/deploy-hello", "me/local/cpu")
    assert route.replica_id and route.reason and not route.refused
    assert hello.routes == clarifai.routes


def test_nothing_is_left_of_other_tests(clarifai):
    assert clarifai.calls == [] and clarifai.routes == [] and clarifai.logs == []
    assert clarifai.status()["deployments"] == [] and clarifai.status()["models"] == []


def test_one_account_after_the_other_a(clarifai):
    clarifai.deploy(HELLO, model="acme/search/models/ranker")
    clarifai.secret("token", "value")
    clarifai.fault(status="MODEL_DEPLOYING")
    SEEN["pid"] = _pids(clarifai)


def test_one_account_after_the_other_b(clarifai):
    assert clarifai.status()["models"] == [] and clarifai.status()["faults"] == []
    clarifai.deploy(HELLO, model="acme/search/models/ranker")


def test_a_model_stays_warm(clarifai):
    clarifai.deploy(HELLO)
    SEEN["warm"] = _pids(clarifai)


def test_and_serves_the_next_test(clarifai):
    began = time.perf_counter()
    hello = clarifai.deploy(HELLO)
    SEEN["took"] = time.perf_counter() - began
    assert _pids(clarifai) == SEEN["warm"]
    assert [e.fields["message"] for e in clarifai.events("replica.live")] == [
        "kept warm since an earlier deployment of the same code"
    ]
    assert hello.model.predict(prompt="warm") == "Hello, warm!"


def test_under_another_name_and_in_another_version(clarifai):
    hello = clarifai.deploy(HELLO, model="acme/search/models/ranker")
    assert hello.url == "https://clarifai.com/acme/search/models/ranker"
    assert _pids(clarifai) == SEEN["warm"]
    assert hello.model.predict(prompt="x") == "Hello, x!"


def test_reload(clarifai, tmp_path):
    import shutil
    path = Path(shutil.copytree(HELLO, tmp_path / "hello"))
    hello = clarifai.deploy(path)
    assert hello.model.predict(prompt="x") == "Hello, x!"
    first = hello.version_id
    source = path / "1" / "model.py"
    source.write_text(source.read_text().replace("Hello, {prompt}{", "Bye, {prompt}{"))
    hello.reload()
    assert hello.version_id != first
    assert hello.model.predict(prompt="x") == "Bye, x!"


def test_methods_logs_and_wait_ready(clarifai):
    hello = clarifai.deploy(HELLO, wait=False)
    hello.wait_ready()
    assert hello.methods == ("predict", "generate", "stream")
    hello.model.predict(prompt="x")
    deadline = time.monotonic() + 10
    while not any("model_predict" in line for line in hello.logs) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert any("model_predict" in line for line in hello.logs)
    assert repr(hello) == f"<me/demo/hello from {HELLO}>"


def test_wait_ready_says_what_it_waits_for(clarifai):
    hello = clarifai.deploy(HELLO, min_replicas=0)
    with pytest.raises(TimeoutError, match="min_replicas is 0, so nothing starts before the first request"):
        hello.wait_ready(seconds=0.2)


def test_factories(clarifai):
    cluster = clarifai.cluster("search", region="us-east-1")
    pool = clarifai.nodepool("small", cluster=cluster, instance_type="t3a.medium", max_instances=2)
    hello = clarifai.deploy(HELLO, nodepool=pool)
    second = clarifai.deployment("second", model=hello, nodepools=["cpu"])
    assert (cluster.region, pool.instance_types[0].id, second.id) == ("us-east-1", "t3a.medium", "second")
    Model(url=hello.url, deployment_id="second").predict(prompt="x")
    clarifai.assert_routed(rule="explicit_deployment", deployment="second", nodepool="cpu")
    Model(url=hello.url, compute_cluster_id="search", nodepool_id="small").predict(prompt="x")
    assert clarifai.routes[-1].nodepool == "me/search/small"


def test_a_nodepool_that_is_not_there(clarifai):
    hello = clarifai.deploy(HELLO)
    with pytest.raises(ValueError, match="There is no nodepool 'smal'; there are: local/cpu"):
        clarifai.deployment("second", model=hello, nodepools=["smal"])


def test_users_with_tokens(clarifai):
    hello = clarifai.deploy(HELLO)
    bob = clarifai.user("bob", first_name="Bob")
    assert User(user_id="bob", pat=bob.pat).get_user_info().user.first_name == "Bob"
    reader = clarifai.user("reader", scopes=["Models_Get"])
    with pytest.raises(Exception, match="which this key of user .*reader.* does not have"):
        Model(url=hello.url, pat=reader.pat).predict(prompt="x")


def test_secret(clarifai):
    assert clarifai.secret("token", "value").id == "token"
    assert [each["secret_id"] for each in User(user_id="me").list_secrets()] == ["token"]


def test_resources_alone_are_gone_too_a(clarifai):
    clarifai.cluster("alone")


def test_resources_alone_are_gone_too_b(clarifai):
    clarifai.cluster("alone")  # the same id once more: refused if it were still there


def with_secret(tmp_path_factory):
    import shutil
    path = tmp_path_factory.getbasetemp() / "with-secret"
    if not path.exists():
        shutil.copytree(HELLO, path)
        with (path / "config.yaml").open("a") as file:
            print("secrets: [{id: token, type: env, env_var: TOKEN}]", file=file)
        source = path / "1" / "model.py"
        text = source.read_text().replace("Hello, {prompt}{", "{__import__('os').environ['TOKEN']} {prompt}{")
        source.write_text(text)
    return path


def test_a_warm_model_has_the_secrets_of_its_own_test_a(clarifai, tmp_path_factory):
    clarifai.secret("token", "first")
    assert clarifai.deploy(with_secret(tmp_path_factory)).model.predict(prompt="x") == "first x!"


def test_a_warm_model_has_the_secrets_of_its_own_test_b(clarifai, tmp_path_factory):
    clarifai.secret("token", "second")
    assert clarifai.deploy(with_secret(tmp_path_factory)).model.predict(prompt="x") == "second x!"


def test_time_passes(clarifai):
    bob = clarifai.user("bob", expires_in=60)
    assert User(user_id="bob", pat=bob.pat).get_user_info().user.id == "bob"
    before = clarifai.clock.now()
    clarifai.clock.advance(61)
    assert clarifai.clock.now() - before >= 61
    with pytest.raises(Exception, match="The key has expired|CONN_KEY_INVALID"):
        User(user_id="bob", pat=bob.pat).get_user_info()


def test_time_does_not_go_back(clarifai):
    with pytest.raises(ValueError, match="time does not go back"):
        clarifai.clock.advance(-1)


def test_a_replica_is_scaled_down_when_its_time_has_come(clarifai):
    hello = clarifai.deploy(HELLO, min_replicas=0, wait=False)
    hello.model.predict(prompt="x")
    hello.wait_ready()
    clarifai.clock.advance(24 * 3600)
    deadline = time.monotonic() + 10
    while hello._fleet()["state"] != "scaled to zero" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert hello._fleet()["state"] == "scaled to zero"


def test_faults(clarifai):
    hello = clarifai.deploy(HELLO)
    with clarifai.fault(latency=0.05, times=1) as fault:
        hello.model.predict(prompt="x")
        assert fault.injected == 1
    clarifai.fault(Fault(status="MODEL_DEPLOYMENT_FAILED", message="on purpose"))
    with pytest.raises(Exception, match="on purpose"):
        hello.model.predict(prompt="x")
    assert not clarifai.calls[-1].ok


def test_route_without_a_call(clarifai):
    hello = clarifai.deploy(HELLO)
    assert clarifai.route(hello).rule == "owner_default"
    assert clarifai.route(hello.url, deployment=("me", "deploy-hello")).rule == "explicit_deployment"
    with pytest.raises(ValueError, match="does not name a model"):
        clarifai.route("hello")


def test_the_environment(clarifai):
    assert os.environ["CLARIFAI_API_BASE"] == clarifai.url and os.environ["CLARIFAI_PAT"] == clarifai.pat
    assert os.environ["CLARIFAI_USER_ID"] == clarifai.user_id == "me"
    assert not (Path.home() / ".config" / "clarifai").exists() and "clarifai-home-" in str(Path.home())


def test_a_reset_takes_milliseconds(clarifai):
    clarifai.deploy(HELLO)
    took = []
    for _ in range(20):
        began = time.perf_counter()
        clarifai.emulator.reset(keep_warm=True)
        took.append(time.perf_counter() - began)
    assert sorted(took)[10] < 0.05, took  # the figure itself is a benchmark's


def test_a_broken_model_says_what_to_mend(clarifai):
    from clarifai_emulator.errors import ModelError
    with pytest.raises(ModelError, match="model.py"):
        clarifai.deploy("{models}/crash_syntax")


def _pids(clarifai):
    return {
        replica["pid"]
        for deployment in clarifai.status()["deployments"]
        for version in deployment["versions"]
        for replica in version["replicas"]
    }
"""
NAMES = [line.split("(")[0].removeprefix("def ") for line in TESTS.splitlines() if line.startswith("def test_")]


@pytest.fixture(scope="module")
def run(nested: Any) -> Run:
    return nested({"test_account.py": TESTS})


@pytest.mark.parametrize("name", NAMES)
def test_in_a_client_project(run: Run, name: str) -> None:
    assert run.outcome(name) == "PASSED", run.failure(name)


def test_nothing_else_is_said(run: Run) -> None:
    assert f"{len(NAMES)} passed" in run.text
    assert "warning" not in run.text.rpartition("passed")[2]
