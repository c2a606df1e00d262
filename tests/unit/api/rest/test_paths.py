"""Paths find their RPC: every form of the table, literals before variables, and near ones for a wrong path."""

from __future__ import annotations

import re

import pytest

from clarifai_emulator.api.rest.paths import Paths
from clarifai_emulator.api.rpc import rpc_table


@pytest.fixture(scope="module")
def paths() -> Paths:
    return Paths(rpc_table().values())


def names(paths: Paths, method: str, path: str) -> tuple[list[str], dict[str, str]]:
    match = paths.match(method, path)
    assert match is not None
    first = match.candidates[0]
    return [bound.rpc.name for bound in match.candidates], dict(zip(first.variables, match.values, strict=True))


def test_every_form_of_every_rpc_leads_to_its_rpc(paths: Paths) -> None:
    for rpc in rpc_table().values():
        for binding in rpc.http:
            found, values = names(paths, binding.method, re.sub(r"\{[^}]+\}", "some-id", binding.path))
            assert rpc.name in found, binding
            assert set(values.values()) <= {"some-id"}


def test_the_path_gives_the_fields_their_values(paths: Paths) -> None:
    found, values = names(paths, "POST", "/v2/users/u%20%2F1/apps/a/models/m/outputs")
    assert found == ["PostModelOutputs"]
    assert values == {"user_app_id.user_id": "u /1", "user_app_id.app_id": "a", "model_id": "m"}


def test_the_form_of_a_deployment_fills_the_runner_selector(paths: Paths) -> None:
    found, values = names(paths, "POST", "/v2/users/u/deployments/d/outputs")
    assert found == ["PostModelOutputs"]
    assert values == {"runner_selector.deployment.user_id": "u", "runner_selector.deployment.id": "d"}


def test_a_form_of_several_rpcs_goes_first_to_the_one_named_like_its_method(paths: Paths) -> None:
    assert names(paths, "GET", "/v2/pipelines")[0] == ["ListPipelines", "PostPipelines"]
    logs = "/v2/users/u/compute_clusters/c/nodepools/n/runners/r/runner/logs"
    assert names(paths, "GET", logs)[0] == ["ListLogEntries", "StreamLogEntries"]


def test_a_literal_goes_before_a_variable_and_a_dead_end_is_left_again(paths: Paths) -> None:
    assert names(paths, "GET", "/v2/models")[0] == ["ListModels"]
    assert names(paths, "GET", "/v2/models/types")[0] == ["ListModelTypes"]
    assert names(paths, "GET", "/v2/models/typesetter")[0] == ["GetModel"]


@pytest.mark.parametrize(
    "path", ["/v2/nothing", "/v2/models/", "/v2//models", "v2/models", "/", "", "*", "/v2/users//apps"]
)
def test_other_paths_lead_nowhere(paths: Paths, path: str) -> None:
    assert paths.match("GET", path) is None
    assert paths.methods(path) == []


def test_a_path_says_which_methods_it_knows(paths: Paths) -> None:
    assert paths.match("PUT", "/v2/users/u/deployments") is None
    assert paths.methods("/v2/users/u/deployments") == ["DELETE", "GET", "PATCH", "POST"]


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("/v2/modles", "/v2/models"),
        ("/v2/users/me/apps/demo/models/hello/output", "/v2/users/{user_app_id.user_id}/apps/{user_app_id.app_id}"
         "/models/{model_id}/outputs"),
        ("/v1/users/me", "/v2/users/{user_app_id.user_id}"),
        ("/favicon.ico", ""),
        ("/v2/models/" + "x" * 10_000 + "/nothing", ""),
    ],
)  # fmt: skip
def test_the_nearest_path_is_found(paths: Paths, path: str, near: str) -> None:
    assert paths.nearest(path) == near
