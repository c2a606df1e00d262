"""A cassette holds the calls that models make, too: played without any model, or for one model while others run."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
import yaml

from plugin.conftest import SCOPES, Nested
from plugin.group_models import FAKE, GROUP

pytestmark = pytest.mark.timeout(300)

TESTS = """
import pytest
from clarifai.client import Model


@pytest.mark.clarifai_cassette("group")
@pytest.mark.clarifai_models("ranker", "router")
def test_group(clarifai):
    router, ranker = clarifai.handle("router").model, clarifai.handle("ranker").model
    assert router.predict(query="a") == "a0 a1"
    assert ranker.predict(query="a") == ["a0", "a1"]
    assert list(router.generate(query="b")) == ["b first", "b second"]
"""

ONE = """
import pytest


@pytest.mark.clarifai_cassette("group", only=["ranker"])
@pytest.mark.clarifai_models("ranker", "router")
def test_one(clarifai):
    router = clarifai.handle("router").model
    assert router.predict(query="a") == "a0 a1!"
    assert list(router.generate(query="b")) == ["b first", "b second"]
    assert [(call.model.rpartition("/")[2], call.by.rpartition("/")[2]) for call in clarifai.calls] == [
        ("router", ""), ("ranker", "router"), ("router", ""), ("ranker", "router"),
    ]
    running = [each["deployment_id"] for each in clarifai.status()["deployments"]]
    assert running == ["deploy-router"]


@pytest.mark.clarifai_cassette("group", only=["ranker"])
@pytest.mark.clarifai_models("ranker", "router")
def test_another_question(clarifai):
    clarifai.handle("router").model.predict(query="c")


@pytest.mark.clarifai_cassette("group", only="rankr")
def test_a_model_that_is_not_there(clarifai):
    pass


@pytest.mark.clarifai_cassette("group", only=["a/b/c/d"])
def test_no_name(clarifai):
    pass
"""

INNER = """
import pytest
from clarifai.client import Model


@pytest.mark.clarifai_cassette("group", mode="none")
def test_a_call_that_only_a_model_made(clarifai):
    ranker = Model(url="https://clarifai.com/me/main/models/ranker")
    list(ranker.generate(query="b"))


@pytest.mark.clarifai_cassette("group", mode="none")
def test_another_query(clarifai):
    Model(url="https://clarifai.com/me/main/models/ranker").predict(query="z")
"""


@pytest.fixture(scope="module")
def project(nested: Nested, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Record the calls of a group, of its test and of its models."""
    folder = tmp_path_factory.mktemp("group")
    run = nested({**GROUP, "test_group.py": TESTS}, into=folder)
    assert run.code == 0, run.text
    return folder


def calls_of(project: Path) -> list[dict[str, Any]]:
    return yaml.safe_load((project / "cassettes" / "group.yaml").read_text())["calls"]


def asked(project: Path) -> list[tuple[str, str, str]]:
    """Return the inference calls of a cassette: model, call, and the model that made it."""
    found = [call for call in calls_of(project) if "call" in call]
    return [(call["requests"][0]["model_id"], call["call"], call.get("by", "")) for call in found]


def without_models(project: Path, folder: Path) -> Path:
    shutil.copytree(project / "cassettes", folder / "cassettes")
    return folder


def test_a_cassette_has_the_calls_of_models_behind_those_they_answered(project: Path) -> None:
    assert asked(project) == [
        ("router", "predict(query='a')", ""),
        ("ranker", "predict(query='a')", "me/main/router"),
        ("ranker", "predict(query='a')", ""),
        ("router", "generate(query='b')", ""),
        ("ranker", "generate(query='b')", "me/main/router"),
    ]


def test_an_inner_call_names_the_call_around_it(project: Path) -> None:
    calls = calls_of(project)
    inner = [call for call in calls if call.get("by")]
    assert {call["rpc"] for call in inner} > {"PostModelOutputs", "GenerateModelOutputs"}
    around = {call["call"]: calls[call["parent"] - 1]["call"] for call in inner if "call" in call}
    assert around == {"predict(query='a')": "predict(query='a')", "generate(query='b')": "generate(query='b')"}
    assert all(calls[call["parent"] - 1]["requests"][0]["model_id"] == "router" for call in inner)


def test_no_credential_of_a_replica_is_written_down(project: Path) -> None:
    text = (project / "cassettes" / "group.yaml").read_text()
    assert "replica-" not in text
    assert "local-emulator-token" not in text


@pytest.mark.parametrize("scope", SCOPES)
def test_played_where_no_model_is(nested: Nested, project: Path, tmp_path: Path, scope: str) -> None:
    folder = without_models(project, tmp_path)
    run = nested({"test_group.py": TESTS}, "--clarifai-cassettes", "none", *SCOPES[scope], into=folder)
    assert run.outcome("test_group") == "PASSED", run.text


@pytest.fixture(scope="module")
def one(nested: Nested, project: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Play the ranker, whose directory is gone, while a router runs that has changed."""
    folder = without_models(project, tmp_path_factory.mktemp("one"))
    router = {name: text for name, text in GROUP.items() if name.startswith("router/")}
    code = router["router/1/model.py"].replace('" ".join(', '"!".join(["", ""]) and "" or " ".join(')
    router["router/1/model.py"] = code.replace("predict(query=query))", "predict(query=query)) + '!'")
    return nested({**router, "test_one.py": ONE}, into=folder)


def test_one_model_is_played_while_the_others_run(one: Any) -> None:
    assert one.outcome("test_one") == "PASSED", one.failure("test_one")


def test_a_question_that_a_model_did_not_ask_then_names_it_and_the_nearest(one: Any) -> None:
    text = one.failure("test_another_question")
    assert (
        "me/main/ranker predict(query='c'), asked by me/main/router, was not recorded. "
        "The nearest is me/main/ranker predict(query='a'):" in text
    )
    assert "Record it again: --clarifai-cassettes all." in text


def test_a_model_without_a_call_in_the_cassette_is_refused(one: Any) -> None:
    text = one.failure("test_a_model_that_is_not_there")
    assert "has no call of 'rankr'; it has calls of me/main/ranker, me/main/router. Did you mean 'ranker'?" in text
    assert "clarifai_cassette(only=…) takes names of models: 'a/b/c/d' is no name" in one.failure("test_no_name")


def test_a_call_of_a_model_is_not_one_of_the_test(nested: Nested, project: Path, tmp_path: Path) -> None:
    run = nested({"test_inner.py": INNER}, into=without_models(project, tmp_path))
    text = run.failure("test_a_call_that_only_a_model_made")
    assert "me/main/ranker generate(query='b') was not recorded" in text
    assert "It is recorded as a call that me/main/router made." in text
    assert "me/main/ranker predict(query='z') was not recorded. The nearest is me/main/ranker predict(" in (
        run.failure("test_another_query")
    )


def test_recorded_again_whole_also_with_one_model_named(nested: Nested, project: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(project, tmp_path / "again")
    before = asked(folder)
    test = TESTS.replace('"group")', '"group", only=["ranker"])')
    run = nested({"test_group.py": test}, "--clarifai-cassettes", "all", into=folder)
    assert run.code == 0, run.text
    assert asked(folder) == before


def test_what_one_model_was_not_asked_yet_is_added(nested: Nested, project: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(project, tmp_path / "new")
    test = """
        import pytest

        @pytest.mark.clarifai_cassette("group", only=["ranker"], mode="new")
        @pytest.mark.clarifai_models("ranker", "router")
        def test_new(clarifai):
            router = clarifai.handle("router").model
            assert router.predict(query="a") == "a0 a1"
            assert router.predict(query="c") == "c0 c1"
        """
    before = asked(folder)
    run = nested({"test_new.py": test}, "test_new.py", into=folder)
    assert run.code == 0, run.text
    assert asked(folder) == [*before, ("ranker", "predict(query='c')", "me/main/router")]


ELSEWHERE = """
import pytest
from clarifai_emulator import EmulatorConfig, EmulatorThread


@pytest.fixture(scope="session")
def platform():
    with EmulatorThread(EmulatorConfig(port={port}, pats={"theirs": "me"}, stop_seconds=0)) as other:
        other.deploy("fakes/ranker")
        yield other


@pytest.mark.clarifai_cassette("elsewhere", only=["ranker"], record_from="http://127.0.0.1:{port}")
@pytest.mark.clarifai_models("router")
def test_elsewhere(request, clarifai):
    if clarifai.cassette.mode == "record":
        request.getfixturevalue("platform")
    assert clarifai.handle("router").model.predict(query="a") == "fake a"
    assert [each["deployment_id"] for each in clarifai.status()["deployments"]] == ["deploy-router"]
"""


def test_one_model_is_recorded_from_another_platform_and_the_others_here(
    nested: Nested, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    test = ELSEWHERE.replace("{port}", str(port))
    monkeypatch.setenv("CLARIFAI_PAT", "theirs")
    run = nested({**GROUP, **FAKE, "test_elsewhere.py": test}, into=tmp_path)
    assert run.outcome("test_elsewhere") == "PASSED", run.text
    recorded = (tmp_path / "cassettes" / "elsewhere.yaml").read_text()
    calls = [call for call in yaml.safe_load(recorded)["calls"] if "call" in call]
    assert [(each["requests"][0]["model_id"], each.get("by", "")) for each in calls] == [
        ("router", ""),
        ("ranker", "me/main/router"),
    ]
    assert "theirs" not in recorded
    run = nested({"test_elsewhere.py": test}, "--clarifai-cassettes", "none", into=tmp_path)
    assert run.outcome("test_elsewhere") == "PASSED", run.text
