"""The platform's routing rules, one test per sentence of the specification, with the words a user reads.

``ada`` owns the models and asks, unless a test says otherwise; ``bob`` is somebody else.
"""

from __future__ import annotations

import json

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import (
    ComputeInfo,
    Deployment,
    DeployRestriction,
    NodeCapacityType,
    Nodepool,
)
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.routing import (
    SCHEDULING,
    Ask,
    Candidate,
    Decision,
    Landscape,
    Load,
    RoutingError,
    RoutingRule,
    choose,
)
from landscapes import FULL, PRIVATE, World, key_of

MODEL = "ada/main/echo"
OWNED = "clarifai/main/whisper"
GPU = ComputeInfo(num_accelerators=1, accelerator_memory="20Gi")


@pytest.fixture
def world() -> World:
    """Return a world with the model of ada, two nodepools of hers, and no deployment."""
    world = World()
    world.add_model(MODEL, ["v1", "v2"])
    world.add_nodepool("ada/cc/small", "t3a.medium")
    world.add_nodepool("ada/cc/big", "t3a.2xlarge")
    return world


def ask(
    model: str = MODEL,
    *,
    caller: str = "ada",
    version: str = "",
    deployment: str = "",
    nodepool: str = "",
    runner: str = "",
    seed: str = "",
) -> Ask:
    user, app, model_id = key_of(model) if model else ("", "", "")
    return Ask(
        caller=caller,
        model_user=user,
        model_app=app,
        model_id=model_id,
        version_id=version,
        deployment=key_of(deployment) if deployment else None,  # type: ignore[arg-type]
        nodepool=key_of(nodepool) if nodepool else None,  # type: ignore[arg-type]
        runner_id=runner,
        seed=seed,
    )


def refused(world: Landscape, asked: Ask) -> RoutingError:
    with pytest.raises(RoutingError) as refusal:
        choose(asked, world)
    return refusal.value


def nodepools(decision: Decision) -> list[str]:
    return ["/".join(key) for key in decision.nodepools]


def rejected(outcome: Decision | RoutingError) -> dict[str, str]:
    return {each.what: each.reason for each in outcome.rejected}


# Rule 1: an explicit deployment -----------------------------------------------------------------------------


def test_an_explicit_deployment_goes_to_its_nodepool(world: World) -> None:
    world.add_deployment("ada/mine", MODEL, ["ada/cc/small"], version="v2")
    decision = choose(ask(deployment="ada/mine"), world)
    assert decision == Decision(
        rule=RoutingRule.DEPLOYMENT,
        deployment=("ada", "mine"),
        nodepools=(("ada", "cc", "small"),),
        model=("ada", "main", "echo"),
        version_id="v2",
        runner_id="",
        reason="The request names deployment 'ada/mine'; it goes to 'ada/cc/small': the only usable one.",
        rejected=(),
    )


def test_an_explicit_deployment_wins_over_the_owners_default(world: World) -> None:
    world.add_deployment("ada/default", MODEL, ["ada/cc/small"], version="v2")
    world.add_nodepool("bob/cc/np")
    world.add_deployment("bob/own", MODEL, ["bob/cc/np"], version="v2")
    assert choose(ask(caller="bob", deployment="bob/own"), world).deployment == ("bob", "own")


def test_the_deployment_alone_names_the_model_and_the_version_it_serves(world: World) -> None:
    world.add_deployment("ada/pinned", MODEL, ["ada/cc/small"], version="v1")
    decision = choose(ask("", deployment="ada/pinned"), world)
    assert (decision.model, decision.version_id) == (("ada", "main", "echo"), "v1")


def test_naming_a_deployment_without_a_version_means_the_one_it_is_pinned_to(world: World) -> None:
    world.add_deployment("ada/pinned", MODEL, ["ada/cc/small"], version="v1")
    assert choose(ask(deployment="ada/pinned"), world).version_id == "v1"


def test_deploy_latest_version_serves_the_newest_whatever_is_pinned(world: World) -> None:
    world.add_deployment("ada/latest", MODEL, ["ada/cc/small"], version="v1", latest=True)
    assert choose(ask(deployment="ada/latest"), world).version_id == "v2"
    assert choose(ask(deployment="ada/latest", version="v2"), world).version_id == "v2"


def test_a_deployment_without_a_pinned_version_serves_the_newest(world: World) -> None:
    world.add_deployment("ada/open", MODEL, ["ada/cc/small"], version="")
    assert choose(ask(deployment="ada/open"), world).version_id == "v2"


def test_a_deployment_whose_worker_was_only_written_is_served_from_desired_worker(world: World) -> None:
    world.add_deployment("ada/new", MODEL, ["ada/cc/small"])
    deployment = world.deployments[("ada", "new")]
    deployment.desired_worker.CopyFrom(deployment.worker)
    deployment.ClearField("worker")
    assert choose(ask(deployment="ada/new"), world).version_id == "v1"


def test_an_unknown_deployment_lists_what_exists_and_the_nearest_name(world: World) -> None:
    for number in range(7):
        world.add_deployment(f"ada/echo-{number}", MODEL, ["ada/cc/small"])
    error = refused(world, ask(deployment="ada/ecko-3"))
    assert (error.code, error.description) == (StatusCode.CONN_DOES_NOT_EXIST, "Resource does not exist")
    assert error.message == (
        "Deployment with ID 'ecko-3' not found. Check your request fields. User 'ada' has echo-0, echo-1, echo-2, "
        "echo-3, echo-4 and 2 more. Did you mean 'echo-3'?"
    )


def test_an_unknown_deployment_of_a_user_without_any(world: World) -> None:
    error = refused(world, ask(deployment="ada/nothing"))
    assert error.message == (
        "Deployment with ID 'nothing' not found. Check your request fields. User 'ada' has no deployment."
    )


def test_a_deployment_of_the_models_owner_hints_at_deployment_user_id(world: World) -> None:
    world.add_deployment("ada/prod", MODEL, ["ada/cc/small"])
    error = refused(world, ask(caller="bob", deployment="bob/prod"))
    assert error.code == StatusCode.CONN_DOES_NOT_EXIST
    assert error.message == (
        "Deployment with ID 'prod' not found. Check your request fields. User 'bob' has no deployment."
        " User 'ada' has a deployment 'prod': pass deployment_user_id='ada'."
    )


def test_a_private_deployment_of_somebody_else_does_not_exist_for_the_caller(world: World) -> None:
    world.add_deployment("ada/mine", MODEL, ["ada/cc/small"], visibility=PRIVATE)
    error = refused(world, ask(caller="bob", deployment="ada/mine"))
    assert error.code == StatusCode.CONN_DOES_NOT_EXIST
    assert error.message == (
        "Deployment with ID 'mine' not found. Check your request fields. User 'ada' has no deployment."
    )
    assert error.as_dict()["note"] == (
        "Deployment 'ada/mine' is not visible to 'bob': it belongs to 'ada' and its visibility is PRIVATE."
    )
    del world.deployments["ada", "mine"]
    assert refused(world, ask(caller="bob", deployment="ada/mine")).message == error.message


def test_a_disabled_deployment_rejects_traffic(world: World) -> None:
    world.add_deployment("ada/off", MODEL, ["ada/cc/small"], disabled=True)
    error = refused(world, ask(deployment="ada/off"))
    assert error.code == StatusCode.DEPLOYMENT_DISABLED
    assert error.message == (
        "Deployment 'ada/off' is disabled and cannot serve traffic."
        " Enable deployment 'off': set its status to ENABLED."
    )


def test_a_deployment_of_another_model_is_refused(world: World) -> None:
    world.add_model("ada/main/other")
    world.add_deployment("ada/other", "ada/main/other", ["ada/cc/small"])
    world.add_deployment("ada/echo", MODEL, ["ada/cc/small"])
    error = refused(world, ask(deployment="ada/other"))
    assert error.code == StatusCode.DEPLOYMENT_INVALID_REQUEST
    assert error.message == (
        "Deployment 'ada/other' serves model 'ada/main/other', not 'ada/main/echo', which the request names."
        " The model is served by 'ada/echo'."
    )


def test_a_deployment_of_a_workflow_serves_no_model(world: World) -> None:
    world.add_deployment("ada/flow", MODEL, ["ada/cc/small"])
    world.deployments[("ada", "flow")].worker.workflow.id = "flow"
    error = refused(world, ask(deployment="ada/flow"))
    assert error.code == StatusCode.DEPLOYMENT_INVALID_REQUEST
    assert error.message == "Deployment 'ada/flow' serves no model."


def test_another_version_than_the_deployed_one_is_refused_with_a_code_the_sdk_does_not_retry(world: World) -> None:
    world.add_deployment("ada/pinned", MODEL, ["ada/cc/small"], version="v1")
    error = refused(world, ask(deployment="ada/pinned", version="v2"))
    assert error.code == StatusCode.MODEL_NOT_DEPLOYED
    assert error.message == (
        "Deployment 'ada/pinned' serves version 'v1', not 'v2', which the request names."
        " Name version 'v1' in the request, or deploy 'v2': patch the deployment's"
        " desired_worker.model.model_version.id, or set deploy_latest_version."
    )


def test_a_deployment_and_one_of_its_nodepools(world: World) -> None:
    world.add_deployment("ada/two", MODEL, ["ada/cc/small", "ada/cc/big"], version="v2")
    decision = choose(ask(deployment="ada/two", nodepool="ada/cc/big"), world)
    assert (decision.rule, nodepools(decision)) == (RoutingRule.DEPLOYMENT, ["ada/cc/big"])
    assert rejected(decision) == {"nodepool ada/cc/small": "is not the one the request names"}


def test_a_deployment_and_a_nodepool_it_is_not_in(world: World) -> None:
    world.add_deployment("ada/one", MODEL, ["ada/cc/small"], version="v2")
    error = refused(world, ask(deployment="ada/one", nodepool="ada/cc/big"))
    assert error.code == StatusCode.DEPLOYMENT_INVALID_REQUEST
    assert error.message == (
        "Deployment 'ada/one' is not in nodepool 'ada/cc/big', which the request also names; it is in"
        " 'ada/cc/small'. Name the deployment or the nodepool, not both."
    )


def test_a_deployment_and_a_runner_goes_to_the_runners_nodepool(world: World) -> None:
    world.add_deployment("ada/two", MODEL, ["ada/cc/small", "ada/cc/big"], version="v2")
    world.add_runner("ada/cc/big/r1", MODEL, "v2")
    decision = choose(ask(deployment="ada/two", runner="r1"), world)
    assert (nodepools(decision), decision.runner_id) == (["ada/cc/big"], "r1")
    error = refused(world, ask(deployment="ada/two", runner="r9"))
    assert error.code == StatusCode.RUNNER_DOES_NOT_EXIST
    assert error.message == "Deployment 'ada/two' has no runner 'r9' in its nodepools."


def test_a_deployment_may_serve_another_users_public_model(world: World) -> None:
    world.add_nodepool("bob/cc/np")
    world.add_deployment("bob/llama", MODEL, ["bob/cc/np"], version="v2")
    assert choose(ask("", caller="bob", deployment="bob/llama"), world).model == ("ada", "main", "echo")


# Models and versions ----------------------------------------------------------------------------------------


def test_an_unknown_model_lists_the_apps_models(world: World) -> None:
    error = refused(world, ask("ada/main/eco"))
    assert error.code == StatusCode.MODEL_DOES_NOT_EXIST
    assert error.description == "Model does not exist"
    assert error.message == ("Model 'ada/main/eco' does not exist. App ada/main has echo. Did you mean 'echo'?")


def test_a_model_that_is_named_without_its_app_is_told_so(world: World) -> None:
    error = refused(world, ask("ada//echo"))
    assert error.code == StatusCode.MODEL_DOES_NOT_EXIST
    assert error.message == (
        "The request names model 'echo' of no app. "
        "Name its app too: user_app_id.app_id, in REST /users/USER/apps/APP."
    )


def test_a_private_model_of_somebody_else_does_not_exist_for_the_caller(world: World) -> None:
    world.add_model("ada/main/secret", visibility=PRIVATE)
    error = refused(world, ask("ada/main/secret", caller="bob"))
    assert error.code == StatusCode.MODEL_DOES_NOT_EXIST
    assert error.details == "Model 'ada/main/secret' does not exist. App ada/main has echo."
    assert error.note == (
        "Model 'ada/main/secret' is not visible to 'bob': it belongs to 'ada' and its visibility is PRIVATE."
    )
    del world.models["ada", "main", "secret"]
    assert refused(world, ask("ada/main/secret", caller="bob")).message == error.message


def test_a_public_model_in_a_private_app_or_of_a_private_user_does_not_exist_for_others(world: World) -> None:
    world.add_deployment("ada/d", MODEL, ["ada/cc/small"], version="v2")
    assert choose(ask(caller="bob"), world).deployment == ("ada", "d")
    for container, whose in ((("ada", "main"), "its app's"), (("ada",), "its user's")):
        world.containers_of = {container: PRIVATE}
        error = refused(world, ask(caller="bob"))
        assert error.message == "Model 'ada/main/echo' does not exist. App ada/main has no model."
        assert error.note.endswith(f"it belongs to 'ada' and {whose} visibility is PRIVATE.")
        assert choose(ask(), world).deployment == ("ada", "d")


def test_a_private_version_of_a_public_model_does_not_exist_for_others(world: World) -> None:
    world.add_deployment("ada/old", MODEL, ["ada/cc/small"], version="v1")
    hide_newest(world)
    assert choose(ask(caller="bob", version="v1"), world).version_id == "v1"
    error = refused(world, ask(caller="bob", version="v2"))
    assert (error.code, error.details) == (
        StatusCode.MODEL_DOES_NOT_EXIST,
        "Model 'ada/main/echo' has no version 'v2'; its newest is 'v1'.",
    )
    assert error.note


def hide_newest(world: World, *, local_dev: bool = False) -> None:
    newest = world.versions_of[key_of(MODEL)][-1]
    newest.visibility.gettable = PRIVATE
    newest.pretrained_model_config.local_dev = local_dev


def test_a_request_without_a_version_means_the_newest_also_where_its_caller_may_not_see_it(world: World) -> None:
    """The platform takes the newest version of all (clarifai-python #1038), then finds no deployment of it."""
    world.add_deployment("ada/old", MODEL, ["ada/cc/small"], version="v1")
    world.add_deployment("ada/new", MODEL, ["ada/cc/small"], version="v2")
    hide_newest(world)
    assert choose(ask(), world).deployment == ("ada", "new")
    error = refused(world, ask(caller="bob"))
    assert error.code == StatusCode.MODEL_NOT_DEPLOYED
    assert error.message == (
        "Model 'ada/main/echo' has no deployment that can serve its newest version, and shared compute runs only "
        "models that Clarifai uploaded and owns. Considered: deployment ada/old serves version 'v1', not the "
        "newest, which a request without version means; deployment ada/new serves no version that 'bob' may see. "
        "The newest version that 'bob' may see is 'v1': name it in the request, or ask the model's owner to make "
        "the newest PUBLIC."
    )
    assert error.note == (
        "Version 'v2' of model 'ada/main/echo' is not visible to 'bob': it belongs to 'ada' and its visibility is "
        "PRIVATE."
    )


def test_a_private_local_dev_version_is_refused_in_the_platforms_words(world: World) -> None:
    world.add_deployment("ada/new", MODEL, ["ada/cc/small"], version="v2")
    world.versions_of[key_of(MODEL)][0].visibility.gettable = PRIVATE
    hide_newest(world, local_dev=True)
    error = refused(world, ask(caller="bob"))
    assert error.message == (
        "Shared Nodepools are not allowed for local-dev models. Model 'ada/main/echo' has no deployment that can "
        "serve its newest version. Considered: deployment ada/new serves no version that 'bob' may see. Ask the "
        "model's owner to make its newest version PUBLIC."
    )


def test_a_deployment_of_a_version_that_the_caller_may_not_see_serves_others(world: World) -> None:
    world.add_deployment("ada/new", MODEL, ["ada/cc/small"], version="v2")
    hide_newest(world)
    for version in ("", "v1"):
        error = refused(world, ask(caller="bob", deployment="ada/new", version=version))
        assert error.code == StatusCode.MODEL_DOES_NOT_EXIST
        assert error.message == "Deployment 'ada/new' serves no version that 'bob' may see."
        assert "'v2'" in error.note


@pytest.mark.parametrize("runner", ["", "r1"])
def test_a_nodepool_runs_no_version_that_the_caller_may_not_see(laptop: World, runner: str) -> None:
    hide_newest(laptop)
    assert choose(ask(nodepool="ada/local/np", runner=runner), laptop).version_id == "v2"
    error = refused(laptop, ask(caller="bob", nodepool="ada/local/np", runner=runner))
    assert error.code == StatusCode.MODEL_NOT_DEPLOYED
    assert error.message == (
        "Nodepool 'ada/local/np' has no deployment that can serve the newest version of model 'ada/main/echo'. "
        "The newest version that 'bob' may see is 'v1': name it in the request, or ask the model's owner to make "
        "the newest PUBLIC."
    )
    assert error.note


def test_shared_compute_runs_no_version_that_the_caller_may_not_see(world: World) -> None:
    world.add_model(OWNED, ["v1", "v2"])
    world.versions_of[key_of(OWNED)][-1].visibility.gettable = PRIVATE
    for nodepool in ("", "clarifai/shared/shared-cpu"):
        error = refused(world, ask(OWNED, nodepool=nodepool))
        assert error.code == StatusCode.MODEL_NOT_DEPLOYED
        assert "shared compute runs no version that 'ada' may not see." in error.details
        assert choose(ask(OWNED, nodepool=nodepool, version="v1"), world).version_id == "v1"


def test_an_answer_never_names_what_its_caller_may_not_see(world: World) -> None:
    world.add_model("ada/main/secret-model", visibility=PRIVATE)
    world.add_cluster("ada/secret-cluster", visibility=PRIVATE)
    world.add_nodepool("ada/cc/secret-pool", visibility=PRIVATE)
    world.add_nodepool("eve/cc/secret-pool", visibility=PRIVATE)
    world.add_deployment("ada/secret-deployment", MODEL, ["ada/cc/small"], version="v2", visibility=PRIVATE)
    world.add_deployment("eve/secret-deployment", MODEL, ["eve/cc/secret-pool"], version="v2", visibility=PRIVATE)
    world.add_runner("ada/cc/small/secret-runner", MODEL, "v2")
    asks = [
        ask("ada/main/secret-mode", caller="bob"),
        ask(caller="bob"),
        ask(caller="bob", deployment="ada/secret-deploymen"),
        ask(caller="bob", deployment="bob/secret-deployment"),
        ask(caller="bob", nodepool="ada/secret-cluste/x"),
        ask(caller="bob", nodepool="ada/cc/secret-poo"),
        ask(caller="bob", nodepool="ada/cc/small"),
        ask(caller="bob", nodepool="ada/cc/small", runner="secret-runne"),
    ]
    for asked in asks:
        said = refused(world, asked).message
        for name in (asked.model_id, asked.deployment and asked.deployment[1], *(asked.nodepool or ())):
            said = said.replace(f"/{name}'", "'").replace(f"'{name}'", "''") if name else said
        assert "secret-" not in said.replace("'secret-runne'", ""), (asked, said)


def test_an_unknown_version_names_the_newest(world: World) -> None:
    error = refused(world, ask(version="v9"))
    assert error.code == StatusCode.MODEL_DOES_NOT_EXIST
    assert error.details == "Model 'ada/main/echo' has no version 'v9'; its newest is 'v2'."


def test_a_model_without_any_version(world: World) -> None:
    world.add_model("ada/main/empty", [])
    error = refused(world, ask("ada/main/empty"))
    assert error.code == StatusCode.MODEL_NOT_DEPLOYED
    assert error.message == (
        "Model 'ada/main/empty' has no version. Upload one: `clarifai-emulator deploy PATH_TO_THE_MODEL`."
    )


def test_a_request_that_names_nothing(world: World) -> None:
    error = refused(world, ask(""))
    assert error.code == StatusCode.MODEL_INVALID_REQUEST
    assert error.details == "The request names neither a model nor a deployment."


# Rule 2: an explicit nodepool -------------------------------------------------------------------------------


def test_an_explicit_nodepool_uses_the_models_deployment_in_it(world: World) -> None:
    world.add_deployment("ada/two", MODEL, ["ada/cc/small", "ada/cc/big"], version="v2")
    decision = choose(ask(nodepool="ada/cc/big"), world)
    assert (decision.rule, decision.deployment, nodepools(decision)) == (
        RoutingRule.NODEPOOL,
        ("ada", "two"),
        ["ada/cc/big"],
    )
    assert decision.reason == (
        "The request names nodepool 'ada/cc/big', where 'ada/two' serves the model; it goes to 'ada/cc/big':"
        " the only usable one."
    )


def test_two_deployments_of_a_model_in_one_nodepool_the_oldest_is_taken_and_the_other_explained(
    world: World,
) -> None:
    world.add_deployment("ada/first", MODEL, ["ada/cc/big"], version="v2")
    world.add_deployment("ada/second", MODEL, ["ada/cc/big"], version="v2")
    decision = choose(ask(nodepool="ada/cc/big"), world)
    assert decision.deployment == ("ada", "first")
    assert rejected(decision) == {
        "deployment ada/second": "comes after 'ada/first': one deployment of a model per nodepool"
    }


def test_a_deployment_that_lists_somebody_elses_nodepool_is_not_used_there(world: World) -> None:
    world.add_deployment("bob/sly", MODEL, ["ada/cc/big"], version="v2")
    error = refused(world, ask(nodepool="ada/cc/big"))
    assert error.code == StatusCode.MODEL_NOT_DEPLOYED
    assert error.message == (
        "Nodepool 'ada/cc/big' has no deployment that can serve version 'v2' of model 'ada/main/echo'."
        " Considered: deployment bob/sly has no usable nodepool: nodepool ada/cc/big belongs to 'ada':"
        " a deployment's nodepools must be of its own user 'bob'."
        " Create a deployment for it first: `clarifai-emulator deploy PATH_TO_THE_MODEL`."
    )


def test_a_nodepool_without_a_deployment_of_the_model(world: World) -> None:
    error = refused(world, ask(nodepool="ada/cc/big"))
    assert error.code == StatusCode.MODEL_NOT_DEPLOYED
    assert error.message == (
        "Nodepool 'ada/cc/big' has no deployment that can serve version 'v2' of model 'ada/main/echo'."
        " Create a deployment for it first: `clarifai-emulator deploy PATH_TO_THE_MODEL`."
    )


def test_an_unknown_cluster_and_an_unknown_nodepool_have_their_own_texts(world: World) -> None:
    error = refused(world, ask(nodepool="ada/cx/big"))
    assert error.code == StatusCode.CONN_DOES_NOT_EXIST
    assert error.message == ("ComputeCluster with ID 'cx' not found. Check your request fields. User 'ada' has cc.")
    error = refused(world, ask(nodepool="ada/cc/bigg"))
    assert error.code == StatusCode.CONN_DOES_NOT_EXIST
    assert error.message == (
        "Nodepool not found. Check your request fields. Compute cluster 'ada/cc' has small, big, not 'bigg'. "
        "Did you mean 'big'?"
    )


def test_private_clusters_and_nodepools_of_somebody_else(world: World) -> None:
    world.add_cluster("ada/hidden", visibility=PRIVATE)
    world.add_nodepool("ada/hidden/np")
    world.add_nodepool("ada/cc/closed", visibility=PRIVATE)
    error = refused(world, ask(caller="bob", nodepool="ada/hidden/np"))
    assert error.code == StatusCode.CONN_DOES_NOT_EXIST
    error = refused(world, ask(caller="bob", nodepool="ada/cc/closed"))
    assert error.code == StatusCode.CONN_DOES_NOT_EXIST
    assert error.details == (
        "Nodepool not found. Check your request fields. Compute cluster 'ada/cc' has small, big, not 'closed'."
    )
    assert error.note == (
        "Nodepool 'ada/cc/closed' is not visible to 'bob': it belongs to 'ada' and its visibility is PRIVATE."
    )


def test_a_nodepool_with_max_instances_0_is_disabled(world: World) -> None:
    world.add_nodepool("ada/cc/off", max_instances=0)
    world.add_deployment("ada/d", MODEL, ["ada/cc/off"], version="v2")
    error = refused(world, ask(nodepool="ada/cc/off"))
    assert error.code == StatusCode.NODEPOOL_INVALID_REQUEST
    assert error.details == "Nodepool 'ada/cc/off' is disabled (max_instances is 0)."


def test_a_nodepool_whose_instances_are_too_small(world: World) -> None:
    world.add_model("ada/main/llm", needs=GPU)
    world.add_deployment("ada/llm", "ada/main/llm", ["ada/cc/big"])
    error = refused(world, ask("ada/main/llm", nodepool="ada/cc/big"))
    assert error.code == StatusCode.MODEL_DEPLOYMENT_FAILED
    assert error.details == (
        "Nodepool 'ada/cc/big' has no instance type that fits the model:"
        " t3a.2xlarge needs 1 accelerator, it has none."
    )


def test_a_version_that_is_not_the_newest_must_be_named(world: World) -> None:
    world.add_deployment("ada/old", MODEL, ["ada/cc/big"], version="v1")
    error = refused(world, ask(nodepool="ada/cc/big"))
    assert error.code == StatusCode.MODEL_NOT_DEPLOYED
    assert rejected(error) == {
        "deployment ada/old": "serves version 'v1', not 'v2', the newest, which a request without version means"
    }
    assert error.hint.startswith("Name version 'v1' in the request, or deploy 'v2'")
    assert choose(ask(nodepool="ada/cc/big", version="v1"), world).deployment == ("ada", "old")


# Rule 2: a runner in the nodepool ---------------------------------------------------------------------------


def test_a_runner_that_the_user_started_needs_no_deployment_and_no_fitting_instance(world: World) -> None:
    world.add_model("ada/main/llm", needs=GPU)
    world.add_cluster("ada/local", provider="local", cluster_type="local-dev")
    world.add_nodepool("ada/local/np", "local")
    world.add_runner("ada/local/np/r1", "ada/main/llm")
    decision = choose(ask("ada/main/llm", nodepool="ada/local/np", runner="r1"), world)
    assert (decision.rule, decision.deployment, decision.runner_id) == (RoutingRule.NODEPOOL, None, "r1")
    assert decision.reason == "The request names nodepool 'ada/local/np' and runner 'r1' in it."


def test_a_local_dev_deployment_is_not_matched_against_instance_types(world: World) -> None:
    world.add_model("ada/main/llm", needs=GPU)
    world.add_cluster("ada/local", provider="local", cluster_type="local-dev")
    world.add_nodepool("ada/local/np", "local")
    world.add_deployment("ada/local-llm", "ada/main/llm", ["ada/local/np"])
    assert choose(ask("ada/main/llm"), world).deployment == ("ada", "local-llm")


def test_an_unknown_runner(world: World) -> None:
    world.add_runner("ada/cc/big/abc1", MODEL)
    error = refused(world, ask(nodepool="ada/cc/big", runner="abc2"))
    assert error.code == StatusCode.RUNNER_DOES_NOT_EXIST
    assert error.message == ("Runner 'abc2' does not exist. Nodepool 'ada/cc/big' has abc1. Did you mean 'abc1'?")


def test_a_runner_of_another_model_or_version(world: World) -> None:
    world.add_runner("ada/cc/big/other", "ada/main/other")
    error = refused(world, ask(nodepool="ada/cc/big", runner="other"))
    assert error.code == StatusCode.RUNNER_INVALID_REQUEST
    assert error.details == "Runner 'other' serves model 'ada/main/other', not 'ada/main/echo'."
    world.add_runner("ada/cc/big/old", MODEL, "v1")
    error = refused(world, ask(nodepool="ada/cc/big", runner="old"))
    assert error.code == StatusCode.MODEL_NOT_DEPLOYED
    assert error.details == "Runner 'old' serves version 'v1', not 'v2'."


# Rule 2: a runner that a user registered, without a deployment -----------------------------------------------


@pytest.fixture
def laptop(world: World) -> World:
    """A nodepool of a local-dev cluster, with a runner of the newest version."""
    world.add_cluster("ada/local", provider="local", cluster_type="local-dev")
    world.add_nodepool("ada/local/np", "local")
    world.add_runner("ada/local/np/r1", MODEL, "v2")
    return world


@pytest.mark.parametrize("version", ["", "v2"])
def test_a_nodepool_without_a_deployment_goes_to_the_runner_in_it(laptop: World, version: str) -> None:
    decision = choose(ask(nodepool="ada/local/np", version=version), laptop)
    assert (decision.rule, decision.deployment, decision.runner_id) == (RoutingRule.NODEPOOL, None, "")
    assert (decision.nodepools, decision.version_id) == ((("ada", "local", "np"),), "v2")
    assert decision.reason == "The request names nodepool 'ada/local/np', where runner 'r1' serves it."


def test_a_runner_without_a_version_serves_any(laptop: World) -> None:
    laptop.add_runner("ada/local/np/any", MODEL)
    decision = choose(ask(nodepool="ada/local/np", version="v1"), laptop)
    assert "runner 'any'" in decision.reason
    assert "runner 'r1'" in choose(ask(nodepool="ada/local/np", version="v2"), laptop).reason


def test_a_runner_of_another_version_is_no_place_for_a_request(laptop: World) -> None:
    error = refused(laptop, ask(nodepool="ada/local/np", version="v1"))
    assert error.code == StatusCode.MODEL_NOT_DEPLOYED
    assert error.details == (
        "Nodepool 'ada/local/np' has no deployment that can serve version 'v1' of model 'ada/main/echo'. "
        "Considered: runner r1 serves version 'v2'."
    )


def test_a_deployment_comes_before_the_runners_of_its_nodepool(laptop: World) -> None:
    laptop.add_deployment("ada/d", MODEL, ["ada/local/np"], version="v2")
    assert choose(ask(nodepool="ada/local/np"), laptop).deployment == ("ada", "d")


def test_the_runner_of_a_private_deployment_is_nobody_elses(laptop: World) -> None:
    laptop.add_deployment("ada/d", MODEL, ["ada/local/np"], version="v2", visibility=PRIVATE)
    assert choose(ask(nodepool="ada/local/np"), laptop).deployment == ("ada", "d")
    error = refused(laptop, ask(nodepool="ada/local/np", caller="bob"))
    assert error.code == StatusCode.MODEL_NOT_DEPLOYED
    laptop.add_deployment("ada/d", MODEL, ["ada/local/np"], version="v1", visibility=PRIVATE)
    assert choose(ask(nodepool="ada/local/np", caller="bob"), laptop).deployment is None
    assert "r1" not in refused(laptop, ask(nodepool="ada/local/np", caller="bob", version="v1")).message


def test_a_disabled_deployment_keeps_no_runner_to_itself(laptop: World) -> None:
    laptop.add_deployment("ada/d", MODEL, ["ada/local/np"], version="v2", disabled=True)
    decision = choose(ask(nodepool="ada/local/np"), laptop)
    assert decision.deployment is None
    assert [each.reason for each in decision.rejected] == ["is disabled and cannot serve traffic"]


def test_a_runner_is_reached_by_its_nodepool_only(laptop: World) -> None:
    laptop.versions_of[("ada", "main", "echo")][-1].pretrained_model_config.local_dev = True
    error = refused(laptop, ask())
    assert error.code == StatusCode.MODEL_NOT_DEPLOYED
    assert error.message == (
        "Shared Nodepools are not allowed for local-dev models. Model 'ada/main/echo' has no deployment that can "
        "serve version 'v2'. Name the nodepool of its runner in the request, or create a deployment for it."
    )


def test_a_runner_without_its_nodepool(world: World) -> None:
    error = refused(world, ask(runner="r1"))
    assert error.code == StatusCode.RUNNER_INVALID_REQUEST
    assert error.details == "The request names runner 'r1' without its nodepool."


# Rule 3: the owner's default --------------------------------------------------------------------------------


def test_without_a_selector_the_owners_deployment_serves_everybody(world: World) -> None:
    world.add_deployment("ada/prod", MODEL, ["ada/cc/small"], version="v2")
    decision = choose(ask(caller="bob"), world)
    assert (decision.rule, decision.deployment) == (RoutingRule.OWNER_DEFAULT, ("ada", "prod"))
    assert decision.reason == (
        "The model's owner has deployment 'ada/prod' for this version; it goes to 'ada/cc/small':"
        " the only usable one."
    )


def test_the_owners_deployment_comes_before_the_callers(world: World) -> None:
    world.add_nodepool("bob/cc/np")
    world.add_deployment("bob/own", MODEL, ["bob/cc/np"], version="v2")
    world.add_deployment("ada/prod", MODEL, ["ada/cc/small"], version="v2")
    decision = choose(ask(caller="bob"), world)
    assert decision.deployment == ("ada", "prod")
    assert rejected(decision) == {"deployment bob/own": "is the caller's; the model owner's comes first"}


def test_the_callers_deployment_serves_when_the_owner_has_none_that_can(world: World) -> None:
    world.add_nodepool("bob/cc/np")
    world.add_deployment("bob/own", MODEL, ["bob/cc/np"], version="v2")
    world.add_deployment("ada/off", MODEL, ["ada/cc/small"], version="v2", disabled=True)
    world.add_deployment("ada/closed", MODEL, ["ada/cc/small"], version="v2", visibility=PRIVATE)
    decision = choose(ask(caller="bob"), world)
    assert (decision.rule, decision.deployment) == (RoutingRule.OWNER_DEFAULT, ("bob", "own"))
    assert decision.reason.startswith("The model's owner has none, the caller has deployment 'bob/own'")
    assert rejected(decision) == {
        "deployment ada/off": "is disabled and cannot serve traffic",
        "deployment ada/closed": ("is not visible to 'bob': it belongs to 'ada' and its visibility is PRIVATE"),
    }


def test_a_third_users_deployment_is_never_a_default(world: World) -> None:
    world.add_nodepool("eve/cc/np")
    world.add_deployment("eve/own", MODEL, ["eve/cc/np"], version="v2")
    error = refused(world, ask(caller="bob"))
    assert error.code == StatusCode.MODEL_NOT_DEPLOYED
    assert rejected(error) == {"deployment eve/own": "belongs to neither the model's owner nor the caller"}


def test_a_version_without_a_deployment_is_not_served_by_another_versions(world: World) -> None:
    world.add_deployment("ada/old", MODEL, ["ada/cc/small"], version="v1")
    assert refused(world, ask()).code == StatusCode.MODEL_NOT_DEPLOYED
    assert choose(ask(version="v1"), world).deployment == ("ada", "old")


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        (FULL, Load(free_slots=1), "has no free capacity, 'ada/b' has a free slot"),
        (
            Load(startable_replicas=1),
            Load(free_slots=1, queued=3),
            "has no free slot before a replica starts, 'ada/b' has a free slot",
        ),
        (Load(free_slots=1, queued=3), Load(free_slots=1, queued=1), "has 3 queued, 'ada/b' has 1"),
        (
            Load(free_slots=1, latency_ms=80),
            Load(free_slots=1, latency_ms=20.5),
            "has a latency of 80 ms, 'ada/b' has 20.5 ms",
        ),
    ],
)
def test_of_several_deployments_the_one_that_can_answer_soonest_is_taken(
    world: World, first: Load, second: Load, reason: str
) -> None:
    world.add_deployment("ada/a", MODEL, ["ada/cc/small"], version="v2")
    world.add_deployment("ada/b", MODEL, ["ada/cc/big"], version="v2")
    world.set_load("ada/a", "ada/cc/small", first)
    world.set_load("ada/b", "ada/cc/big", second)
    decision = choose(ask(), world)
    assert decision.deployment == ("ada", "b")
    assert rejected(decision) == {"deployment ada/a": reason}


def test_of_equally_busy_deployments_the_oldest_is_taken(world: World) -> None:
    world.add_deployment("ada/z", MODEL, ["ada/cc/small"], version="v2")
    world.add_deployment("ada/a", MODEL, ["ada/cc/big"], version="v2")
    decision = choose(ask(), world)
    assert decision.deployment == ("ada", "z")
    assert rejected(decision) == {"deployment ada/a": "is as busy as 'ada/z', which is older"}


# Rule 4: shared compute -------------------------------------------------------------------------------------


def test_a_user_uploaded_model_without_deployment_has_no_shared_compute(world: World) -> None:
    error = refused(world, ask())
    assert error.code == StatusCode.MODEL_NOT_DEPLOYED
    assert error.message == (
        "Model 'ada/main/echo' has no deployment that can serve version 'v2',"
        " and shared compute runs only models that Clarifai uploaded and owns."
        " Create a deployment for it first: `clarifai-emulator deploy PATH_TO_THE_MODEL`."
    )


@pytest.mark.parametrize(
    ("needs", "nodepool"),
    [
        (ComputeInfo(), "shared-cpu"),
        (ComputeInfo(num_accelerators=1), "shared-t4"),
        (GPU, "shared-l4"),
        (ComputeInfo(num_accelerators=1, accelerator_type=["NVIDIA-A10G", "NVIDIA-H100"]), "shared-a10g"),
        (ComputeInfo(num_accelerators=4, accelerator_memory="40Gi"), "shared-4xl40s"),
    ],
)
def test_clarifais_own_model_goes_to_the_cheapest_shared_nodepool_that_fits(
    needs: ComputeInfo, nodepool: str
) -> None:
    world = World()
    world.add_model(OWNED, needs=needs)
    decision = choose(ask(OWNED, caller="bob"), world)
    assert (decision.rule, decision.deployment) == (RoutingRule.SHARED, None)
    assert nodepools(decision) == [f"clarifai/shared/{nodepool}"]
    assert decision.reason == (
        f"Clarifai owns the model and no deployment serves it; 'clarifai/shared/{nodepool}' is the cheapest"
        " shared one that fits."
    )
    assert len(decision.rejected) == len(world.shared) - 1
    assert rejected(decision)["nodepool clarifai/shared/shared-8xh100"] == f"is no cheaper than {nodepool!r}"


def test_a_stand_in_runs_on_shared_compute_whoever_owns_the_model() -> None:
    world = World()
    world.add_model("openai/chat/gpt")
    assert refused(world, ask("openai/chat/gpt")).code == StatusCode.MODEL_NOT_DEPLOYED
    world.hosted.add(("openai", "chat", "gpt"))
    decision = choose(ask("openai/chat/gpt"), world)
    assert nodepools(decision) == ["clarifai/shared/shared-cpu"]
    assert decision.reason == (
        "A stand-in serves the hosted model and no deployment serves it; 'clarifai/shared/shared-cpu' is the"
        " cheapest shared one that fits."
    )
    assert choose(ask("openai/chat/gpt", nodepool="clarifai/shared/shared-l4"), world).rule == RoutingRule.NODEPOOL


def test_a_deployment_of_clarifais_model_comes_before_shared_compute() -> None:
    world = World()
    world.add_model(OWNED)
    world.add_nodepool("bob/cc/np")
    world.add_deployment("bob/own", OWNED, ["bob/cc/np"])
    assert choose(ask(OWNED, caller="bob"), world).rule == RoutingRule.OWNER_DEFAULT
    assert choose(ask(OWNED, caller="eve"), world).rule == RoutingRule.SHARED


def test_a_clarifai_model_that_no_shared_nodepool_can_run() -> None:
    world = World()
    world.add_model(OWNED, needs=ComputeInfo(num_accelerators=16))
    error = refused(world, ask(OWNED))
    assert error.code == StatusCode.MODEL_DEPLOYMENT_FAILED
    assert error.details.startswith(
        "No shared nodepool can run model 'clarifai/main/whisper'. Considered: nodepool"
        " clarifai/shared/shared-cpu has no instance type that fits the model: t3a.2xlarge needs 16"
        " accelerators, it has none; "
    )
    assert error.details.endswith(" and 4 more.")


def test_a_clarifai_model_may_name_a_shared_nodepool(world: World) -> None:
    world.add_model(OWNED)
    decision = choose(ask(OWNED, nodepool="clarifai/shared/shared-l4"), world)
    assert (decision.rule, decision.deployment) == (RoutingRule.NODEPOOL, None)
    assert nodepools(decision) == ["clarifai/shared/shared-l4"]
    error = refused(world, ask(nodepool="clarifai/shared/shared-l4"))
    assert error.code == StatusCode.MODEL_NOT_DEPLOYED
    assert error.details == (
        "Nodepool 'clarifai/shared/shared-l4' is shared compute; shared compute runs only models that Clarifai"
        " uploaded and owns."
    )


# deploy_restriction -----------------------------------------------------------------------------------------


def restricted(restriction: int) -> World:
    world = World()
    world.add_model(OWNED, restriction=restriction)
    world.add_nodepool("bob/cc/np")
    world.add_deployment("bob/own", OWNED, ["bob/cc/np"])
    return world


def test_shared_compute_only_forbids_every_deployment() -> None:
    world = restricted(DeployRestriction.SHARED_COMPUTE_ONLY)
    reason = "the model's deploy_restriction SHARED_COMPUTE_ONLY forbids dedicated compute"
    decision = choose(ask(OWNED, caller="bob"), world)
    assert decision.rule == RoutingRule.SHARED
    assert rejected(decision)["deployment bob/own"] == f"cannot be used: {reason}"
    for asked in (
        ask(OWNED, caller="bob", deployment="bob/own"),
        ask(OWNED, caller="bob", nodepool="bob/cc/np"),
    ):
        error = refused(world, asked)
        assert error.code == StatusCode.MODEL_PERMISSION_DENIED
        assert error.details.endswith(f"cannot be used: {reason}.")


def test_dedicated_compute_only_forbids_shared_compute() -> None:
    world = restricted(DeployRestriction.DEDICATED_COMPUTE_ONLY)
    assert choose(ask(OWNED, caller="bob"), world).deployment == ("bob", "own")
    for asked in (ask(OWNED, caller="eve"), ask(OWNED, nodepool="clarifai/shared/shared-cpu")):
        error = refused(world, asked)
        assert error.code == StatusCode.MODEL_NOT_DEPLOYED
        assert "its deploy_restriction DEDICATED_COMPUTE_ONLY forbids shared compute" in error.details


def test_model_owner_dedicated_compute_only_forbids_other_users_deployments() -> None:
    world = restricted(DeployRestriction.MODEL_OWNER_DEDICATED_COMPUTE_ONLY)
    error = refused(world, ask(OWNED, caller="bob", deployment="bob/own"))
    assert error.code == StatusCode.MODEL_PERMISSION_DENIED
    assert error.details == (
        "Deployment 'bob/own' cannot be used: the model's deploy_restriction"
        " MODEL_OWNER_DEDICATED_COMPUTE_ONLY allows dedicated compute of 'clarifai' only."
    )
    world.add_nodepool("clarifai/own/np")
    world.add_deployment("clarifai/own", OWNED, ["clarifai/own/np"])
    assert choose(ask(OWNED, caller="bob"), world).deployment == ("clarifai", "own")


# Several nodepools in one deployment ------------------------------------------------------------------------


def test_the_higher_priority_goes_first(world: World) -> None:
    world.add_deployment("ada/d", MODEL, ["ada/cc/small", "ada/cc/big"], version="v2", priorities=[1, 7])
    decision = choose(ask(), world)
    assert nodepools(decision) == ["ada/cc/big", "ada/cc/small"]
    assert decision.reason.endswith("it goes to 'ada/cc/big': highest priority (7).")


def test_priority_comes_before_scheduling_choice(world: World) -> None:
    world.add_deployment(
        "ada/d", MODEL, ["ada/cc/small", "ada/cc/big"], version="v2", priorities=[1, 7], choice=Deployment.PRICE
    )
    assert nodepools(choose(ask(), world)) == ["ada/cc/big", "ada/cc/small"]


def test_a_full_nodepool_spills_over_to_the_next(world: World) -> None:
    world.add_deployment("ada/d", MODEL, ["ada/cc/small", "ada/cc/big"], version="v2", priorities=[7, 1])
    world.set_load("ada/d", "ada/cc/small", FULL)
    decision = choose(ask(), world)
    assert nodepools(decision) == ["ada/cc/big", "ada/cc/small"]
    assert decision.reason.endswith("it goes to 'ada/cc/big': spill-over, because 'ada/cc/small' is full.")


def test_when_every_nodepool_is_full_the_request_waits_for_the_preferred_one(world: World) -> None:
    world.add_deployment("ada/d", MODEL, ["ada/cc/small", "ada/cc/big"], version="v2", priorities=[7, 1])
    for nodepool in ("ada/cc/small", "ada/cc/big"):
        world.set_load("ada/d", nodepool, FULL)
    decision = choose(ask(), world)
    assert nodepools(decision) == ["ada/cc/small", "ada/cc/big"]
    assert decision.reason.endswith("highest priority (7); every usable nodepool is full, so the request waits.")


def test_every_unusable_nodepool_is_rejected_with_its_reason(world: World) -> None:
    world.add_model("ada/main/llm", needs=GPU)
    world.add_nodepool("ada/cc/gpu", "t3a.medium g5.xlarge")
    world.add_nodepool("ada/cc/off", "g5.xlarge", max_instances=0)
    world.add_nodepool("ada/cc/broken", "g5.xlarge", status=Nodepool.NODEPOOL_STATUS_ERROR)
    world.add_nodepool("ada/cc/gone", "g5.xlarge", status=Nodepool.NODEPOOL_STATUS_DELETED)
    world.add_nodepool("ada/cc/bare", "")
    world.add_nodepool("bob/cc/gpu", "g5.xlarge")
    everything = [f"ada/cc/{each}" for each in ("never", "big", "off", "broken", "gone", "bare", "gpu")]
    world.add_deployment("ada/llm", "ada/main/llm", [*everything, "bob/cc/gpu"])
    decision = choose(ask("ada/main/llm"), world)
    assert nodepools(decision) == ["ada/cc/gpu"]
    assert rejected(decision) == {
        "nodepool ada/cc/never": "does not exist",
        "nodepool ada/cc/big": (
            "has no instance type that fits the model: t3a.2xlarge needs 1 accelerator, it has none"
        ),
        "nodepool ada/cc/off": "is disabled (max_instances is 0)",
        "nodepool ada/cc/broken": "is in status ERROR (no description)",
        "nodepool ada/cc/gone": "is deleted",
        "nodepool ada/cc/bare": "has no instance type that fits the model: it lists none",
        "nodepool bob/cc/gpu": "belongs to 'bob': a deployment's nodepools must be of its own user 'ada'",
    }


def test_a_deployment_without_a_usable_nodepool(world: World) -> None:
    world.add_deployment("ada/d", MODEL, ["ada/cc/gone"])
    error = refused(world, ask(deployment="ada/d"))
    assert error.code == StatusCode.MODEL_DEPLOYMENT_FAILED
    assert error.details == "Deployment 'ada/d' has no usable nodepool: nodepool ada/cc/gone does not exist."
    assert error.rejected == (Candidate("nodepool ada/cc/gone", "does not exist"),)
    world.add_deployment("ada/none", MODEL, [])
    assert refused(world, ask(deployment="ada/none")).details == (
        "Deployment 'ada/none' has no usable nodepool: it lists none."
    )


# scheduling_choice ------------------------------------------------------------------------------------------


def scheduled(choice: Deployment.SchedulingChoice.ValueType, world: World, **asked: str) -> list[str]:
    keys = [f"ada/cc/{each}" for each in ("small", "gpu", "big")]
    world.add_nodepool("ada/cc/gpu", "g5.xlarge")
    world.add_deployment("ada/d", MODEL, keys, version="v2", choice=choice)
    return [key[2] for key in choose(ask(**asked), world).nodepools]


def test_every_scheduling_choice_of_the_platform_has_a_meaning() -> None:
    assert set(SCHEDULING) == set(Deployment.SchedulingChoice.values())
    assert all(each.meaning for each in SCHEDULING.values())


def test_without_a_choice_the_listed_order_holds(world: World) -> None:
    assert scheduled(Deployment.UNKNOWN_SCHEDULING_CHOICE, world) == ["small", "gpu", "big"]


def test_price_takes_the_cheapest_first(world: World) -> None:
    assert scheduled(Deployment.PRICE, world) == ["small", "big", "gpu"]


def test_performance_takes_the_most_cpus_for_a_model_without_accelerator(world: World) -> None:
    assert scheduled(Deployment.PERFORMANCE, world) == ["big", "gpu", "small"]


def test_performance_takes_the_fastest_accelerator_for_a_model_with_one(world: World) -> None:
    world.add_model("ada/main/llm", needs=ComputeInfo(num_accelerators=1))
    for each in ("g4dn.xlarge", "g6e.xlarge", "g5.2xlarge"):
        world.add_nodepool(f"ada/cc/{each}", each)
    keys = [f"ada/cc/{each}" for each in ("g4dn.xlarge", "g6e.xlarge", "g5.2xlarge")]
    world.add_deployment("ada/llm", "ada/main/llm", keys, choice=Deployment.PERFORMANCE)
    decision = choose(ask("ada/main/llm"), world)
    assert [key[2] for key in decision.nodepools] == ["g6e.xlarge", "g5.2xlarge", "g4dn.xlarge"]
    assert decision.reason.endswith("PERFORMANCE: fastest fitting instance type.")


def test_network_takes_this_machine_first_then_the_lowest_latency(world: World) -> None:
    world.add_cluster("ada/here", provider="local")
    world.add_nodepool("ada/here/np", "local")
    keys = ["ada/cc/small", "ada/cc/big", "ada/here/np"]
    world.add_deployment("ada/d", MODEL, keys, version="v2", choice=Deployment.NETWORK)
    world.set_load("ada/d", "ada/cc/small", Load(free_slots=1, latency_ms=90))
    world.set_load("ada/d", "ada/cc/big", Load(free_slots=1, latency_ms=10))
    world.set_load("ada/d", "ada/here/np", Load(free_slots=1, latency_ms=50))
    assert nodepools(choose(ask(), world)) == ["ada/here/np", "ada/cc/big", "ada/cc/small"]


def test_utilization_takes_the_least_used_first(world: World) -> None:
    world.set_load("ada/d", "ada/cc/small", Load(free_slots=1, queued=2))
    world.set_load("ada/d", "ada/cc/gpu", Load(free_slots=1))
    world.set_load("ada/d", "ada/cc/big", Load(free_slots=3))
    assert scheduled(Deployment.UTILIZATION, world) == ["big", "gpu", "small"]


def test_spot_and_on_demand_preferences(world: World) -> None:
    spot, on_demand = NodeCapacityType.SPOT_TYPE, NodeCapacityType.ON_DEMAND_TYPE
    capacities = {"unsaid": (), "both": (spot, on_demand), "spot": (spot,), "ondemand": (on_demand,)}
    for name, capacity in capacities.items():
        world.add_nodepool(f"ada/cc/{name}", capacity=capacity)
    keys = [f"ada/cc/{name}" for name in capacities]
    world.add_deployment("ada/d", MODEL, keys, version="v2", choice=Deployment.PREFER_SPOT)
    assert [key[2] for key in choose(ask(), world).nodepools] == ["both", "spot", "unsaid", "ondemand"]
    world.add_deployment("ada/d", MODEL, keys, version="v2", choice=Deployment.PREFER_ONDEMAND)
    assert [key[2] for key in choose(ask(), world).nodepools] == ["unsaid", "ondemand", "both", "spot"]


def test_random_depends_on_the_requests_seed_only(world: World) -> None:
    first = {scheduled(Deployment.RANDOM, world, seed=str(number))[0] for number in range(50)}
    assert first == {"small", "gpu", "big"}
    assert len({tuple(scheduled(Deployment.RANDOM, world, seed="same")) for _ in range(5)}) == 1


def test_fail_refuses_several_nodepools_of_equal_priority(world: World) -> None:
    world.add_deployment("ada/d", MODEL, ["ada/cc/small", "ada/cc/big"], version="v2", choice=Deployment.FAIL)
    error = refused(world, ask(deployment="ada/d"))
    assert error.code == StatusCode.DEPLOYMENT_INVALID_REQUEST
    assert error.message == (
        "Deployment 'ada/d' has scheduling_choice FAIL and several usable nodepools of equal priority:"
        " ada/cc/small, ada/cc/big. Name a nodepool in the request, or give the deployment's nodepools priorities."
    )
    assert nodepools(choose(ask(deployment="ada/d", nodepool="ada/cc/big"), world)) == ["ada/cc/big"]
    assert rejected(refused(world, ask())) == {
        "deployment ada/d": (
            "has scheduling_choice FAIL and several usable nodepools of equal priority: ada/cc/small, ada/cc/big"
        )
    }


def test_fail_is_content_with_priorities_and_with_one_usable_nodepool(world: World) -> None:
    keys = ["ada/cc/small", "ada/cc/big"]
    world.add_deployment("ada/d", MODEL, keys, version="v2", choice=Deployment.FAIL, priorities=[1, 2])
    assert nodepools(choose(ask(), world)) == ["ada/cc/big", "ada/cc/small"]
    world.add_deployment("ada/d", MODEL, ["ada/cc/small", "ada/cc/gone"], version="v2", choice=Deployment.FAIL)
    assert nodepools(choose(ask(), world)) == ["ada/cc/small"]


# What the log and the CLI get ------------------------------------------------------------------------------


def test_a_decision_is_json(world: World) -> None:
    world.add_deployment("ada/d", MODEL, ["ada/cc/small", "ada/cc/gone"], version="v2")
    decision = choose(ask(), world)
    assert json.loads(json.dumps(decision.as_dict())) == {
        "rule": "owner_default",
        "deployment": "ada/d",
        "nodepools": ["ada/cc/small"],
        "model": "ada/main/echo",
        "version_id": "v2",
        "runner_id": None,
        "reason": decision.reason,
        "rejected": [{"what": "nodepool ada/cc/gone", "reason": "does not exist"}],
    }


def test_a_refusal_is_json(world: World) -> None:
    error = refused(world, ask(deployment="ada/d"))
    assert json.loads(json.dumps(error.as_dict())) == {
        "code": 11101,
        "description": "Resource does not exist",
        "details": "Deployment with ID 'd' not found. Check your request fields. User 'ada' has no deployment.",
        "hint": "",
        "note": "",
        "ask": {
            "caller": "ada",
            "model": "ada/main/echo",
            "version_id": None,
            "deployment": "ada/d",
            "nodepool": None,
            "runner_id": None,
        },
        "rejected": [],
    }
