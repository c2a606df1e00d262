"""Edits of modules beside model.py: weights stay where nothing that loading used has changed."""

from __future__ import annotations

import pytest

from clarifai_emulator.python_source import parse_module
from clarifai_emulator.reload.helpers import HelperEdit, Helpers

MODEL = """
import os
import reading
import helper
from helper import PROMPT, style as dress
from clarifai.runners.models.model_class import ModelClass

def outside(text):
    return helper.loud(text)

class Sample(ModelClass):
    def load_model(self):
        self.weights = self.read()

    def read(self):
        return reading.weights()

    @ModelClass.method
    def predict(self, text: str) -> str:
        return dress(outside(text)) + PROMPT + helper.Box(text).show()
"""
READING = """
import paths

def weights():
    return paths.here()
"""
PATHS = "def here():\n    return 1\n"
HELPER = '''
"""Words."""
import re

PROMPT = "Say: "
LABELS = {"a": 1}

def style(text):
    return text

def loud(text, n: int = 1):
    return text.upper() * n

def at_import():
    return 7

SEVEN = at_import()

class Box:
    size = 3

    def __init__(self, text):
        self.text = text

    def show(self):
        return self.text

    @property
    def length(self):
        return len(self.text)
'''
FILES = {"1/model.py": MODEL, "helper.py": HELPER, "reading.py": READING, "paths.py": PATHS}


def edited(old: str, new: str, *, name: str = "helper.py", **others: str) -> HelperEdit:
    files = {**FILES, **{each.replace("__", "."): text for each, text in others.items()}}
    if "model" in files:
        files["1/model.py"] = files.pop("model")
    assert old in files[name]
    return Helpers("1/model.py", files, {**files, name: files[name].replace(old, new)}).edit(name)


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("return text\n\ndef loud", "return text + '!'\n\ndef loud", HelperEdit(functions=("style",))),
        ("text.upper() * n", "text.lower() * n", HelperEdit(functions=("loud",))),
        ("n: int = 1", "n: int = 2", HelperEdit(functions=("loud",))),
        ("return self.text", "return self.text * 2", HelperEdit(methods=("Box.show",))),
        ("return len(self.text)", "return 1", HelperEdit(methods=("Box.length",))),
        ('"Say: "', '"Tell: "', HelperEdit(constants=("PROMPT",), names=(("1/model.py", "PROMPT", "PROMPT"),))),
        ('{"a": 1}', '{"a": 2}', HelperEdit(constants=("LABELS",))),
        ("def at_import", "def more(text):\n    return 1\n\ndef at_import", HelperEdit(functions=("more",))),
        ('"""Words."""', "# A comment", HelperEdit()),
    ],
)
def test_what_loading_did_not_use_is_swapped(old: str, new: str, changed: HelperEdit) -> None:
    assert edited(old, new) == changed


@pytest.mark.parametrize(
    ("old", "new", "doubt"),
    [
        ("return 7", "return 8", "at_import has changed, which helper.py uses itself when it is imported"),
        ("import re", "import json", "code at its top level has changed"),
        ("SEVEN = at_import()", "SEVEN = 8", "code at its top level has changed"),
        ("def style", "def styled", "style is gone"),
        ("def style", "@print\ndef style", "style has a decorator that may keep it"),
        ("n: int = 1", "n: int = len('a')", "the arguments of loud call something"),
        ("size = 3", "size = 4", "what class Box has beside methods has changed"),
        ("class Box:", "class Box(dict):", "what class Box has beside methods has changed"),
        ("self.text = text", "self.text = text * 2", "Box.__init__ is not only another body of a method"),
        ("return self.text\n", "return super().show()\n", "Box.show is not only another body of a method"),
        ("def show", "def shown", "what class Box has beside methods has changed"),
        ("def style(text):\n    return text", "style = 3", "style is of another kind now"),
        ("return text\n", "return text(\n", "a module cannot be parsed"),
    ],
)
def test_what_is_more_than_another_body_is_in_doubt(old: str, new: str, doubt: str) -> None:
    assert edited(old, new).doubt == doubt


def test_what_loading_uses_is_in_doubt_and_so_is_what_that_imports() -> None:
    assert edited("return paths", "return 1 + paths", name="reading.py").doubt == (
        "reading.py has changed, which loading the model uses"
    )
    assert (
        edited("return 1", "return 2", name="paths.py").doubt
        == "paths.py has changed, which loading the model uses"
    )


SHORT = "return text\n\ndef loud", "return text * 2\n\ndef loud"


@pytest.mark.parametrize(
    "model",
    [
        MODEL.replace("reading.weights()", "dress('x')"),
        MODEL.replace("reading.weights()", "outside('x')"),
        MODEL.replace("class Sample", "TABLE = helper.style('x')\n\nclass Sample"),
        MODEL.replace("class Sample", "TABLE = [dress]\n\nclass Sample"),
        MODEL.replace("class Sample", "if os.environ:\n    dress('x')\n\nclass Sample"),
        MODEL.replace("(ModelClass)", "(ModelClass, helper.Box)"),
        MODEL.replace("text: str)", "text: str = helper.style('x'))"),
        MODEL.replace("import reading", "from helper import *\nimport reading"),
        MODEL.replace("reading.weights()", "getattr(os, 'name')"),
        MODEL.replace("reading.weights()", "__import__('helper').style('x')"),
        MODEL.replace("(ModelClass)", "(Other)"),
        MODEL.replace("import helper\n", "import helper as h\n").replace("reading.weights()", "h.style('x')"),
        MODEL.replace("return reading.weights()", "from helper import style as s\n        return s('x')"),
    ],
)
def test_a_model_that_uses_the_module_while_it_loads_loads_again(model: str) -> None:
    assert edited(*SHORT, model=model).doubt


def test_modules_in_packages_and_by_relative_names_are_found() -> None:
    model = MODEL.replace("import reading", "from pkg.deep import reading")
    files = {
        "1/model.py": model,
        "helper.py": HELPER,
        "pkg/__init__.py": "",
        "pkg/deep/__init__.py": "",
        "pkg/deep/reading.py": "from . import paths\nfrom ..up import root\n\ndef weights():\n    return 1\n",
        "pkg/deep/paths.py": PATHS,
        "pkg/up.py": "def root():\n    return 1\n",
        "pkg/aside.py": "def unused():\n    return 1\n",
    }
    for name in ("pkg/deep/reading.py", "pkg/deep/paths.py", "pkg/up.py"):
        after = {**files, name: files[name].replace("return 1", "return 2")}
        assert Helpers("1/model.py", files, after).edit(name).doubt, name
    after = {**files, "pkg/aside.py": "def unused():\n    return 2\n"}
    assert Helpers("1/model.py", files, after).edit("pkg/aside.py") == HelperEdit(functions=("unused",))


def test_however_many_modules_are_edited_each_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    more = {f"more{number}.py": "def unused():\n    return 1\n" for number in range(5)}
    files, after = {**FILES, **more}, {**FILES, **{name: text.replace("1", "2") for name, text in more.items()}}
    parsed: list[str] = []
    monkeypatch.setattr(
        "clarifai_emulator.reload.helpers.parse_module", lambda text: parsed.append(text) or parse_module(text)
    )
    helpers = Helpers("1/model.py", files, after)
    assert {helpers.edit(name) for name in more} == {HelperEdit(functions=("unused",))}
    assert len(parsed) == len(files) + len(more)
