"""The SDK does what the rules about calls say: each wrong call is made, against a deployed model."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import MODELS, sdk_model


@pytest.fixture
def hello(emulator: EmulatorThread) -> Any:
    emulator.deploy(MODELS / "hello")
    return sdk_model("hello")


@pytest.fixture
def types(emulator: EmulatorThread) -> Any:
    emulator.deploy(MODELS / "types")
    return sdk_model("types")


async def awaited(value: Any, times: int) -> Any:
    for _ in range(times):
        value = await value
    return value


def test_awaited_once_async_predict_gives_a_coroutine_and_awaited_twice_the_answer(hello: Any):
    async def main() -> None:
        once = await hello.async_predict(prompt="x")
        assert inspect.iscoroutine(once)
        assert await once == "Hello, x!"
        chunks = await awaited(hello.async_generate(prompt="x"), 2)
        assert [chunk async for chunk in chunks] == ["Hello,", "x!"]
        assert await asyncio.to_thread(hello.predict, "x") == "Hello, x!"

    asyncio.run(main())


def test_called_in_an_async_function_a_method_gives_a_coroutine(hello: Any):
    async def main() -> None:
        for call in (hello.predict(prompt="x"), hello.generate(prompt="x")):
            assert inspect.iscoroutine(call)
            call.close()

    asyncio.run(main())


def test_async_stream_gives_nothing(hello: Any):
    async def prompts() -> Any:
        yield "x"

    async def main() -> None:
        assert await hello.async_stream(prompts=prompts()) is None

    asyncio.run(main())


def test_a_stream_takes_an_iterator_and_no_list(hello: Any):
    assert list(hello.stream(iter(["x"]))) == ["Hello, x!"]
    with pytest.raises(TypeError, match="'list' object is not an iterator"):
        hello.stream(["x"])


def test_a_generate_sends_nothing_until_it_is_read(emulator: EmulatorThread, hello: Any):
    hello.predict(prompt="x")
    before = len(emulator.events("route.decided"))

    hello.generate(promt="x")

    assert len(emulator.events("route.decided")) == before


def test_a_generate_refuses_a_batch(hello: Any):
    assert hello.predict([{"prompt": "a"}, {"prompt": "b"}]) == ["Hello, a!", "Hello, b!"]
    with pytest.raises(Exception, match="Generate requires exactly one input"):
        list(hello.generate([{"prompt": "a"}, {"prompt": "b"}]))


def test_a_list_of_dicts_is_taken_for_a_batch_unless_it_has_its_name(types: Any):
    assert types.echo_list(value=[{"a": 1}]) == [{"a": 1}]
    with pytest.raises(TypeError, match="Got unexpected key: a"):
        types.echo_list([{"a": 1}])
    assert types.echo_list([]) == []


def test_what_the_checker_takes_for_right_the_sdk_takes_too(types: Any):
    import numpy as np

    assert types.echo_int(value=np.int64(3)) == 3
    assert types.echo_float(value=3) == 3.0
    assert types.echo_strings(value=("a", "b")) == ["a", "b"]
    assert types.echo_tuple(value=["a", 1]) == ("a", 1)
    assert types.echo_named_fields(value={"name": "a", "count": 1}).count == 1
    assert types.echo_ndarray(value=[1, 2]).tolist() == [1, 2]
    assert types.echo_text(value="a").text == "a"


def test_a_runner_hands_inference_params_to_no_method(hello: Any):
    for given in ({}, {"n": 2}, {"n": "2"}, {"m": 3}):
        answer = hello.predict_by_bytes(b"x", input_type="text", inference_params=given)
        assert answer.outputs[0].data.text.raw == "Hello, x!"
