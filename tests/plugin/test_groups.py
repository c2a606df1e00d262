"""A group of models is deployed by one mark, and what they ask one another is told from what the test asks."""

from __future__ import annotations

import pytest

from plugin.conftest import SCOPES, Nested, Run
from plugin.group_models import GROUP

pytestmark = pytest.mark.timeout(300)

TOPOLOGY = """
stand_ins:
  - model: acme/search/models/canned
    answers: [I am canned.]
"""

TESTS = """
import pytest
from clarifai.client import Model

pytestmark = pytest.mark.clarifai_models("ranker", "router")


def test_one_mark_deploys_the_group(clarifai):
    assert [handle.key[2] for handle in clarifai.deployed] == ["ranker", "router"]
    assert clarifai.handle("router").model.predict(query="a") == "a0 a1"


def test_calls_of_models_are_told_from_those_of_the_test(clarifai):
    router, ranker = clarifai.handle("me/main/models/router"), clarifai.handle("ranker")
    router.model.predict(query="a")
    ranker.model.predict(query="b")
    assert [(call.model.rpartition("/")[2], call.by.rpartition("/")[2]) for call in clarifai.calls] == [
        ("router", ""),
        ("ranker", "router"),
        ("ranker", ""),
    ]
    assert [call.arguments["query"] for call in ranker.calls if call.by] == ["a"]
    assert "main/router → " in str(ranker.calls[0]) and "→ " not in str(ranker.calls[1]).partition("main/ranker")[0]


def test_what_a_replaced_model_is_asked_is_not_called(clarifai):
    clarifai.replace("ranker", {"unused": lambda query: "mine"})
    assert clarifai.handle("ranker").model.unused(query="a") == "mine"
    assert clarifai.calls[-1].is_replaced and not clarifai.calls[-1].by


def test_inner_stream(clarifai):
    list(clarifai.handle("router").model.generate(query="a"))


def test_a_handle_that_is_not_there(clarifai):
    with pytest.raises(Exception) as refused:
        clarifai.handle("routers")
    print("REFUSED", refused.value)
"""

WORKFLOW = """
workflows:
  - id: greet
    app_id: demo
    nodes:
      - {id: first, model: {model_id: hello}}
      - {id: second, model: {model_id: hello}, node_inputs: [{node_id: first}]}
"""

MORE = """
import pytest
from clarifai.client import Model
from clarifai.client.workflow import Workflow


@pytest.mark.clarifai_models("ranker", "acme.yaml", min_replicas=0)
def test_directories_and_topologies(clarifai):
    assert clarifai.status()["deployments"][0]["versions"][0]["state"] == "scaled to zero"
    assert Model(url="https://clarifai.com/acme/search/models/canned").predict(prompt="x") == "I am canned."


@pytest.mark.clarifai_models("{models}/hello", "flow.yaml")
def test_workflows(clarifai):
    workflow = Workflow(url="https://clarifai.com/me/demo/workflows/greet")
    answer = workflow.predict_by_bytes(b"you", input_type="text")
    assert [each.data.text.raw for each in answer.results[0].outputs] == ["Hello, you!", "Hello, Hello, you!!"]
    clarifai.assert_called("hello", by="node second of a workflow", times=1)


@pytest.mark.clarifai_models
def test_nothing(clarifai):
    pass


@pytest.mark.clarifai_models("rancor")
def test_a_wrong_path(clarifai):
    pass
"""


@pytest.fixture(scope="module", params=SCOPES)
def run(request: pytest.FixtureRequest, nested: Nested) -> Run:
    options = ("-rP", "--clarifai-contract-coverage", *SCOPES[request.param])
    return nested({**GROUP, "test_group.py": TESTS}, *options)


NAMES = [line.split("(")[0].removeprefix("def ") for line in TESTS.splitlines() if line.startswith("def test_")]


@pytest.mark.parametrize("name", NAMES)
def test_groups(run: Run, name: str) -> None:
    if "shared by all workers" in run.text and "replaced" in name:
        assert "--clarifai-scope worker" in run.failure(name)
    else:
        assert run.outcome(name) == "PASSED", run.failure(name)


def test_a_name_that_is_not_there_says_what_is(run: Run) -> None:
    said = "The test has deployed no model 'routers'; it has me/main/models/ranker, me/main/models/router. Did you"
    assert said in run.text


def test_methods_that_only_models_call_are_covered(run: Run) -> None:
    assert "4 of 6 methods of 2 models were called (67 %)" in run.text, run.text[-3000:]
    assert "me/main/ranker.generate: called by me/main/router only, not by a test itself" in run.text
    assert "me/main/ranker: no test calls stream, unused" in run.text
    assert "me/main/ranker.predict: called" not in run.text


@pytest.fixture(scope="module")
def more(nested: Nested) -> Run:
    return nested({**GROUP, "acme.yaml": TOPOLOGY, "flow.yaml": WORKFLOW, "test_more.py": MORE})


def test_a_mark_takes_topologies_and_options(more: Run) -> None:
    assert more.outcome("test_directories_and_topologies") == "PASSED", more.text


def test_a_mark_takes_workflows_of_the_models_before_them(more: Run) -> None:
    assert more.outcome("test_workflows") == "PASSED", more.failure("test_workflows")


def test_a_mark_without_models_says_what_it_takes(more: Run) -> None:
    assert 'clarifai_models takes model directories and topology files: @pytest.mark.clarifai_models("DIR", ' in (
        more.failure("test_nothing")
    )


def test_a_wrong_path_names_the_nearest(more: Run) -> None:
    assert "Did you mean 'ranker'?" in more.failure("test_a_wrong_path")
