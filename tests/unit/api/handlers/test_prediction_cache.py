"""An answer is kept for equal requests that ask for it, and for no other."""

from __future__ import annotations

from typing import Any

import pytest
from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.handlers.prediction_cache import CacheKey, PredictionCache
from clarifai_emulator.store import Kind, Store

MODEL = ("ada", "app", "model")


def request(text: str = "hi", **fields: Any) -> Any:
    asked: dict[str, Any] = {
        "inputs": [{"data": {"text": {"raw": text}}}],
        "use_predict_cache": True,
        **fields,
    }
    return service_pb2.PostModelOutputsRequest(**asked)


def key(cache: PredictionCache, asked: Any, version: str = "v1") -> CacheKey:
    found = cache.key(asked, MODEL, version)
    assert found is not None
    return found


def answer(text: str, code: int = StatusCode.SUCCESS) -> Any:
    response = service_pb2.MultiOutputResponse()
    response.status.code = code  # pyright: ignore[reportAttributeAccessIssue]
    response.outputs.add().data.text.raw = text
    return response


def test_an_equal_request_has_the_answer_that_was_kept_each_time_as_a_message_of_its_own() -> None:
    cache = PredictionCache()
    cache.keep(key(cache, request()), answer("hello"))
    first, second = (cache.find(key(cache, request())) for _ in range(2))
    assert first == second == answer("hello")
    assert first is not second


def test_a_request_that_does_not_ask_for_the_cache_has_no_key() -> None:
    assert PredictionCache().key(request(use_predict_cache=False), MODEL, "v1") is None


DATA = {"text": {"raw": "hi"}}


@pytest.mark.parametrize(
    "other",
    [
        request("ho"),
        request(inputs=[{"data": DATA}, {"data": DATA}]),
        request(model={"output_info": {"params": {"temperature": 1}}}),
        request(model={"model_version": {"output_info": {"params": {"temperature": 1}}}}),
    ],
)
def test_a_request_that_asks_for_something_else_is_not_equal(other: Any) -> None:
    cache = PredictionCache()
    assert key(cache, other) != key(cache, request())


def test_another_version_is_not_equal_and_the_id_of_an_input_does_not_count() -> None:
    cache = PredictionCache()
    assert key(cache, request(), "v2") != key(cache, request())
    assert key(cache, request(inputs=[{"id": "other", "data": DATA}])) == key(cache, request())


@pytest.mark.parametrize("code", [StatusCode.FAILURE, StatusCode.MIXED_STATUS])
def test_an_answer_that_failed_is_not_kept(code: int) -> None:
    cache = PredictionCache()
    cache.keep(key(cache, request()), answer("hello", code))
    assert cache.find(key(cache, request())) is None


def test_what_was_not_asked_for_longest_goes_first() -> None:
    cache = PredictionCache(most_bytes=250)
    old, used, new = (key(cache, request(text)) for text in ("old", "used", "new"))
    cache.keep(old, answer("x" * 80))
    cache.keep(used, answer("x" * 80))
    assert cache.find(old) is not None
    assert cache.find(used) is not None
    cache.keep(new, answer("x" * 80))
    assert [cache.find(each) is not None for each in (old, used, new)] == [False, True, True]
    cache.keep(new, answer("x" * 300))
    assert cache.find(used) is not None, "what is too large for it takes nobody's place"


@pytest.mark.parametrize("kind", [Kind.MODEL_VERSION, Kind.SOURCE, Kind.MODEL])
def test_an_answer_goes_when_what_gave_it_changes(kind: Kind) -> None:
    store = Store()
    cache = PredictionCache(store.watch)
    cache.keep(key(cache, request()), answer("hello"))
    store.put(kind, ("ada", "app", "another", "v1")[: 3 if kind == Kind.MODEL else 4], object())
    assert cache.find(key(cache, request())) is not None
    store.put(kind, (*MODEL, "v1")[: 3 if kind == Kind.MODEL else 4], object())
    assert cache.find(key(cache, request())) is None
