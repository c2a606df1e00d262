"""Every call that is understood stands in the list of calls: with the model, and with what was found of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from clarifai_emulator.contracts.calls.call_targets import Address
from clarifai_emulator.contracts.calls.client_check import CallReport, check_known
from clarifai_emulator.contracts.calls.given_models import KnownModel
from flow.contracts.calls.conftest import HEAD, CheckClient

UNKNOWN = "other = Model(url)\n"
LISTED = [
    ("hello.predict(prompt='x')", ("predict()", "hello", [])),
    ("hello.predict(promt='x')", ("predict()", "hello", ["unknown-argument"])),
    ("hello.predict(prompt=1)", ("predict()", "hello", ["wrong-type"])),
    ("hello.predict(prompt=open('x').read(), n=open('x').read())", ("predict()", "hello", ["wrong-type"])),
    ("hello.predit(prompt='x')", ("predit()", "hello", ["unknown-method"])),
    ("hello.predict(**given)", ("predict()", "hello", ["unpacked-arguments"])),
    ("hello.predict_by_url('x', input_type='text')", ("predict_by_url()", "hello", [])),
    ("hello.predict_by_url('x', input_type='image')", ("predict_by_url()", "hello", ["input-kind"])),
    ("hello.generate(prompt='x')", ("generate()", "hello", ["stream-not-read"])),
    ("asyncio.to_thread(hello.predict, 'x')", ("predict()", "hello", [])),
    ("list(map(hello.predict, ['x', 'y']))", ("predict()", "hello", [])),
    ("list(map(hello.predict, ['x', 3]))", ("predict()", "hello", ["wrong-type"])),
    ("hello.predict(prompt='x').nothing", ("predict()", "hello", ["wrong-result"])),
    ("list(filter(None, [hello.predict]))", ("predict()", "hello", ["passed-method"])),
    ("getattr(hello, name)('x')", ("getattr(hello, name)()", "", ["dynamic-method"])),
    ("library(hello)", ("library()", "", ["passed-model"])),
    ("Model(url).predict(prompt='x')", ("predict()", "", ["unknown-model"])),
    ("Model(url).predict_by_url('x', input_type='text')", ("predict_by_url()", "", ["unknown-model"])),
    ("Model('https://clarifai.com/a/b/models/c').predict('x')", ("predict()", "a/b/models/c", ["model-not-given"])),
    ("Model('https://clarifai.com/a').predict('x')", ("predict()", "", ["wrong-url"])),
    (UNKNOWN + "ask = other.predict\nask('x')", ("ask()", "", ["unknown-model"])),
    (UNKNOWN + "if hasattr(other, 'rank'): other.rank('x')", ("rank()", "", ["unknown-model"])),
    ("if hasattr(hello, 'rank'): hello.rank('x')", ("rank()", "", [])),
    (
        "for each in User('me').app('a').list_models(): each.predict_by_url('x')",
        ("predict_by_url()", "", ["unresolved-call"]),
    ),
]
# Of `rest` no type is known.
OPEN = [
    ("hello.predict(rest)", []),
    ("hello.predict(rest, n=2)", []),
    ("types.predict(rest)", []),
    ("for each in hello.predict(rest): print(each)", []),
    ("hello.predict(inputs=rest)", []),
    ("hello.predict(rest, inference_params={'n': 2})", ["ignored-argument"]),
    ("hello.predict(rest, promt=3)", ["unknown-argument"]),
    ("hello.predict(rest, n='x')", ["wrong-type"]),
    ("hello.predict(rest, nothing=rest)", ["unknown-argument"]),
    ("types.predict(rest, nothing=rest)", ["unknown-argument"]),
    ("hello.predict(*rest)", ["unpacked-arguments"]),
    ("hello.predict(**rest.more)", ["unpacked-arguments"]),
    ("hello.predict(rest, inference_params={'m': 2})", ["ignored-argument"]),
    ("hello.generate(rest, promt=3)", ["stream-not-read", "unknown-argument"]),
    ("async def ask(): return await hello.async_predict(rest)", ["awaited-once"]),
    ("async def ask(): return await (await hello.async_predict(rest, promt=3))", ["unknown-argument"]),
]
MORE = "from clarifai.client.user import User\nfrom library import library, name, given, rest, url\n"


def listed(report: CallReport) -> list[tuple[str, str, list[str]]]:
    return [(each.called, each.model, [one.rule for one in each.findings]) for each in report.calls]


@pytest.mark.parametrize(("code", "call"), LISTED)
def test_a_call_is_listed(check_client: CheckClient, code: str, call: tuple[str, str, list[str]]):
    report = check_client(MORE + code)

    assert listed(report) == [call]
    assert {each for one in report.calls for each in one.findings} <= set(report.findings)


@pytest.mark.parametrize(("code", "rules"), OPEN)
def test_arguments_of_no_known_type_are_taken_for_what_their_names_say(
    check_client: CheckClient, code: str, rules: list[str]
):
    report = check_client(MORE + code)

    assert [each.rule for each in report.findings] == rules
    assert len(report.calls) == 1


def test_what_calls_no_model_is_not_listed(check_client: CheckClient):
    assert listed(check_client("hello.available_methods()\nprint(hello.id)\nlen('x')")) == []


def test_the_place_is_that_of_what_is_called(check_client: CheckClient):
    (call,) = check_client("x = (hello\n    .predict(prompt='x'))").calls

    line = HEAD.count("\n") + 1
    where = call.location
    assert (where.line, where.column, where.end_line, where.end_column) == (line, 6, line + 1, 13)


def test_the_model_may_be_built_in_a_file_that_is_not_checked(tmp_path: Path, models: list[KnownModel]):
    (tmp_path / "setup.py").write_text("from clarifai.client import Model\nmodel = Model(open('x').read())\n")
    (tmp_path / "client.py").write_text("from setup import model\nmodel.predict('clarifai')\n")

    (alone,) = (report := check_known([tmp_path / "client.py"], models)).calls
    both = check_known([tmp_path], models)

    assert [each.rule for each in alone.findings] == ["unknown-model"]
    assert [each.location.path.name for each in report.findings if each.location] == ["setup.py"]
    assert len(both.findings) == 1
    assert listed(both) == [("predict()", "", ["unknown-model"])]


def test_a_model_that_cannot_be_read_is_told_once(tmp_path: Path):
    nothing = KnownModel("none", tmp_path / "none", Address("me", "demo", "none"), (), "import", ())
    name = "https://clarifai.com/me/demo/models/none"
    (tmp_path / "client.py").write_text(
        "import openai\nopenai.OpenAI(base_url='https://api.clarifai.com/v2/ext/openai/v1')"
        f".chat.completions.create(model='{name}', messages=[])\n"
    )
    report = check_known([tmp_path / "client.py"], [nothing])

    assert [each.rule for each in report.findings] == ["unreadable-model"]
    assert listed(report) == [("chat.completions.create()", "none", ["unreadable-model"])]


def test_models_that_are_unknown_for_different_reasons_are_told_apart(check_client: CheckClient):
    many = "\n".join(f"m{n} = Model('https://clarifai.com/a/b/models/m{n}')\nm{n}.predict('x')" for n in range(70))

    calls = check_client(many).calls

    assert [each.model for each in calls[:60]] == [f"a/b/models/m{n}" for n in range(60)]
    assert {each.findings[0].rule for each in calls} == {"model-not-given"}
    assert len(calls) == 70
