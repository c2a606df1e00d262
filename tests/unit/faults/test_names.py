"""Faults that name what does not exist are told, with the nearest name."""

from __future__ import annotations

import pytest

from clarifai_emulator.faults import Fault, unknown_names

KNOWN = {
    "model": [("me", "demo", "hello"), ("acme", "search", "ranker")],
    "deployment": [("me", "deploy-hello")],
    "nodepool": [("me", "local", "cpu"), ("me", "local", "gpu")],
}


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ({"model": "hello"}, []),
        ({"model": "me/demo/hello"}, []),
        ({"model": "hel*"}, []),
        ({}, []),
        ({"model": "helo"}, ["There is no model 'helo'. Did you mean 'hello'?"]),
        ({"model": "me/demo/helo"}, ["There is no model 'me/demo/helo'. Did you mean 'me/demo/hello'?"]),
        ({"model": "me/main/hello"}, ["There is no model 'me/main/hello'. Did you mean 'me/demo/hello'?"]),
        ({"model": "main/hello"}, ["There is no model 'main/hello'. Did you mean 'demo/hello'?"]),
        ({"model": "vision"}, ["There is no model 'vision'. There are: hello, ranker."]),
        ({"deployment": "deploy-helo"}, ["There is no deployment 'deploy-helo'. Did you mean 'deploy-hello'?"]),
        ({"nodepool": "cluster/cpu"}, ["There is no nodepool 'cluster/cpu'. Did you mean 'local/cpu'?"]),
    ],
)
def test_a_name_that_nothing_has_is_told_with_the_nearest(names: dict[str, str], told: list[str]) -> None:
    fault = Fault(status="MODEL_DEPLOYING", **names)  # pyright: ignore[reportArgumentType]
    assert list(unknown_names(fault, "me", KNOWN)) == told


def test_where_nothing_is_there_that_is_said() -> None:
    fault = Fault(status="MODEL_DEPLOYING", model="hello")
    assert list(unknown_names(fault, "me", {"model": []})) == ["There is no model 'hello'. There is none."]
