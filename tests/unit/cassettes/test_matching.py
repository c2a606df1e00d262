"""Cassettes: recorded calls as a file, and which of them a request is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from clarifai_emulator.cassettes import Cassette, RecordedCall, RecordedModel, read_cassette
from clarifai_emulator.cassettes.matching import explain, find, find_in_turn
from clarifai_emulator.errors import ConfigError


def call(rpc: str, prompt: str, answer: str = "") -> RecordedCall:
    return RecordedCall(rpc, [{"prompt": prompt}], [{"text": answer}], "><", call=f"predict(prompt={prompt!r})")


def played(find_next: Any, calls: list[RecordedCall], *, times: int) -> list[str]:
    """Return what is answered to the same question, again and again."""
    found: list[str] = []
    for _ in range(times):
        call = find_next(calls, "PostModelOutputs", {"prompt": "hi"})
        call.played += 1
        found.append(call.answers[0]["text"])
    return found


class TestWhichCallItIs:
    def test_the_same_request_is_answered_in_turn_and_then_no_more(self) -> None:
        calls = [
            call("PostModelOutputs", "hi", "1"),
            call("PostModelOutputs", "bye"),
            call("PostModelOutputs", "hi", "2"),
        ]
        assert played(find, calls, times=2) == ["1", "2"]
        assert find(calls, "PostModelOutputs", {"prompt": "hi"}) is None
        assert explain(calls, "PostModelOutputs", {"prompt": "hi"}, "predict(prompt='hi')") == (
            "predict(prompt='hi') was recorded 2 times, and is called once more."
        )

    def test_what_only_reads_may_be_asked_again(self) -> None:
        calls = [call("GetModel", "hi", "1"), call("GetModel", "hi", "2")]
        for each in calls:
            each.played = 1
        assert find(calls, "GetModel", {"prompt": "hi"}) is calls[1]

    def test_in_turn_the_first_comes_after_the_last(self) -> None:
        calls = [call("PostModelOutputs", "hi", "1"), call("PostModelOutputs", "hi", "2")]
        assert played(find_in_turn, calls, times=5) == ["1", "2", "1", "2", "1"]
        assert find_in_turn(calls, "PostModelOutputs", {"prompt": "bye"}) is None
        assert find_in_turn(calls, "GenerateModelOutputs", {"prompt": "hi"}) is None

    def test_what_was_never_recorded_is_told_with_what_there_is(self) -> None:
        calls = [call("GetModel", "x"), call("PostModelOutputs", "hi"), call("PostModelOutputs", "good evening")]
        rpc = "StreamModelOutputs"
        assert explain(calls, rpc, {}, "") == (
            f"{rpc} was not recorded, nor any other {rpc}. There is: GetModel, PostModelOutputs."
        )
        assert (
            explain([], "GetModel", {}, "")
            == "GetModel was not recorded, nor any other GetModel. There is: nothing."
        )
        assert explain(calls, "PostModelOutputs", {"prompt": "good morning"}, "This call").splitlines() == [
            "This call was not recorded. The nearest is predict(prompt='good evening'):",
            "  --- recorded",
            "  +++ now",
            "  -prompt: good evening",
            "  +prompt: good morning",
        ]

    def test_the_nearest_is_one_of_the_same_model_if_there_is_any(self) -> None:
        calls = [call("PostModelOutputs", "good morning"), call("PostModelOutputs", "bye")]
        for each, model in zip(calls, ("other", "ranker"), strict=True):
            each.requests[0].update(user_app_id={"user_id": "me", "app_id": "main"}, model_id=model)
        asked = {**calls[1].requests[0], "prompt": "good morning"}
        told = explain(calls, "PostModelOutputs", asked, "This call").splitlines()[0]
        assert told == "This call was not recorded. The nearest is me/main/ranker predict(prompt='bye'):"


def entry(**changed: Any) -> dict[str, Any]:
    return {"rpc": "StreamModelOutputs", "order": "><", "requests": [{}], "answers": [{}], **changed}


class TestFiles:
    def test_what_is_written_is_read_again(self, tmp_path: Path) -> None:
        ended = RecordedCall("PostModelOutputs", [{"a": 1}], [], ">", error=("UNAVAILABLE", "gone"))
        model = RecordedModel(("me", "demo", "hello"), "5f0c", ("predict(prompt: str) -> str",))
        Cassette([call("GetModel", "x"), ended], {"hello": model}).write(tmp_path / "new" / "calls.yaml")
        cassette = read_cassette(tmp_path / "new" / "calls.yaml")
        assert [each.as_dict() for each in cassette.calls] == [call("GetModel", "x").as_dict(), ended.as_dict()]
        assert cassette.models == {"hello": model}
        assert [each.name for each in (tmp_path / "new").iterdir()] == ["calls.yaml"]

    @pytest.mark.parametrize(
        ("told", "said"),
        [
            ({"answers": None}, "requests and answers of StreamModelOutputs must be lists of mappings"),
            ({"requests": ["x"]}, "requests and answers of StreamModelOutputs must be lists of mappings"),
            ({"order": "<>"}, "order '<>' of StreamModelOutputs does not fit its 1 requests and 1 answers"),
            ({"order": ">"}, "order '>' of StreamModelOutputs does not fit its 1 requests and 1 answers"),
            ({"parent": "x"}, "parent of StreamModelOutputs must be the place of a call, got 'x'"),
            ({"by": 3}, "by of StreamModelOutputs must be the model that made the call, got 3"),
            ({"order": ">>"}, "order '>>' of StreamModelOutputs does not fit its 1 requests and 1 answers"),
        ],
    )
    def test_a_call_that_cannot_be_played_is_refused(self, tmp_path: Path, told: dict[str, Any], said: str) -> None:
        (tmp_path / "calls.yaml").write_text(yaml.safe_dump({"version": 1, "calls": [entry(**told)]}))
        with pytest.raises(ConfigError) as caught:
            read_cassette(tmp_path / "calls.yaml")
        assert caught.value.what == f"The cassette {tmp_path / 'calls.yaml'} cannot be used:"
        assert caught.value.problems == (said,)
        assert caught.value.hint.startswith("Record it again with `pytest --clarifai-cassettes all`")
