"""Answers the three inference RPCs: from a client's request to a lane, and the outputs back."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from clarifai_grpc.grpc.api.resources_pb2 import Model
from clarifai_grpc.grpc.api.service_pb2 import MultiOutputResponse
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.call import ApiCall, Handler
from clarifai_emulator.api.handlers.hold_refusals import still_deploying, too_busy
from clarifai_emulator.api.handlers.prediction_cache import PredictionCache
from clarifai_emulator.api.kept_calls import KeptCalls
from clarifai_emulator.clock import Clock, ClockTimer, Deadlines, SystemClock
from clarifai_emulator.config import DEFAULT_HOLD_SECONDS, EmulatorConfig
from clarifai_emulator.contracts.values.runtime import Watch, WatchedCall
from clarifai_emulator.dispatch.lane import Lane
from clarifai_emulator.dispatch.substitutes import Substitutes
from clarifai_emulator.dispatch.work import STREAMING_STREAMING, UNARY_STREAMING, UNARY_UNARY, Work
from clarifai_emulator.dispatch.work_steps import WorkStep
from clarifai_emulator.errors import CallerError
from clarifai_emulator.events import EventBus
from clarifai_emulator.faults import Faults
from clarifai_emulator.messages.answer_size import ROOM_FOR_STATUS, fit_answer
from clarifai_emulator.messages.data_values import method_of
from clarifai_emulator.messages.header_text import header_text
from clarifai_emulator.messages.outline import Bytes
from clarifai_emulator.replica_tokens import hidden
from clarifai_emulator.routing import Ask, Decision, RoutingError

if TYPE_CHECKING:
    from clarifai_emulator.dispatch.call_tree import PlaceInTree

Route = Callable[[Ask], tuple[Decision, Lane]]
# The request, which a function gives, as a call, for people; empty where nobody wants to see it.
TextOfCall = Callable[[Callable[[], Any], Decision], str]
# The model that the runner is told of, where the request does not hold it.
ModelOf = Callable[[Decision], Model | None]

# "The batch size should not exceed 128" (Clarifai/docs, "Perform Batch Predictions"); the SDK refuses more itself.
_MOST_INPUTS = 128


class Injections(Protocol):
    """Does what faults ask for to requests that have been routed (``injection.Injector``)."""

    faults: Faults

    def steps_of(self, call: ApiCall, decision: Decision) -> tuple[WorkStep, ...]:
        """Return the steps of a call's work. Called while there is a fault for such requests."""
        ...


class Inference:
    """Handlers of the inference RPCs. ``route`` decides, and gives the lane of the decision. Of requests that
    models make, ``require_room`` refuses what is too deep or too many, ``watch_inner`` hears of those that wait."""

    def __init__(
        self,
        *,
        route: Route,
        events: EventBus,
        config: EmulatorConfig,
        clock: Clock | None = None,
        injector: Injections | None = None,
        watch: Watch | None = None,
        text_of_call: TextOfCall = lambda request, decision: "",
        model_of: ModelOf = lambda decision: None,
        cache: PredictionCache | None = None,
        require_room: Callable[[PlaceInTree], None] = lambda place: None,
        watch_inner: Callable[[Work], None] = lambda work: None,
        substitutes: Substitutes | None = None,
        kept_calls: KeptCalls | None = None,
    ) -> None:
        self._route = route
        self._events = events
        self._config = config
        self._clock = clock or SystemClock()
        self._injector = injector
        self._watch = watch
        self._text_of_call = text_of_call
        self._model_of = model_of
        self._cache = cache or PredictionCache()
        self._require_room = require_room
        self._watch_inner = watch_inner
        self._substitutes = substitutes or Substitutes()
        self._kept_calls = kept_calls or KeptCalls(self._clock.now)
        self._deadlines = Deadlines(self._clock, config.request_seconds)

    def handlers(self) -> dict[str, Handler]:
        return {
            "PostModelOutputs": self.predict,
            "GenerateModelOutputs": self.generate,
            "StreamModelOutputs": self.stream,
        }

    async def predict(self, call: ApiCall, request: Any) -> Any:
        """Answer one request with one answer: the one that is kept of an equal request, where it asks for that."""
        ask, decision, lane = self._routed(call, request)
        asks_cache = request.use_predict_cache and not self._substitutes.replaces(decision.model)
        key = self._cache.key(call.whole(request), decision.model, decision.version_id) if asks_cache else None
        if key is not None and (kept := self._cache.find(key)) is not None:
            call.notes["cached"] = True
            self._keep_answer(call, kept, b"")
            return kept
        call.takes_bytes = call.takes_bytes and key is None
        work, watched = self._submit(call, request, UNARY_UNARY, None, ask, decision, lane)
        try:
            with self._deadline(call, work):
                output = await work.next_output()
        finally:
            work.cancel()
        if output is None:
            raise CallerError(StatusCode.RUNNER_PROCESSING_FAILED, "The runner answered without an output.")
        if watched is not None:
            watched.output(output, work.came_back, work.size)
        self._keep_answer(call, output, work.came_back)
        output = self._fitted(call, work, output)
        if key is not None and not work.code:  # code in the dev loop changes, and its version does not
            self._cache.keep(key, output)
        return output

    async def generate(self, call: ApiCall, requests: AsyncIterator[Any]) -> AsyncGenerator[Any]:
        """Answer one request with any number of answers."""
        request = await anext(requests)
        work, watched = self._submit(call, request, UNARY_STREAMING, None, *self._routed(call, request))
        async with aclosing(self._outputs(call, work, watched)) as outputs:
            async for output in outputs:
                yield output

    async def stream(self, call: ApiCall, requests: AsyncIterator[Any]) -> AsyncGenerator[Any]:
        """Requests and answers as they come; the first request decides the route."""
        try:
            request = await anext(requests)
        except StopAsyncIteration:
            return
        routed = self._routed(call, request)
        if call.kept is not None:
            requests = self._kept_calls.heard(call.kept, requests)
        work, watched = self._submit(call, request, STREAMING_STREAMING, requests, *routed)
        async with aclosing(self._outputs(call, work, watched)) as outputs:
            async for output in outputs:
                yield output

    async def _outputs(self, call: ApiCall, work: Work, watched: WatchedCall | None) -> AsyncGenerator[Any]:
        try:
            with self._deadline(call, work):
                async for output in work.outputs():
                    if watched is not None:
                        watched.output(output, work.came_back, work.size)
                    self._keep_answer(call, output, work.came_back)
                    yield self._fitted(call, work, output)
                if watched is not None:
                    watched.end()
        finally:
            work.cancel()
            for step in work.steps:
                step.leave(work)

    def _fitted(self, call: ApiCall, work: Work, output: Any) -> Any:
        """Return an output as large as an answer may be. Of one that passes, only the status changes."""
        most = self._config.max_message_bytes
        if work.came_back and work.size <= most - ROOM_FOR_STATUS:
            call.came_back = output, work.came_back
        elif work.came_back:
            output = MultiOutputResponse.FromString(bytes(work.came_back))
        fit_answer(output, most, came=work.size)
        return output

    def _routed(self, call: ApiCall, request: Any) -> tuple[Ask, Decision, Lane]:
        """Decide where a request goes, and say so in events and trailers; what it asked for, and the decision."""
        if len(request.inputs) > _MOST_INPUTS:
            raise CallerError(
                StatusCode.MODEL_INVALID_REQUEST,
                f"The request has {len(request.inputs)} inputs; it may have {_MOST_INPUTS} at most.",
                hint="Send them in several requests.",
                row="requests.batch-size",
            )
        method = call.notes["method"] = method_of(request)
        if self._kept_calls.is_on:
            call.kept = self._kept_calls.begin(call, request, method)
        if call.place is not None:
            self._require_room(call.place)
        ask = ask_of(call, request)
        try:
            decision, lane = self._route(ask)
        except RoutingError as error:
            self._events.emit("route.refused", request_id=call.request_id, **error.as_dict())
            raise
        call.decision = decision
        call.notes["rule"] = decision.rule.value
        call.trailers["x-clarifai-emulator-rule"] = decision.rule.value
        fields = decision.as_dict() if call.place is None else {**decision.as_dict(), **call.place.as_fields()}
        self._events.emit("route.decided", request_id=call.request_id, **fields)
        if call.kept is not None:
            self._kept_calls.routed(call.kept, decision)
        return ask, decision, lane

    def _keep_answer(self, call: ApiCall, output: Any, came_back: Bytes) -> None:
        if call.kept is not None:
            self._kept_calls.answered(call.kept, output, came_back)

    def _submit(
        self,
        call: ApiCall,
        request: Any,
        method_type: int,
        more: AsyncIterator[Any] | None,
        ask: Ask,
        decision: Decision,
        lane: Lane,
    ) -> tuple[Work, WatchedCall | None]:
        if text := self._text_of_call(partial(call.whole, request), decision):
            call.notes["call"] = hidden(text)
        watched = self._watched(call, decision, request, method_type)
        work = Work(
            request,
            method_type=method_type,
            events=self._events,
            request_id=call.request_id,
            nodepools=decision.nodepools,
            runner_id=decision.runner_id,
            is_pinned=bool(ask.version_id),
            is_placed=bool(ask.nodepool or ask.runner_id),
            more=more,
            model=None if request.model.model_version.id else self._model_of(decision),
            steps=self._steps_of(call, decision, request),
            came=call.came[1] if call.came[0] is request else b"",
            takes_bytes=call.takes_bytes,
            place=call.place,
        )
        if lane.edit_problem is not None:
            call.notes["edit_problem"] = lane.edit_problem.summary
            call.trailers["x-clarifai-emulator-reload"] = header_text(lane.edit_problem.summary)
        if watched is not None and watched.reads_a_stream and more is not None:
            work.more = _watched_items(more, watched, work)
        work.enter(lane, self._config.hold_seconds, self._enter)
        return work, watched

    def _steps_of(self, call: ApiCall, decision: Decision, request: Any) -> tuple[WorkStep, ...]:
        steps: tuple[WorkStep, ...] = ()
        injector = self._injector
        if injector is not None and (injector.faults.routed or injector.faults.taken):
            steps = injector.steps_of(call, decision)
        if self._substitutes.replaces(decision.model):
            elsewhere = self._substitutes.step_of(decision.model, method_of(call.whole(request)))
            steps = steps if elsewhere is None else (*steps, elsewhere)
        return steps

    def _watched(self, call: ApiCall, decision: Decision, request: Any, method_type: int) -> WatchedCall | None:
        """The request held against the signature of the version it goes to."""
        if self._watch is None:
            return None
        return self._watch.request(
            request, decision.model, decision.version_id, method_type, call.request_id, call.trailers
        )

    def _enter(self, work: Work, lane: Lane, hold_seconds: float) -> None:
        """Hold a request that waits for a replica, but not for ever: 21351 and 21354 make clients retry. Without a
        wait for replicas to start, those that are busy are waited for all the same."""
        lane.submit(work)
        if work.replica_id or not work.is_open:
            return
        if hold_seconds == 0 and not lane.live_replicas:
            lane.bounce(work, still_deploying(lane, hold_seconds))
            return
        seconds = hold_seconds or DEFAULT_HOLD_SECONDS

        def give_up() -> None:
            if work.replica_id or not work.is_open:
                return
            if lane.live_replicas:
                work.expire(too_busy(lane, seconds))
            else:
                lane.bounce(work, still_deploying(lane, seconds))

        work.hold(ClockTimer(self._clock, seconds, give_up))
        if work.place is not None:
            self._watch_inner(work)

    def _deadline(self, call: ApiCall, work: Work) -> _Deadline:
        return _Deadline(call, work, self._deadlines)


class _Deadline:
    """Fails the work when its time is up, and tells the client which replica answered, and in which nodepool."""

    def __init__(self, call: ApiCall, work: Work, deadlines: Deadlines) -> None:
        self._call = call
        self._work = work
        self._deadlines = deadlines
        self._number = 0

    def __enter__(self) -> None:
        self._number = self._deadlines.add(self._expire)

    def __exit__(self, *_: object) -> None:
        self._deadlines.remove(self._number)
        if self._work.replica_id:
            self._call.notes["replica_id"] = self._work.replica_id
            self._call.trailers["x-clarifai-emulator-replica"] = self._work.replica_id
        if self._work.nodepool is not None:
            nodepool = "/".join(self._work.nodepool)
            self._call.notes["nodepool"] = self._call.trailers["x-clarifai-emulator-nodepool"] = nodepool
        if self._work.code:
            self._call.notes["code"] = self._call.trailers["x-clarifai-emulator-code"] = self._work.code

    def _expire(self) -> None:
        self._work.expire(
            CallerError(
                StatusCode.RPC_REQUEST_TIMEOUT,
                f"The model had not answered after {self._deadlines.seconds:g} s, the longest a request may take.",
                hint="Start the emulator with a larger --request-seconds if that is not enough.",
                row="dispatch.request-timeout",
            )
        )


async def _watched_items(more: AsyncIterator[Any], watched: WatchedCall, work: Work) -> AsyncIterator[Any]:
    """The further messages of a stream; one that is refused ends the request."""
    async for each in more:
        try:
            watched.item(each)
        except CallerError as error:
            work.expire(error)
            return
        yield each


def ask_of(call: ApiCall, request: Any) -> Ask:
    """Return what a request says about where it wants to go, with ``me`` resolved."""
    deployment = nodepool = None
    runner_id = ""
    if request.HasField("runner_selector"):
        selector = request.runner_selector
        runner_id = selector.runner.id
        if selector.HasField("deployment"):
            deployment = (call.caller.resolve(selector.deployment.user_id), selector.deployment.id)
        if selector.HasField("nodepool"):
            cluster = selector.nodepool.compute_cluster
            nodepool = (call.caller.resolve(cluster.user_id), cluster.id, selector.nodepool.id)
    owner = request.user_app_id
    return Ask(
        caller=call.caller.user_id,
        model_user=call.caller.resolve_user(owner),
        model_app=owner.app_id,
        model_id=request.model_id,
        version_id=request.version_id or request.model.model_version.id,
        deployment=deployment,
        nodepool=nodepool,
        runner_id=runner_id,
        seed=call.request_id,
    )
