"""Whatever holds a model, a call on it is never taken for a call on something else."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies

from clarifai_emulator.contracts.calls.call_targets import Address, GivenAddresses
from clarifai_emulator.contracts.calls.client_source import Source
from clarifai_emulator.contracts.calls.constants import Evaluator
from clarifai_emulator.contracts.calls.flow.held_models import HeldModels, May
from clarifai_emulator.contracts.calls.flow.model_flow import ModelFlow
from unit.contracts.calls.flow.holding_ways import BUILDERS, HEAD, STEPS, builders, program, steps

LLM, OTHER = "https://clarifai.com/me/main/models/llm", "https://clarifai.com/me/main/models/other"
TARGETS = GivenAddresses([Address("me", "main", "llm"), Address("me", "main", "other")])


class NoModules:
    """A project of one file."""

    def find(self, module: str, level: int, source: Source) -> Source | None:
        return None


def held_in(text: str) -> tuple[HeldModels, dict[str, ast.expr]]:
    """Return what the program holds, and the objects of its calls of `chat…` by the whole name."""
    source = Source(Path("client.py"), (HEAD + text).encode())
    evaluator = Evaluator(source, NoModules())
    built = {each.call: each for each in TARGETS.built(source, NoModules(), evaluator)}
    flow = ModelFlow([source], NoModules(), TARGETS, built, {source: evaluator}, ["load_info"])
    functions = [each.func for each in source.calls]
    return HeldModels(flow), {
        each.attr: each.value for each in functions if isinstance(each, ast.Attribute) and "chat" in each.attr
    }


@pytest.mark.parametrize("way", sorted(STEPS))
def test_no_way_to_hold_a_model_is_silent(way: str) -> None:
    held, calls = held_in(program("Model", LLM, [way], "chat(nonsense=1)").text)

    assert held.may(calls["chat"]) is not May.NO_MODEL


@pytest.mark.parametrize("builder", sorted(BUILDERS))
def test_no_way_to_build_a_model_is_silent(builder: str) -> None:
    held, calls = held_in(program(builder, LLM, ["name"], "chat(nonsense=1)").text)

    assert held.may(calls["chat"]) is not May.NO_MODEL


@settings(max_examples=250, derandomize=True, deadline=None)
@given(strategies.lists(strategies.tuples(builders, steps), min_size=4, max_size=8))
def test_no_chain_of_ways_is_silent(ways: list[tuple[str, list[str]]]) -> None:
    programs = [
        program(builder, LLM, way, f"chat_{number}()", first=10 * number)
        for number, (builder, way) in enumerate(ways)
    ]

    held, calls = held_in("".join(each.text for each in programs))

    silent = [
        each.text for number, each in enumerate(programs) if held.may(calls[f"chat_{number}"]) is May.NO_MODEL
    ]
    assert silent == []


def test_values_that_hold_themselves_come_to_an_end() -> None:
    text = """
import elsewhere
box = []
box.append(box)
table = {"self": box}
table["table"] = table
box.append(table)
model = elsewhere.wrapped(box, table)
for each in box:
    box = elsewhere.more(each, box)
    table[each] = box
def again(x):
    return again(elsewhere.more(x, again(box)))
again(Model(url="https://clarifai.com/me/main/models/llm")).chat(1)
box.values().items().values().chat_other()
"""

    held, calls = held_in(text)

    assert held.may(calls["chat"]) is not May.NO_MODEL


@settings(max_examples=200, derandomize=True, deadline=None)
@given(builders, steps, steps)
def test_a_model_is_never_taken_for_another(builder: str, way: list[str], other: list[str]) -> None:
    first = program(builder, LLM, way, "chat_llm()").text
    second = program(builder, OTHER, other, "chat_other()", first=10).text

    held, calls = held_in(first + second)

    for name, index in (("chat_llm", 0), ("chat_other", 1)):
        sure = held.sure(calls[name])
        assert sure is None or sure.of == index


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "way",
    [
        "held = [model]\nheld.append(held)\n",
        "held = {'m': model}\nheld['held'] = held\n",
        "held, other = [model], []\nheld.append(other)\nother.append(held)\n",
    ],
)
def test_what_holds_itself_is_looked_into_once(way: str) -> None:
    source = f"model = Model(url={LLM!r})\n{way}from elsewhere import unknown\nunknown(held).chat()\n"
    held, calls = held_in(source)

    assert held.may(calls["chat"]) is not May.NO_MODEL
