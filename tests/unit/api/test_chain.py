"""The request chain: what every request gets, whatever its handler does."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.access.auth import Authenticator
from clarifai_emulator.api.call import ApiCall, Step, StreamHandler
from clarifai_emulator.api.chain import RequestChain
from clarifai_emulator.api.rpc import rpc_table
from clarifai_emulator.api.transport.peer import NO_PEER
from clarifai_emulator.errors import CallerError
from clarifai_emulator.events import EventBus
from resource_api import StillClock

GET = rpc_table()["GetModel"]
GENERATE = rpc_table()["GenerateModelOutputs"]
PUBLIC = rpc_table()["ListStatusCodes"]
KEY = {"authorization": "Key abc"}
NO_MODEL = CallerError(
    StatusCode.MODEL_DOES_NOT_EXIST, "There is no model 'x'.", hint="Create it.", stack_trace=["line 1"]
)


class Diary(Step):
    """Writes down under its name what it meets."""

    def __init__(self, name: str, pages: list[str]) -> None:
        self.name = name
        self.pages = pages

    def enter(self, call: ApiCall) -> None:
        self.pages.append(f"{self.name} enter")

    def answer(self, call: ApiCall, response: Any) -> None:
        self.pages.append(f"{self.name} answer")

    def fail(self, call: ApiCall, error: BaseException) -> None:
        self.pages.append(f"{self.name} fail")

    def leave(self, call: ApiCall) -> None:
        self.pages.append(f"{self.name} leave")


class Scene:
    def __init__(self, steps: Callable[[list[str]], Sequence[Step]] = lambda pages: ()) -> None:
        self.clock = StillClock()
        self.events = EventBus(self.clock)
        self.steps: list[str] = []
        self.disk_is_full = False
        self.chain = RequestChain(
            authenticator=Authenticator(user_id="ada", callers={}),
            events=self.events,
            clock=self.clock,
            commit=self._commit,
            steps=steps(self.steps),
        )

    def _commit(self) -> None:
        self.steps.append("commit")
        if self.disk_is_full:
            raise OSError("no space left on device")

    def call(self, rpc: Any = GET, metadata: dict[str, str] = KEY) -> ApiCall:
        return self.chain.begin(rpc, metadata, peer=NO_PEER, seconds_left=None)

    async def unary(self, handler: Any, **begin: Any) -> tuple[Any, ApiCall]:
        call = self.call(**begin)
        return await self.chain.unary(call, handler, "request"), call

    async def stream(self, handler: Any) -> tuple[list[Any], ApiCall]:
        call = self.call(GENERATE)
        return [response async for response in self.chain.stream(call, handler, _no_requests())], call

    def finished(self) -> dict[str, Any]:
        (event,) = self.events.recent("request.finished")
        return event.fields


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def _no_requests() -> AsyncIterator[Any]:
    return
    yield


async def test_a_handler_that_sets_no_status_has_succeeded(scene: Scene) -> None:
    def handler(call: ApiCall, request: Any) -> Any:
        assert (call.caller.user_id, request) == ("ada", "request")
        return call.rpc.response_type()

    response, call = await scene.unary(handler)
    assert (response.status.code, response.status.description) == (StatusCode.SUCCESS, "Ok")
    assert response.status.req_id == call.request_id != ""


async def test_a_handlers_own_status_is_left_alone(scene: Scene) -> None:
    async def handler(call: ApiCall, _request: Any) -> Any:
        response = call.rpc.response_type()
        response.status.code, response.status.description = StatusCode.MIXED_STATUS, "some failed"
        return response

    response, _ = await scene.unary(handler)
    assert (response.status.code, response.status.description) == (StatusCode.MIXED_STATUS, "some failed")


async def test_what_the_platform_would_refuse_is_a_status_and_no_trace_in_the_log(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    def handler(_call: ApiCall, _request: Any) -> Any:
        raise NO_MODEL

    response, call = await scene.unary(handler)
    assert isinstance(response, GET.response_type)
    assert response.status.code == StatusCode.MODEL_DOES_NOT_EXIST
    assert response.status.description == "Model does not exist"
    assert response.status.details == "There is no model 'x'. Create it."
    assert list(response.status.stack_trace) == ["line 1"]
    assert response.status.req_id == call.request_id
    assert caplog.records == []


async def test_a_bug_of_the_emulator_is_an_internal_error_that_says_so_and_is_logged_with_its_trace(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(_call: ApiCall, _request: Any) -> Any:
        raise KeyError("oops")

    response, call = await scene.unary(handler)
    assert response.status.code == StatusCode.INTERNAL_UNCATEGORIZED == 99009
    assert response.status.details == (
        "The emulator failed while it answered GetModel: KeyError: 'oops'. This is a bug of the emulator; its log "
        f"has the trace under request {call.request_id}."
    )
    (record,) = caplog.records
    assert (record.levelno, record.exc_info is not None) == (logging.ERROR, True)
    assert call.request_id in record.getMessage()


async def test_a_handler_that_answers_nothing_is_a_bug_and_not_a_silence(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    response, _ = await scene.unary(lambda call, request: None)
    assert response.status.code == StatusCode.INTERNAL_UNCATEGORIZED
    assert len(caplog.records) == 1


async def test_a_caller_without_a_credential_never_reaches_the_handler(scene: Scene) -> None:
    response, _ = await scene.unary(lambda call, request: pytest.fail("reached"), metadata={})
    assert response.status.code == StatusCode.CONN_INVALID_REQUEST


async def test_an_rpc_that_asks_for_no_credential_is_answered_without_one(scene: Scene) -> None:
    response, _ = await scene.unary(lambda call, request: call.rpc.response_type(), rpc=PUBLIC, metadata={})
    assert response.status.code == StatusCode.SUCCESS


@pytest.mark.parametrize(
    ("prefix", "pattern"),
    [
        ("sdk-python-12.5.0", r"sdk-python-12\.5\.0-[0-9a-f]{32}"),
        ("", r"[0-9a-f]{32}"),
        ("a b\n{c}", r"abc-[0-9a-f]{32}"),
        ("x" * 500, r"x{64}-[0-9a-f]{32}"),
    ],
)
async def test_a_request_id_has_the_clients_prefix_cleaned(scene: Scene, prefix: str, pattern: str) -> None:
    metadata = {**KEY, "x-clarifai-request-id-prefix": prefix}
    _, call = await scene.unary(lambda call, request: call.rpc.response_type(), metadata=metadata)
    assert re.fullmatch(pattern, call.request_id)
    assert call.trailers["x-clarifai-request-id"] == call.request_id


async def test_every_request_is_one_event_with_what_was_learnt(scene: Scene) -> None:
    def handler(call: ApiCall, _request: Any) -> Any:
        scene.clock.seconds += 0.25
        call.notes["rule"] = "owner_default"
        return call.rpc.response_type()

    _, call = await scene.unary(handler)
    assert scene.finished() == {
        "rpc": "GetModel",
        "request_id": call.request_id,
        "user_id": "ada",
        "milliseconds": 250.0,
        "rule": "owner_default",
        "status": StatusCode.SUCCESS,
    }


async def test_the_event_of_a_refused_request_has_the_error(scene: Scene) -> None:
    await scene.unary(lambda call, request: None, metadata={})
    assert scene.finished()["status"] == StatusCode.CONN_INVALID_REQUEST
    assert scene.finished()["error"].startswith("Empty or malformed authorization header.")


async def test_a_request_whose_client_went_away_is_an_event_too(scene: Scene) -> None:
    started = asyncio.Event()

    async def handler(_call: ApiCall, _request: Any) -> Any:
        started.set()
        await asyncio.Event().wait()

    task = asyncio.ensure_future(scene.unary(handler))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert scene.finished()["cancelled"] is True


async def test_what_a_handler_changed_is_made_lasting_before_its_answer(scene: Scene) -> None:
    def handler(call: ApiCall, _request: Any) -> Any:
        scene.steps.append("handler")
        return call.rpc.response_type()

    async def stream(call: ApiCall, _requests: Any) -> AsyncIterator[Any]:
        scene.steps.append("message")
        yield call.rpc.response_type()

    await scene.unary(handler)
    await scene.stream(stream)
    assert scene.steps == ["handler", "commit", "message", "commit"]


async def test_what_could_not_be_made_lasting_is_not_answered_as_a_success(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.disk_is_full = True
    response, _ = await scene.unary(lambda call, request: call.rpc.response_type())
    assert response.status.code == StatusCode.INTERNAL_UNCATEGORIZED
    assert "no space left on device" in response.status.details
    assert "GetModel failed inside the emulator" in caplog.text


async def test_each_message_of_a_stream_is_stamped(scene: Scene) -> None:
    async def handler(call: ApiCall, _requests: Any) -> AsyncIterator[Any]:
        yield call.rpc.response_type()
        yield call.rpc.response_type()

    responses, call = await scene.stream(handler)
    assert [(each.status.code, each.status.req_id) for each in responses] == [
        (StatusCode.SUCCESS, call.request_id)
    ] * 2
    assert scene.finished()["status"] == StatusCode.SUCCESS


async def test_an_error_is_the_last_message_of_a_stream(scene: Scene) -> None:
    async def handler(call: ApiCall, _requests: Any) -> AsyncIterator[Any]:
        yield call.rpc.response_type()
        raise NO_MODEL

    responses, _ = await scene.stream(handler)
    assert [each.status.code for each in responses] == [StatusCode.SUCCESS, StatusCode.MODEL_DOES_NOT_EXIST]
    assert scene.finished()["status"] == StatusCode.MODEL_DOES_NOT_EXIST


async def test_a_stream_whose_client_went_away_ends_its_handler_and_is_an_event(scene: Scene) -> None:
    ended: list[str] = []

    async def handler(call: ApiCall, _requests: Any) -> AsyncIterator[Any]:
        try:
            yield call.rpc.response_type()
            yield call.rpc.response_type()
        finally:
            ended.append("handler")

    answers: Any = scene.chain.stream(scene.call(GENERATE), handler, _no_requests())
    await anext(answers)
    await answers.aclose()
    await asyncio.sleep(0)
    assert scene.finished()["cancelled"] is True
    assert ended == ["handler"]


async def test_a_stream_without_a_credential_gets_one_message_that_says_so(scene: Scene) -> None:
    call = scene.call(GENERATE, {})
    answers = [each async for each in scene.chain.stream(call, lambda c, r: pytest.fail("reached"), _no_requests())]
    assert [each.status.code for each in answers] == [StatusCode.CONN_INVALID_REQUEST]


# Further steps.


def two(pages: list[str]) -> Sequence[Step]:
    return (Diary("first", pages), Diary("second", pages))


async def empty(call: ApiCall, _requests: Any) -> AsyncIterator[Any]:
    yield call.rpc.response_type()


async def broken(_call: ApiCall, _requests: Any) -> AsyncIterator[Any]:
    raise NO_MODEL
    yield


@pytest.mark.parametrize("kind", ["unary", "stream"])
async def test_steps_meet_requests_in_order_and_answers_in_the_reverse(kind: str) -> None:
    scene = Scene(two)
    if kind == "unary":
        await scene.unary(lambda call, request: call.rpc.response_type())
    else:
        await scene.stream(empty)
    assert scene.steps == [
        "first enter",
        "second enter",
        "second answer",
        "first answer",
        "commit",
        "second leave",
        "first leave",
    ]


@pytest.mark.parametrize("kind", ["unary", "stream"])
async def test_an_error_meets_steps_from_the_last_to_the_first(kind: str) -> None:
    scene = Scene(two)

    def refuse(_call: ApiCall, _request: Any) -> Any:
        raise NO_MODEL

    answered, _ = await scene.unary(refuse) if kind == "unary" else await scene.stream(broken)
    response = answered if kind == "unary" else answered[-1]
    assert response.status.code == StatusCode.MODEL_DOES_NOT_EXIST
    assert scene.steps == [
        "first enter",
        "second enter",
        "second fail",
        "first fail",
        "second leave",
        "first leave",
    ]


class Doubting(Step):
    """Puts a doubt into every answer, and answers for what is missing."""

    def intercept(self, call: ApiCall, following: StreamHandler) -> StreamHandler:
        async def serve(call: ApiCall, requests: AsyncIterator[Any]) -> AsyncGenerator[Any]:
            async for response in following(call, requests):
                response.status.details = "doubted"
                yield response

        return serve

    def fail(self, call: ApiCall, error: BaseException) -> Any:
        return call.rpc.response_type() if error is NO_MODEL else None


@pytest.mark.parametrize("kind", ["unary", "stream"])
async def test_a_step_may_answer_instead_of_an_error_and_have_the_messages(kind: str) -> None:
    scene = Scene(lambda pages: (Doubting(),))

    def refuse(_call: ApiCall, _request: Any) -> Any:
        raise NO_MODEL

    async def work(call: ApiCall, _request: Any) -> Any:
        return call.rpc.response_type()

    if kind == "unary":
        response, call = await scene.unary(work)
        rescued, _ = await scene.unary(refuse)
    else:
        (response,), call = await scene.stream(empty)
        (rescued,), _ = await scene.stream(broken)
    assert (response.status.details, response.status.req_id) == ("doubted", call.request_id)
    assert rescued.status.code == StatusCode.SUCCESS


async def test_what_is_no_rpc_of_the_platform_is_not_shown_to_steps_that_want_messages() -> None:
    scene = Scene(lambda pages: (Doubting(),))
    call = scene.chain.begin(GET, KEY, peer=NO_PEER, is_heard=False)
    response = await scene.chain.unary(call, lambda call, request: call.rpc.response_type(), None)
    assert (response.status.code, response.status.details) == (StatusCode.SUCCESS, "")
