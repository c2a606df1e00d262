"""A request of a replica belongs to the item that it names, else to the newest; what goes too far is refused."""

from __future__ import annotations

import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.dispatch.call_tree import CallTree, PlaceInTree
from clarifai_emulator.dispatch.dispatcher import Dispatcher
from clarifai_emulator.dispatch.lane import LaneKey, Replica, Slot
from clarifai_emulator.dispatch.work import UNARY_UNARY, State, Work
from clarifai_emulator.errors import CallerError
from clarifai_emulator.events import EventBus
from resource_api import StillClock

POOL = ("ada", "cluster", "pool")
MODEL = ("ada", "demo", "agent")


class Tree:
    """Holds a replica with any number of requests, and what finds the places of those it makes."""

    def __init__(self, most_depth: int = 3, most_open: int = 2) -> None:
        self.events = EventBus(StillClock())
        self.dispatcher = Dispatcher(events=self.events, clock=StillClock(), queue_size=9)
        self.lane = self.dispatcher.lane(LaneKey("ada", "deploy-x", "v1"))
        self.link = self.dispatcher.add_runner((*POOL, "runner"), self.lane)
        self.here: list[Replica] = []
        self.tree = CallTree(
            replica_of=self.dispatcher.replica,
            replicas_here=lambda: self.here,
            model_of=lambda replica: MODEL,
            most_depth=most_depth,
            most_open=most_open,
        )

    def work(self, replica_id: str, place: PlaceInTree | None = None) -> Work:
        """Let a replica work on one more request."""
        replica = self.dispatcher.connect(self.link, replica_id)
        self.dispatcher.hear(replica)
        self.lane.offer(Slot(replica))
        request_id = f"r{len(list(self.events.recent('work.sent')))}"
        work = Work(
            None, method_type=UNARY_UNARY, events=self.events, nodepools=(POOL,), request_id=request_id, place=place
        )
        self.lane.submit(work)
        assert work.state is State.SENT
        return work


@pytest.fixture
async def tree() -> Tree:
    return Tree()


async def test_a_request_belongs_to_the_item_that_it_names(tree: Tree) -> None:
    one, two = tree.work("a"), tree.work("a")
    for work in (one, two):
        for named in (work.id, work.request_id):
            place = tree.tree.place("a", named)
            assert place is not None
            assert (place.parent, place.is_guessed, place.model) == (work, False, MODEL)


async def test_one_that_names_nothing_belongs_to_the_newest_and_that_is_said(tree: Tree) -> None:
    one = tree.work("a")
    place = tree.tree.place("a", "")
    assert place is not None
    assert (place.parent, place.choices, place.as_fields()["guessed"]) == (one, 1, True)
    two = tree.work("a")
    two.sent_at = 1e12
    place = tree.tree.place("a", "")
    assert place is not None
    assert (place.parent, place.choices) == (two, 2)


async def test_what_is_left_of_a_request_that_was_answered_is_waited_for_by_nobody(tree: Tree) -> None:
    """A background thread leaves such requests, and a connection that was opened while another was answered."""
    other = tree.work("a")
    place = tree.tree.place("a", "an item that was answered")
    assert place is not None
    assert (place.parent, place.is_guessed, place.choices) == (other, True, 0)
    left = tree.work("b", place)
    assert not other.inner
    other.cancel()
    assert left.is_open


async def test_an_item_of_another_replica_cannot_be_named(tree: Tree) -> None:
    other = tree.work("b")
    assert tree.tree.place("a", other.id) is None
    own = tree.work("a")
    place = tree.tree.place("a", other.id)
    assert place is not None
    assert place.parent is own


async def test_a_replica_without_a_request_asks_for_itself(tree: Tree) -> None:
    tree.dispatcher.connect(tree.link, "a")
    assert tree.tree.place("a", "") is None
    assert tree.tree.place("unknown", "") is None


async def test_in_this_process_an_item_is_enough_for_its_owner(tree: Tree) -> None:
    work = tree.work("a")
    assert tree.tree.place_here(work.id, "ada") is None, "that replica is elsewhere"
    tree.here.append(tree.dispatcher.connect(tree.link, "a"))
    place = tree.tree.place_here(work.id, "ada")
    assert place is not None
    assert place.parent is work
    assert tree.tree.place_here(work.id, "eve") is None
    assert tree.tree.place_here(work.request_id, "ada") is None, "the ids of requests are known to others"


async def test_depth_and_trace_are_those_of_the_outermost(tree: Tree) -> None:
    outer = tree.work("a")
    first = tree.tree.place("a", outer.id)
    inner = tree.work("b", first)
    second = tree.tree.place("b", inner.id)
    assert first is not None
    assert second is not None
    assert (first.trace_id, first.depth) == (outer.request_id, 1)
    assert (second.trace_id, second.depth, second.as_fields()["parent_id"]) == (
        outer.request_id,
        2,
        inner.request_id,
    )


async def test_too_deep_and_too_many_are_refused(tree: Tree) -> None:
    place: PlaceInTree | None = None
    for name in "abcd":
        work = tree.work(name, place)
        place = tree.tree.place(name, work.id)
    assert place is not None
    with pytest.raises(
        CallerError, match=r"This request is 4 calls deep, below request r0; 3 are the most"
    ) as deep:
        tree.tree.require_room(place)
    assert deep.value.code == StatusCode.CONN_EXCEEDS_LIMITS
    assert "Models call one another: agent -> agent -> agent -> agent -> ..." in str(deep.value)
    wide = tree.tree.place("a", "r0")
    assert wide is not None
    tree.work("b", wide)  # beside the one of the loop above
    with pytest.raises(CallerError, match="Request r0 has 2 inner requests open, which is the most"):
        tree.tree.require_room(wide)


async def test_inner_requests_end_with_their_outer_one_all_the_way_down(tree: Tree) -> None:
    outer = tree.work("a")
    inner = tree.work("b", tree.tree.place("a", outer.id))
    innermost = tree.work("c", tree.tree.place("b", inner.id))
    outer.cancel()
    assert (inner.state, innermost.state) == (State.FAILED, State.FAILED)
    assert outer.inner == set()
    with pytest.raises(CallerError) as late:
        tree.tree.place("a", outer.id)
    assert late.value.code == StatusCode.RPC_CANCELED
    assert str(late.value).startswith(f"The request that made this call, {outer.request_id}, has ended: its client")


async def test_what_is_left_open_when_a_request_is_answered_goes_on(tree: Tree) -> None:
    outer = tree.work("a")
    inner = tree.work("b", tree.tree.place("a", outer.id))
    outer.finish()
    assert inner.is_open


async def test_a_guess_among_several_ends_with_nobody(tree: Tree) -> None:
    tree.work("a")
    newest = tree.work("a")
    newest.sent_at = 1e12
    inner = tree.work("b", tree.tree.place("a", ""))
    newest.cancel()
    assert inner.is_open
