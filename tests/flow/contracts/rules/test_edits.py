"""Changes that findings propose: applied, nothing is found any more, and the program runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from clarifai_emulator.contracts.calls.client_check import GivenModel, check_known
from clarifai_emulator.contracts.calls.given_models import KnownModel, read_models
from clarifai_emulator.contracts.rules.example import Example
from clarifai_emulator.contracts.rules.finding import Finding
from clarifai_emulator.control.thread import EmulatorThread
from flow.contracts.rules.edited import apply, code_of
from flow.contracts.rules.example_files import client_code, write_client
from flow.contracts.rules.test_running_examples import run

FIXTURES = Path(__file__).parents[4] / "fixtures" / "models"
RUN = "\n\nasyncio.run(main())"
# What is written, and what it becomes.
MENDED = {
    "a name": ('model.predict(promt="x")', 'model.predict(prompt="x")'),
    "a name behind wide letters": ('"ÄÖ𝒳" + model.predict(promt="x")', '"ÄÖ𝒳" + model.predict(prompt="x")'),
    "a method in several lines": (
        'answer = (\n    model\n    .perdict(prompt="x")\n)', 'answer = (\n    model\n    .predict(prompt="x")\n)',
    ),
    "the last of several": ('model.predict("x", 1, "y", "z")', 'model.predict("x", 1)'),
    "the last in lines of their own": (
        'model.predict(\n    "x",\n    1,\n    "y",\n)', 'model.predict(\n    "x",\n    1,\n)',
    ),
    "the first of several": ('model.predict(n=None, prompt="x")', 'model.predict(prompt="x")'),
    "one between others": ('model.greet("x", style=None)', 'model.greet("x")'),
    "another repeated one": ('model.predict("x", prompt="y", n=2)', 'model.predict("x", n=2)'),
    "quotes of another kind": ("model.greet('x', 'fnacy')", "model.greet('x', 'fancy')"),
    "bytes in single quotes": ("model.predict(b'x')", "model.predict('x')"),
    "a comparison": ('model.predict("x", "a" == "b")', 'model.predict("x", int("a" == "b"))'),
    "a truth": ('model.predict("x", n=False)', 'model.predict("x", n=0)'),
    "a text for a list": ("model.tag('x')", "model.tag(['x'])"),
    "a tuple for an iterator": ('list(model.stream(("x", "y")))', 'list(model.stream(iter(("x", "y"))))'),
    "a comprehension for an iterator": (
        'list(model.stream([each for each in "xy"]))', 'list(model.stream(iter([each for each in "xy"])))',
    ),
    "a list for a batch": ('model.vote([{"name": "x"}])', 'model.vote(ballots=[{"name": "x"}])'),
    "a method of the SDK": ('print(sorted(model.available_methods))', 'print(sorted(model.available_methods()))'),
    "what is awaited once, and used": (
        f'async def main():\n    print((await model.async_predict(prompt="x")).upper()){RUN}',
        f'async def main():\n    print((await (await model.async_predict(prompt="x"))).upper()){RUN}',
    ),
    "what is not awaited, and used": (
        f'async def main():\n    print(model.async_predict(prompt="x").upper()){RUN}',
        f'async def main():\n    print((await (await model.async_predict(prompt="x"))).upper()){RUN}',
    ),
    "a plain call in a coroutine": (
        f'async def main():\n    return model.predict(\n        prompt="x",\n    ).upper(){RUN}',
        'async def main():\n    return (await (await model.async_predict(\n        prompt="x",\n    ))).upper()'
        f"{RUN}",
    ),
    "a deployment by another name": (
        'Model("https://clarifai.com/me/main/models/assistant", deploymentid="blue").predict("x")',
        'Model("https://clarifai.com/me/main/models/assistant", deployment_id="blue").predict("x")',
    ),
    "an argument of the SDK": (
        'model.predict_by_bytes(b"x", input_typ="text")', 'model.predict_by_bytes(b"x", input_type="text")',
    ),
}  # fmt: skip
# Requests of another client: that the right ones run, other tests see.
CHECKED = {
    "the name of a model": (
        'client.responses.create(model="me/main/chat", input="x")',
        'client.responses.create(model="me/main/models/chat", input="x")',
    ),
    "the name of a model in single quotes": (
        "client.responses.create(model='me/main/chat', input='x')",
        "client.responses.create(model='me/main/models/chat', input='x')",
    ),
}
# What is found there, and what changes nothing: the text does not say how.
LEFT = {
    "a comment between": 'model.predict(\n    "x",  # the prompt\n    prompt="x",\n)',
    "brackets before": 'model.predict(("x"), prompt="x")',
    "a name in a dict": 'model.predict(**{"promt": "x"})',
    "bytes with escapes": r'model.predict(prompt=b"\x41")',
    "a choice with escapes": r'model.greet("x", "\x66nacy")',
    "a text in a variable": 'text = "x"\nmodel.tag(text)',
    "no coroutine around": 'print(model.async_predict(prompt="x"))',
    "a stream in a coroutine": f'async def main():\n    print(list(model.generate(prompt="x"))){RUN}',
    "a model in a variable": 'name = "me/main/chat"\nclient.responses.create(model=name, input="x")',
    "a model in a triple quote": 'client.responses.create(model="""me/main/chat""", input="x")',
}
Findings = dict[str, list[Finding]]
CheckAll = Callable[[dict[str, str]], Findings]


@pytest.fixture(scope="module")
def known(model_directories: dict[str, Path]) -> list[KnownModel]:
    own = [GivenModel(each) for each in model_directories.values()]
    return read_models([*own, GivenModel(FIXTURES / "openai", "me/main/models/chat")], None)


@pytest.fixture
def check_all(tmp_path: Path, known: list[KnownModel]) -> CheckAll:
    """Return a function that checks programs at once, each below the folder of its name."""

    def check(codes: dict[str, str]) -> Findings:
        for name, code in codes.items():
            write_client(tmp_path / name, Example("client.py", code), code)
        found: Findings = defaultdict(list)
        for each in check_known([tmp_path], known).findings:
            assert each.location is not None
            found[each.location.path.parent.name].append(each)
        return found

    return check


def test_what_is_mended_is_as_it_should_be_and_nothing_is_found_in_it(
    check_all: CheckAll, tmp_path: Path, known: list[KnownModel]
) -> None:
    every = {**MENDED, **CHECKED}
    found = check_all({name: wrong for name, (wrong, _) in every.items()})
    for name, (_, right) in every.items():
        (edit,) = [each.edit for each in found[name] if each.edit is not None]
        apply(edit)
        assert code_of(tmp_path / name / "client.py").strip().endswith(f"\n{right}"), name
    left = check_known([tmp_path], known).findings
    assert [f"{each.location}: {each.message}" for each in left] == []


def test_nothing_is_changed_by_guess(check_all: CheckAll) -> None:
    found = check_all(LEFT)
    assert found.keys() == LEFT.keys()
    assert {name: each.edit for name, several in found.items() for each in several if each.edit is not None} == {}


@pytest.mark.parametrize("name", MENDED)
def test_what_is_mended_runs(emulator: EmulatorThread, name: str) -> None:
    run(client_code(Example("client.py", ""), MENDED[name][1]), emulator)
