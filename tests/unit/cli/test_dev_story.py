"""The command ``dev`` tells line by line the model's words and calls, and nothing of the machinery around them."""

from __future__ import annotations

from typing import Any

import click

from clarifai_emulator.cli.dev_story import Story

STARTED = {"kind": "replica.starting", "time": 0.0, "deployment_id": "deploy-a", "replica_id": "11111111aa"}
ANSWERED = {
    "kind": "request.finished",
    "time": 0.0,
    "rpc": "PostModelOutputs",
    "request_id": "q",
    "rule": "owner_default",
    "milliseconds": 4.26,
    "replica_id": "11111111aa",
    "code": "abcdef0123",
}


def printed(message: str, replica: str = "11111111aa", **fields: Any) -> dict[str, Any]:
    return {
        "kind": "log.line",
        "time": 0.0,
        "message": message,
        "log_type": "runner",
        "stream": "model",
        "deployment_id": "deploy-a",
        "replica_id": replica,
        "model": "me/demo/ranker",
        **fields,
    }


def told(story: Story, *events: dict[str, Any]) -> list[str]:
    """Return the lines for these events, without the time in front of each."""
    lines = [click.unstyle(line) for event in events for line in story.lines(event)]
    return [line.partition("  ")[2] for line in lines]


def test_what_the_model_prints_is_shown_as_it_came() -> None:
    assert told(Story(["a"]), STARTED, printed("  predict called with hi")) == ["│   predict called with hi"]


def test_what_the_runner_says_of_itself_is_left_out() -> None:
    noise = printed("Traceback", stream="runner-noise")
    assert told(Story(["a"]), printed("Starting 16 threads...", stream="runner"), noise) == []


def test_the_model_is_named_where_there_are_several_and_the_replica_where_it_has_several() -> None:
    second = {**STARTED, "replica_id": "22222222bb"}
    assert told(Story(["a", "b"]), STARTED, printed("hi")) == ["ranker │ hi"]
    assert told(Story(["a"]), STARTED, second, printed("hi")) == ["11111111 │ hi"]
    assert told(Story(["a", "b"]), STARTED, second, printed("hi", "22222222bb")) == ["ranker 22222222 │ hi"]


def test_the_replica_is_named_no_more_once_it_is_alone() -> None:
    second = {**STARTED, "replica_id": "22222222bb"}
    ended = {"kind": "replica.draining", "time": 0.0, "deployment_id": "deploy-a", "replica_id": "11111111aa"}
    assert told(Story(["a"]), STARTED, second, ended, printed("hi", "22222222bb")) == ["│ hi"]


def test_a_traceback_is_shown_without_the_frames_of_the_sdk() -> None:
    lines = [
        "[ERROR] 22:15:03.698948 Error in predict | req_id=sdk thread=1 ",
        "Traceback (most recent call last):",
        '  File "/venv/site-packages/clarifai/runners/models/model_class.py", line 193, in predict_wrapper',
        "    output = method(**inputs)",
        "             ^^^^^^^^^^^^^^^^",
        '  File "/m/1/model.py", line 19, in predict',
        "    return {}['nope']",
        "KeyError: 'nope'",
    ]
    assert told(Story(["a"]), *map(printed, lines)) == [
        "│ Traceback (most recent call last):",
        '│   File "/m/1/model.py", line 19, in predict',
        "│     return {}['nope']",
        "│ KeyError: 'nope'",
    ]


def test_a_call_is_shown_by_its_method_and_arguments_with_its_way() -> None:
    route = {"kind": "route.decided", "time": 0.0, "request_id": "q", "rule": "owner_default"}
    route |= {"deployment": "me/deploy-a", "nodepools": []}
    call = {**ANSWERED, "status": 10000, "call": "ranker.predict(text='hi', top=3)"}
    assert told(Story(["a"]), route, call) == [
        "ranker.predict(text='hi', top=3)  ok  4.3 ms  owner_default → me/deploy-a  replica 11111111  code abcdef01"
    ]


def test_a_call_that_fails_has_its_reason_and_the_line_that_raised_it() -> None:
    call = {
        **ANSWERED,
        "status": 10020,
        "call": "ranker.predict()",
        "error": "OSError\n1/model.py:9 in predict",
    }
    text = "\n".join(click.unstyle(line) for line in Story(["a"]).lines(call))
    assert "ranker.predict()  10020 FAILURE  4.3 ms" in text
    assert text.endswith("\n    OSError\n    1/model.py:9 in predict")


def test_answers_that_call_no_model_are_left_out_unless_they_fail() -> None:
    asked = {"kind": "request.finished", "time": 0.0, "rpc": "GetModel", "request_id": "q", "milliseconds": 1.0}
    assert told(Story(["a"]), {**asked, "status": 10000}) == []
    assert told(Story(["a"]), {**asked, "status": 21200, "error": "none"})[0].startswith("GetModel  21200 ")


def test_a_swap_says_that_the_weights_were_kept() -> None:
    event = {
        "kind": "reload.ready",
        "time": 0.0,
        "model_id": "a",
        "reload": "swap",
        "files": ["1/model.py"],
        "reason": "predict has changed",
        "milliseconds": 5.68,
        "code": "6e2c1b780",
        "signatures_changed": False,
    }
    assert told(Story(["a"]), event) == [
        "reload.ready  a: swap of 1/model.py: predict has changed  5.7 ms, code 6e2c1b78, weights kept"
    ]
    assert not told(Story(["a"]), {**event, "reload": "fork"})[0].endswith("weights kept")


def test_a_model_that_asks_for_more_than_the_machine_has_is_told() -> None:
    event = {"kind": "deployment.overcommitted", "time": 0.0, "deployment_id": "deploy-a", "reason": "4 CPUs."}
    assert told(Story(["a"]), event) == ["deployment.overcommitted  deploy-a: 4 CPUs."]
