"""A model of a group is replaced by functions of a test, or by a stand-in; the others stay as they are."""

from __future__ import annotations

from typing import Any

import pytest

from plugin.conftest import Nested, Run
from plugin.group_models import FAKE, GROUP

pytestmark = pytest.mark.timeout(300)

TESTS = '''
import asyncio
import threading
from collections.abc import Iterator
from unittest.mock import Mock

import pytest
from clarifai.client import Model

from clarifai_emulator import ConfigError


@pytest.fixture(autouse=True)
def group(clarifai):
    clarifai.deploy("ranker")
    return clarifai.deploy("router")


def test_inner_calls_reach_the_function(clarifai, group):
    assert group.model.predict(query="a") == "a0 a1"
    clarifai.replace("ranker", {"predict": lambda query, n: [query, str(n)]})
    assert group.model.predict(query="a") == "a 2"
    inner = [call for call in clarifai.calls if call.model == "me/main/ranker"][-1]
    assert inner.results == (["a", "2"],) and inner.route.rule


def test_the_end_of_a_block_brings_the_model_back(clarifai, group):
    with clarifai.replace("ranker", {"predict": lambda query, n: ["mine"]}) as ranker:
        assert group.model.predict(query="a") == "mine"
        assert [call.arguments for call in ranker.calls] == [{"query": "a"}]
    assert group.model.predict(query="a") == "a0 a1"
    ranker.remove()


def test_the_end_of_a_test_does_too(group):
    assert group.model.predict(query="a") == "a0 a1"


def test_an_inner_block_wins(clarifai, group):
    with clarifai.replace("ranker", {"predict": lambda query, n: ["outer"]}):
        with clarifai.replace("ranker", {"predict": lambda query, n: ["inner"]}):
            assert group.model.predict(query="a") == "inner"
        assert group.model.predict(query="a") == "outer"


def test_methods_that_are_not_named_stay(clarifai, group):
    clarifai.replace("ranker", {"predict": lambda query, n: ["mine"]})
    assert list(group.model.generate(query="a")) == ["a first", "a second"]


def test_a_function_with_the_name_of_a_method(clarifai, group):
    def generate(query: str) -> Iterator[str]:
        yield "one"
        yield "two"

    clarifai.replace("me/main/models/ranker", generate)
    assert list(group.model.generate(query="a")) == ["one", "two"]
    assert group.model.predict(query="a") == "a0 a1"


def test_a_class_with_several_methods(clarifai, group):
    class Fake:
        def __init__(self):
            self.asked = []

        def predict(self, query, n):
            self.asked.append(query)
            return ["fake"]

        def generate(self, query):
            return iter(["fake", "too"])

        def stream(self, queries):
            for query in queries:
                yield query.upper()

        def helper(self):
            """Not one of the model's."""

    ranker = Model(url="https://clarifai.com/me/main/models/ranker")
    for fake in (Fake(), Fake):
        with clarifai.replace("ranker", fake):
            assert group.model.predict(query="a") == "fake"
            assert list(group.model.generate(query="a")) == ["fake", "too"]
            assert list(ranker.stream(iter(["a", "b"]))) == ["A", "B"]
    assert list(ranker.stream(iter(["a"]))) == ["real a"]


def test_a_mock(clarifai, group):
    predict = Mock(return_value=["mocked"])
    clarifai.replace("ranker", {"predict": predict})
    assert group.model.predict(query="a") == "mocked"
    predict.assert_called_once_with(query="a", n=2)


def test_async_functions(clarifai, group):
    async def predict(query, n):
        await asyncio.sleep(0)
        return ["async"]

    async def generate(query):
        for word in ("a", "b"):
            await asyncio.sleep(0)
            yield word

    clarifai.replace("ranker", {"predict": predict, "generate": generate})
    assert group.model.predict(query="a") == "async"
    assert list(group.model.generate(query="a")) == ["a", "b"]


def test_an_error_is_the_models(clarifai, group):
    def predict(query, n):
        raise ValueError(f"no rank for {query}")

    def generate(query):
        yield "one"
        raise KeyError("two")

    clarifai.replace("ranker", {"predict": predict, "generate": generate})
    ranker = Model(url="https://clarifai.com/me/main/models/ranker")
    with pytest.raises(Exception, match="no rank for a"):
        ranker.predict(query="a")
    failed = clarifai.calls[-1]
    assert (failed.status_name, failed.error) == ("FAILURE", "no rank for a")
    got = []
    with pytest.raises(Exception, match="two"):
        for word in ranker.generate(query="a"):
            got.append(word)
    assert got == ["one"]
    with pytest.raises(Exception, match="no rank for b"):
        group.model.predict(query="b")


def test_skipping_in_a_function_is_an_error_too(clarifai, group):
    clarifai.replace("ranker", {"predict": lambda query, n: pytest.skip("not here")})
    with pytest.raises(Exception, match="Skipped: not here"):
        group.model.predict(query="b")


def test_a_result_of_another_type_is_an_error(clarifai):
    clarifai.replace("ranker", {"predict": lambda query, n: 7, "generate": lambda query: "text"})
    ranker = Model(url="https://clarifai.com/me/main/models/ranker")
    with pytest.raises(Exception, match="Expected iterable"):
        ranker.predict(query="a")
    with pytest.raises(Exception, match="of ranker gives a stream of str; the function gave the str .*text"):
        list(ranker.generate(query="a"))


@pytest.mark.clarifai_retries("real")
def test_many_at_once(clarifai, group):
    together = threading.Barrier(8)

    def predict(query, n):
        together.wait(20)
        return [query]

    clarifai.replace("ranker", {"predict": predict})
    ranker = Model(url="https://clarifai.com/me/main/models/ranker")
    got = []
    threads = [threading.Thread(target=lambda n=n: got.append(ranker.predict(query=str(n)))) for n in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(got) == [[str(n)] for n in range(8)]


def test_faults_concern_it_too(clarifai, group):
    clarifai.replace("ranker", {"predict": lambda query, n: ["mine"]})
    with clarifai.fault(model="ranker", status="MODEL_DEPLOYMENT_FAILED", message="on purpose"):
        with pytest.raises(Exception, match="on purpose"):
            group.model.predict(query="a")
    assert group.model.predict(query="a") == "mine"


def test_a_model_without_a_replica(clarifai):
    clarifai.undeploy("ranker")
    clarifai.deploy("ranker", min_replicas=0)
    clarifai.replace("ranker", {"predict": lambda query, n: ["mine"]})
    assert Model(url="https://clarifai.com/me/main/models/ranker").predict(query="a") == ["mine"]


def test_what_it_is_asked_meanwhile_ends_with_the_block(clarifai):
    entered, leave = threading.Event(), threading.Event()

    def predict(query, n):
        entered.set()
        leave.wait(20)
        return [query]

    ranker, failed = Model(url="https://clarifai.com/me/main/models/ranker"), []

    def ask():
        with pytest.raises(Exception) as caught:
            ranker.predict(query="a")
        failed.append(str(caught.value))

    with clarifai.replace("ranker", {"predict": predict}):
        thread = threading.Thread(target=ask)
        thread.start()
        assert entered.wait(20)
    thread.join(20)
    leave.set()
    assert "the test took its functions back" in failed[0]


def test_a_directory_in_its_place(clarifai, group):
    with clarifai.replace("ranker", "fakes/ranker") as ranker:
        assert group.model.predict(query="a") == "fake a"
        assert len(ranker.calls) == 1
    assert group.model.predict(query="a") == "a0 a1"
    clarifai.replace(clarifai.deployed[0], "fakes/ranker")
    assert group.model.predict(query="a") == "fake a"


def test_a_directory_that_does_not_fit(clarifai, group):
    with pytest.raises(ConfigError) as refused:
        clarifai.replace("ranker", "router")
    print("REFUSED", refused.value)
    assert group.model.predict(query="a") == "a0 a1"


def test_refusals(clarifai):
    refused = []
    for model, substitute in (
        ("rancor", {"predict": len}),
        ("ranker", {"predicts": lambda query, n: []}),
        ("ranker", {"predict": lambda query: []}),
        ("ranker", {"predict": lambda query, n, temperature: []}),
        ("ranker", lambda query, n: []),
        ("ranker", {}),
        ("ranker", {"predict": 7}),
        ("ranker", {"generate": lambda query: (yield)}),
    ):
        try:
            clarifai.replace(model, substitute).remove()
        except (ConfigError, ValueError) as error:
            refused.append(str(error))
    for text in refused:
        print("REFUSED", text)
    assert len(refused) == 7


def test_types_that_differ(clarifai):
    def predict(query: int, n: int) -> list[str]:
        return []

    with pytest.raises(ConfigError) as refused:
        clarifai.replace("ranker", {"predict": predict})
    print("REFUSED", refused.value)

    def generate(query: str) -> str:
        return ""

    with pytest.raises(ConfigError) as refused:
        clarifai.replace("ranker", {"generate": generate})
    print("REFUSED", refused.value)

    def unary(query, n):
        yield []

    with pytest.raises(ConfigError) as refused:
        clarifai.replace("ranker", {"predict": unary})
    print("REFUSED", refused.value)
'''


@pytest.fixture(scope="module")
def run(nested: Nested) -> Run:
    return nested({**GROUP, **FAKE, "test_group.py": TESTS}, "-rP")


NAMES = [line.split("(")[0].removeprefix("def ") for line in TESTS.splitlines() if line.startswith("def test_")]


@pytest.mark.parametrize("name", NAMES)
def test_replaced_by_functions(run: Run, name: str) -> None:
    assert run.outcome(name) == "PASSED", run.failure(name)


@pytest.mark.parametrize(
    "text",
    [
        "The test's account has no model 'rancor'; it has me/main/models/ranker, me/main/models/router. "
        "Did you mean 'ranker'?",
        "ranker has no method 'predicts'. Did you mean 'predict'? It has predict, generate, stream, unused.",
        "predict(): the model is called with query, n; the function takes query",
        "predict(): the model is called with query, n; the function takes query, n, temperature",
        "ranker has the methods predict, generate, stream, unused, and the function is called '<lambda>'",
        "It replaces no method of ranker",
        "predict must be a function, got 7",
        "type-changed: predict(): argument 'query' was str, is int",
        "method-stops-streaming: generate()",
        "predict(): the model gives one answer, and the function is a generator",
        "router cannot be called as ranker is:",
        "method-removed: Method 'stream' is gone; there are predict, generate.",
    ],
)
def test_what_is_refused_says_why(run: Run, text: str) -> None:
    assert text in run.text, run.text[-6000:]


SHARED = """
import pytest

from clarifai_emulator import ConfigError


def test_functions_need_the_emulator_in_this_process(clarifai):
    clarifai.deploy("ranker")
    with pytest.raises(ConfigError, match="--clarifai-scope worker"):
        clarifai.replace("ranker", {"predict": lambda query, n: []})
"""


def test_an_emulator_of_all_workers_refuses_functions_by_name(nested: Nested) -> None:
    run = nested({**GROUP, "test_shared.py": SHARED}, "-n", "1", "--clarifai-scope", "shared")
    assert run.code == 0, run.text


def test_with_models_in_process(nested: Any) -> None:
    run = nested(
        {**GROUP, **FAKE, "test_group.py": TESTS},
        "--clarifai-backend",
        "inprocess",
        "-k",
        "inner_calls or several_methods or an_error or brings",
    )
    assert run.code == 0, run.text
