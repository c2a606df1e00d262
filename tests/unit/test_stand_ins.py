"""Stand-ins in topology files, and the model directory of canned answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clarifai_emulator.errors import ConfigError
from clarifai_emulator.models.directory import read_model_directory
from clarifai_emulator.stand_ins import Answer, StandIn, canned_model
from clarifai_emulator.topology import load_topology


def read(folder: Path, text: str) -> tuple[StandIn, ...]:
    (folder / "topology.yaml").write_text(text)
    return load_topology([folder / "topology.yaml"]).stand_ins


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(folder, text)
    return [each.removeprefix(f"{folder / 'topology.yaml'}:") for each in caught.value.problems]


def test_answers_and_directories(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    found = read(
        tmp_path,
        """
stand_ins:
  - {model: https://clarifai.com/openai/chat-completion/models/gpt-4o, path: mine}
  - model: anthropic/completion/models/claude-sonnet-4
    answers:
      - {contains: Weather, text: It is sunny.}
      - I am a stand-in.
""",
    )
    where = f"{tmp_path / 'topology.yaml'}:"
    assert found == (
        StandIn(("openai", "chat-completion", "gpt-4o"), f"{where}3", (tmp_path / "mine").resolve()),
        StandIn(
            ("anthropic", "completion", "claude-sonnet-4"),
            f"{where}4",
            answers=(Answer("It is sunny.", "Weather"), Answer("I am a stand-in.")),
        ),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{path: .}", "1: stand_ins[0]: needs model: the address of the hosted model, as clients give it"),
        ("{model: a/b/models/c}", "1: stand_ins[0]: needs either path, a model directory, or answers"),
        (
            "{model: a/b/models/c, path: ., answers: [x]}",
            "1: stand_ins[0]: needs either path, a model directory, or answers",
        ),
        (
            "{model: gpt-4o, answers: [x]}",
            "1: stand_ins[0].model: 'gpt-4o' names no model; write https://clarifai.com/USER/APP/models/ID",
        ),
        (
            "{model: a/b/models/c/versions/d, answers: [x]}",
            "1: stand_ins[0].model: names a version; leave it out: a stand-in has versions of its own",
        ),
        ("{model: a/b/models/c, answers: []}", "1: stand_ins[0].answers: needs at least one answer"),
        (
            "{model: a/b/models/c, answers: [{contains: x}]}",
            "1: stand_ins[0].answers[0]: needs text: what is answered",
        ),
    ],
)
def test_what_cannot_be_used_is_said_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    assert said in problems(tmp_path, f"stand_ins: [{text}]\n")


def test_unknown_names_and_folders(tmp_path: Path) -> None:
    text = "{model: a/b/models/c, pth: x, answers: [{text: x, contain: y}]}"
    found = problems(tmp_path, f"stand_ins: [{text}]\n")
    assert [each.partition(";")[0] for each in found] == [
        "1: stand_ins[0].pth: is unknown",
        "1: stand_ins[0].answers[0].contain: is unknown",
    ] or all("did you mean" in each for each in found), found
    missing = problems(tmp_path, "stand_ins: [{model: a/b/models/c, path: nowhere}]\n")
    assert missing == [f"1: stand_ins[0].path: {tmp_path / 'nowhere'} is not a directory"]


def test_two_for_one_model(tmp_path: Path) -> None:
    one = "{model: a/b/models/c, answers: [x]}"
    assert problems(tmp_path, f"stand_ins: [{one}, {one}]\n") == [
        "1: stand_ins[1]: model a/b/models/c has two stand-ins in the topology"
    ]


class TestCannedAnswers:
    ANSWERS = (Answer("Sonnig.", "WETTER in Zürich"), Answer("Ja."))

    def test_are_an_ordinary_model_directory(self, tmp_path: Path) -> None:
        directory = read_model_directory(canned_model("gpt-4o", self.ANSWERS, tmp_path))
        assert directory.model_id == "gpt-4o"
        assert json.loads((directory.path / "1" / "answers.json").read_text(encoding="utf-8")) == [
            {"contains": "wetter in zürich", "text": "Sonnig."},
            {"contains": "", "text": "Ja."},
        ]

    def test_are_written_once(self, tmp_path: Path) -> None:
        first = canned_model("gpt-4o", self.ANSWERS, tmp_path)
        before = (first / "config.yaml").stat().st_mtime_ns
        assert canned_model("gpt-4o", self.ANSWERS, tmp_path) == first
        assert (first / "config.yaml").stat().st_mtime_ns == before
        assert canned_model("gpt-4o", self.ANSWERS[:1], tmp_path) != first
        assert canned_model("gpt-5", self.ANSWERS, tmp_path) != first
        assert not list(tmp_path.rglob(".making-*"))
