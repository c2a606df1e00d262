"""The benchmarks report what they measured, and judge it."""

from __future__ import annotations

import asyncio
import io
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.__main__ import main
from benchmarks.figures import Figure, alone, compared, interleave, quantile_of
from benchmarks.machine import Machine
from benchmarks.machine import measure as measured_machine
from benchmarks.own_share import own_shares
from benchmarks.report import markdown, show
from benchmarks.results import Results, read, slower
from benchmarks.watched_loop import Mark, Marks, WatchedLoop
from rich.console import Console


def test_a_ratio_is_that_of_the_medians() -> None:
    figure = compared("predict", [1.0, 3.0, 100.0], [1.0, 2.0, 90.0], unit="ms", target=1.5)
    assert (figure.value, figure.baseline, figure.ratio, figure.repeats) == (3.0, 2.0, 1.5, 3)
    assert figure.met is True
    assert figure.bound == "≤ 1.5×"


def test_a_quantile_is_a_value_that_was_measured_and_the_median_of_an_even_number_their_middle() -> None:
    assert quantile_of(list(range(100)), 0.99) == 99
    assert quantile_of(list(range(1000)), 0.99) == 990
    assert quantile_of([4, 1, 3, 2], 0.5) == 2.5


@pytest.mark.parametrize(("value", "at_least", "met"), [(0.8, False, True), (0.8, True, False), (1.0, True, True)])
def test_a_target_bounds_from_above_unless_more_is_better(value: float, at_least: bool, met: bool) -> None:
    assert compared("rate", [value], [1.0], unit="1/s", target=0.9, at_least=at_least).met is met
    assert alone("rate", [value], unit="1/s", target=0.9, at_least=at_least).met is met


def test_without_a_target_nothing_is_met_or_missed() -> None:
    figure = alone("bidi", [1.0], unit="ms", target=None)
    assert (figure.met, figure.bound, figure.ratio) == (None, "", None)


def test_both_are_called_equally_often_in_alternating_rounds() -> None:
    said: list[str] = []
    ours, theirs = interleave(
        lambda: said.append("ours"), lambda: said.append("theirs"), rounds=2, calls=2, warmup=1
    )
    assert said[2:] == ["theirs", "theirs", "ours", "ours", "ours", "ours", "theirs", "theirs"]
    assert (len(ours), len(theirs)) == (4, 4)


def test_the_markdown_table_has_a_row_for_each_figure() -> None:
    figures = [
        Figure("throughput", 1234.5, "requests/s", 1000.0, 1.23, 0.9, True, 20, at_least=True, floor=1310.0),
        Figure("reset", 0.7891, "ms", None, None, 1, True, 20),
    ]
    assert markdown(figures).splitlines()[2:] == [
        "| throughput | 1234 requests/s | 1000 requests/s | 1.23× | ≥ 0.9× | yes | 1.06× | 20 |",
        "| reset | 0.789 ms |  |  | ≤ 1 ms | yes |  | 20 |",
    ]


@pytest.mark.parametrize("width", [80, 200])
def test_the_table_on_the_terminal_shows_names_and_numbers_whole(width: int) -> None:
    name = "shared port: connect and first GetUser, against a bare gRPC port [cold]"
    figures = [Figure(name, 0.813, "requests/s", 0.809, 1.0, 1.1, True, 2000, floor=0.8)]
    said = io.StringIO()
    show(figures, Console(width=width, file=said))
    for whole in (name, "0.813 requests/s", "compared with", "≤ 1.1×", "2000"):
        assert whole in said.getvalue()
    assert max(map(len, said.getvalue().splitlines())) <= width


def test_a_script_that_is_not_there_is_named_with_those_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["nope"])
    assert (
        "there is no script nope; there are: routed_predict, workflow_nodes, processor_time"
        in capsys.readouterr().err
    )


def test_a_floor_is_made_of_the_baseline_and_says_how_far_from_it_a_value_is() -> None:
    figure = compared("predict", [3.0], [1.0], unit="ms", target=None, floor=lambda theirs: theirs + 0.5)
    assert (figure.floor, figure.of_floor) == (1.5, 2.0)
    assert compared("reset", [3.0], [1.0], unit="ms", target=None).of_floor is None


@pytest.fixture
def two_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[float, list[float]], Path]:
    """Return a function that writes a base with a ratio, and lets each measurement answer with one of others."""
    machine = Machine(python=2.0, round_trip=0.1, hand_over=0.1, copy=10.0, cores=2)
    monkeypatch.setattr("benchmarks.__main__.measured_machine", lambda: machine)

    def write(before: float, now: list[float]) -> Path:
        ratios = iter(now)

        def measure(*, quick: bool) -> list[Figure]:
            return [compared("predict", [next(ratios)], [1.0], unit="ms", target=None)]

        monkeypatch.setattr("benchmarks.start.measure", measure)
        base = tmp_path / "base.json"
        base.write_text(Results(machine, [compared("predict", [before], [1.0], unit="ms", target=None)]).as_json())
        return base

    return write


def test_a_figure_that_is_slower_than_the_base_three_times_is_named_and_fails(
    two_runs: Callable[[float, list[float]], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = two_runs(1.0, [1.9, 1.5, 1.6])
    with pytest.raises(SystemExit) as failure:
        main(["start", "--check", str(base), "--results", str(tmp_path / "now.json")])
    assert failure.value.code == 1
    assert (
        "slower: predict is 1.5×, 1.50 times what it was in the base; at most 1.3 times is allowed. Profile what "
        "changed, or write a new base with --results if it must be so." in capsys.readouterr().err
    )
    assert read(tmp_path / "now.json").machine.python == 2.0


def test_noise_that_is_gone_when_it_is_measured_again_does_not_fail(
    two_runs: Callable[[float, list[float]], Path], tmp_path: Path
) -> None:
    base = two_runs(1.0, [1.9, 1.2])
    main(["start", "--check", str(base), "--results", str(tmp_path / "now.json")])


@pytest.mark.parametrize(("seconds", "is_slower"), [(2.0, False), (3.0, True)])
def test_a_time_without_a_ratio_is_compared_as_if_both_machines_were_equally_fast(
    seconds: float, is_slower: bool
) -> None:
    machine = Machine(python=2.0, round_trip=0.1, hand_over=0.1, copy=10.0, cores=2)
    base = Results(machine, [alone("up", [1.0], unit="s", target=None)])
    now = Results(replace(machine, python=4.0), [alone("up", [seconds], unit="s", target=None)])
    assert [figure.name for figure, _ in slower(base, now)] == (["up"] if is_slower else [])


def test_a_rate_is_slower_when_it_is_less() -> None:
    machine = Machine(python=2.0, round_trip=0.1, hand_over=0.1, copy=10.0, cores=2)

    def run(rate: float) -> Results:
        return Results(machine, [compared("rate", [rate], [1.0], unit="1/s", target=None, at_least=True)])

    assert [round(factor, 2) for _, factor in slower(run(1.0), run(0.5))] == [2.0]
    assert not list(slower(run(0.5), run(1.0)))


def test_what_this_machine_is_worth_is_measured() -> None:
    machine = measured_machine(repeats=10)
    assert all(value > 0 for value in machine.as_dict().values())
    assert machine.way(2, 1) == 2 * machine.round_trip + machine.hand_over
    assert machine.way(1, 0, copies=True) == machine.copy


def test_own_share_is_what_is_left_of_a_request_without_its_runner_and_its_client() -> None:
    # A request in two reads, an answer in two writes, and a ping of the connection between two requests.
    request = [
        (0, "client read"), (2, "client read"), (4, "route.decided"), (5, "work.sent"), (6, "replica write"),
        (50, "replica read"), (53, "work.done"), (54, "request.finished"), (55, "client write"),
        (57, "client write"), (58, "replica read"), (60, "client read"), (61, "client write"),
    ]  # fmt: skip
    marks = [Mark(start + time, what) for start in (0.0, 1000.0) for time, what in request]
    assert list(own_shares(marks)) == [(6 - 2) + (57 - 50)] * 2


def test_the_watched_loop_marks_reads_and_writes_of_the_sockets_it_is_told_of() -> None:
    marks: Marks = []
    ours, theirs = socket.socketpair()
    silent, other = socket.socketpair()

    async def talk() -> None:
        reader, writer = await asyncio.open_connection(sock=ours)
        _, unwatched = await asyncio.open_connection(sock=silent)
        writer.write(b"question")
        unwatched.write(b"not seen")
        theirs.sendall(b"answer")
        assert await reader.readexactly(6) == b"answer"
        for each in (writer, unwatched):
            each.close()
            await each.wait_closed()

    name_of = {ours: "peer"}
    with (
        theirs,
        other,
        asyncio.Runner(loop_factory=lambda: WatchedLoop(marks, lambda s: name_of.get(s, ""))) as runner,
    ):
        runner.run(talk())
    assert [mark.what for mark in marks][:2] == ["peer write", "peer read"]
    assert marks[0].time <= marks[1].time
