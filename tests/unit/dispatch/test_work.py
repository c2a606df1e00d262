"""A request in flight has states and outputs, and each end hears what it must."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.config import MEBIBYTE
from clarifai_emulator.dispatch.work import UNARY_STREAMING, UNARY_UNARY, State, Work
from clarifai_emulator.errors import CallerError
from clarifai_emulator.events import EventBus
from resource_api import StillClock

POOL, OTHER_POOL = ("ada", "cluster", "pool"), ("ada", "cluster", "other")
LOST = CallerError(StatusCode.RUNNER_PROCESSING_FAILED, "The replica ended.", hint="See the log.")


@pytest.fixture
def events() -> EventBus:
    return EventBus(StillClock())


def work_of(events: EventBus, **fields: Any) -> Work:
    return Work("request", **{"method_type": UNARY_STREAMING, "events": events, **fields})


async def collect(work: Work) -> list[Any]:
    return [output async for output in work.outputs()]


def kinds(events: EventBus) -> list[str]:
    return [event.kind for event in events.recent()]


async def test_a_request_is_queued_then_sent_then_done_and_each_step_is_one_event(events: EventBus) -> None:
    work = work_of(events, request_id="r1")
    assert (work.state, work.is_open) == (State.QUEUED, True)
    work.send("replica-1")
    assert (work.state, work.is_open) == (State.SENT, True)
    work.finish()
    assert (work.state, work.is_open) == (State.DONE, False)
    assert [event.as_dict() | {"seq": 0, "time": 0} for event in events.recent()] == [
        {
            "seq": 0,
            "time": 0,
            "kind": kind,
            "work_id": work.id,
            "request_id": "r1",
            "replica_id": "replica-1",
        }
        for kind in ("work.sent", "work.done")
    ]


async def test_a_failure_says_why_in_its_event(events: EventBus) -> None:
    work_of(events).fail(LOST)
    assert [event.fields["error"] for event in events.recent("work.failed")] == ["The replica ended. See the log."]


@pytest.mark.parametrize("settle", ["finish", "fail", "cancel"])
@pytest.mark.parametrize("later", ["finish", "fail", "cancel", "expire"])
async def test_an_outcome_is_settled_once(events: EventBus, settle: str, later: str) -> None:
    work = work_of(events)
    told: list[Work] = []
    work.send("replica")

    def do(what: str) -> None:
        getattr(work, what)(*([LOST] if what in ("fail", "expire") else []))

    do(settle)
    state, so_far = work.state, kinds(events)
    work.on_cancel = told.append
    do(later)
    assert (work.state, kinds(events), told) == (state, so_far, [])


async def test_outputs_come_in_order_while_the_runner_still_works(events: EventBus) -> None:
    work = work_of(events)
    outputs = work.outputs()
    work.send("replica")
    first = asyncio.ensure_future(anext(outputs))
    await asyncio.sleep(0)
    assert not first.done()
    work.accept("a")
    assert await first == "a"
    work.accept("b")
    work.accept("c")
    work.finish()
    assert [output async for output in outputs] == ["b", "c"]


async def test_what_came_before_a_failure_is_delivered_before_the_error(events: EventBus) -> None:
    work = work_of(events)
    work.send("replica")
    work.accept("a")
    work.fail(LOST)
    got: list[Any] = []
    outputs = work.outputs()
    got.append(await anext(outputs))
    assert got == ["a"]
    with pytest.raises(CallerError, match=r"The replica ended\. See the log\."):
        await anext(outputs)


async def test_a_reader_that_waits_hears_of_the_end(events: EventBus) -> None:
    done, failed = work_of(events), work_of(events)
    readers = [asyncio.ensure_future(collect(each)) for each in (done, failed)]
    await asyncio.sleep(0)
    done.finish()
    failed.fail(LOST)
    assert await readers[0] == []
    with pytest.raises(CallerError):
        await readers[1]


async def test_a_client_is_far_behind_after_64_chunks_until_it_has_taken_half(events: EventBus) -> None:
    work = work_of(events)
    work.send("replica")
    for number in range(63):
        work.accept(number)
    await work.caught_up()
    work.accept(63)
    waiting = asyncio.ensure_future(work.caught_up())
    await asyncio.sleep(0)
    outputs = work.outputs()
    assert [await anext(outputs) for _ in range(32)] == list(range(32))
    await asyncio.sleep(0)
    assert not waiting.done()
    assert await anext(outputs) == 32
    await asyncio.wait_for(waiting, 1)


async def test_large_outputs_count_by_their_bytes(events: EventBus) -> None:
    work = work_of(events)
    work.send("replica")
    work.accept("one", 5 * MEBIBYTE)
    assert not work.is_ahead
    work.accept("two", 3 * MEBIBYTE)
    assert work.is_ahead


@pytest.mark.parametrize("end", ["cancel", "fail", "expire"])
async def test_who_waits_for_a_client_is_let_go_when_it_reads_no_more(events: EventBus, end: str) -> None:
    work = work_of(events)
    work.send("replica")
    for number in range(64):
        work.accept(number)
    waiting = asyncio.ensure_future(work.caught_up())
    await asyncio.sleep(0)
    assert not waiting.done()
    getattr(work, end)(*([LOST] if end != "cancel" else []))
    await asyncio.wait_for(waiting, 1)


async def test_outputs_after_a_cancellation_are_dropped(events: EventBus) -> None:
    work = work_of(events)
    work.send("replica")
    work.accept("early")
    work.cancel()
    work.accept("late")
    assert work.state is State.CANCELLED
    assert await collect(work) == []


async def test_a_cancellation_is_told_once_to_whoever_has_the_work(events: EventBus) -> None:
    work, told = work_of(events), list[Work]()
    work.on_cancel = told.append
    work.cancel()
    work.cancel()
    assert told == [work]


async def test_when_its_time_is_up_the_client_gets_the_error_and_the_model_is_told(events: EventBus) -> None:
    work, told = work_of(events), list[Work]()
    work.send("replica")
    work.on_cancel = told.append
    work.expire(LOST)
    assert (work.state, told) == (State.FAILED, [work])
    with pytest.raises(CallerError, match="The replica ended"):
        await collect(work)


async def test_work_that_was_never_written_may_go_to_another_replica(events: EventBus) -> None:
    work = work_of(events)
    work.send("first")
    work.requeue()
    assert (work.state, work.replica_id) == (State.QUEUED, "")
    work.send("second")
    assert work.replica_id == "second"


async def test_work_may_run_where_routing_allows_it_and_nowhere_else(events: EventBus) -> None:
    anywhere = work_of(events, nodepools=(POOL,))
    pinned = work_of(events, nodepools=(POOL,), runner_id="runner-1")
    assert anywhere.allows(POOL, "runner-1")
    assert not anywhere.allows(OTHER_POOL, "runner-1")
    assert pinned.allows(POOL, "runner-1")
    assert not pinned.allows(POOL, "runner-2")


async def test_ids_are_unique_and_never_look_like_a_task(events: EventBus) -> None:
    ids = {work_of(events, method_type=UNARY_UNARY).id for _ in range(100)}
    assert len(ids) == 100
    assert all(len(each) == 32 and not each.startswith("task-") for each in ids)
