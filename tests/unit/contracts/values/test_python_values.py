"""Values against a signature. The SDK's own serializer is the judge of what is refused and what arrives changed."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from clarifai.runners.utils.data_types import Concept, Image, NamedFields, Text
from clarifai.runners.utils.data_utils import Param
from clarifai.runners.utils.method_signatures import build_function_signature, deserialize, serialize

from clarifai_emulator.contracts.rules.rule import Severity
from clarifai_emulator.contracts.values.python_values import UNKNOWN, check_arguments, check_result


def signature(annotation: Any, default: Any = ...) -> Any:
    """Return the signature of a method ``f(a: annotation = default) -> annotation``."""
    if default is ...:

        def f(a: annotation) -> annotation: ...
    else:

        def f(a: annotation = default) -> annotation: ...

    return build_function_signature(f)


ANNOTATIONS: dict[str, Any] = {
    "str": str,
    "bytes": bytes,
    "int": int,
    "float": float,
    "bool": bool,
    "ndarray": np.ndarray,
    "dict": dict,
    "list": list,
    "Text": Text,
    "Image": Image,
    "Concept": Concept,
    "List[str]": list[str],
    "List[int]": list[int],
    "List[bytes]": list[bytes],
    "List[List[str]]": list[list[str]],
    "List[Concept]": list[Concept],
    "List[dict]": list[dict],
    "Tuple[str, int]": tuple[str, int],
    "NamedFields": NamedFields(name=str, count=int),
    "List[NamedFields]": list[NamedFields(name=str, count=int)],
}
VALUES: list[Any] = [
    None, "", "Hello", "é", b"", b"abc", b"\xff", 0, 1, -7, 2**53 + 1, 2**63, -(2**63), True, False, 0.0, 0.5, 2.0,
    [], ["a"], ["a", 1], [1, 2], [b"x"], [True], [None], [["a"], ["b"]], [["a", 2]], [{"k": "v"}], (), ("a", 1),
    ("a", "b"), ("a", 1, 2), {}, {"k": "v"}, {"k": [1.5, None]}, {"n": 2**53 + 1}, {1: "x"}, {"s": {1, 2}},
    {"b": b"x"}, {"name": "n", "count": 1}, {"name": "n"}, {"name": "n", "count": "1"},
    {"name": "n", "count": 1, "extra": 2}, [{"name": "n", "count": 1}], np.array([1.0, 2.0]), np.array([]),
    np.int64(3), np.float64(0.5), Text("x"), Concept("c"), Image(bytes=b"png"), object(),
]  # fmt: skip


def judge(annotation: Any, value: Any) -> str:
    """Tell how the value arrives: ``refused``, ``changed`` or ``same``."""
    method = signature(annotation)
    try:
        proto = serialize({"a": value}, method.input_fields)
        arrived = deserialize(proto, method.input_fields)["a"]
    except Exception:
        return "refused"
    return "same" if _is_same(value, arrived) else "changed"


def _is_same(given: Any, arrived: Any) -> bool:
    if isinstance(given, np.ndarray) or isinstance(arrived, np.ndarray):
        return np.array_equal(np.asarray(given), arrived)
    if isinstance(arrived, NamedFields):
        return dict(arrived.items()) == dict(given.items())
    if isinstance(given, (list, tuple)) and isinstance(arrived, (list, tuple)):
        return len(given) == len(arrived) and all(map(_is_same, given, arrived))
    if isinstance(given, bool) != isinstance(arrived, bool) or type(arrived).__module__.startswith("clarifai."):
        return type(given) is type(arrived) or isinstance(arrived, (Text, Concept))
    if isinstance(given, int) and isinstance(arrived, float):
        return math.isclose(given, arrived, rel_tol=0)
    return given == arrived


@pytest.mark.parametrize("name", ANNOTATIONS)
def test_what_the_sdk_refuses_is_an_error_and_what_arrives_changed_is_told(name: str) -> None:
    annotation = ANNOTATIONS[name]
    for value in VALUES:
        findings = check_arguments(signature(annotation), {"a": value})
        worst = {each.severity for each in findings}
        match judge(annotation, value):
            case "refused":
                assert Severity.ERROR in worst, (name, value)
            case "changed":
                assert findings, (name, value)
            case _:
                assert findings == [], (name, value, findings)


@pytest.mark.parametrize(
    ("annotation", "value", "rule", "message"),
    [
        (str, 42, "wrong-type", "f(): argument 'a' is 42 (int), and str is expected."),
        (str, b"Hi", "bytes-for-text", "f(): argument 'a' is b'Hi' (bytes), and str is expected."),
        (int, True, "bool-for-number", "f(): argument 'a' is True (bool), and int is expected."),
        (int, 2**63, "integer-range", "f(): argument 'a' is 9223372036854775808, and int holds 64 bits."),
        (bool, 2, "int-for-bool", "f(): argument 'a' is 2, and bool is expected: the model gets True."),
        (str, None, "none-argument", "f(): argument 'a' is None, and str is expected."),
        (
            list[str],
            "abc",
            "text-for-list",
            "f(): argument 'a' is 'abc' (str), and List[str] is expected: the model gets its letters.",
        ),
        (
            list[str],
            {"k": 1},
            "dict-for-list",
            "f(): argument 'a' is a dict, and List[str] is expected: the model gets its keys.",
        ),
        (list[int], [1, "2"], "wrong-type", "f(): argument 'a'[1] is '2' (str), and int is expected."),
        (tuple[str, int], ("a",), "tuple-length", "f(): argument 'a' has 1 values, and Tuple[str, int] has 2."),
        (
            dict,
            {"ids": [2**53 + 1]},
            "large-integer",
            "f(): argument 'a'['ids'][0] is 9007199254740993: beyond 2**53 the model gets 9007199254740992.",
        ),
        (dict, {1: 2}, "json-value", "f(): argument 'a' has the key 1 (int), and JSON has text as keys."),
        (
            NamedFields(x=int, label=str),
            {"x": 1, "labl": "a"},
            "unknown-field",
            "f(): argument 'a' has a field 'labl' that NamedFields(x=int, label=str) does not have: it is dropped. "
            "Did you mean 'label'?",
        ),
        (np.ndarray, [], "empty-array", "f(): argument 'a' is empty: the model gets None."),
        (
            Image,
            "https://x/y.png",
            "wrong-type",
            "f(): argument 'a' is 'https://x/y.png' (str), and Image is expected.",
        ),
        (
            Iterator[str],
            ["a"],
            "stream-not-iterator",
            "f(): argument 'a' is a list, and Iterator[str] is expected: something that next() takes.",
        ),
    ],
)
def test_the_message_names_the_argument_what_was_given_and_what_is_expected(
    annotation: Any, value: Any, rule: str, message: str
) -> None:
    finding = check_arguments(signature(annotation), {"a": value})[0]
    assert (finding.rule, finding.message, finding.method) == (rule, message, "f")
    assert finding.hint


def test_ranges_and_choices_which_nobody_else_looks_at() -> None:
    def f(
        t: float = Param(0.5, min_value=0.1, max_value=1.0),
        seed: int = Param(-1, min_value=-1),
        style: str = Param("plain", choices=["plain", "fancy"]),
    ) -> str: ...

    method = build_function_signature(f)
    assert check_arguments(method, {"t": 1.0, "seed": 10**6, "style": "fancy"}) == []
    found = check_arguments(method, {"t": 99.0, "seed": -2, "style": "fnacy"})
    assert [(each.rule, each.message) for each in found] == [
        ("out-of-range", "f(): argument 't' is 99.0, and 0.1 to 1 is declared."),
        ("out-of-range", "f(): argument 'seed' is -2, and -1 or more is declared."),
        (
            "not-a-choice",
            "f(): argument 'style' is 'fnacy', and the choices are 'plain', 'fancy'. Did you mean 'fancy'?",
        ),
    ]


def test_unknown_and_missing_arguments_with_the_nearest_name() -> None:
    def predict(prompt: str, n: int = 1, tag: str = None) -> str: ...  # noqa: RUF013

    method = build_function_signature(predict)
    assert [(each.rule, each.message) for each in check_arguments(method, {"promt": "Hello"})] == [
        (
            "unknown-argument",
            "predict(): there is no argument 'promt'; it takes prompt, n, tag. Did you mean 'prompt'?",
        ),
    ]
    assert [(each.rule, each.message) for each in check_arguments(method, {"nme": "Hello"})] == [
        ("unknown-argument", "predict(): there is no argument 'nme'; it takes prompt, n, tag."),
        ("missing-argument", "predict(): argument 'prompt' (str) is required and not given."),
    ]
    assert check_arguments(method, {"prompt": "a", "tag": None, "with_proto": True}) == []
    assert [each.rule for each in check_arguments(method, {"prompt": "a", "n": None})] == ["none-argument"]


def test_a_value_that_is_not_known_is_given_and_not_judged() -> None:
    assert check_arguments(signature(int), {"a": UNKNOWN}) == []
    assert [each.rule for each in check_arguments(signature(list[int]), {"a": [UNKNOWN, "x"]})] == ["wrong-type"]


def test_results_are_held_against_the_return_type() -> None:
    assert check_result(signature(list[str]), ["a"]) == []
    (wrong,) = check_result(signature(list[str]), "abc")
    assert (wrong.rule, wrong.message) == (
        "result-type",
        "f(): the result is 'abc' (str), and List[str] is expected: the model gets its letters.",
    )
    (missing,) = check_result(signature(str), None)
    assert (missing.rule, missing.message) == ("result-missing", "f(): the result is None, and str is expected.")
