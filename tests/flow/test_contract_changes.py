# ruff: noqa: E501 - the table reads as one
"""Every rule about a change is proved: an old client calls the old and the new model through the emulator.

Two models hold a method for each change: as it was, and as it is. A *fetching* client is the SDK as it is; a
*pinning* client is the SDK with the signatures of the old model. The table says what each of them sees, and whether
a rule says that the change breaks them has to agree with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clarifai.runners.utils.data_types import Concept, NamedFields, Text

from clarifai_emulator.contracts.changes.compare import changes
from clarifai_emulator.contracts.changes.gate import diff
from clarifai_emulator.contracts.changes.lock import Promise
from clarifai_emulator.contracts.changes.origins import Origin
from clarifai_emulator.contracts.rules import RULES
from clarifai_emulator.contracts.rules.contract_changes import METHODS, PARAMETERS, RESULTS
from clarifai_emulator.contracts.rules.rule import Breaks, Severity
from clarifai_emulator.contracts.signatures.read_signatures import ModelContract, read_many
from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import Client, sdk_model

HEAD = """\
from typing import Dict, Iterator, List, Tuple

import numpy as np

from clarifai.runners.models.model_class import ModelClass
from clarifai.runners.utils.data_types import Concept, NamedFields, Text
from clarifai.runners.utils.data_utils import Param


def seen(value):
    if isinstance(value, NamedFields):
        return str(dict(value.items()))
    if isinstance(value, (Concept, Text)):
        return type(value).__name__
    if isinstance(value, np.ndarray):
        return "array" + str(value.tolist())
    if isinstance(value, list):
        return "[" + ", ".join(map(seen, value)) + "]"
    return repr(value)


class Changing(ModelClass):
"""


@dataclass(frozen=True)
class Raises:
    """The call ends with an error that says this."""

    text: str


@dataclass(frozen=True)
class Change:
    """A change of a method. ``old`` and ``new``: the method's parameters and result; its return value comes after
    ``=``. ``call``: the old client's arguments. ``was``, ``fetching``, ``pinning``: the call's result, before and
    after."""

    rule: str
    old: str
    new: str
    call: str
    was: Any
    fetching: Any
    pinning: Any


E = Raises
CHANGES = [
    Change("method-removed", "(a: str) -> str = a", "", "a='x'", "x",
           E("object has no attribute"), E("not found in model class")),
    Change("method-added", "", "(a: str) -> str = a", "", None, None, None),
    Change("method-starts-streaming", "(a: str) -> str = a", "(a: str) -> Iterator[str] = iter([a])", "a='xy'", "xy",
           "a generator", E("Incompatible type for string_value")),
    Change("method-stops-streaming", "(a: str) -> Iterator[str] = iter([a])", "(a: str) -> str = a", "a='xy'", ["xy"],
           "xy", ["x", "y"]),
    Change("stream-input-changed", "(a: str) -> Iterator[str] = iter([a])",
           "(a: Iterator[str]) -> Iterator[str] = iter(a)", "a='xy'", ["xy"],
           E("generator raised StopIteration"), ["x", "y"]),
    Change("required-parameter-added", "(a: str) -> str = a", "(a: str, n: int) -> str = a", "a='x'", "x",
           E("Missing required argument: n"), E("Missing required field: n")),
    Change("optional-parameter-added", "(a: str) -> str = a", "(a: str, n: int = 1) -> str = a", "a='x'", "x",
           "x", "x"),
    Change("parameter-removed", "(a: str, n: int = 1) -> str = a + str(n)", "(a: str) -> str = a", "a='x', n=2", "x2",
           E("got an unexpected keyword argument"), "x"),
    Change("parameter-renamed", "(n: int, prompt: str = 'p') -> str = prompt",
           "(n: int, prompts: str = 'p') -> str = prompts", "n=1, prompt='x'", "x",
           E("Got unexpected key: prompt"), "p"),
    Change("parameter-now-required", "(a: str, n: int = 1) -> str = a", "(a: str, n: int) -> str = a", "a='x'", "x",
           E("Missing required argument: n"), E("Missing required field: n")),
    Change("parameter-now-optional", "(a: str, n: int) -> str = a", "(a: str, n: int = 1) -> str = a", "a='x', n=2",
           "x", "x", "x"),
    Change("integer-to-float", "(n: int) -> str = seen(n)", "(n: float) -> str = seen(n)", "n=3", "3", "3.0",
           "0.0"),
    Change("type-reinterpreted", "(b: str, a: str) -> str = seen(a)", "(b: str, a: List[str]) -> str = seen(a)",
           "a='xy', b='b'", "'xy'", "['x', 'y']", "[]"),
    Change("type-changed", "(b: str, a: int) -> str = seen(a)", "(b: str, a: str) -> str = seen(a)", "a=3, b='b'", "3",
           E("Incompatible type for string_value"), "''"),
    Change("items-changed", "(a: List[int]) -> str = seen(a)", "(a: List[str]) -> str = seen(a)", "a=[3]", "[3]",
           E("Incompatible type for string_value"), "['']"),
    Change("json-default-changed", "(a: dict = {}) -> str = seen(a)", "(a: list = []) -> str = seen(a)", "a={'k': 'v'}",
           "{'k': 'v'}", "{'k': 'v'}", "{'k': 'v'}"),
    Change("json-container-changed", "(b: str, a: list) -> str = seen(a)", "(b: str, a: List[dict]) -> str = seen(a)",
           "a=[{'k': 'v'}], b='b'", "[{'k': 'v'}]", "[{'k': 'v'}]", "[]"),
    Change("array-list-changed", "(b: str, a: np.ndarray) -> str = seen(a)", "(b: str, a: List[float]) -> str = seen(a)",
           "a=np.array([0.5]), b='b'", "array[0.5]", "[0.5]", "[]"),
    Change("tuple-length-changed", "(a: Tuple[str, int]) -> str = seen(a)",
           "(a: Tuple[str, int, int]) -> str = seen(a)", "a=('x', 1)", "('x', 1)",
           E("Expected tuple of length 3, got 2"), E("Expected tuple of length 3, got 2")),
    Change("field-added", "(a: NamedFields(x=int)) -> str = seen(a)", "(a: NamedFields(x=int, y=int)) -> str = seen(a)",
           "a={'x': 1}", "{'x': 1}", E("Missing field y"), E("Missing part with key y")),
    Change("field-removed", "(a: NamedFields(x=int, y=int)) -> str = seen(a)",
           "(a: NamedFields(x=int)) -> str = seen(a)", "a={'x': 1, 'y': 2}", "{'x': 1, 'y': 2}", "{'x': 1}",
           "{'x': 1}"),
    Change("concept-list-changed", "(a: Concept) -> str = seen(a)", "(a: List[Concept]) -> str = seen(a)",
           "a=Concept('c')", "Concept", E("Expected iterable"), "[Concept]"),
    Change("default-changed", "(a: str, n: int = 1) -> str = seen(n)", "(a: str, n: int = 5) -> str = seen(n)",
           "a='x'", "1", "5", "5"),
    Change("default-no-longer-none", "(a: str, n: int = None) -> str = seen(n)",
           "(a: str, n: int = 3) -> str = seen(n)", "a='x', n=None", "None", E("Incompatible type for int_value"), "3"),
    Change("default-now-none", "(a: str, n: int = 3) -> str = seen(n)", "(a: str, n: int = None) -> str = seen(n)",
           "a='x'", "3", "None", "None"),
    Change("limits-narrowed", "(a: str, s: str = Param('p', choices=['p', 'q'])) -> str = seen(s)",
           "(a: str, s: str = Param('p', choices=['p'])) -> str = seen(s)", "a='x', s='q'", "'q'", "'q'", "'q'"),
    Change("parameters-reordered", "(a: str, b: str) -> str = a + b", "(b: str, a: str) -> str = a + b", "'x', 'y'",
           "xy", "yx", "xy"),
    Change("result-type-changed", "(a: str) -> str = a", "(a: str) -> int = 7", "a='x'", "x", 7, ""),
    Change("result-items-changed", "(a: str) -> List[str] = [a]", "(a: str) -> List[int] = [7]", "a='x'", ["x"], [7],
           [""]),
    Change("result-field-added", "(a: str) -> NamedFields(x=int) = NamedFields(x=1)",
           "(a: str) -> NamedFields(x=int, y=int) = NamedFields(x=1, y=2)", "a='x'", {"x": 1}, {"x": 1, "y": 2},
           {"x": 1}),
    Change("result-field-removed", "(a: str) -> NamedFields(x=int, y=int) = NamedFields(x=1, y=2)",
           "(a: str) -> NamedFields(x=int) = NamedFields(x=1)", "a='x'", {"x": 1, "y": 2}, {"x": 1},
           E("Missing part with key y")),
    Change("result-tuple-length-changed", "(a: str) -> Tuple[str, int] = (a, 1)",
           "(a: str) -> Tuple[str, int, int] = (a, 1, 2)", "a='x'", ("x", 1), ("x", 1, 2),
           E("Expected tuple of length 2, got 3")),
]  # fmt: skip
NAMED = {change.rule.replace("-", "_"): change for change in CHANGES}


def write(path: Path, methods: dict[str, str]) -> Path:
    """Write a model directory with these methods."""
    (path / "1").mkdir(parents=True)
    (path / "config.yaml").write_text(
        f"model: {{id: {path.name}, app_id: demo}}\n"
        'inference_compute_info: {cpu_limit: "500m", cpu_memory: "256Mi"}\n'
    )
    (path / "requirements.txt").write_text("clarifai\nnumpy\n")
    code = [HEAD]
    for name, text in methods.items():
        head, _, given = text.partition(" = " if text.count(" = ") == 1 else "\0")
        if not given:
            head, _, given = text.rpartition(" = ")
        code.append(f"    @ModelClass.method\n    def {name}(self, {head[1:]}:\n        return {given}\n")
    (path / "1" / "model.py").write_text("\n".join(code))
    return path


@dataclass
class Deployed:
    """Both models, read and deployed, and a client of each kind."""

    old: ModelContract
    new: ModelContract
    before: Any
    fetching: Any
    pinning: Any


@pytest.fixture
def deployed(emulator: EmulatorThread, tmp_path: Path) -> Deployed:
    old = write(tmp_path / "old", {name: each.old for name, each in NAMED.items() if each.old})
    new = write(tmp_path / "new", {name: each.new for name, each in NAMED.items() if each.new})
    contracts = read_many([old, new])
    for path in (old, new):
        emulator.deploy(path)
    pinning = sdk_model("new")
    pinning.client.fetch()
    pinning.client._method_signatures = {each.signature.name: each.signature for each in contracts[0].methods}
    pinning.client._define_functions()
    return Deployed(contracts[0], contracts[1], sdk_model("old"), sdk_model("new"), pinning)


def outcome(model: Any, method: str, call: str) -> Any:
    """Return what the old client's call returns; a stream as a list, an error as its text."""
    try:
        client = getattr(model, method)
        result = eval(f"call({call})", {"call": client, "np": np, "Concept": Concept, "Text": Text})
        if isinstance(result, Iterator):
            return list(result)
    except Exception as error:
        return Raises(str(error))
    return dict(result.items()) if isinstance(result, NamedFields) else result


def fits(expected: Any, got: Any) -> bool:
    if isinstance(expected, Raises):
        return isinstance(got, Raises) and expected.text in got.text
    if expected == "a generator":
        return isinstance(got, list)
    return expected == got


def test_every_rule_about_a_change_is_in_the_table_and_what_it_says_is_what_old_clients_see(
    deployed: Deployed,
) -> None:
    # Models that come and go: below.
    assert {each.id for each in (*METHODS, *PARAMETERS, *RESULTS)} - {"model-added", "model-removed"} == {
        each.rule for each in CHANGES
    }
    found = {(each.method, each.rule) for each in changes(deployed.old.methods, deployed.new.methods)}
    wrong: list[object] = []
    for name, change in NAMED.items():
        if (name, change.rule) not in found or len([each for each in found if each[0] == name]) != 1:
            wrong.append((name, "found", [each for each in found if each[0] == name]))
        if not change.old:
            continue
        sides = {
            "was": (change.was, outcome(deployed.before, name, change.call)),
            "fetching": (change.fetching, outcome(deployed.fetching, name, change.call)),
            "pinning": (change.pinning, outcome(deployed.pinning, name, change.call)),
        }
        wrong += [(name, side, expected, got) for side, (expected, got) in sides.items() if not fits(expected, got)]
    assert not wrong, "\n".join(map(str, wrong))


# A change that is taken well is not the same value: a float for an int is what the new model asks for.
TAKEN_WELL = {
    "integer_to_float": "3.0",
    "array_list_changed": "[0.5]",
    "result_field_added": {"x": 1, "y": 2},
    "type_reinterpreted": "['x', 'y']",
    "concept_list_changed": "[Concept]",
}


@pytest.mark.parametrize("name", NAMED)
def test_whom_a_rule_says_it_breaks_agrees_with_the_table(name: str) -> None:
    change = NAMED[name]
    rule = RULES[change.rule]
    broken = {
        side
        for side, got in ((Breaks.FETCHING, change.fetching), (Breaks.PINNING, change.pinning))
        if got != change.was and got != TAKEN_WELL.get(name, change.was)
    }
    if rule.breaks is Breaks.ALL:
        assert broken == {Breaks.FETCHING, Breaks.PINNING}
    elif rule.breaks is Breaks.NOBODY:
        assert not broken
        assert rule.severity is not Severity.ERROR
    else:
        assert broken == {rule.breaks}


def test_a_model_that_is_gone_breaks_both_kinds_of_clients_and_one_that_is_new_breaks_neither(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    kept, gone, new = (write(tmp_path / name, {"ask": "(a: str) -> str = a"}) for name in ("kept", "gone", "new"))
    for path in (kept, gone):
        emulator.deploy(path)
    before = Origin("before", promises_of(kept, gone))
    pinning = {name: pinned(name) for name in ("kept", "gone")}
    assert [outcome(each, "ask", "a='x'") for each in pinning.values()] == ["x", "x"]

    client.call("DeleteModel", user_app_id={"user_id": "me", "app_id": "demo"}, model_id="gone")
    emulator.deploy(new)

    found = {each.rule: each for each in diff(before, Origin("after", promises_of(kept, new))).findings}
    assert sorted(found) == ["model-added", "model-removed"]
    assert found["model-removed"].message == "Model me/demo/models/gone is gone."
    assert found["model-added"].message == "Model me/demo/models/new is new."
    assert RULES["model-removed"].breaks is Breaks.ALL
    with pytest.raises(Exception, match="MODEL_DOES_NOT_EXIST"):
        sdk_model("gone")
    lost = outcome(pinning["gone"], "ask", "a='x'")
    assert isinstance(lost, Raises)
    assert "MODEL_DOES_NOT_EXIST" in lost.text
    assert RULES["model-added"].breaks is Breaks.NOBODY
    for left in (sdk_model("kept"), pinning["kept"]):
        assert outcome(left, "ask", "a='x'") == "x"


def promises_of(*directories: Path) -> tuple[Promise, ...]:
    return tuple(Promise(each.name, each.methods) for each in read_many(directories))


def pinned(name: str) -> Any:
    """Return a client that keeps the signatures it has now."""
    model = sdk_model(name)
    model.client.fetch()
    return model
