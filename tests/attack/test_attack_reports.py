"""Attacks are told as a table of 80 columns, as JSON and as Markdown, with what was measured and its bounds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from attack import report
from attack.__main__ import PAGE, main
from attack.every_attack import ATTACKS
from attack.measured import Attack, Attacked, Measure, NotTried, count


def make(scene: object) -> Sequence[Measure] | NotTried:
    return []


FLOOD = Attack("http2.flood", "Frames without end", make, short=True)
KILLED = Attack("processes.killed", "SIGKILL at any moment", make, short=False)
RESULTS = [
    Attacked(FLOOD, (Measure("median", 1.234, "×", 3, 1.5, 2.0), Measure("memory", 40, "MiB", 64, 32)), seconds=3),
    Attacked(KILLED, (count("lost", ["a write", "another"], []),), seconds=20.04),
    Attacked(KILLED, not_tried="It needs root."),
]


@pytest.mark.parametrize(
    ("measure", "verdict"),
    [
        (Measure("median", 1.4, "×", 3, 1.5), "survived"),
        (Measure("median", 1.6, "×", 3, 1.5), "bounded"),
        (Measure("median", 3.1, "×", 3, 1.5), "failed"),
        (Measure("median", float("nan"), "×", 3, 1.5), "failed"),
        (Measure("told only", 99, most=None), "survived"),
        (count("lost", []), "survived"),
        (count("lost", ["x"]), "failed"),
    ],
)
def test_a_figure_is_unnoticed_within_its_bound_or_beyond_it(measure: Measure, verdict: str) -> None:
    assert measure.verdict == verdict
    assert Attacked(FLOOD, (count("errors", []), measure)).verdict == verdict


def test_the_table_fits_80_columns_and_says_what_was_measured_and_what_is_broken() -> None:
    text = report.text(RESULTS)
    assert max(map(len, text.splitlines())) <= 80
    assert text.splitlines() == [
        "http2.flood                                bounded      3.0 s",
        "    median 1.2×; memory 40 MiB",
        "    grpcio: median 2×",
        "processes.killed                           failed      20.0 s",
        "    lost 2 (a write, another)",
        "    grpcio: lost 0",
        "    ! lost 2 (a write, another), and the bound is lost ≤ 0",
        "processes.killed                           not tried    0.0 s",
        "    It needs root.",
        "",
        "0 survived, 1 bounded, 1 failed, 1 not tried",
    ]


def test_json_has_every_figure_with_its_bound_and_that_of_grpcio() -> None:
    told = json.loads(report.as_json(RESULTS))
    assert told[0]["measures"][0] == {
        "what": "median", "value": 1.234, "unit": "×", "at_most": 3, "grpcio": 2.0, "verdict": "survived",
    }  # fmt: skip
    assert [each["verdict"] for each in told] == ["bounded", "failed", "not tried"]


def test_the_page_gets_a_table_for_each_area_between_its_markers(tmp_path: Path) -> None:
    page = tmp_path / "reliability.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    names = [each.attack.name for each in RESULTS]
    report.write(RESULTS, page, order=names)
    text = page.read_text()
    assert text.startswith(f"before\n{report.BEGIN}\n\n### HTTP/2\n\n| Attack | Measured | grpcio | Bound | |\n")
    assert "| **flood**: Frames without end | median 1.2×; memory 40 MiB | median 2× |" in text
    assert text.endswith(f"{report.END}\nafter\n")
    assert "old" not in text
    report.write([Attacked(FLOOD, not_tried="It needs root.")], page, order=names)  # the other stays
    assert page.read_text() == text.replace(
        report.rows(RESULTS)["http2.flood"],
        report.rows([Attacked(FLOOD, not_tried="It needs root.")])["http2.flood"],
    )
    report.write([], page, order=["http2.flood"])
    assert "killed" not in page.read_text()


def test_the_page_has_no_row_of_an_attack_that_is_not_there() -> None:
    assert report.rows_of(PAGE.read_text()).keys() <= ATTACKS.keys(), "make attacks ARGS='--only NAME --write'"


def test_a_page_without_markers_is_refused_with_those_it_needs(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing\n")
    with pytest.raises(SystemExit, match="has no place for the table: it needs the lines <!-- attacks"):
        report.write(RESULTS, page, order=())


def test_an_attack_that_there_is_not_is_answered_with_where_the_names_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["--only", "http3"])
    assert "there is no attack http3; `python -m attack --list` names them" in capsys.readouterr().err


def test_the_list_names_each_attack_and_what_is_sent(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list", "--only", "http2.ping-flood"]) == 0
    said = capsys.readouterr().out
    assert " ".join(said.split()) == f"http2.ping-flood {ATTACKS['http2.ping-flood'].sends}"
    assert main(["--list", "--short"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == sum(each.short for each in ATTACKS.values())


def test_each_attack_says_what_is_sent_and_is_of_an_area_that_the_page_has() -> None:
    assert [name for name, each in ATTACKS.items() if len(each.sends) < 20 or each.area not in report.AREAS] == []
