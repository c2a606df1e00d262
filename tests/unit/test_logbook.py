"""The log book keeps what builds and runners write."""

from __future__ import annotations

import pytest

from clarifai_emulator.logbook import BUILDER, RUNNER, RUNNER_EVENTS, LogBook, LogLine


def messages(book: LogBook, log_type: str, **match: str) -> list[str]:
    return [entry.message for entry in book.entries(log_type, **match)]


def test_an_entry_says_where_it_is_from() -> None:
    book = LogBook()
    book.append(
        RUNNER, "ready", user_id="ada", compute_cluster_id="c", nodepool_id="n", runner_id="r", model_id="m"
    )
    (entry,) = book.entries(RUNNER)
    assert entry.log_type == "runner"
    assert entry.meta.user_app_id.user_id == "ada"
    assert entry.meta.compute_cluster_user_id == "ada"
    assert (entry.meta.compute_cluster_id, entry.meta.nodepool_id, entry.meta.runner_id) == ("c", "n", "r")


def test_every_entry_has_its_own_url_also_across_log_books() -> None:
    books = (LogBook(), LogBook())
    for book in books * 3:
        book.append(BUILDER, "same", user_id="ada")
    assert len({entry.url for book in books for entry in book.entries(BUILDER)}) == 6


def test_entries_of_several_sources_come_in_the_order_they_were_written() -> None:
    book = LogBook()
    for number, runner in enumerate("abab"):
        book.append(RUNNER, f"{number}", user_id="ada", runner_id=runner)
    book.append(RUNNER_EVENTS, "scheduled", user_id="ada", runner_id="a")

    assert messages(book, RUNNER) == ["0", "1", "2", "3"]
    assert messages(book, RUNNER, runner_id="b") == ["1", "3"]
    assert messages(book, RUNNER, runner_id="") == ["0", "1", "2", "3"]
    assert messages(book, RUNNER, runner_id="c") == []
    assert messages(book, RUNNER_EVENTS) == ["scheduled"]


def test_a_name_that_no_source_has_is_refused() -> None:
    with pytest.raises(TypeError, match="a log entry has no runner; it has user_id, app_id"):
        LogBook().entries(RUNNER, runner="a")


def test_a_stream_keeps_its_newest_entries() -> None:
    book = LogBook(keep=2)
    for number in range(4):
        book.append(RUNNER, f"{number}", user_id="ada", runner_id="loud")
    book.append(RUNNER, "quiet", user_id="ada", runner_id="quiet")
    assert messages(book, RUNNER) == ["2", "3", "quiet"]


def test_the_stream_that_is_silent_for_longest_goes_first() -> None:
    book = LogBook(streams=2)
    for runner in ("a", "b", "a", "c"):
        book.append(RUNNER, runner, user_id="ada", runner_id=runner)
    assert messages(book, RUNNER) == ["a", "a", "c"]


def test_subscribers_hear_of_each_entry_until_they_leave() -> None:
    book = LogBook()
    heard: list[str] = []
    leave = book.subscribe(lambda entry: heard.append(entry.message))
    book.append(RUNNER, "one", user_id="ada")
    leave()
    leave()
    book.append(RUNNER, "two", user_id="ada")
    assert heard == ["one"]


def test_clear_forgets_entries_but_not_subscribers() -> None:
    book = LogBook()
    heard: list[LogLine] = []
    book.subscribe(heard.append)
    book.append(RUNNER, "one", user_id="ada")
    book.clear()
    assert messages(book, RUNNER) == []
    book.append(RUNNER, "two", user_id="ada")
    assert [entry.message for entry in heard] == ["one", "two"]
    assert book.entry(heard[0]).url != book.entry(heard[1]).url


def test_a_line_has_the_time_at_which_it_came_its_deployment_and_its_replica() -> None:
    book = LogBook(now=lambda: 12.5)
    book.append(RUNNER, "one", user_id="ada", deployment_id="d", replica_id="r", origin="model")
    book.append(RUNNER, "kept from before", user_id="ada", time=7.0)
    one, before = book.lines(RUNNER)
    assert (one.time, one.deployment_id, one.replica_id, one.origin) == (12.5, "d", "r", "model")
    assert (before.time, before.deployment_id, before.seq) == (7.0, "", one.seq + 1)
    assert one.is_from({"user_id": "ada", "model_id": ""})
    assert not one.is_from({"user_id": "bob"})


def test_the_lines_of_a_replica_come_from_its_streams_alone_and_only_new_ones_are_looked_at() -> None:
    book = LogBook(keep=3)
    for number in range(5):
        book.append(RUNNER, f"{number}", user_id="ada", runner_id="r", replica_id="one")
        book.append(RUNNER, f"of two {number}", user_id="ada", runner_id="s", replica_id="two")
    book.append(RUNNER_EVENTS, "stopped", user_id="ada", runner_id="r", replica_id="one")
    types = (RUNNER, RUNNER_EVENTS)

    assert [line.message for line in book.of_replica("one", types)] == ["2", "3", "4", "stopped"]
    newest = next(book.lines(RUNNER_EVENTS)).seq
    assert [line.message for line in book.of_replica("one", types, since=newest - 1)] == ["stopped"]
    assert list(book.of_replica("three", types)) == []


def test_replicas_of_lines_that_are_gone_are_forgotten() -> None:
    book = LogBook(keep=3)
    for number in range(20_001):
        book.append(RUNNER, "x", user_id="ada", runner_id="r", replica_id=f"{number}")
    (stream,) = book._streams.values()
    assert len(stream.replicas) <= 10_000
    assert len(list(book.of_replica("20000", (RUNNER,)))) == 1
