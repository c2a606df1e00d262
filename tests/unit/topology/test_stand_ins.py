"""Stand-ins in topology files, and the model directories that are written for them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clarifai_emulator.cassettes import Cassette, RecordedCall
from clarifai_emulator.errors import ConfigError
from clarifai_emulator.models.directory import read_model_directory
from clarifai_emulator.topology.files import load_topology
from clarifai_emulator.topology.stand_ins import Answer, AnsweredCall, StandIn, stand_in_directory

ONE_WAY = (
    "1: stand_ins[0]: needs one of path, a model directory; answers; script, answers in order; or cassette, a file "
    "of recorded calls"
)


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


def test_a_script_has_calls_of_tools_and_texts_in_order(tmp_path: Path) -> None:
    (found,) = read(
        tmp_path,
        """
stand_ins:
  - model: openai/chat-completion/models/gpt-4o
    script:
      - {contains: 2 and 3, tool: add, arguments: {left: 2, right: 3}}
      - text: One moment.
        calls: [{tool: now}, {tool: broken, arguments: "{", unchecked: true}]
      - The sum is 5.
""",
    )
    assert found.scripts == (
        (
            Answer("", "2 and 3", (AnsweredCall("add", '{"left": 2, "right": 3}'),)),
            Answer("One moment.", calls=(AnsweredCall("now"), AnsweredCall("broken", "{", unchecked=True))),
            Answer("The sum is 5."),
        ),
    )


def test_several_scripts_are_for_conversations_that_begin_differently(tmp_path: Path) -> None:
    (found,) = read(
        tmp_path,
        "stand_ins: [{model: a/b/models/c, script: [[{contains: plan, text: 1}], [done]]}]\n".replace("1}", "'1'}"),
    )
    assert found.scripts == ((Answer("1", "plan"),), (Answer("done"),))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{tol: add}", "script[0].tol: is not a known name; did you mean 'tool'?"),
        ("{contains: x}", "script[0]: needs text: what is answered; or tool: what is called"),
        ("{calls: [{arguments: {}}]}", "script[0].calls[0]: needs tool: the name of what is called"),
        (
            "{tool: add, arguments: [1]}",
            "script[0].arguments: expected a mapping of names to values, or a text that is given as it is",
        ),
        (
            "{tool: add, arguments: {day: 2026-01-01}}",
            "script[0].arguments: cannot be written as JSON: Object of type date is not JSON serializable; "
            "write dates and such in quotes",
        ),
        ("{tool: add, unchecked: 1}", "script[0].unchecked: expected true or false, found 1"),
        (
            "[x], [y]",
            "script[0][0]: needs contains: every conversation would begin here, and the scripts after it are never "
            "used",
        ),
        ("[]", "script[0]: needs at least one answer"),
    ],
)
def test_what_is_wrong_with_a_script_is_said_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    found = problems(tmp_path, f"stand_ins: [{{model: a/b/models/c, script: [{text}]}}]\n")
    assert f"1: stand_ins[0].{said}" in found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{path: .}", "1: stand_ins[0]: needs model: the address of the hosted model, as clients give it"),
        ("{model: a/b/models/c}", ONE_WAY),
        ("{model: a/b/models/c, path: ., answers: [x]}", ONE_WAY),
        ("{model: a/b/models/c, answers: [x], cassette: calls.yaml}", ONE_WAY),
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
            "1: stand_ins[0].answers[0]: needs text: what is answered; or tool: what is called",
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


def asked(model_id: str, **fields: Any) -> dict[str, Any]:
    return {"user_app_id": {"user_id": "a", "app_id": "b"}, "model_id": model_id, **fields}


def predicted(model_id: str, *answers: dict[str, Any], **fields: Any) -> RecordedCall:
    return RecordedCall("PostModelOutputs", [asked(model_id, **fields)], list(answers), ">" + "<" * len(answers))


class TestCassettes:
    def recorded(self, folder: Path, *calls: RecordedCall, model: str = "a/b/models/c") -> StandIn:
        Cassette(list(calls)).write(folder / "calls.yaml")
        return read(folder, f"stand_ins: [{{model: {model}, cassette: calls.yaml}}]\n")[0]

    def problem(self, folder: Path) -> str:
        (said,) = problems(folder, "stand_ins: [{model: a/b/models/c, cassette: calls.yaml}]\n")
        return said.removeprefix("1: stand_ins[0].cassette: ")

    def test_are_read_for_the_calls_of_their_model(self, tmp_path: Path) -> None:
        mine, other = predicted("c", {"status": {"code": 10000}}), predicted("other", {})
        recording = self.recorded(tmp_path, other, mine).recording
        assert recording is not None
        assert (recording.name, [each.answers for each in recording.calls]) == ("calls.yaml", [mine.answers])
        assert recording.signatures == ()

    def test_what_the_client_gave_up_before_its_answer_is_no_call_to_play(self, tmp_path: Path) -> None:
        ended = RecordedCall("PostModelOutputs", [asked("c")], [], ">", error=("UNAVAILABLE", "gone"))
        recording = self.recorded(tmp_path, predicted("c"), ended).recording
        assert recording is not None
        assert [each.error for each in recording.calls] == [("UNAVAILABLE", "gone")]

    @pytest.mark.parametrize(
        "answer",
        [
            {"model_versions": [{"method_signatures": [{"name": "now"}]}]},
            {"model_version": {"method_signatures": [{"name": "now"}]}},
            {"model": {"model_version": {"method_signatures": [{"name": "now"}]}}},
        ],
    )
    def test_the_signatures_are_those_that_were_told_last(self, tmp_path: Path, answer: dict[str, Any]) -> None:
        before = {"model_versions": [{"method_signatures": [{"name": "before"}]}]}
        told = [
            RecordedCall("ListModelVersions", [asked("c")], [before], "><"),
            RecordedCall("GetModel", [asked("c")], [answer], "><"),
            RecordedCall("GetModel", [asked("c")], [{"model": {}}], "><"),
            RecordedCall("GetModel", [asked("other")], [before], "><"),
        ]
        recording = self.recorded(tmp_path, *told, predicted("c", {})).recording
        assert recording is not None
        assert recording.signatures == ({"name": "now"},)

    def test_one_that_is_not_there(self, tmp_path: Path) -> None:
        assert self.problem(tmp_path).startswith(
            f"The cassette {tmp_path / 'calls.yaml'} cannot be read: [Errno 2] No such file or directory"
        )

    def test_one_that_is_something_else(self, tmp_path: Path) -> None:
        (tmp_path / "calls.yaml").write_text("calls: []\n")
        assert self.problem(tmp_path) == (
            f"The cassette {tmp_path / 'calls.yaml'} cannot be used: version must be 1, got None"
        )

    def test_one_without_a_call_of_the_model(self, tmp_path: Path) -> None:
        Cassette([predicted("d", {}), predicted("e", {}), predicted("d", {}), predicted("c")]).write(
            tmp_path / "calls.yaml"
        )
        assert self.problem(tmp_path) == (
            f"{tmp_path / 'calls.yaml'} holds no call of a/b/c; it holds calls of a/b/d, a/b/e"
        )

    def test_one_without_any_call(self, tmp_path: Path) -> None:
        Cassette().write(tmp_path / "calls.yaml")
        assert self.problem(tmp_path).endswith(" holds no call of a/b/c; it holds calls of no model")

    def test_become_an_ordinary_model_directory_with_the_calls(self, tmp_path: Path) -> None:
        stand_in = self.recorded(tmp_path, predicted("c", {"status": {"code": 10000}}))
        directory = read_model_directory(stand_in_directory(stand_in, tmp_path))
        assert directory.model_id == "c"
        assert sorted(each.name for each in (directory.path / "1").iterdir()) == [
            "matching.py",
            "model.py",
            "recording.json",
        ]
        assert json.loads((directory.path / "1" / "recording.json").read_text(encoding="utf-8")) == {
            "cassette": "calls.yaml",
            "calls": [predicted("c", {"status": {"code": 10000}}).as_dict()],
            "signatures": [],
        }


class TestCannedAnswers:
    SAID = StandIn(("u", "a", "gpt-4o"), "t.yaml:1", answers=(Answer("Sonnig.", "WETTER in Zürich"), Answer("Ja.")))

    def test_become_an_ordinary_model_directory(self, tmp_path: Path) -> None:
        directory = read_model_directory(stand_in_directory(self.SAID, tmp_path))
        assert directory.model_id == "gpt-4o"
        assert json.loads((directory.path / "1" / "script.json").read_text(encoding="utf-8")) == {
            "model": "u/a/models/gpt-4o",
            "in_order": False,
            "scripts": [
                [
                    {"contains": "WETTER in Zürich", "text": "Sonnig.", "calls": []},
                    {"contains": "", "text": "Ja.", "calls": []},
                ]
            ],
        }

    def test_are_written_once(self, tmp_path: Path) -> None:
        first = stand_in_directory(self.SAID, tmp_path)
        before = (first / "config.yaml").stat().st_mtime_ns
        assert stand_in_directory(self.SAID, tmp_path) == first
        assert (first / "config.yaml").stat().st_mtime_ns == before
        assert stand_in_directory(replace(self.SAID, answers=self.SAID.answers[:1]), tmp_path) != first
        assert stand_in_directory(replace(self.SAID, model=("u", "a", "gpt-5")), tmp_path) != first
        assert not list(tmp_path.rglob(".making-*"))


def test_a_model_directory_of_the_users_own_is_left_where_it_is(tmp_path: Path) -> None:
    stand_in = StandIn(("u", "a", "m"), "t.yaml:1", path=tmp_path / "mine")
    assert stand_in_directory(stand_in, tmp_path) == tmp_path / "mine"
