"""The SDK's own retries take no time in tests, are counted, and wait for real where something is under way."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

from plugin.conftest import Run

TESTS = """
import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from clarifai.client import Model

HELLO = "{models}/hello"
TEN_MINUTES = 550  # of the SDK's clock; it gives up at the first retry after that


@pytest.fixture
def model(clarifai):
    return Model(url=clarifai.deploy(HELLO).url)


@pytest.fixture
def busy(clarifai):
    return clarifai.fault(status="MODEL_BUSY_PLEASE_RETRY", times=2)


@pytest.fixture
def stopwatch():
    began = time.perf_counter()
    return lambda: time.perf_counter() - began


@pytest.mark.parametrize(
    "fault",
    [
        {"status": "MODEL_BUSY_PLEASE_RETRY"},
        {"status": "MODEL_DEPLOYING"},
        {"status": "MODEL_LOADING"},
        {"throttle": True},
        {"status": "CONN_EXCEED_HOURLY_LIMIT"},
    ],
    ids=lambda fault: str(fault.get("status", "throttle")),
)
def test_twice(clarifai, model, fault):
    with clarifai.fault(times=2, **fault) as twice:
        assert model.predict(prompt="x") == "Hello, x!"
    assert (twice.injected, clarifai.retries.count) == (2, 2)
    assert clarifai.retries.seconds > 4
    assert [call.ok for call in clarifai.calls] == [False, False, True]


def test_unavailable(clarifai, model):
    with clarifai.fault(grpc="UNAVAILABLE", times=8):
        assert model.predict(prompt="x") == "Hello, x!"
    assert clarifai.retries.count >= 1


def test_generate(clarifai, model, busy):
    assert list(model.generate(prompt="x")) == ["Hello,", "x!"]
    assert clarifai.retries.count == 2


@pytest.mark.asyncio
async def test_async_predict(clarifai, model, busy):
    assert await (await model.async_predict(prompt="x")) == "Hello, x!"
    assert clarifai.retries.count == 2


@pytest.mark.asyncio
async def test_many_tasks(clarifai, model):
    clarifai.fault(status="MODEL_BUSY_PLEASE_RETRY", times=20)
    tasks = [(await model.async_predict(prompt=str(number))) for number in range(10)]
    assert await asyncio.gather(*tasks) == [f"Hello, {number}!" for number in range(10)]


def test_always_busy(clarifai, model, stopwatch):
    clarifai.fault(status="MODEL_BUSY_PLEASE_RETRY")
    before = clarifai.clock.now() - time.time()
    with pytest.raises(Exception, match="MODEL_BUSY_PLEASE_RETRY"):
        model.predict(prompt="x")
    assert clarifai.retries.seconds > TEN_MINUTES
    assert clarifai.clock.now() - time.time() - before > TEN_MINUTES
    assert stopwatch() < TEN_MINUTES / 2
    assert len(clarifai.calls) == clarifai.retries.count + 1


def test_always_busy_and_told(clarifai, model):
    clarifai.fault(status="MODEL_BUSY_PLEASE_RETRY")
    model.predict(prompt="x")


def test_always_away(clarifai, model):
    clarifai.fault(grpc="UNAVAILABLE")
    with pytest.raises(Exception, match="injected by fault"):
        model.predict(prompt="x")
    assert clarifai.retries.count == 9


def test_the_next_test_begins_at_none(clarifai, model):
    assert (clarifai.retries.count, clarifai.retries.seconds) == (0, 0)


def test_many_threads(clarifai, model):
    clarifai.fault(status="MODEL_BUSY_PLEASE_RETRY", times=15)
    model.available_methods()
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda number: model.predict(prompt=str(number)), range(6)))
    assert answers == [f"Hello, {number}!" for number in range(6)]
    assert clarifai.retries.count == 15


def test_own_waits_are_real(clarifai, model, busy):
    assert type(time.sleep).__name__ == "builtin_function_or_method"
    model.predict(prompt="x")
    began = time.monotonic()
    time.sleep(0.3)
    assert time.monotonic() - began >= 0.3
    asyncio.run(asyncio.sleep(0.3))
    assert time.monotonic() - began >= 0.6
    assert clarifai.retries.count == 2


@pytest.mark.clarifai_retries("real")
def test_real(clarifai, model, stopwatch):
    clarifai.fault(status="MODEL_BUSY_PLEASE_RETRY", times=1)
    began = stopwatch()
    model.predict(prompt="x")
    assert clarifai.retries.count == 1
    assert stopwatch() - began >= clarifai.retries.seconds > 1


@pytest.mark.clarifai_retries("fast")
def test_no_such_mode(clarifai):
    pass


def test_sleep_that_the_test_replaced(clarifai, model, busy, monkeypatch):
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    model.predict(prompt="x")
    assert len(slept) == 2


def test_sleep_of_the_sdk_that_the_test_replaced(clarifai, model, busy, monkeypatch):
    slept = []
    monkeypatch.setattr("clarifai.client.model_client.time.sleep", slept.append)
    model.predict(prompt="x")
    assert len(slept) == 2


def test_sleep_is_the_sdks_again(clarifai, model, busy):
    model.predict(prompt="x")
    assert clarifai.retries.count == 2


def test_time_that_stands_still(clarifai, model, monkeypatch):
    clarifai.fault(status="MODEL_BUSY_PLEASE_RETRY")
    monkeypatch.setattr(time, "time", lambda: 1_000_000_000.0)
    with pytest.raises(Exception, match="MODEL_BUSY_PLEASE_RETRY"):
        model.predict(prompt="x")


def test_scaled_to_zero(clarifai, model):
    clarifai.fault(model="hello", scale_to_zero=True, cold_start="bounce", times=1)
    assert model.predict(prompt="x") == "Hello, x!"
    assert clarifai.retries.count >= 1
"""

UNDER_WAY = """
import threading
import time

from clarifai.client import Model


def test_a_replica_that_starts_is_waited_for(clarifai):
    slow = clarifai.deploy("{models}/slow", min_replicas=0)
    model = Model(url=slow.url)
    assert model.predict(seconds=0.0)
    assert 1 <= clarifai.retries.count < 18
    assert clarifai.calls[0].status_name == "MODEL_DEPLOYING"


def test_a_model_that_becomes_free_is_waited_for(clarifai):
    slow = clarifai.deploy("{models}/slow", max_replicas=1)
    model = Model(url=slow.url)
    model.predict(seconds=0.0)

    def narrow(emulator):
        for fleet in emulator.supervisor.fleets.values():
            fleet.lane._queue_size = 0

    clarifai.emulator.run(narrow)
    threads = [
        threading.Thread(target=model.predict, kwargs={"seconds": 3.0}) for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    time.sleep(1.0)
    assert model.predict(seconds=0.0)
    for thread in threads:
        thread.join()
    assert any(call.status_name == "MODEL_BUSY_PLEASE_RETRY" for call in clarifai.calls)
"""


@pytest.fixture(scope="module")
def run(nested: Any) -> Run:
    return nested({"test_retries.py": TESTS}, "--junitxml=r.xml")


@pytest.fixture(scope="module")
def under_way(nested: Any) -> Run:
    return nested({"test_under_way.py": UNDER_WAY}, ini="clarifai_hold_seconds = 0")


@pytest.mark.parametrize(
    "name",
    [
        "test_twice",
        "test_unavailable",
        "test_generate",
        "test_async_predict",
        "test_many_tasks",
        "test_always_busy",
        "test_always_away",
        "test_many_threads",
        "test_scaled_to_zero",
    ],
)
def test_retries_take_no_time(run: Run, name: str) -> None:
    assert run.outcome(name) == "PASSED", run.failure(name)


@pytest.mark.parametrize(
    "name",
    [
        "test_own_waits_are_real",
        "test_real",
        "test_sleep_that_the_test_replaced",
        "test_sleep_of_the_sdk_that_the_test_replaced",
        "test_sleep_is_the_sdks_again",
        "test_time_that_stands_still",
        "test_the_next_test_begins_at_none",
    ],
)
def test_what_the_test_does_with_time_itself_stays_what_it_is(run: Run, name: str) -> None:
    assert run.outcome(name) == "PASSED", run.failure(name)


@pytest.mark.parametrize(
    "name", ["test_a_replica_that_starts_is_waited_for", "test_a_model_that_becomes_free_is_waited_for"]
)
@pytest.mark.slow
def test_what_is_under_way_is_waited_for(under_way: Run, name: str) -> None:
    assert under_way.outcome(name) == "PASSED", under_way.failure(name)


def test_the_report_tells_how_often_the_sdk_tried_again(run: Run) -> None:
    text = run.failure("test_always_busy_and_told")
    assert "The SDK tried again " in text
    assert " times, after waits of 6" in text
    assert "s in all, which passed at once (--clarifai-retries real waits)." in text


def test_the_junit_file_has_the_number(run: Run) -> None:
    suite = ElementTree.parse(run.folder / "r.xml")
    cases = {case.get("name"): case for case in suite.iter("testcase")}
    found = {each.get("name"): each.get("value") for each in cases["test_generate"].iter("property")}
    assert str(found["clarifai_retries"]).startswith("2 times, after waits of 4.")


def test_a_mode_that_is_not_known_is_refused(run: Run) -> None:
    assert 'clarifai_retries takes "virtual" or "real", found \'fast\'.' in run.failure("test_no_such_mode")


@pytest.mark.slow
def test_workers_that_share_an_emulator_wait_for_nothing_either(nested: Any) -> None:
    tests = """
        import pytest
        from clarifai.client import Model

        @pytest.mark.parametrize("number", range(2))
        def test_busy(clarifai, number):
            model = Model(url=clarifai.deploy("{models}/hello").url)
            clarifai.fault(status="MODEL_BUSY_PLEASE_RETRY")
            with pytest.raises(Exception, match="MODEL_BUSY_PLEASE_RETRY"):
                model.predict(prompt="x")
            assert clarifai.retries.seconds > 550

        def test_starts(clarifai):
            assert Model(url=clarifai.deploy("{models}/hello", min_replicas=0).url).predict(prompt="x")
        """
    run = nested({"test_busy.py": tests}, "-n", "2", "--clarifai-scope", "shared", ini="clarifai_hold_seconds = 0")
    assert run.code == 0, run.text
