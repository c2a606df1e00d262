"""Every way to hold a model ends in a checked call, or in a finding that says why the call was not checked."""

# ruff: noqa: E501 - a program on one line reads better

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from clarifai_emulator.contracts.calls.client_check import CallReport, check_known
from clarifai_emulator.contracts.calls.given_models import KnownModel
from clarifai_emulator.contracts.rules.client_call import ClientCall
from clarifai_emulator.contracts.rules.finding import Finding
from clarifai_emulator.contracts.rules.rule import Severity
from unit.contracts.calls.flow.holding_ways import BUILDERS, HEAD, STEPS, program

URL = "https://clarifai.com/me/demo/models/hello"
HOSTED = "https://clarifai.com/openai/chat-completion/models/gpt-4o"
LOAD = f"Model(url={URL!r})"
# What people write, each with a wrong argument: a rule that must be told of it.
PROGRAMS = {
    "a global that begins as None": (
        "model = None\ndef start():\n    global model\n    model = LOAD\ndef ask():\n    return model.predict(text='x')",
        "unknown-argument",
    ),
    "a guard": (
        "try:\n    model = LOAD\nexcept Exception:\n    model = None\nif model is not None:\n    model.predict(text='x')",
        "unknown-argument",
    ),
    "a string annotation": (
        "def ask(m: 'Model | None'):\n    return m.predict(text='x')\nask(LOAD)", "unknown-argument",
    ),
    "an attribute that is declared": (
        "class A:\n    model: Model\n    def __init__(self):\n        self.model = LOAD\n"
        "    def ask(self):\n        return self.model.predict(text='x')",
        "unknown-argument",
    ),
    "an app": (
        "from clarifai.client.app import App\n"
        "App(app_id='demo', user_id='me').model(model_id='hello').predict(text='x')",
        "unknown-argument",
    ),
    "a user's app": (
        "from clarifai.client.user import User\nUser(user_id='me').app(app_id='demo').model('hello').predict(text='x')",
        "unknown-argument",
    ),
    "two models": (
        "import sys\nmodel = LOAD if len(sys.argv) > 1 else Model(model_id='types', user_id='me', app_id='demo')\n"
        "def ask():\n    return model.say(text='x')",
        "unresolved-call",
    ),
    "the state of an application": (
        "from fastapi import FastAPI, Request\napp = FastAPI()\napp.state.model = LOAD\n"
        "def ask(request: Request, q: str):\n    return request.app.state.model.predict(text=q)",
        "unresolved-call",
    ),
    "the state of a session": (
        "import streamlit as st\nif 'model' not in st.session_state:\n    st.session_state['model'] = LOAD\n"
        "st.session_state.model.predict(text='x')",
        "unresolved-call",
    ),
    "a resource that is kept": (
        "import streamlit as st\n@st.cache_resource\ndef load():\n    return LOAD\nload().predict(text='x')",
        "unknown-argument",
    ),
    "a dependency": (
        "from fastapi import Depends\ndef load():\n    yield LOAD\n"
        "def ask(q: str, model=Depends(load)):\n    return model.predict(text=q)",
        "unknown-argument",
    ),
    "a fixture": (
        "import pytest\n@pytest.fixture\ndef model():\n    yield LOAD\n"
        "def test_it(model):\n    assert model.predict(text='x')",
        "unknown-argument",
    ),
    "other code": ("import crew\ncrew.Agent(llm=LOAD).kickoff()", "passed-model"),
    "a method in a table": (
        "model = LOAD\ncalls = {'a': model.predict}\ncalls['a'](text='x')", "passed-method",
    ),
    "an unknown name": ("model = LOAD\ngetattr(model, input())(text='x')", "dynamic-method"),
}  # fmt: skip


def by_file(report: CallReport) -> dict[str, list[Finding]]:
    result: dict[str, list[Finding]] = defaultdict(list)
    for each in report.findings:
        assert each.location is not None
        result[each.location.path.stem].append(each)
    return result


Said = tuple[list[Finding], list[ClientCall]]


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory, models: list[KnownModel]) -> dict[str, Said]:
    """Return the findings and the calls of all programs, by their names; all are checked in one run."""
    folder = tmp_path_factory.mktemp("programs")
    texts = {
        **{name: f"from clarifai.client import Model\n{text}" for name, (text, _) in PROGRAMS.items()},
        **{f"way {name}": HEAD + program("Model", URL, [name], "predict(text='x')").text for name in STEPS},
        **{f"made {name}": HEAD + program(name, URL, ["name"], "predict(text='x')").text for name in BUILDERS},
        **{f"right {name}": HEAD + program("Model", URL, [name], "predict('x')").text for name in STEPS},
        **{f"hosted {name}": HEAD + program("Model", HOSTED, [name], "predict('x')").text for name in STEPS},
    }
    for number, text in enumerate(texts.values()):
        (folder / f"client_{number}.py").write_text(text.replace("LOAD", LOAD))
    report = check_known([folder], models)
    found, calls = by_file(report), defaultdict[str, list[ClientCall]](list)
    for each in report.calls:
        calls[each.location.path.stem].append(each)
    return {name: (found[f"client_{number}"], calls[f"client_{number}"]) for number, name in enumerate(texts)}


@pytest.fixture(scope="module")
def findings(said: dict[str, Said]) -> dict[str, list[Finding]]:
    return {name: several for name, (several, _) in said.items()}


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_a_wrong_call_is_told(findings: dict[str, list[Finding]], name: str) -> None:
    assert PROGRAMS[name][1] in [each.rule for each in findings[name]]


@pytest.mark.parametrize("name", [*(f"way {each}" for each in STEPS), *(f"made {each}" for each in BUILDERS)])
def test_no_way_is_silent(findings: dict[str, list[Finding]], name: str) -> None:
    assert [each for each in findings[name] if each.severity in (Severity.ERROR, Severity.UNCHECKED)]


@pytest.mark.parametrize("name", sorted(STEPS))
def test_a_right_call_is_not_called_wrong(findings: dict[str, list[Finding]], name: str) -> None:
    assert [each.message for each in findings[f"right {name}"] if each.severity is Severity.ERROR] == []


@pytest.mark.parametrize("name", sorted(STEPS))
def test_the_call_is_listed_as_what_it_is(said: dict[str, Said], name: str) -> None:
    wrong, right, hosted = (said[f"{which} {name}"][1] for which in ("way", "right", "hosted"))
    severities = [one.severity for each in right for one in each.findings]
    reasons = {one.rule for each in hosted for one in each.findings}

    assert any(each.findings for each in wrong)
    assert right
    assert Severity.ERROR not in severities
    assert reasons, "of a model that is not given, each call says so, or that it may be one"


def test_nearly_all_ways_are_checked(findings: dict[str, list[Finding]]) -> None:
    checked = [name for name in STEPS if any(each.rule == "unknown-argument" for each in findings[f"way {name}"])]

    print(
        f"\n{len(checked)} of {len(STEPS)} ways are checked, the others named: {sorted(set(STEPS) - set(checked))}"
    )
    assert len(checked) >= 0.85 * len(STEPS)


def test_a_model_may_come_from_who_calls_the_function(tmp_path: Path, models: list[KnownModel]) -> None:
    (tmp_path / "asking.py").write_text("def ask(bot, q):\n    return bot.predict(text=q)\n")
    (tmp_path / "main.py").write_text(
        f"from clarifai.client import Model\nfrom asking import ask\nprint(ask({LOAD}, 'x'))\n"
    )

    found = by_file(check_known([tmp_path], models))

    assert [each.rule for each in found["asking"]] == ["missing-argument", "unknown-argument"]
