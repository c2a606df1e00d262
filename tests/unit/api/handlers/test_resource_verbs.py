"""The verbs Post, Get, List, Patch and Delete do the same for every resource."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import ComputeCluster
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.errors import CallerError
from clarifai_emulator.store import Kind
from resource_api import ResourceApi, refusal

CLUSTER = {
    "cloud_provider": {"id": "aws"},
    "region": "us-east-1",
    "cluster_type": "dedicated",
    "managed_by": "user",
}


def ids(api: ResourceApi, **fields: Any) -> list[str]:
    return [each.id for each in api("ListComputeClusters", **fields).compute_clusters]


def test_what_the_server_fills(api: ResourceApi) -> None:
    cluster = api.cluster()
    assert cluster.user_id == "ada"
    assert cluster.created_at.seconds == cluster.modified_at.seconds == 1_700_000_000
    assert cluster.visibility.gettable == 10


def test_several_are_posted_at_once(api: ResourceApi) -> None:
    api("PostComputeClusters", compute_clusters=[{"id": "one", **CLUSTER}, {"id": "two", **CLUSTER}])
    assert ids(api) == ["two", "one"]


def test_one_bad_item_keeps_all_out_and_every_bad_field_is_named(api: ResourceApi) -> None:
    items = [{"id": "good", **CLUSTER}, {"id": "b.d", **CLUSTER, "region": ""}, {**CLUSTER, "managed_by": "x"}]
    code, message = refusal(api, "PostComputeClusters", compute_clusters=items)
    assert code == StatusCode.COMPUTE_CLUSTER_INVALID_ARGUMENT
    assert message == (
        "compute_clusters[1].id: 'b.d' is not a valid id: use letters, digits, '-' and '_'; "
        "compute_clusters[1].region: must not be empty; "
        "compute_clusters[2].id: id must be between 1 and 48 characters long; this one is empty; "
        "compute_clusters[2].managed_by: 'x' is none of clarifai, user."
    )
    assert ids(api) == []


def test_nothing_to_post(api: ResourceApi) -> None:
    code, message = refusal(api, "PostComputeClusters")
    assert code == StatusCode.COMPUTE_CLUSTER_INVALID_ARGUMENT
    assert message == "compute_clusters is empty. Give at least one item."


def test_an_id_that_is_taken(api: ResourceApi) -> None:
    api.cluster("one")
    code, message = refusal(api, "PostComputeClusters", compute_clusters=[{"id": "one", **CLUSTER}])
    assert code == StatusCode.DATABASE_DUPLICATE_KEY
    assert "compute cluster 'one' already exists; choose another id, or patch or delete that one" in message

    twice = [{"id": "two", **CLUSTER}, {"id": "two", **CLUSTER}]
    assert refusal(api, "PostComputeClusters", compute_clusters=twice) == (
        StatusCode.DATABASE_DUPLICATE_KEY,
        "compute_clusters[1].id: 'two' is given twice.",
    )


def test_the_same_id_of_two_users(api: ResourceApi) -> None:
    api.cluster("one", "ada")
    api.cluster("one", "bob")
    assert api("GetComputeCluster", "bob", compute_cluster_id="one").compute_cluster.user_id == "bob"


def test_get_of_one_that_does_not_exist_helps_its_owner(api: ResourceApi) -> None:
    api.cluster("gpu-cluster")
    assert refusal(api, "GetComputeCluster", compute_cluster_id="gpu-clustr") == (
        StatusCode.CONN_DOES_NOT_EXIST,
        "ComputeCluster with ID 'gpu-clustr' not found. Check your request fields. Did you mean 'gpu-cluster'?",
    )


def test_what_is_private_does_not_exist_for_others(api: ResourceApi) -> None:
    api.cluster("private")
    api.cluster("public", visibility={"gettable": 50})
    api.cluster("org", visibility={"gettable": 30})

    assert ids(api, user_id="ada", _user="bob") == ["public"]
    assert refusal(api, "GetComputeCluster", "bob", user_id="ada", compute_cluster_id="private") == (
        StatusCode.CONN_DOES_NOT_EXIST,
        "ComputeCluster with ID 'private' not found. Check your request fields.",
    )
    assert (
        api("GetComputeCluster", "bob", user_id="ada", compute_cluster_id="public").compute_cluster.id == "public"
    )
    code, _ = refusal(api, "ListNodepools", "bob", user_id="ada", compute_cluster_id="private")
    assert code == StatusCode.CONN_DOES_NOT_EXIST


def test_a_public_nodepool_in_a_private_cluster_stays_private(api: ResourceApi) -> None:
    api.cluster()
    api.nodepool(visibility={"gettable": 50})
    assert not api("ListNodepools", "bob", user_id="ada").nodepools


@pytest.mark.parametrize(
    ("rpc", "fields"),
    [
        ("PostComputeClusters", {"compute_clusters": [{"id": "one", **CLUSTER}]}),
        ("PatchComputeClusters", {"compute_clusters": [{"id": "one"}], "action": "overwrite"}),
        ("DeleteComputeClusters", {"ids": ["one"]}),
    ],
)
def test_nobody_changes_what_is_another_users(api: ResourceApi, rpc: str, fields: dict[str, Any]) -> None:
    api.cluster("one")
    assert refusal(api, rpc, "bob", user_id="ada", **fields) == (
        StatusCode.CONN_INSUFFICIENT_SCOPES,
        "User 'bob' may not change resources of user 'ada'. "
        "Send the request with a PAT of 'ada', or name your own user id.",
    )


def test_pages(api: ResourceApi) -> None:
    for number in range(130):
        api.cluster(f"c{number:03}")
    assert len(ids(api)) == 128
    assert ids(api, page=2) == ["c001", "c000"]
    assert ids(api, page=2, per_page=3) == ["c126", "c125", "c124"]
    assert len(ids(api, per_page=100_000)) == 130


def test_a_page_costs_what_is_on_it_wherever_it_lies(api: ResourceApi, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[str] = []
    get = api.store.get

    def noted(kind: Kind, key: Any) -> Any:
        looked_at.append(key[-1])
        return get(kind, key)

    monkeypatch.setattr(api.store, "get", noted)
    for number in range(60):
        api.model(f"m{number:02}")

    def cost(**fields: Any) -> int:
        looked_at.clear()
        assert len(api("ListModels", app_id="app", per_page=5, **fields).models) == 5
        return len(looked_at)

    assert cost(page=12) == cost(page=1)
    assert cost(page=12, query="m") > cost(page=1, query="m"), "a filter has to look"


def test_a_page_past_the_end_holds_nothing_at_all(api: ResourceApi) -> None:
    api.cluster()
    assert api("ListComputeClusters", page=2).ListFields() == []


def test_a_listing_without_a_user_shows_everything_visible(api: ResourceApi) -> None:
    api.cluster("mine", "ada")
    api.cluster("theirs", "bob")
    api.cluster("public", "clarifai", cluster_type="shared", visibility={"gettable": 50})
    assert ids(api, user_id="") == ["public", "mine"]


def test_a_listing_of_a_user_that_does_not_exist(api: ResourceApi) -> None:
    assert ids(api, _user="new") == []
    code, message = refusal(api, "ListComputeClusters", user_id="nobody")
    assert code == StatusCode.CONN_DOES_NOT_EXIST
    assert message.startswith("User 'nobody' does not exist. You are 'ada'.")


def test_a_filter_that_would_not_be_applied_is_refused(api: ResourceApi) -> None:
    assert refusal(api, "ListModels", app_id="", license="mit") == (
        StatusCode.NOT_IMPLEMENTED,
        "The emulator does not know the filter license of ListModelsRequest. Leave it out; supported: "
        "model_type_id, model_version_ids, name, query, search, sort_ascending, sort_by_created_at, "
        "sort_by_modified_at, sort_by_name, trained_only, visibility.",
    )


def test_patch_changes_what_is_present_and_when_it_was(api: ResourceApi) -> None:
    api.cluster("one", description="old")
    api.clock.seconds += 60
    patched = api(
        "PatchComputeClusters", compute_clusters=[{"id": "one", "description": "new"}], action="overwrite"
    ).compute_clusters[0]
    assert (patched.description, patched.region) == ("new", "us-east-1")
    assert patched.modified_at.seconds - patched.created_at.seconds == 60
    assert api("GetComputeCluster", compute_cluster_id="one").compute_cluster == patched


def test_patch_is_checked_like_post_and_all_or_none(api: ResourceApi) -> None:
    api.cluster("one", description="old")
    items = [{"id": "one", "description": "new"}, {"id": "one", "cluster_type": "odd"}]
    code, message = refusal(api, "PatchComputeClusters", compute_clusters=items[1:], action="overwrite")
    assert code == StatusCode.COMPUTE_CLUSTER_INVALID_ARGUMENT
    assert "compute_clusters[0].cluster_type: 'odd' is none of dedicated, local-dev, shared" in message
    refusal(api, "PatchComputeClusters", compute_clusters=[items[0], {"id": "two"}], action="overwrite")
    assert api("GetComputeCluster", compute_cluster_id="one").compute_cluster.description == "old"


@pytest.mark.parametrize("action", ["merge", "remove", ""])
def test_an_action_that_is_not_supported(api: ResourceApi, action: str) -> None:
    api.cluster("one")
    assert refusal(api, "PatchComputeClusters", compute_clusters=[{"id": "one"}], action=action) == (
        StatusCode.COMPUTE_CLUSTER_INVALID_ARGUMENT,
        f"Invalid action: Unrecognized action '{action}'. Supported actions: overwrite",
    )


def test_delete_is_all_or_none(api: ResourceApi) -> None:
    api.cluster("one")
    api.cluster("two")
    code, message = refusal(api, "DeleteComputeClusters", ids=["one", "three"])
    assert code == StatusCode.COMPUTE_CLUSTER_INVALID_REQUEST
    assert message == "Some of the compute cluster ids provided (three) do not exist. There are 'one', 'two'."
    assert ids(api) == ["two", "one"]
    api("DeleteComputeClusters", ids=["one", "two", "one"])
    assert ids(api) == []
    recorded = "Must supply a list of 'ids' to delete. Check your request fields."
    assert refusal(api, "DeleteComputeClusters")[1] == recorded


def test_what_is_stored_never_changes_with_an_answer(api: ResourceApi) -> None:
    api.cluster("one")
    stored: Any = api.store.get(Kind.COMPUTE_CLUSTER, ("ada", "one"))
    before = ComputeCluster()
    before.CopyFrom(stored)  # pyright: ignore[reportArgumentType]
    api("ListComputeClusters").compute_clusters[0].description = "changed"
    api("PatchComputeClusters", compute_clusters=[{"id": "one", "description": "x"}], action="overwrite")
    assert stored == before


def test_a_visibility_that_is_none(api: ResourceApi) -> None:
    _, message = refusal(
        api, "PostComputeClusters", compute_clusters=[{"id": "a", **CLUSTER, "visibility": {"gettable": 11}}]
    )
    assert message == "compute_clusters[0].visibility.gettable: 11 is none of 10 (private), 30 (org), 50 (public)."


def test_an_item_of_another_user_in_ones_own_request(api: ResourceApi) -> None:
    _, message = refusal(api, "PostComputeClusters", compute_clusters=[{"id": "a", **CLUSTER, "user_id": "bob"}])
    assert message == "compute_clusters[0].user_id: is 'bob', but the request is about 'ada'."


def test_posting_without_a_request(api: ResourceApi) -> None:
    [key] = api.resources.post(Kind.COMPUTE_CLUSTER, "org", (), [ComputeCluster(id="c", **CLUSTER)])  # pyright: ignore[reportArgumentType]
    assert key == ("org", "c")
    assert api.resources.shown(Kind.COMPUTE_CLUSTER, key).user_id == "org"
    user: Any = api.store.get(Kind.USER, ("org",))
    assert user.id == "org"
    with pytest.raises(CallerError, match="ComputeCluster with ID 'd' not found"):
        api.resources.shown(Kind.COMPUTE_CLUSTER, ("org", "d"))


def test_the_refusal_of_what_is_not_there_is_freed_without_the_garbage_collector(api: ResourceApi) -> None:
    refusals: list[weakref.ref[CallerError]] = []
    gc.disable()
    try:
        for _ in range(3):
            try:
                api("GetComputeCluster", compute_cluster_id="none")
            except CallerError as error:
                refusals.append(weakref.ref(error))
        assert [error() for error in refusals] == [None] * 3
    finally:
        gc.enable()
