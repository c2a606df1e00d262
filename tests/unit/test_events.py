"""The event bus: what was emitted, who hears it, and what can still be read."""

from __future__ import annotations

import json

from clarifai_emulator.events import Event, EventBus
from resource_api import StillClock


def test_events_are_numbered_and_dated_and_reach_every_subscriber() -> None:
    clock = StillClock()
    bus, heard, also = EventBus(clock), list[Event](), list[Event]()
    bus.subscribe(heard.append)
    bus.subscribe(also.append)
    first = bus.emit("work.sent", work_id="w1")
    clock.seconds += 2
    second = bus.emit("work.done", work_id="w1")
    assert [event.seq for event in heard] == [1, 2] == [first.seq, bus.last_seq]
    assert second.time - first.time == 2
    assert heard == also == [first, second]


def test_an_event_is_one_flat_json_object() -> None:
    event = EventBus(StillClock()).emit("route.decided", rule="owner_default", rejected=[])
    shown = {"seq": 1, "time": 1_700_000_000.0, "kind": "route.decided", "rule": "owner_default", "rejected": []}
    assert json.loads(json.dumps(event.as_dict())) == shown


def test_recent_events_are_chosen_by_kind_number_and_fields() -> None:
    bus = EventBus(StillClock())
    bus.emit("work.sent", work_id="a")
    bus.emit("work.done", work_id="a")
    bus.emit("work.sent", work_id="b")
    bus.emit("worker.seen")
    assert [event.fields["work_id"] for event in bus.recent("work.sent")] == ["a", "b"]
    assert [event.kind for event in bus.recent("work.", work_id="a")] == ["work.sent", "work.done"]
    assert [event.seq for event in bus.recent(since=2)] == [3, 4]
    assert list(bus.recent("work.", colour="red")) == []


def test_only_the_last_events_are_kept_and_numbering_goes_on() -> None:
    bus = EventBus(StillClock(), keep=2)
    for _ in range(3):
        bus.emit("tick")
    assert [event.seq for event in bus.recent()] == [2, 3]
    bus.clear()
    assert list(bus.recent()) == []
    assert bus.emit("tick").seq == 4


def test_who_has_unsubscribed_hears_no_more_and_may_do_so_twice() -> None:
    bus, heard = EventBus(StillClock()), list[Event]()
    unsubscribe = bus.subscribe(heard.append)
    bus.emit("one")
    unsubscribe()
    unsubscribe()
    bus.emit("two")
    assert [event.kind for event in heard] == ["one"]


def test_a_subscriber_may_unsubscribe_while_it_is_told_and_the_others_still_hear() -> None:
    bus, heard = EventBus(StillClock()), list[str]()

    def once(event: Event) -> None:
        heard.append(f"once {event.kind}")
        unsubscribe()

    unsubscribe = bus.subscribe(once)
    bus.subscribe(lambda event: heard.append(f"always {event.kind}"))
    bus.emit("one")
    bus.emit("two")
    assert heard == ["once one", "always one", "always two"]


def test_recent_is_not_disturbed_by_what_is_emitted_while_it_is_read() -> None:
    bus = EventBus(StillClock())
    bus.emit("one")
    for _ in bus.recent():
        bus.emit("another")
    assert bus.last_seq == 2
