"""Every request over every topology keeps these rules, whatever is decided in the single case."""

from __future__ import annotations

from clarifai_grpc.grpc.api.resources_pb2 import ComputeInfo, Deployment, DeployRestriction
from hypothesis import event, given, settings
from hypothesis import strategies as st

from clarifai_emulator.catalogue import fits
from clarifai_emulator.routing import Ask, Candidate, Decision, Load, RoutingError, RoutingRule, choose
from clarifai_emulator.routing.nodepool_ranking import nodepool_keys
from landscapes import PRIVATE, PUBLIC, World, key_of

USERS = ("ada", "bob", "clarifai")
MODELS = tuple(f"{user}/main/m" for user in USERS)
VERSIONS = ("v1", "v2")
NODEPOOLS = tuple(f"{user}/cc/{name}" for user in USERS for name in ("x", "y"))
DEPLOYMENTS = tuple(f"{user}/{name}" for user in USERS for name in ("d", "e"))
SHARED = ("clarifai/shared/shared-cpu", "clarifai/shared/shared-l4")
NEEDS = (
    ComputeInfo(),
    ComputeInfo(),
    ComputeInfo(cpu_limit="4", cpu_memory="8Gi"),
    ComputeInfo(num_accelerators=1, accelerator_type=["NVIDIA-*"]),
)

# Each "rarely" is true one time in eight, so that a topology has some faults and most requests still arrive.
rarely = st.sampled_from([False] * 7 + [True])
visibilities = st.sampled_from([PUBLIC, PUBLIC, PUBLIC, PRIVATE])


@st.composite
def cases(draw: st.DrawFn) -> tuple[Ask, World]:
    """Draw a request, and a topology of three users where things are missing, private, disabled, busy or unfit."""
    world = World(with_shared=not draw(rarely))
    for path in MODELS:
        if not draw(rarely):
            world.add_model(
                path,
                VERSIONS,
                needs=draw(st.sampled_from(NEEDS)),
                visibility=draw(visibilities),
                restriction=draw(st.sampled_from([0, 0, 0, 0, 1, 2, 3, 4])),
            )
            for version in world.versions_of[key_of(path)]:
                version.visibility.gettable = draw(visibilities)
    for path in NODEPOOLS:
        if not draw(rarely):
            world.add_nodepool(
                path,
                draw(st.sampled_from(["t3a.2xlarge", "t3a.medium", "g5.xlarge", "t3a.medium g6.xlarge"])),
                max_instances=0 if draw(rarely) else 1,
                visibility=draw(visibilities),
            )
    for path in draw(st.lists(st.sampled_from(DEPLOYMENTS), unique=True)):
        _add_deployment(draw, world, path)
    for nodepool in draw(st.lists(st.sampled_from(NODEPOOLS), unique=True, max_size=4)):
        world.add_runner(f"{nodepool}/r", draw(st.sampled_from(MODELS)), draw(st.sampled_from(["", *VERSIONS])))
    return _ask(draw, world), world


def _add_deployment(draw: st.DrawFn, world: World, path: str) -> None:
    own = [each for each in (*NODEPOOLS, *SHARED) if key_of(each)[0] == key_of(path)[0]]
    among = (*NODEPOOLS, *SHARED) if draw(rarely) else own
    nodepools = draw(st.lists(st.sampled_from(among), unique=True, min_size=1, max_size=4))
    priorities = draw(st.lists(st.integers(0, 2), min_size=len(nodepools), max_size=len(nodepools)))
    world.add_deployment(
        path,
        draw(st.sampled_from(MODELS)),
        nodepools,
        version=draw(st.sampled_from(["", *VERSIONS])),
        priorities=priorities if draw(st.booleans()) else (),
        choice=draw(st.sampled_from(Deployment.SchedulingChoice.values())),
        latest=draw(st.booleans()),
        disabled=draw(st.sampled_from([False, False, True])),
        visibility=draw(visibilities),
    )
    for nodepool in nodepools:
        load = st.builds(Load, free_slots=st.integers(0, 1), queued=st.integers(0, 2))
        world.set_load(path, nodepool, draw(load))


def _ask(draw: st.DrawFn, world: World) -> Ask:
    """Draw a request; half of those that name something name what exists, together with the model it serves."""
    user, app, model = key_of(draw(st.sampled_from(MODELS)))
    deployment = nodepool = None
    kind = draw(st.sampled_from(["nothing", "deployment", "nodepool", "both"]))
    if kind in ("deployment", "both"):
        deployment = draw(st.sampled_from([key_of(each) for each in DEPLOYMENTS]))
    if kind in ("nodepool", "both"):
        nodepool = draw(st.sampled_from([key_of(each) for each in (*NODEPOOLS, *SHARED)]))
    if world.deployments and deployment and not draw(rarely):
        deployment, served = draw(st.sampled_from(list(world.deployments.items())))
        user = served.worker.model.user_id
        nodepool = nodepool and draw(st.sampled_from(list(nodepool_keys(served))))
    return Ask(
        caller=draw(st.sampled_from(USERS)),
        model_user=user,
        model_app=app,
        model_id="" if deployment and draw(st.booleans()) else model,
        version_id=draw(st.sampled_from(["", "", *VERSIONS])),
        deployment=deployment,  # type: ignore[arg-type]
        nodepool=nodepool,  # type: ignore[arg-type]
        runner_id="r" if draw(rarely) else "",
        seed=draw(st.sampled_from(["", "1", "2"])),
    )


def outcome(ask: Ask, world: World) -> Decision | RoutingError:
    try:
        decision = choose(ask, world)
    except RoutingError as error:
        event(f"refused {error.code}")
        return error
    event(f"{decision.rule}{' without deployment' if decision.deployment is None else ''}")
    return decision


def is_shared(key: tuple[str, ...]) -> bool:
    return key[:2] == ("clarifai", "shared")


def check_place(ask: Ask, world: World, decision: Decision) -> None:
    """Fail if a nodepool of a decision is one that the rule forbids."""
    model = world.models[decision.model]
    version = world.version(*decision.model, decision.version_id)
    assert version is not None
    assert world.can_see(ask.caller, model.user_id, model.visibility)
    assert world.can_see(ask.caller, model.user_id, version.visibility)
    assert decision.nodepools
    assert len(set(decision.nodepools)) == len(decision.nodepools)
    for key in decision.nodepools:
        if is_shared(key):
            assert decision.model[0] == "clarifai", "a user-uploaded model reached shared compute"
            continue
        nodepool = world.nodepools[key]
        assert nodepool.max_instances > 0
        if decision.deployment:
            assert any(not fits(version.inference_compute_info, each) for each in nodepool.instance_types)


def check_deployment(ask: Ask, world: World, decision: Decision) -> None:
    """Fail unless the deployment is enabled, visible, serves what was asked, and lists the nodepools."""
    assert decision.deployment is not None
    deployment = world.deployments[decision.deployment]
    served = deployment.worker.model
    assert deployment.status == Deployment.ENABLED
    assert world.can_see(ask.caller, deployment.user_id, deployment.visibility)
    assert (served.user_id, served.app_id, served.id) == decision.model
    pinned = "" if deployment.deploy_latest_version else served.model_version.id
    assert decision.version_id == (pinned or VERSIONS[-1])
    assert set(decision.nodepools) <= set(nodepool_keys(deployment))
    assert {key[0] for key in decision.nodepools} == {deployment.user_id}
    restriction = world.models[decision.model].deploy_restriction
    assert restriction != DeployRestriction.SHARED_COMPUTE_ONLY
    if restriction == DeployRestriction.MODEL_OWNER_DEDICATED_COMPUTE_ONLY:
        assert deployment.user_id == decision.model[0]


def check_rule(ask: Ask, world: World, decision: Decision) -> None:
    """Fail unless the rule that decided is the first that applies to the request."""
    if ask.deployment:
        assert (decision.rule, decision.deployment) == (RoutingRule.DEPLOYMENT, ask.deployment)
        assert not ask.nodepool or decision.nodepools == (ask.nodepool,)
    elif ask.nodepool:
        assert (decision.rule, decision.nodepools) == (RoutingRule.NODEPOOL, (ask.nodepool,))
        if not decision.deployment and not is_shared(ask.nodepool):
            check_runner(ask, world, decision)
    elif decision.rule == RoutingRule.OWNER_DEFAULT:
        assert decision.deployment is not None
        assert decision.deployment[0] in (ask.caller, decision.model[0])
    else:
        assert decision.rule == RoutingRule.SHARED
        assert all(is_shared(key) for key in decision.nodepools)
        allowed = (0, DeployRestriction.NO_LIMITS, DeployRestriction.SHARED_COMPUTE_ONLY)
        assert world.models[decision.model].deploy_restriction in allowed
    if ask.model_id:
        assert decision.model == ask.model
    if ask.version_id or not ask.deployment:
        assert decision.version_id == (ask.version_id or VERSIONS[-1]), "without a version, the newest of all"


def check_runner(ask: Ask, world: World, decision: Decision) -> None:
    """Fail unless a runner of that version is in the nodepool, and, if the request does not name it, no deployment
    has it."""
    (nodepool,) = decision.nodepools
    serving = [runner.worker.model for key, runner in world.runners.items() if key[:3] == nodepool]
    assert any(
        (each.user_id, each.app_id, each.id) == decision.model
        and each.model_version.id in ("", decision.version_id)
        for each in serving
    )
    if not ask.runner_id:
        for deployment in world.deployments_of(*decision.model):
            served = deployment.worker.model.model_version.id
            version = VERSIONS[-1] if deployment.deploy_latest_version or not served else served
            is_there = nodepool in nodepool_keys(deployment) and version == decision.version_id
            assert not is_there or deployment.status == Deployment.DISABLED


def check_spill_over(world: World, decision: Decision) -> None:
    """Fail if a nodepool with free capacity stands behind a full one."""
    if decision.deployment:
        user, id = decision.deployment
        full = [world.load(user, id, key, decision.version_id).is_full for key in decision.nodepools]
        assert full == sorted(full)


def check_explanations(ask: Ask, world: World, decision: Decision) -> None:
    """Fail unless each candidate is either taken or rejected, never both, and every rejection has a reason."""
    assert decision.reason.endswith(".")
    taken = {f"nodepool {'/'.join(key)}" for key in decision.nodepools}
    if decision.deployment:
        taken.add(f"deployment {'/'.join(decision.deployment)}")
    assert taken.isdisjoint(each.what for each in decision.rejected)
    considered: set[str] = set()
    if decision.rule in (RoutingRule.OWNER_DEFAULT, RoutingRule.SHARED):
        serving = world.deployments_of(*decision.model)
        considered |= {f"deployment {each.user_id}/{each.id}" for each in serving}
    if decision.rule == RoutingRule.SHARED:
        considered |= {f"nodepool clarifai/shared/{each.id}" for each in world.shared}
    if decision.deployment:
        keys = nodepool_keys(world.deployments[decision.deployment])
        considered |= {f"nodepool {'/'.join(key)}" for key in keys}
    assert considered <= taken | {each.what for each in decision.rejected}


def check_secrets(ask: Ask, world: World, refusal: RoutingError) -> None:
    """Fail if the client is told the id of a version that it may not see and did not name."""
    for version in world.versions_of.get(ask.model, ()):
        if version.id != ask.version_id and not world.can_see(ask.caller, ask.model_user, version.visibility):
            assert f"'{version.id}'" not in refusal.message


@settings(max_examples=400, deadline=None)
@given(cases())
def test_no_request_ever_reaches_a_place_that_the_rules_forbid(case: tuple[Ask, World]) -> None:
    ask, world = case
    result = outcome(ask, world)
    if isinstance(result, Decision):
        check_rule(ask, world, result)
        check_place(ask, world, result)
        check_spill_over(world, result)
        if result.deployment:
            check_deployment(ask, world, result)


@settings(max_examples=200, deadline=None)
@given(cases())
def test_every_outcome_explains_itself(case: tuple[Ask, World]) -> None:
    ask, world = case
    result = outcome(ask, world)
    if isinstance(result, Decision):
        check_explanations(ask, world, result)
    else:
        assert result.details.endswith(".")
        assert result.code
        assert result.ask == ask
        check_secrets(ask, world, result)
    assert all(each.what and each.reason for each in result.rejected)
    assert all(isinstance(each, Candidate) for each in result.rejected)


@settings(max_examples=100, deadline=None)
@given(cases())
def test_the_same_ask_over_the_same_landscape_has_the_same_outcome(case: tuple[Ask, World]) -> None:
    ask, world = case
    first, second = outcome(ask, world), outcome(ask, world)
    assert first.as_dict() == second.as_dict()


@settings(max_examples=100, deadline=None)
@given(cases())
def test_choosing_changes_nothing(case: tuple[Ask, World]) -> None:
    ask, world = case
    before = {key: each.SerializeToString(deterministic=True) for key, each in world.deployments.items()}
    pools = {key: each.SerializeToString(deterministic=True) for key, each in world.nodepools.items()}
    outcome(ask, world)
    assert before == {key: each.SerializeToString(deterministic=True) for key, each in world.deployments.items()}
    assert pools == {key: each.SerializeToString(deterministic=True) for key, each in world.nodepools.items()}
