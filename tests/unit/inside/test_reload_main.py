"""New code gets behind a loaded instance: what stays, what is new, and what an answer tells."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import pytest

from clarifai_emulator.inside import reload_main
from clarifai_emulator.inside.reload_main import MARK, Behind

SOURCE = """
from __future__ import annotations

LOADED = []

class Sample:
    seen = {}
    greeting = "Hello"

    def load(self, names: list[str]):
        LOADED.append(names)

    def speak(self, text):
        self.seen[text] = 1
        return f"{self.greeting}, {text} {len(LOADED)} {len(self.seen)}"

    @property
    def name(self):
        return "one"

    def base(self):
        return super().__repr__()
"""


@pytest.fixture
def loaded(tmp_path: Path) -> tuple[Any, Path]:
    """Return an instance of the class, and its file."""
    file = tmp_path / "model.py"
    file.write_text(SOURCE)
    module = types.ModuleType("a_model")
    exec(compile(SOURCE, str(file), "exec"), vars(module))
    instance = vars(module)["Sample"]()
    instance.load(["a"])
    return instance, file


def edited(loaded: tuple[Any, Path], old: str, new: str) -> Any:
    """Return the class after an edit, as a swap makes it."""
    instance, file = loaded
    assert old in SOURCE
    return reload_main.class_of(SOURCE.replace(old, new).encode(), str(file), "Sample", type(instance))


def test_methods_are_new_and_what_the_module_and_the_class_hold_is_the_same(loaded: tuple[Any, Path]) -> None:
    instance, _ = loaded
    assert instance.speak("a") == "Hello, a 1 1"
    new = edited(loaded, "{text} {len", "{text}! {len")
    after = new.__new__(new)
    after.__dict__ = instance.__dict__
    assert after.speak("b") == "Hello, b! 1 2"
    assert new.seen is type(instance).seen
    assert after.name == "one"
    assert after.base().startswith("<")


def test_the_old_class_is_as_it_was_and_the_module_too(loaded: tuple[Any, Path]) -> None:
    instance, _ = loaded
    new = edited(loaded, 'return "one"', 'return "two"')
    assert instance.name == "one"
    assert new.__new__(new).name == "two"
    namespace = reload_main.namespace_of(type(instance))
    assert namespace["Sample"] is type(instance), "until it is committed"
    assert namespace is reload_main.namespace_of(new)


def test_annotations_are_read_as_the_module_says(loaded: tuple[Any, Path]) -> None:
    new = edited(loaded, "names: list[str]", "names: NotThere")
    assert new.load.__annotations__ == {"names": "NotThere"}


def test_lines_of_an_error_are_those_of_the_file(loaded: tuple[Any, Path]) -> None:
    new = edited(loaded, 'return "one"', "raise ValueError")
    with pytest.raises(ValueError) as raised:
        _ = new.__new__(new).name
    line = SOURCE.splitlines().index('        return "one"') + 1
    assert raised.traceback[-1].lineno + 1 == line


class Response:
    def __init__(self) -> None:
        self.runner_selector = types.SimpleNamespace(runner=types.SimpleNamespace(id=""))


class Model:
    limit = 3

    def predict_wrapper(self, request: Any) -> Response:
        return Response()

    def generate_wrapper(self, request: Any) -> Any:
        yield from (Response() for _ in range(3))

    stream_wrapper = generate_wrapper


def test_the_first_answer_of_a_request_tells_the_code_and_the_rest_is_the_models() -> None:
    behind = Behind(Model(), "abc")
    assert behind.predict_wrapper(None).runner_selector.runner.id == MARK + "abc"
    for answers in (behind.generate_wrapper(None), behind.stream_wrapper(None)):
        assert [each.runner_selector.runner.id for each in answers] == [MARK + "abc", "", ""]
    assert behind.limit == 3
    behind.limit = 4
    assert behind._model.limit == 4


def test_both_ends_write_the_same_mark() -> None:
    from clarifai_grpc.grpc.api.service_pb2 import MultiOutputResponse

    from clarifai_emulator.dispatch.code_mark import take_mark

    response = MultiOutputResponse()
    assert take_mark(response) == ""
    response.runner_selector.runner.id = MARK + "abc"
    assert take_mark(response) == "abc"
    assert not response.HasField("runner_selector")
    response.runner_selector.runner.id = "the model's own"
    assert take_mark(response) == ""
    assert response.runner_selector.runner.id == "the model's own"


def test_annotations_that_python_makes_when_they_are_asked_for_are_not_asked_for_by_a_swap() -> None:
    def old(text: str) -> str:
        return text

    def new(text: str) -> str:
        return text + "!"

    def annotate(form: int) -> dict[str, object]:
        raise NameError("only type checkers know this name")

    code: Any = new
    code.__annotate__ = annotate  # as functions of Python 3.14 have it
    reload_main.take_over(old, code)
    assert old("a") == "a!"
    assert vars(old).get("__annotate__", getattr(old, "__annotate__", None)) is annotate
