"""The SDK's clock: which waits pass at once, which are waited for, and what it counts."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import pytest

from pytest_clarifai_emulator.sdk_clock import IDLE, NEWS, RUNNING, Outlook, SdkClock

HOURS = 36_000.0  # a wait that no test survives


class Emulator:
    """Says what it is told to, the last word for ever."""

    def __init__(self, *states: str) -> None:
        self.states = list(states)
        self.passed: list[float] = []

    def outlook(self, since: int) -> Outlook:
        return (self.states.pop(0) if len(self.states) > 1 else self.states[0]), since + 1

    def pass_time(self, seconds: float) -> None:
        self.passed.append(seconds)


@pytest.fixture
def clock() -> SdkClock:
    return SdkClock(lambda: True)


@pytest.fixture
def sdk(clock: SdkClock) -> ModuleType:
    """Return a module as those of the SDK, with this clock."""
    module = ModuleType("clarifai.client.something")
    module.time, module.asyncio = time, asyncio  # pyright: ignore[reportAttributeAccessIssue]
    clock.watch(module)
    return module


def test_a_wait_for_nothing_passes_at_once_on_both_clocks(clock: SdkClock, sdk: ModuleType) -> None:
    clock.platform = emulator = Emulator(IDLE)
    began = sdk.time.time()
    sdk.time.sleep(HOURS)
    assert sdk.time.time() - began >= HOURS
    assert emulator.passed == [HOURS]
    assert (clock.retries.count, clock.retries.seconds) == (1, HOURS)


def test_what_runs_is_waited_for_until_there_is_news_and_no_time_has_passed_then(
    clock: SdkClock, sdk: ModuleType
) -> None:
    clock.platform = emulator = Emulator(RUNNING, RUNNING, NEWS)
    sdk.time.sleep(HOURS)
    assert emulator.passed == []
    assert clock.ahead == 0.0


def test_what_runs_for_long_is_waited_for_no_longer_than_was_asked(clock: SdkClock, sdk: ModuleType) -> None:
    clock.platform = emulator = Emulator(RUNNING)
    began = time.perf_counter()
    sdk.time.sleep(0.1)
    assert time.perf_counter() - began >= 0.09
    assert emulator.passed == []


def test_what_ends_without_news_lets_the_rest_pass(clock: SdkClock, sdk: ModuleType) -> None:
    clock.platform = emulator = Emulator(RUNNING, IDLE)
    sdk.time.sleep(HOURS)
    assert HOURS - 1 < emulator.passed[0] < HOURS


def test_tasks_wait_as_threads_do_and_let_each_other_run(clock: SdkClock, sdk: ModuleType) -> None:
    clock.platform = Emulator(IDLE)
    order: list[str] = []

    async def wait(name: str) -> None:
        order.append(name)
        await sdk.asyncio.sleep(HOURS)
        order.append(name)

    async def both() -> None:
        await asyncio.gather(wait("a"), wait("b"))

    asyncio.run(both())
    assert order == ["a", "b", "a", "b"]
    assert clock.retries.count == 2


def test_each_thread_has_a_time_of_its_own(clock: SdkClock, sdk: ModuleType) -> None:
    clock.platform = Emulator(IDLE)

    def wait(_: int) -> float:
        began = sdk.time.time()
        sdk.time.sleep(100.0)
        return float(sdk.time.time() - began)

    with ThreadPoolExecutor(5) as pool:
        took = list(pool.map(wait, range(5)))
    assert all(100.0 <= each < 200.0 for each in took)
    assert clock.ahead == 0.0


def test_real_waits_are_counted_too(clock: SdkClock, sdk: ModuleType) -> None:
    clock.platform = emulator = Emulator(IDLE)
    clock.begin("real")
    began = time.perf_counter()
    sdk.time.sleep(0.1)
    assert time.perf_counter() - began >= 0.1
    assert str(clock.retries) == "once, after waits of 0.1 s in all"
    assert emulator.passed == []


def test_without_a_test_that_uses_the_emulator_all_is_real() -> None:
    clock = SdkClock(lambda: False)
    began = time.perf_counter()
    clock.sleep(0.05)
    assert time.perf_counter() - began >= 0.05
    assert clock.retries.count == 0


def test_modules_have_their_own_names_back_at_the_end(clock: SdkClock, sdk: ModuleType) -> None:
    assert sdk.time is not time
    assert sdk.time.perf_counter is time.perf_counter
    assert sdk.asyncio.gather is asyncio.gather
    clock.remove()
    assert (sdk.time, sdk.asyncio) == (time, asyncio)


def test_a_module_that_has_another_time_is_left_alone(clock: SdkClock) -> None:
    module = ModuleType("clarifai.client.other")
    module.time = other = object()  # pyright: ignore[reportAttributeAccessIssue]
    clock.watch(module)
    assert module.time is other
