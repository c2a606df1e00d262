"""`--clarifai-html FILE` writes all tests of a run to one page, whichever process ran them, however it ended."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from plugin.conftest import SCOPES, Nested, Run

TESTS = """
import os
import pytest
from pathlib import Path

HELLO, CRASH, TYPES = "{models}/hello", "{models}/crash_method", "{models}/types"
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010804000000b51c0c02"
    "0000000b4944415478da6364f80f00010501012718e3660000000049454e44ae426082"
)


@pytest.fixture
def broken_at_the_end():
    yield
    raise RuntimeError("not put away")


def test_passes(clarifai):
    assert clarifai.deploy(HELLO).model.predict(prompt="you") == "Hello, you!"


def test_fails(clarifai):
    clarifai.deploy(CRASH).model.predict(prompt="me")


def test_has_an_error(clarifai, broken_at_the_end):
    clarifai.deploy(HELLO).model.predict(prompt="x")


def test_cannot_be_set_up(clarifai, no_such_fixture):
    pass


@pytest.mark.clarifai_contract("warn")
def test_finds(clarifai):
    clarifai.deploy(TYPES).model.echo_params(prompt="x", temperature=99.0)


def test_hides(clarifai):
    clarifai.secret("mine", "a-secret-that-nobody-sees")
    clarifai.deploy(HELLO).model.predict(prompt="it is a-secret-that-nobody-sees")


def test_sends_an_image(clarifai):
    from clarifai.runners.utils.data_types import Image

    clarifai.deploy(TYPES).model.echo_image(value=Image(bytes=PIXEL))


def test_asks_often(clarifai):
    hello = clarifai.deploy(HELLO)
    for number in range(130):
        hello.model.predict(prompt=str(number))


def test_alone():
    pass


@pytest.mark.skip(reason="not today")
def test_skipped():
    pass


@pytest.mark.xfail(reason="known")
def test_xfails():
    assert False
"""
FILE = ("--clarifai-html", "report/run.html")


@pytest.fixture(scope="module", params=["own", "shared", "workers"])
def run(request: pytest.FixtureRequest, nested: Nested) -> Run:
    scope = ("-n", "2") if request.param == "workers" else SCOPES[request.param]
    return nested({"test_it.py": TESTS}, *FILE, *scope)


def saved_of(run: Run, name: str = "report/run.html") -> Any:
    text = (run.folder / name).read_text()
    (found,) = re.findall(r'<script type="application/json" id="saved">(.*?)</script>', text, re.S)
    return json.loads(found)


def test_of(saved: Any, name: str) -> Any:
    (found,) = (each for each in saved["tests"] if each["id"].endswith(f"::{name}"))
    return found


test_of.__test__ = False  # pyright: ignore[reportFunctionMemberAccess]


def test_every_test_is_there_with_its_outcome(run: Run) -> None:
    saved = saved_of(run)
    assert {each["id"].partition("::")[2]: each["outcome"] for each in saved["tests"]} == {
        "test_passes": "passed",
        "test_fails": "failed",
        "test_has_an_error": "error",
        "test_cannot_be_set_up": "error",
        "test_finds": "passed",
        "test_hides": "passed",
        "test_sends_an_image": "passed",
        "test_asks_often": "passed",
        "test_alone": "passed",
        "test_skipped": "skipped",
        "test_xfails": "xfailed",
    }
    assert "--clarifai-html: wrote " in run.text
    assert "with 11 tests." in run.text
    assert saved["title"] == f"Tests of {run.folder.name}"


def test_calls_are_there_with_what_was_asked_and_answered_and_where_they_went(run: Run) -> None:
    saved = saved_of(run)
    test = test_of(saved, "test_passes")
    (call,) = test["calls"]
    assert (call["asked"], call["answered"]) == ("predict(prompt='you')", ["'Hello, you!'"])
    assert (call["status"], call["ok"], call["by"]) == ("10000 SUCCESS", True, "")
    events = [each for each in saved["events"] if each.get("request_id") == call["id"]]
    (route,) = (each for each in events if each["kind"] == "route.decided")
    assert route["rule"] == "owner_default"
    assert test["state"]["deployments"][0]["deployment_id"] == "deploy-hello"
    answer = saved["answers"][f"call?id={call['id']}"]
    assert "Hello, you!" in json.dumps(answer)


def test_a_failure_says_why_and_has_what_the_model_printed(run: Run) -> None:
    saved = saved_of(run)
    test = test_of(saved, "test_fails")
    assert "cannot answer 'me'" in test["said"]
    assert "cannot answer" in test["message"]
    (log,) = test["logs"]
    lines = saved["answers"][f"log?replica={log['replica']}"]["lines"]
    meanwhile = [each["text"] for each in lines if log["first"] <= each["seq"] <= log["last"]]
    assert "ValueError: cannot answer 'me'" in meanwhile
    assert "not put away" in test_of(saved, "test_has_an_error")["said"]
    assert "no_such_fixture" in test_of(saved, "test_cannot_be_set_up")["said"]
    assert test_of(saved, "test_skipped")["said"] == "Skipped: not today"
    assert test_of(saved, "test_xfails")["said"] == "known"


def test_findings_are_those_of_the_test(run: Run) -> None:
    saved = saved_of(run)
    (finding,) = test_of(saved, "test_finds")["findings"]
    assert finding.startswith("out-of-range: ")
    assert test_of(saved, "test_passes")["findings"] == []


def test_no_secret_is_there(run: Run) -> None:
    text = (run.folder / "report/run.html").read_text()
    assert "it is \\u003chidden>" in text
    # The test's own source and failure are not hidden: this one passed.
    assert "a-secret-that-nobody-sees" not in text


def test_an_image_is_there_as_such(run: Run) -> None:
    saved = saved_of(run)
    (call,) = test_of(saved, "test_sends_an_image")["calls"]
    images = [
        each for address, each in saved["answers"].items() if address.startswith("value?") and call["id"] in address
    ]
    assert images
    assert all(each.startswith("data:image/png;base64,iVBOR") for each in images)


def test_of_many_calls_the_last_are_there_and_the_rest_is_counted(run: Run) -> None:
    test = test_of(saved_of(run), "test_asks_often")
    assert len(test["calls"]) == 100
    assert test["calls"][-1]["asked"] == "predict(prompt='129')"
    assert "30 earlier calls of the test are left out." in test["notes"]


def test_tests_without_the_emulator_are_listed_by_name(run: Run) -> None:
    test = test_of(saved_of(run), "test_alone")
    assert (test["uses_emulator"], test["calls"], test["state"], test["logs"]) == (False, [], None, [])


def test_the_property_that_carries_it_is_nobody_elses(run: Run, nested: Nested) -> None:
    other = nested({"test_it.py": TESTS}, *FILE, "--junitxml", "junit.xml", "-k", "test_passes")
    assert "clarifai_html" not in (other.folder / "junit.xml").read_text()
    assert "clarifai_called" in (other.folder / "junit.xml").read_text()


CRASHING = """
import os
import pytest

HELLO = "{models}/hello"


@pytest.mark.parametrize("number", range(6))
def test_one(clarifai, number):
    assert clarifai.deploy(HELLO).model.predict(prompt=str(number))
    if number == 3:
        os._exit(1)
"""


@pytest.mark.parametrize("scope", ["worker", "shared"])
def test_a_worker_that_crashes_takes_one_test_with_it(nested: Nested, scope: str) -> None:
    run = nested({"test_crash.py": CRASHING}, "-n", "1", "--clarifai-scope", scope, *FILE)
    tests = {each["id"].partition("[")[2][:1]: each for each in saved_of(run)["tests"]}
    assert sorted(tests) == list("012345")
    assert (tests["3"]["outcome"], tests["3"]["calls"]) == ("failed", [])
    assert "crashed" in tests["3"]["said"]
    for number in "01245":
        assert [each["asked"] for each in tests[number]["calls"]] == [f"predict(prompt='{number}')"]


def test_the_ini_file_names_it_relative_to_itself(nested: Nested) -> None:
    files = {"test_a.py": "def test_a():\n    pass\n"}
    run = nested(files, ini="clarifai_html = deep/down/run.html\n")
    assert run.code == 0
    assert [each["id"] for each in saved_of(run, "deep/down/run.html")["tests"]] == ["test_a.py::test_a"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "a_file/run.html",
            r"--clarifai-html: \S+/a_file/run.html cannot be written: (Not a directory|File exists)\.",
        ),
        (".", r"--clarifai-html: \S+ cannot be written: Is a directory\."),
    ],
)
def test_a_file_that_cannot_be_written_is_an_error_before_any_test(nested: Nested, name: str, said: str) -> None:
    files = {"test_a.py": "def test_a():\n    print('RAN')\n", "a_file": ""}
    run = nested(files, "--clarifai-html", name, "-s")
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert re.search(said, run.text), run.text
    assert "RAN" not in run.text


def test_an_older_file_is_replaced_when_the_run_is_over_and_no_earlier(nested: Nested, tmp_path: Path) -> None:
    (tmp_path / "run.html").write_text("the last run")
    text = "from pathlib import Path\n\ndef test_a():\n    assert Path('run.html').read_text() == 'the last run'\n"
    run = nested({"test_a.py": text}, "--clarifai-html", "run.html", into=tmp_path)
    assert run.code == 0, run.text
    assert len(saved_of(run, "run.html")["tests"]) == 1


def test_without_the_option_nothing_of_it_is_imported(nested: Nested) -> None:
    text = """
        import sys

        def test_a():
            names = [each for each in sys.modules if "html_report" in each or "clarifai_emulator.control" in each]
            assert names == []
    """
    assert nested({"test_a.py": text}).code == 0


def test_a_run_without_tests_has_a_file_that_says_so(nested: Nested) -> None:
    run = nested({"test_a.py": ""}, *FILE)
    assert run.code == pytest.ExitCode.NO_TESTS_COLLECTED
    assert saved_of(run)["tests"] == []
