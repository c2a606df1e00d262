"""The plan of a reload: the cheapest that is still right, and when in doubt the safer one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarifai_emulator.models.code import Code, CodeFile
from clarifai_emulator.reload.plan import CodeEdit, ReloadKind, make_plan

MODEL = '''
"""A model."""
import os
import threading
from typing import TYPE_CHECKING

from clarifai.runners.models.model_class import ModelClass

import helper

LOCK = threading.Lock()
WEIGHTS = {}


def outside(text):
    return text.upper()


class Sample(ModelClass):
    """Says things."""

    greeting = "Hello"
    seen = []

    def load_model(self):
        self.weights = self.read("weights")
        self.factor = 2

    def read(self, name):
        return self.parse(name)

    def parse(self, name):
        return len(name)

    @ModelClass.method
    def predict(self, text: str, n: int = 1) -> str:
        """Greets."""
        return self.style(text) * n

    @ModelClass.method
    def generate(self, text: str) -> str:
        yield text

    def style(self, text):
        return outside(text)

    @property
    def name(self):
        return "sample"

    def show(self):
        return self.name


if __name__ == "__main__":
    Sample().load_model()
'''


def code(model: str = MODEL, **files: str) -> Code:
    texts = {"1/model.py": model, "config.yaml": "model: {id: sample}", "requirements.txt": "clarifai\n"}
    texts |= {name.replace("__", "."): text for name, text in files.items()}
    return Code(
        {name: CodeFile((len(text),), text, text) for name, text in texts.items()}, repr(sorted(texts.items()))
    )


def edited(old: str, new: str, source: str = MODEL) -> Any:
    """Return the plan of an edit of ``model.py``."""
    assert old in source
    return make_plan(code(source), code(source.replace(old, new)))


SWAPS = {
    "a body": ("return self.style(text) * n", "return self.style(text) * (n + 1)", "predict has changed"),
    "a helper method": ("return outside(text)", "return outside(text) + '!'", "style has changed"),
    "a new method": (
        "    def show(self):",
        "    def more(self):\n        pass\n\n    def show(self):",
        "more is new",
    ),
    "a method gone": ("    def show(self):\n        return self.name\n", "", "show is gone"),
    "a property": ('return "sample"', 'return "other"', "name has changed"),
    "comments": ("LOCK = ", "# the only one\nLOCK = ", "only comments or layout have changed"),
    "layout": (
        "return self.style(text) * n",
        "return (\n            self.style(text) * n\n        )",
        "only comments or layout have changed",
    ),
    "the docstring of the class": ("Says things.", "Says more things.", "only comments or layout have changed"),
}


@pytest.mark.parametrize(("old", "new", "reason"), SWAPS.values(), ids=SWAPS)
def test_an_edit_of_methods_that_had_no_part_in_loading_is_a_swap(old: str, new: str, reason: str) -> None:
    plan = edited(old, new)
    assert (plan.kind, plan.reason, plan.files) == (ReloadKind.SWAP, reason, ("1/model.py",))
    assert plan.edits == (CodeEdit("1/model.py", "Sample"),)


TOP_LEVEL = "code at its top level has changed"
FORKS = {
    "load_model": ("self.factor = 2", "self.factor = 3", "load_model has changed"),
    "what load_model calls": (
        "return self.parse(name)",
        "return self.parse(name) + 1",
        "read has changed, which loading the model uses",
    ),
    "what that calls": (
        "return len(name)",
        "return 2 * len(name)",
        "parse has changed, which loading the model uses",
    ),
    "a new __init__": (
        "    def load_model",
        "    def __init__(self):\n        super().__init__()\n\n    def load_model",
        "__init__ has changed",
    ),
    "a dunder method": (
        "    def show",
        "    def __call__(self):\n        pass\n\n    def show",
        "__call__ has changed",
    ),
    "an import": ("import os\n", "import os\nimport sys\n", TOP_LEVEL),
    "a function beside the class": ("return text.upper()", "return text.lower()", TOP_LEVEL),
    "a constant": ("WEIGHTS = {}", "WEIGHTS = {1: 2}", TOP_LEVEL),
    "the main guard": ("Sample().load_model()", "pass", TOP_LEVEL),
    "a class attribute": ('greeting = "Hello"', 'greeting = "Hi"', "what Sample has beside methods has changed"),
    "the base class": (
        "class Sample(ModelClass)",
        "class Sample(ModelClass, object)",
        "the head of the model class has changed",
    ),
    "a class decorator": ("class Sample(", "@outside\nclass Sample(", "the head of the model class has changed"),
    "another name": ("class Sample(", "class Other(", "the head of the model class has changed"),
    "no model class": (
        "class Sample(ModelClass)",
        "class Sample(object)",
        "it has not exactly one class that inherits from ModelClass",
    ),
    "two model classes": (
        "class Sample(",
        "class Second(ModelClass):\n    pass\n\n\nclass Sample(",
        "it has not exactly one class that inherits from ModelClass",
    ),
    "a syntax error": ("return len(name)", "return len(name", "it cannot be parsed"),
    "a method that is kept": ("return self.style(text) * n", "return list(map(self.style, text))", ""),
    "an instance that is handed on": (
        "return self.style(text) * n",
        "return outside(self)",
        "predict hands self on",
    ),
    "a class that its methods name": (
        "return self.style(text) * n",
        "return Sample.greeting",
        "predict names Sample itself",
    ),
    "a cache": ("    def style", "    @functools.cache\n    def style", "style has a decorator that may keep it"),
    "a call in a default": ("n: int = 1", "n: int = count()", "a default of predict calls something"),
}


@pytest.mark.parametrize(("old", "new", "reason"), FORKS.values(), ids=FORKS)
def test_what_may_not_be_right_with_the_loaded_instance_is_a_fork(old: str, new: str, reason: str) -> None:
    plan = edited(old, new)
    if not reason:  # right by itself: the next edit of what is kept is not
        source = MODEL.replace(old, new)
        plan = edited("return outside(text)", "return text", source)
        reason = "style has changed, which is used otherwise than called"
    assert (plan.kind, plan.reason) == (ReloadKind.FORK, reason)


STANDING = {
    "a class that calls something in its body": (
        "seen = []",
        "lock = threading.Lock()",
        "Sample calls something in its body",
    ),
    "code around that uses the class": (
        "if __name__",
        "KINDS = [Sample]\n\nif __name__",
        "code at its top level names Sample",
    ),
    "loading that hands the instance on": (
        "self.factor = 2",
        "self.factor = outside(self)",
        "load_model hands self on",
    ),
    "loading by name": ("self.factor = 2", 'self.factor = getattr(os, "sep")', "load_model uses getattr()"),
    "several bases": (
        "class Sample(ModelClass)",
        "class Sample(ModelClass, Mixin)",
        "the model class has further bases, keywords or decorators",
    ),
}


@pytest.mark.parametrize(("old", "new", "reason"), STANDING.values(), ids=STANDING)
def test_a_class_that_cannot_be_swapped_is_forked_whatever_the_edit(old: str, new: str, reason: str) -> None:
    plan = edited("yield text", "yield text + '!'", MODEL.replace(old, new))
    assert (plan.kind, plan.reason) == (ReloadKind.FORK, reason)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("n: int = 1", "n: int = 2"),
        ('"""Greets."""', '"""Greets you."""'),
        ("-> str:\n        yield", "-> int:\n        yield"),
    ],
)
def test_an_edit_of_what_clients_see_is_told(old: str, new: str) -> None:
    assert edited(old, new).may_change_signatures
    assert not edited("yield text", "yield 1").may_change_signatures


OTHERS = {
    "a helper module": (
        {"helper.py": "A = 1"},
        {"helper.py": "A = 2"},
        ReloadKind.SWAP,
        "A of helper.py has changed, which loading did not use",
    ),
    "a helper module that is imported for what it does": (
        {"helper.py": "A = print()"},
        {"helper.py": "A = print(1)"},
        ReloadKind.FORK,
        "helper.py has changed, and the model may have read it: code at its top level has changed",
    ),
    "a new file": ({}, {"data.json": "{}"}, ReloadKind.FORK, "data.json is new, and the model may have read it"),
    "a file gone": ({"data.json": "{}"}, {}, ReloadKind.FORK, "data.json is gone, and the model may have read it"),
    "requirements": (
        {},
        {"requirements.txt": "clarifai\nnumpy\n"},
        ReloadKind.ENVIRONMENT,
        "the requirements have changed",
    ),
    "a comment on requirements": (
        {},
        {"requirements.txt": "# ours\nclarifai  # sdk\n\n"},
        ReloadKind.NONE,
        "only comments or blank lines of requirements.txt have changed",
    ),
    "the Dockerfile": ({}, {"Dockerfile": "FROM x"}, ReloadKind.IMAGE, "the Dockerfile has changed"),
    "build_info": (
        {},
        {"config.yaml": "model: {id: sample}\nbuild_info: {python_version: '3.12'}"},
        ReloadKind.IMAGE,
        "build_info of config.yaml has changed",
    ),
    "num_threads": (
        {},
        {"config.yaml": "model: {id: sample}\nnum_threads: 3"},
        ReloadKind.FORK,
        "num_threads of config.yaml has changed",
    ),
    "a comment in config.yaml": (
        {},
        {"config.yaml": "model:\n  id: sample # it\n"},
        ReloadKind.NONE,
        "only comments or the layout of config.yaml have changed",
    ),
    "config.yaml broken": ({}, {"config.yaml": "model: {id: "}, ReloadKind.FORK, "config.yaml cannot be read"),
    "config.yaml a list": ({}, {"config.yaml": "- 1"}, ReloadKind.FORK, "config.yaml has changed"),
}


@pytest.mark.parametrize(("before", "after", "kind", "reason"), OTHERS.values(), ids=OTHERS)
def test_each_file_has_its_reload(
    before: dict[str, str], after: dict[str, str], kind: ReloadKind, reason: str
) -> None:
    plan = make_plan(code(**before), code(**after))
    assert (plan.kind, plan.reason) == (kind, reason)
    assert plan.files == tuple({*before, *after})


def test_nothing_to_do_without_a_change() -> None:
    plan = make_plan(code(), code(), always=ReloadKind.FORK)
    assert (plan.kind, plan.reason, plan.files) == (ReloadKind.NONE, "no file has changed", ())


def test_of_several_files_the_one_that_needs_most_decides_and_is_named() -> None:
    after = code(MODEL.replace("yield text", "yield 1"), **{"requirements.txt": "numpy", "a.py": "", "b.py": ""})
    plan = make_plan(code(), after)
    assert (plan.kind, plan.files) == (ReloadKind.ENVIRONMENT, ("requirements.txt",))
    many = {f"file{number}.py": "" for number in range(5)}
    assert make_plan(code(), code(**many)).named == "file0.py, file1.py, file2.py and 2 more"


def test_a_kind_can_be_asked_for_and_is_never_less_than_right() -> None:
    body = code(MODEL.replace("yield text", "yield 1"))
    plan = make_plan(code(), body, always=ReloadKind.FORK)
    assert (plan.kind, plan.reason) == (
        ReloadKind.FORK,
        "generate has changed, and a fork was asked for every time",
    )
    assert (
        make_plan(code(), code(**{"requirements.txt": "numpy"}), always=ReloadKind.FORK).kind
        is ReloadKind.ENVIRONMENT
    )


def test_a_model_file_that_takes_the_place_of_another_is_a_fork() -> None:
    dockerfile = {"Dockerfile": "COPY . /home/nonroot/main"}
    plan = make_plan(code(**dockerfile), code(**dockerfile, **{"model.py": MODEL}))
    assert (plan.kind, plan.reason) == (ReloadKind.FORK, "model.py takes the place of 1/model.py")
    gone = code()
    files = {name: file for name, file in gone.files.items() if name != "1/model.py"}
    assert make_plan(code(), Code(files, "other")).kind is ReloadKind.FORK


LINES = MODEL.splitlines()


@given(st.lists(st.tuples(st.integers(0, len(LINES) - 1), st.sampled_from(["drop", "twice", "pass"])), max_size=4))
def test_whatever_is_done_to_the_lines_a_swap_leaves_all_but_methods_as_it_was(
    edits: list[tuple[int, str]],
) -> None:
    import ast

    lines = list(LINES)
    for number, what in edits:
        indent = " " * (len(lines[number]) - len(lines[number].lstrip())) if lines[number] else ""
        lines[number] = {"drop": "", "twice": f"{lines[number]}\n{lines[number]}", "pass": f"{indent}pass"}[what]
    source = "\n".join(lines)
    plan = make_plan(code(), code(source))
    if plan.kind is not ReloadKind.SWAP:
        return
    old, new = (ast.parse(each) for each in (MODEL, source))
    kept = ("__init__", "load_model", "read", "parse")

    def without_free_methods(module: ast.Module) -> str:
        (model,) = (node for node in module.body if isinstance(node, ast.ClassDef))
        model.body = [
            node
            for node in model.body
            if not isinstance(node, ast.Expr) and not (isinstance(node, ast.FunctionDef) and node.name not in kept)
        ]
        return ast.dump(module)

    assert without_free_methods(old) == without_free_methods(new)
