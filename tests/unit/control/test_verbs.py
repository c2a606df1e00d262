"""Every verb has both doors, and arguments, results and errors come out of both alike."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import MethodSignature

from clarifai_emulator.cassettes import Cassette
from clarifai_emulator.config import DockerSettings, EmulatorConfig
from clarifai_emulator.control.account import Account, UserAccount
from clarifai_emulator.control.codec import CannotTravel
from clarifai_emulator.control.service import SERVICE, TOKEN_HEADER, Control
from clarifai_emulator.control.verb_table import VERBS, codec, verb_named
from clarifai_emulator.control.verbs import FaultState, Verbs
from clarifai_emulator.deploy.deploy_request import Deployed, DeployRequest
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.errors import CallerError, ConfigError, EmulatorError, ModelError, TransportError
from clarifai_emulator.faults import Fault
from clarifai_emulator.machine.accelerators import Discovery
from clarifai_emulator.reload.plan import ReloadKind
from clarifai_emulator.reload.project import Options
from clarifai_emulator.routing import Ask, RoutingError

CODEC = codec()
ASK = Ask(caller="me", model_user="me", model_app="a", model_id="m", deployment=("me", "d"))
DEPLOYED = Deployed(
    model=("me", "demo", "hello"),
    version_id="v",
    is_new_version=True,
    user_id="me",
    deployment_id="d",
    compute_cluster_id="local",
    nodepool_id="cpu",
    environment="python",
    seconds=0.123456,
    signatures=(MethodSignature(name="predict"),),
    warnings=("w",),
)
ERRORS: list[Exception] = [
    CallerError(21352, "No.", hint="Do it.", stack_trace=["line"]),
    ModelError("Broken.", hint="Mend it.", log="trace"),
    ConfigError("Wrong", ["one", "two"], hint="Write it."),
    RoutingError(21353, "Nowhere.", ask=ASK, hint="Deploy.", note="hidden"),
    ValueError("no", 3),
    KeyError("x"),
]


def travelled(value: Any) -> Any:
    return CODEC.read(json.loads(json.dumps(CODEC.written(value))))


def _number(emulator: Any) -> int:
    return emulator + 1


@pytest.mark.parametrize(
    "value",
    [
        None,
        {"a": [1, 2.5, "x", None, True]},
        {"$odd": 1},
        {1: ("a", {2}), (3,): frozenset({4})},
        b"\x00\xff",
        Path("/tmp/model"),
        MethodSignature(name="predict", description="d"),
        DEPLOYED,
        DeployRequest(path=Path("/m"), user_id="me-gw0"),
        Options(ReloadKind.FORK, strict=True),
        FaultState(0, "f", Fault(status="MODEL_DEPLOYING", times=2, latency="uniform:0.1,0.2"), 3, 2),
        ASK,
        _number,
    ],
)
def test_a_value_that_travels_is_the_same(value: Any) -> None:
    assert travelled(value) == value


@pytest.mark.parametrize("value", [object(), lambda emulator: 1, Cassette, open])  # pyright: ignore[reportUnknownLambdaType]
def test_what_cannot_travel_is_refused(value: Any) -> None:
    with pytest.raises(CannotTravel):
        CODEC.written(value)


@pytest.mark.parametrize("form", [{"$of": ["os:stat_result", {}]}, {"$enum": ["x:Y", 1]}, {"$unknown": 1}])
def test_nothing_is_made_of_a_name_that_the_table_does_not_have(form: Any) -> None:
    with pytest.raises(CannotTravel):
        CODEC.read(form)


NO_FUNCTIONS = [
    "os:system",  # built in
    "builtins:eval",
    "clarifai_emulator.control.verbs:Verbs",  # a class
    "clarifai_emulator.control.verbs:Verbs.run",  # a chain of attributes
    "os:path.join",
    "os.path:os",  # a module
    "clarifai_emulator.control.verbs:parse_address",  # defined by another module
    "clarifai_emulator.control.codec:Path",
    "clarifai_emulator.control.verbs:nothing",
    "clarifai_emulator.control.verbs:",
    "clarifai_emulator.control.verbs",
]


@pytest.mark.parametrize("name", NO_FUNCTIONS)
def test_only_a_function_that_its_module_defines_is_looked_up(name: str) -> None:
    with pytest.raises(CannotTravel, match="is not defined by a module"):
        CODEC.read({"$function": name})
    with pytest.raises(CannotTravel):
        CODEC.read({"$partial": [{"$function": name}, ["true"], {}]})


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_that_travels_is_the_same(error: Exception) -> None:
    read = CODEC.error_read(json.loads(json.dumps(CODEC.error_written(error))))
    assert type(read) is type(error)
    assert (str(read), read.args) == (str(error), error.args)
    for name in ("code", "details", "hint", "stack_trace", "log", "summary", "problems", "ask", "note"):
        assert getattr(read, name, None) == getattr(error, name, None)


def test_an_error_that_nobody_foresaw_is_told() -> None:
    class Odd(Exception):
        pass

    read = CODEC.error_read(CODEC.error_written(Odd("why")))
    assert isinstance(read, EmulatorError)
    assert str(read) == "Odd: why"


# ── both doors ─────────────────────────────────────────────────────────────────────────────────────────────


class Stream:
    """A call of the control service."""

    def __init__(self, token: str, request: bytes) -> None:
        self.metadata = {TOKEN_HEADER: token}
        self._request = request
        self.written: list[dict[str, Any]] = []

    async def read(self) -> bytes | None:
        return self._request

    async def write(self, message: bytes) -> None:
        self.written.append(json.loads(message))


class Service:
    """The verbs of one emulator that has not started, called over its control service."""

    def __init__(self) -> None:
        self.emulator = Emulator(discovery=Discovery((), "a unit test has none"))
        self.control = Control(self.emulator)
        self.verbs = self.control.verbs

    async def remote(self, verb: str, args: tuple[Any, ...] = (), token: str = "", **named: Any) -> Any:
        row = verb_named(verb)
        given = CODEC.written(row.bound(args, named))
        stream = Stream(token or self.control.token, json.dumps(given).encode())
        serve = self.control.mount().find(f"/{SERVICE}/{verb}")
        assert serve is not None
        await serve(stream)  # pyright: ignore[reportArgumentType]
        last = stream.written[-1]
        if "error" in last:
            raise CODEC.error_read(last["error"])
        return CODEC.read(last["result"])

    async def near(self, verb: str, args: tuple[Any, ...] = (), **named: Any) -> Any:
        row = verb_named(verb)
        return await row.call(self.verbs, **row.bound(args, named))


@pytest.fixture(scope="module")
def service() -> Service:
    return Service()


def test_every_public_verb_is_in_the_table() -> None:
    public = {name for name, each in vars(Verbs).items() if inspect.iscoroutinefunction(each) and name[0] != "_"}
    assert public - set(VERBS) == {"leave"}, "a worker's account is left by the host, which nobody asks"


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_has_both_doors_and_types_that_travel(service: Service, name: str) -> None:
    assert service.control.mount().find(f"/{SERVICE}/{name}") is not None
    assert getattr(Verbs, name) is VERBS[name].call
    for annotation in VERBS[name].annotations():
        assert annotation is not inspect.Parameter.empty


ASKED: list[tuple[str, tuple[Any, ...]]] = [
    ("status", ()),
    ("models", ()),
    ("calls", ()),
    ("config", ()),
    ("events", ("nothing", {})),
    ("log_lines", ("runner", {})),
    ("unknown_names", (Fault(model="helo", status="MODEL_DEPLOYING"),)),
    ("require_own", ("me",)),
    ("cassette_problems", ()),
    ("eject", ()),
    # what is refused
    ("route", (ASK,)),
    ("undeploy", ("nothing",)),
    ("remove_faults", (("none",),)),
    ("restore", (99,)),
    ("deploy", (DeployRequest(path=Path("/nowhere")),)),
    ("reload", (Path("/nowhere"),)),
    # what the caller got wrong
    ("status", (1,)),
    ("deploy", ()),
    ("nothing", ()),
]


@pytest.mark.parametrize(("name", "args"), ASKED)
async def test_both_doors_give_or_raise_the_same(service: Service, name: str, args: tuple[Any, ...]) -> None:
    async def outcome(door: Callable[..., Coroutine[Any, Any, Any]]) -> Any:
        try:
            return await door(name, args)
        except Exception as error:
            return type(error), str(error)

    assert await outcome(service.near) == await outcome(service.remote)


async def test_a_fault_is_added_and_removed_over_the_network(service: Service) -> None:
    added = await service.remote("add_fault", (Fault(id="busy", throttle=True),))
    assert added == FaultState(added.number, "busy", Fault(id="busy", throttle=True), 0, 0, "", "me")
    assert [each.id for each in await service.near("faults")] == ["busy"]
    assert (await service.remote("drop_fault", (added.number,))).id == "busy"
    assert await service.remote("faults") == []


# ── one account ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def worker() -> Verbs:
    """Give the verbs of one account on an emulator that has secrets."""
    docker = DockerSettings(build_args={"TOKEN": "planted"})
    config = EmulatorConfig(pats={"planted": "me", "other": "me-gw0"}, docker=docker)
    emulator = Emulator(config, discovery=Discovery((), "a unit test has none"))
    return Verbs(UserAccount(emulator, "me-gw0"))


async def test_an_account_is_told_no_secret(worker: Verbs) -> None:
    everything = worker.account.emulator.config
    told = await worker.config()
    assert "planted" not in json.dumps(CODEC.written(told))
    assert (told.pats, told.pats_file, told.docker.build_args) == ({}, None, {})
    assert (told.port, told.hold_seconds, told.user_id) == (
        everything.port,
        everything.hold_seconds,
        everything.user_id,
    )
    assert await Verbs(Account(worker.account.emulator)).config() is everything


@pytest.mark.parametrize("me", ["", "me"])
async def test_a_route_is_asked_as_the_user_of_the_account(worker: Verbs, me: str) -> None:
    ask = Ask(caller=me, model_user=me, model_app="a", model_id="m", deployment=(me, "d"), nodepool=(me, "c", "n"))
    with pytest.raises(RoutingError) as refusal:
        await worker.route(ask)
    asked = refusal.value.ask
    assert (asked.caller, asked.model_user) == ("me-gw0", "me-gw0")
    assert (asked.deployment, asked.nodepool) == (("me-gw0", "d"), ("me-gw0", "c", "n"))


async def test_a_route_of_others_is_asked_as_it_is(worker: Verbs) -> None:
    ask = Ask(caller="ada", model_user="bob", model_app="a", model_id="m", deployment=("eve", "d"))
    assert worker.account.asked(ask) == ask


@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("https://clarifai.com/bob/a/models/m", ConfigError),
        ("https://platform.example/bob/a/models/m", ConfigError),
        ("bob/a/models/m/versions/v", ConfigError),
        ("me-gw0/a/models/m", CallerError),  # its own: then it has no nodepool yet
        ("me/a/models/m", CallerError),
    ],
)
async def test_an_account_deploys_its_own_models(worker: Verbs, model: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        await worker.deploy(DeployRequest(path=Path("/nowhere"), model=model))


@pytest.mark.parametrize("verb", VERBS)
async def test_the_credential_of_an_account_opens_that_account_only(service: Service, verb: str) -> None:
    with pytest.raises(TransportError, match="PERMISSION_DENIED"):
        await _serve(service, verb, "another")
    service.control.admit("mine", service.verbs)
    try:
        if not VERBS[verb].is_for_accounts:
            with pytest.raises(TransportError, match="PERMISSION_DENIED"):
                await _serve(service, verb, "mine")
        with pytest.raises(TransportError, match="PERMISSION_DENIED"):
            await _serve(service, "Down", "mine")
    finally:
        service.control.dismiss("mine")


async def _serve(service: Service, name: str, token: str) -> None:
    serve = service.control.mount().find(f"/{SERVICE}/{name}")
    assert serve is not None
    async with asyncio.timeout(5):
        await serve(Stream(token, b"{}"))  # pyright: ignore[reportArgumentType]
