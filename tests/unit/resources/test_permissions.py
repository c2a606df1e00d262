"""Users see and change what they may: alone, in an organisation, as a stranger.

The users ``ada`` and ``bob`` are in ``acme``.
"""

from __future__ import annotations

from typing import Any

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import User, Visibility
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.access.auth import Caller
from clarifai_emulator.behaviour import Behaviour
from clarifai_emulator.resources.permissions import Organisations
from clarifai_emulator.resources.roles import ROLES
from resource_api import ResourceApi, refusal

ORGANISATIONS = Organisations.of_members({"acme": ("ada", "bob"), "other": ("cyd",)})
PRIVATE, ORG, PUBLIC = Visibility.PRIVATE, Visibility.ORG, Visibility.PUBLIC


@pytest.mark.parametrize(
    ("caller", "owner", "sees"),
    [
        ("ada", "ada", {PRIVATE, ORG, PUBLIC}),
        ("ada", "acme", {PRIVATE, ORG, PUBLIC}),  # its organisation's: it is of the team
        ("acme", "acme", {PRIVATE, ORG, PUBLIC}),
        ("ada", "bob", {ORG, PUBLIC}),  # a colleague's
        ("acme", "ada", {ORG, PUBLIC}),
        ("cyd", "ada", {PUBLIC}),
        ("cyd", "acme", {PUBLIC}),
        ("other", "acme", {PUBLIC}),
        ("eve", "ada", {PUBLIC}),  # in no organisation
        ("ada", "eve", {PUBLIC}),
    ],
)
def test_who_sees_which_visibility(caller: str, owner: str, sees: set[Visibility.Gettable.ValueType]) -> None:
    for level in (PRIVATE, ORG, PUBLIC):
        assert ORGANISATIONS.can_see(caller, owner, Visibility(gettable=level)) is (level in sees)
    assert ORGANISATIONS.can_see(caller, owner, Visibility()) is (PRIVATE in sees)


@pytest.mark.parametrize(
    ("caller", "owner", "may"),
    [
        ("ada", "ada", True),
        ("ada", "acme", True),
        ("acme", "ada", False),
        ("ada", "bob", False),
        ("cyd", "acme", False),
    ],
)
def test_who_changes_whose(caller: str, owner: str, *, may: bool) -> None:
    assert ORGANISATIONS.may_change(caller, owner) is may


COMPUTE, MODELS, DEPLOYMENTS = "compute", "models", "deployments"
POSTS: dict[str, tuple[str, dict[str, Any]]] = {
    COMPUTE: ("PatchComputeClusters", {"compute_clusters": [{"id": "cluster-private"}]}),
    MODELS: ("PatchModels", {"app_id": "app-private", "models": [{"id": "model-private"}]}),
    DEPLOYMENTS: ("PatchDeployments", {"deployments": [{"id": "deployment-private"}]}),
}
GETS: dict[str, tuple[str, dict[str, Any]]] = {
    COMPUTE: ("GetComputeCluster", {"compute_cluster_id": "cluster-private"}),
    MODELS: ("GetModel", {"app_id": "app-private", "model_id": "model-private"}),
    DEPLOYMENTS: ("GetDeployment", {"deployment_id": "deployment-private"}),
}


@pytest.mark.parametrize(
    ("role", "reads", "writes"),
    [
        ("administrator", {COMPUTE, MODELS, DEPLOYMENTS}, {COMPUTE, MODELS, DEPLOYMENTS}),
        ("financial-manager", set(), set()),
        ("organization-contributor", {COMPUTE, MODELS, DEPLOYMENTS}, {MODELS, DEPLOYMENTS}),
        ("organization-user", {COMPUTE, MODELS}, set()),
        ("infrastructure-manager", {COMPUTE, DEPLOYMENTS}, {COMPUTE, DEPLOYMENTS}),
    ],
)
def test_what_a_member_reads_and_changes_is_its_roles(role: str, reads: set[str], writes: set[str]) -> None:
    organisations = Organisations.of_members({"acme": ("ada", "bob")}, {("bob", "acme"): ROLES[role]})
    api = furnished(organisations)
    for what, (rpc, fields) in GETS.items():
        if what in reads:
            assert api(rpc, "bob", user_id="acme", **fields).ListFields()
        else:
            refusal(api, rpc, "bob", user_id="acme", **fields)
    for what, (rpc, fields) in POSTS.items():
        if what in writes:
            assert api(rpc, "bob", user_id="acme", action="overwrite", **fields).ListFields()
        else:
            code, text = refusal(api, rpc, "bob", user_id="acme", action="overwrite", **fields)
            assert code == StatusCode.CONN_INSUFFICIENT_SCOPES
            assert f"of 'acme': its role there is {role}. Roles that may: administrator" in text


def test_a_role_that_reads_nothing_sees_what_everybody_sees() -> None:
    roles = {("bob", "acme"): ROLES["financial-manager"]}
    api = furnished(Organisations.of_members({"acme": ("ada", "bob")}, roles))
    assert [each.id for each in api("ListModels", "bob", user_id="acme").models] == ["model-public"]
    assert [each.id for each in api("ListApps", "bob", user_id="acme").apps] == ["app-public"]


@pytest.fixture
def api() -> ResourceApi:
    """Return an API where ``acme`` has one of everything, at each visibility; ids end with its name."""
    return furnished(ORGANISATIONS)


def furnished(organisations: Organisations) -> ResourceApi:
    api = ResourceApi(organisations)
    for name, level in (("private", PRIVATE), ("org", ORG), ("public", PUBLIC)):
        seen: dict[str, Any] = {"visibility": {"gettable": level}}
        api("PostApps", "acme", apps=[{"id": f"app-{name}", **seen}])
        api.model(f"model-{name}", f"app-{name}", "acme", **seen)
        api.version(f"model-{name}", f"app-{name}", "acme", **seen)
        api.cluster(f"cluster-{name}", "acme", **seen)
        api.nodepool(f"pool-{name}", f"cluster-{name}", "acme", **seen)
        api.deployment(
            f"deployment-{name}",
            "acme",
            worker={"model": {"id": f"model-{name}", "app_id": f"app-{name}"}},
            nodepools=[{"id": f"pool-{name}", "compute_cluster": {"id": f"cluster-{name}"}}],
            **seen,
        )
    return api


READS: dict[str, dict[str, str]] = {
    "GetApp": {"app_id": "app-{}"},
    "GetModel": {"app_id": "app-{}", "model_id": "model-{}"},
    "GetModelVersion": {"app_id": "app-{}", "model_id": "model-{}"},
    "ListModelVersions": {"app_id": "app-{}", "model_id": "model-{}"},
    "GetComputeCluster": {"compute_cluster_id": "cluster-{}"},
    "GetNodepool": {"compute_cluster_id": "cluster-{}", "nodepool_id": "pool-{}"},
    "GetDeployment": {"deployment_id": "deployment-{}"},
}


@pytest.mark.parametrize("rpc", READS)
@pytest.mark.parametrize("name", ["private", "org", "public"])
def test_every_read_of_one_resource_keeps_to_its_visibility(api: ResourceApi, rpc: str, name: str) -> None:
    fields = {key: value.format(name) for key, value in READS[rpc].items()}
    for member in ("acme", "ada", "bob"):
        assert api(rpc, member, user_id="acme", **fields).ListFields()
    if name == "public":
        assert api(rpc, "cyd", user_id="acme", **fields).ListFields()
        return
    code, text = refusal(api, rpc, "cyd", user_id="acme", **fields)
    missing = {key: value.format("gone") for key, value in READS[rpc].items()}
    assert (code, text.replace(name, "gone")) == refusal(api, rpc, "cyd", user_id="acme", **missing)


@pytest.mark.parametrize(
    "rpc", ["ListApps", "ListModels", "ListComputeClusters", "ListNodepools", "ListDeployments"]
)
@pytest.mark.parametrize("user_id", ["acme", ""])
def test_a_listing_holds_what_its_caller_may_see(api: ResourceApi, rpc: str, user_id: str) -> None:
    def listed(caller: str) -> set[str]:
        answer = api(rpc, caller, user_id=user_id)
        return {each.id.rpartition("-")[2] for _, items in answer.ListFields() for each in items}

    assert listed("ada") == listed("bob") == {"private", "org", "public"}
    assert listed("cyd") == listed("eve") == {"public"}


def test_runners_keys_and_secrets_are_for_the_owner_and_its_organisation(api: ResourceApi) -> None:
    for stem, fields in (
        ("Secret", {"secrets": [{"id": "S", "value": "v"}]}),
        ("Key", {"keys": [{"id": "K", "type": "personal_access_token"}]}),
    ):
        api(f"Post{stem}s", "acme", **fields)
        assert api(f"List{stem}s", "ada", user_id="acme").ListFields()
        assert not api(f"List{stem}s", "cyd", user_id="acme").ListFields()


def test_a_member_writes_for_its_organisation_and_nobody_else_does(api: ResourceApi) -> None:
    fields: dict[str, Any] = {"compute_cluster_id": "cluster-private", "ids": ["pool-private"]}
    code, text = refusal(api, "DeleteNodepools", "cyd", user_id="acme", **fields)
    assert code == StatusCode.CONN_INSUFFICIENT_SCOPES
    assert text.startswith("User 'cyd' may not change resources of user 'acme'.")
    api("DeleteNodepools", "ada", user_id="acme", **fields)
    posted = api("PostApps", "bob", user_id="acme", apps=[{"id": "new"}])
    assert posted.apps[0].user_id == "acme"


def test_a_public_deployment_shows_others_no_more_of_its_nodepool_than_its_id(api: ResourceApi) -> None:
    changed = {"id": "pool-public", "description": "secret plans", "visibility": {"gettable": 10}}
    api("PatchNodepools", "acme", compute_cluster_id="cluster-public", action="merge", nodepools=[changed])
    for rpc, fields in (("GetDeployment", {"deployment_id": "deployment-public"}), ("ListDeployments", {})):
        assert "secret plans" in str(api(rpc, "ada", user_id="acme", **fields))
        answer = str(api(rpc, "cyd", user_id="acme", **fields))
        assert "pool-public" in answer
        assert "secret plans" not in answer
        assert "t3a.medium" not in answer


def test_a_private_version_of_a_public_model_is_not_shown_with_it(api: ResourceApi) -> None:
    where: dict[str, Any] = {"user_id": "acme", "app_id": "app-public", "model_id": "model-public"}
    older = api("GetModel", "cyd", **where).model.model_version.id
    newer = api.version("model-public", "app-public", "acme")
    assert api("GetModel", "ada", **where).model.model_version.visibility.gettable == PRIVATE
    assert api("GetModel", "ada", **where).model.model_version.id == newer
    assert api("GetModel", "cyd", **where).model.model_version.id == older
    assert api("GetModelVersion", "cyd", **where).model_version.id == older
    assert [each.id for each in api("ListModelVersions", "cyd", **where).model_versions] == [older]
    for rpc in ("GetModel", "GetModelVersion"):
        assert refusal(api, rpc, "cyd", version_id=newer, **where)[0] == StatusCode.MODEL_DOES_NOT_EXIST


def test_my_scopes_tells_nothing_of_a_private_app(api: ResourceApi) -> None:
    assert api("MyScopes", "ada", user_id="acme", app_id="app-private").app.id == "app-private"
    assert not api("MyScopes", "cyd", user_id="acme", app_id="app-private").HasField("app")


def test_what_is_public_of_a_user_that_is_not_is_hidden_and_cannot_be_made(api: ResourceApi) -> None:
    api.resources.add_user(User(id="shy", visibility=Visibility(gettable=PRIVATE)))
    code, text = refusal(api, "PostApps", "shy", apps=[{"id": "app", "visibility": {"gettable": PUBLIC}}])
    assert code == StatusCode.CONN_INVALID_REQUEST
    assert text == ("apps[0].visibility.gettable: user profile has to be set public first; 'shy' is not public.")
    assert refusal(api, "GetUser", "eve", user_id="shy") == (
        StatusCode.CONN_DOES_NOT_EXIST,
        refusal(api, "GetUser", "eve", user_id="shx")[1].replace("shx", "shy"),
    )
    assert api("GetUser", "shy").user.id == "shy"


def test_log_entries_are_for_the_owner_and_its_organisation(api: ResourceApi) -> None:
    entry = {"log_type": "runner", "message": "m", "meta": {"user_app_id": {"user_id": "acme"}}}
    api("PostLogEntries", "ada", log_entries=[entry])
    assert api("ListLogEntries", "bob", user_id="acme", log_type="runner").log_entries[0].message == "m"
    assert not api("ListLogEntries", "bob", log_type="runner").log_entries
    assert not api("ListLogEntries", "cyd", user_id="acme", log_type="runner").log_entries
    assert refusal(api, "PostLogEntries", "cyd", log_entries=[entry])[0] == StatusCode.CONN_INSUFFICIENT_SCOPES


def test_a_clusters_key_is_nobody_elses_to_know_of(api: ResourceApi) -> None:
    api.cluster("keyed", "acme", key={"id": "k", "description": "of acme"}, visibility={"gettable": PUBLIC})
    for rpc, fields in (("GetComputeCluster", {"compute_cluster_id": "keyed"}), ("ListComputeClusters", {})):
        assert "of acme" in str(api(rpc, "ada", user_id="acme", **fields))
        assert "of acme" not in str(api(rpc, "cyd", user_id="acme", **fields))


def test_an_app_that_is_only_read_is_made_by_nobody_who_may_not_add_apps() -> None:
    api = ResourceApi(ORGANISATIONS, behaviour=Behaviour(apps="on-mention"))
    reader = Caller("eve", scopes=frozenset({"Apps_Get", "Workflows_Get"}))
    assert refusal(api, "GetApp", reader, app_id="new")[0] == StatusCode.CONN_DOES_NOT_EXIST
    assert api("GetApp", "eve", app_id="new").app.id == "new"
