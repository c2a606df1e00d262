"""Calls end inside the SDK: the report of a failed test says what `clarifai-emulator check` would."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

from plugin.conftest import MODELS, Run

HELPER = """
def ask(model, **arguments):
    return model.predict(**arguments)


def ask_and_forget(model, **arguments):
    try:
        return model.predict(**arguments)
    except Exception:
        return None
"""

TESTS = """
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from clarifai.client import Model
from helper import ask, ask_and_forget

HELLO = "{models}/hello"


class Kept(dict):
    def __missing__(self, name):
        self[name] = Model(url="https://clarifai.com/me/demo/models/hello")
        return self[name]


KEPT = Kept()  # outlives the test


@pytest.fixture
def model(clarifai):
    return Model(url=clarifai.deploy(HELLO).url)


def test_unknown_argument(model):
    model.predict(promt="x")


def test_unknown_and_missing_argument(model):
    model.predict(nme="x")


def test_missing_argument(model):
    model.predict()


def test_wrong_type(model):
    model.predict(prompt=3)


def test_too_many_arguments(model):
    model.predict("x", 1, 2)


def test_argument_given_twice(model):
    model.predict("x", prompt="y")


def test_one_argument_too_many_by_name(model):
    model.predict("x", 1, temperature=2)


def test_batch(model):
    model.predict([{"prompt": "x"}, {"promt": "x"}])


def test_no_such_method(model):
    model.predikt(prompt="x")


def test_no_such_method_by_name(model):
    getattr(model, "predikt")(prompt="x")


def test_generate(model):
    list(model.generate(promt="x"))


def test_stream(model):
    list(model.stream(promts=iter(["a"])))


def test_stream_of_numbers(model):
    list(model.stream(prompts=iter([1, 2])))


def test_helper_module(model):
    ask(model, promt="x")


def test_swallowed(model):
    assert ask_and_forget(model, promt="x") == "Hello, x!"


def test_thread_pool(model):
    with ThreadPoolExecutor(1) as pool:
        pool.submit(ask, model, promt="x").result()


def test_thread(model):
    thread = threading.Thread(target=ask_and_forget, args=(model,), kwargs={"promt": "x"})
    thread.start()
    thread.join()
    assert False


@pytest.mark.asyncio
async def test_async_predict(model):
    await (await model.async_predict(promt="x"))


@pytest.mark.asyncio
async def test_async_generate(model):
    async for _ in await (await model.async_generate(promt="x")):
        pass


@pytest.mark.asyncio
async def test_awaited_predict(model):
    await (await model.predict(promt="x"))


@pytest.mark.parametrize("turn", range(2))
def test_kept_by_the_module(clarifai, turn):
    clarifai.deploy(HELLO)
    KEPT["model"].predict(**({"promt": "x"} if turn else {"prompt": "x"}))


def test_a_name_that_is_looked_for_is_not_told(model):
    assert not hasattr(model, "rerank")
    assert False, "for another reason"


def test_a_call_that_should_fail(model):
    with pytest.raises(TypeError):
        model.predict(promt="x")


def test_a_call_of_another_test_is_not_told(model):
    assert model.predict(prompt="x") == "no"


class Shy:
    def __repr__(self):
        raise RuntimeError("not for you")


def test_a_value_that_cannot_be_shown(model):
    model.predict(prompt=Shy())
"""


@pytest.fixture(scope="module")
def run(nested: Any) -> Run:
    return nested({"test_refused.py": TESTS, "helper.py": HELPER}, "--junitxml=r.xml")


def refused(text: str) -> str:
    """Return the section about the calls that the SDK refused."""
    assert "clarifai: calls that the SDK refused" in text, text
    return text.partition("clarifai: calls that the SDK refused")[2]


@pytest.mark.parametrize(
    ("name", "finding"),
    [
        (
            "test_unknown_argument",
            "unknown-argument: predict(): there is no argument 'promt'; it takes prompt, n. Did you mean 'prompt'?",
        ),
        (
            "test_unknown_and_missing_argument",
            "missing-argument: predict(): argument 'prompt' (str) is required and not given.",
        ),
        (
            "test_missing_argument",
            "missing-argument: predict(): argument 'prompt' (str) is required and not given.",
        ),
        ("test_wrong_type", "wrong-type: predict(): argument 'prompt' is 3 (int), and str is expected."),
        ("test_too_many_arguments", "extra-argument: predict() takes 2 arguments, 3 are given."),
        (
            "test_argument_given_twice",
            "repeated-argument: predict() is given 'prompt' twice: by position and by name.",
        ),
        (
            "test_one_argument_too_many_by_name",
            "unknown-argument: predict(): there is no argument 'temperature'; it takes prompt, n.",
        ),
        ("test_batch", "unknown-argument: predict(): there is no argument 'promt'"),
        (
            "test_no_such_method",
            "unknown-method: The model has no method 'predikt'; it has predict, generate, stream. "
            "Did you mean 'predict'?",
        ),
        ("test_no_such_method_by_name", "unknown-method: The model has no method 'predikt'"),
        ("test_generate", "unknown-argument: generate(): there is no argument 'promt'; it takes prompt."),
        ("test_stream", "unknown-argument: stream(): there is no argument 'promts'; it takes prompts."),
        ("test_helper_module", "unknown-argument: predict(): there is no argument 'promt'"),
        ("test_swallowed", "unknown-argument: predict(): there is no argument 'promt'"),
        ("test_thread_pool", "unknown-argument: predict(): there is no argument 'promt'"),
        ("test_thread", "unknown-argument: predict(): there is no argument 'promt'"),
        ("test_async_predict", "unknown-argument: predict(): there is no argument 'promt'"),
        ("test_async_generate", "unknown-argument: generate(): there is no argument 'promt'"),
        ("test_awaited_predict", "unknown-argument: predict(): there is no argument 'promt'"),
        ("test_kept_by_the_module[1]", "unknown-argument: predict(): there is no argument 'promt'"),
    ],
)
def test_the_report_says_what_is_wrong_with_the_call(run: Run, name: str, finding: str) -> None:
    assert run.outcome(name) == "FAILED"
    assert finding in refused(run.failure(name))


def test_the_finding_has_the_callers_line_the_call_the_signature_and_the_models_line(run: Run) -> None:
    text = refused(run.failure("test_unknown_argument"))
    line = TESTS.splitlines().index('    model.predict(promt="x")') + 1
    assert f"  caller:    test_refused.py:{line} in test_unknown_argument\n" in text
    assert "  call:      predict(promt='x')\n" in text
    assert "  signature: predict(prompt: str, n: int = 1) -> str\n" in text
    assert f"  place:     {MODELS}/hello/1/model.py:10\n" in text
    assert "  hint:      Use the name that the message suggests" in text


@pytest.mark.parametrize(("name", "function"), [("test_helper_module", "ask"), ("test_thread", "ask_and_forget")])
def test_the_callers_line_is_the_innermost_that_is_not_the_sdks(run: Run, name: str, function: str) -> None:
    assert f"caller:    helper.py:{3 if function == 'ask' else 8} in {function}\n" in refused(run.failure(name))


def test_one_thing_is_told_once(run: Run) -> None:
    for name in ("test_unknown_argument", "test_one_argument_too_many_by_name", "test_async_predict"):
        assert refused(run.failure(name)).count("unknown-argument:") == 1
    assert "missing-argument" not in refused(run.failure("test_unknown_argument"))


def test_only_what_went_wrong_is_told(run: Run) -> None:
    assert run.outcome("test_a_call_that_should_fail") == "PASSED"
    for name in ("test_a_name_that_is_looked_for_is_not_told", "test_a_call_of_another_test_is_not_told"):
        assert "calls that the SDK refused" not in run.failure(name)


def test_a_value_that_cannot_be_shown_breaks_no_report(run: Run) -> None:
    text = refused(run.failure("test_a_value_that_cannot_be_shown"))
    assert "wrong-type: predict(): argument 'prompt' is <Shy> (Shy), and str is expected." in text
    assert "INTERNALERROR" not in run.text


def test_the_junit_file_has_the_finding(run: Run) -> None:
    suite = ElementTree.parse(run.folder / "r.xml")
    found = [
        case.findtext("failure") for case in suite.iter("testcase") if case.get("name") == "test_helper_module"
    ]
    assert "there is no argument 'promt'; it takes prompt, n. Did you mean 'prompt'?" in str(found[0])
    assert "helper.py:3 in ask" in str(found[0])


@pytest.mark.slow
def test_workers_that_share_an_emulator_tell_it_too(nested: Any) -> None:
    tests = """
        import pytest

        @pytest.mark.parametrize("number", range(2))
        def test_shared(clarifai, number):
            clarifai.deploy("{models}/hello").model.predict(promt="x")
        """
    run = nested({"test_shared.py": tests}, "-n", "2", "--clarifai-scope", "shared")
    assert run.text.count("there is no argument 'promt'; it takes prompt, n. Did you mean 'prompt'?") == 2
    assert f"  place:     {MODELS}/hello/1/model.py:10\n" in run.text
    assert "caller:    test_shared.py:6 in test_shared" in run.text
