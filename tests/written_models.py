"""Writes model directories whose class has given code, and lists code that the SDK refuses."""

from __future__ import annotations

import textwrap
from pathlib import Path

from clarifai_emulator.contracts.rules.finding import Finding
from clarifai_emulator.contracts.rules.rule import Severity
from clarifai_emulator.contracts.signatures.read_signatures import ModelContract

HEAD = """\
from typing import *
from clarifai.runners.models.model_class import ModelClass
from clarifai.runners.utils.data_types import *
import PIL
import PIL.Image


class Case(ModelClass):
"""
PLAIN = "@ModelClass.method\ndef predict(self, a: str) -> str: ...\n"

# Each with its name, the rule that refuses it, and what is said and proposed.
REFUSED = [
    ("optional", "def predict(self, a: Optional[str]) -> str: ...", "optional-annotation",
     "Parameter 'a' of predict() is annotated Optional[str]: a value that may be None has no type on the platform.",
     "Write `a: str = None`: the SDK then takes None for `not given`."),
    ("pipe", "def predict(self, a: str | None) -> str: ...", "optional-annotation",
     "Parameter 'a' of predict() is annotated str | None: a value that may be None has no type on the platform.",
     "Annotate the type alone and give the parameter the default None: `style: str = None`."),
    ("result", "def predict(self, a: str) -> Optional[str]: ...", "optional-annotation",
     "The result of predict() is annotated Optional[str]: a value that may be None has no type on the platform.",
     "Annotate `-> str`, and return an empty value instead of None."),
    ("union", "def predict(self, a: Union[str, int]) -> str: ...", "union-annotation",
     "Parameter 'a' of predict() is annotated Union[str, int]: a value of several types has no type on the "
     "platform.",
     "Choose one type, or make a method for each."),
    ("no_return", "def predict(self, a: str): ...", "missing-return-annotation",
     "The result of predict() has no annotation.", "Annotate the result: `-> str`."),
    ("no_type", "def predict(self, a) -> str: ...", "missing-annotation",
     "Parameter 'a' of predict() has no annotation.", "Annotate the parameter: `prompt: str`."),
    ("text", "def predict(self, a: 'str') -> str: ...", "text-annotation",
     "Parameter 'a' of predict() is annotated str: the SDK reads types, and not text.",
     "Write the type itself, without quotes."),
    ("none", "def predict(self, a: str) -> None: ...", "none-annotation",
     "The result of predict() is annotated None: there is no empty result on the platform.",
     "Return something, if only a bool or an empty str."),
    ("bare_tuple", "def predict(self, a: Tuple) -> str: ...", "bare-container",
     "Parameter 'a' of predict() is annotated Tuple: the SDK must know what it holds.",
     "Say what it holds: `Tuple[str, int]`, `NamedFields(name=str)`, `Iterator[str]`."),
    ("dict", "def predict(self, a: Dict[str, Any]) -> str: ...", "dict-annotation",
     "Parameter 'a' of predict() is annotated Dict[str, Any]: a dict is JSON on the platform, and this is no JSON.",
     "Annotate `dict`: it is JSON, with text as keys."),
    ("async_iter", "def generate(self, a: str) -> AsyncIterator[str]: ...", "async-annotation",
     "The result of generate() is annotated AsyncIterator[str]: the runner reads plain iterators and plain results "
     "only.", "Use `Iterator[…]`, and yield from a plain `def`."),
    ("module", "def predict(self, a: PIL.Image) -> str: ...", "image-module",
     None, "Write the class: `PIL.Image.Image`."),
    ("literal", "def predict(self, a: Literal['x']) -> str: ...", "unsupported-type",
     "Parameter 'a' of predict() is annotated Literal['x']: the platform has no such type.", None),
    ("set", "def predict(self, a: set) -> str: ...", "unsupported-type",
     "Parameter 'a' of predict() is annotated set: the platform has no such type.", None),
    ("nested", "def predict(self, a: List[Optional[int]]) -> str: ...", "optional-annotation",
     "Parameter 'a' of predict() is annotated Optional[int]: a value that may be None has no type on the platform.",
     None),
    ("args", "def predict(self, *a: str) -> str: ...", "variadic-parameter",
     "Parameter 'a' of predict(): the SDK takes it for one required argument of that name.", None),
    ("bare_args", "def predict(self, *a) -> str: ...", "variadic-parameter",
     "Parameter 'a' of predict(): the platform has no parameters that take any number of arguments.", None),
    ("reserved", "def predict(self, with_proto: bool) -> str: ...", "reserved-parameter",
     "Parameter 'with_proto' of predict(): the client takes this name for itself.",
     "Rename the parameter. The client takes `with_proto` for itself."),
    ("streams", "def stream(self, a: Iterator[str]) -> str: ...", "streaming-shape",
     "The SDK refuses stream(): stream methods with streaming inputs must have streaming outputs.", None),
    ("coroutine", "async def predict(self, a: str) -> str: ...", "async-method",
     "predict() is `async def`, and the runner does not await it.", None),
    ("hidden", "def id(self, a: str) -> str: ...", "hidden-method",
     "id() cannot be called as `model.id(…)`: that is an attribute of the client's Model.", "Rename the method."),
]  # fmt: skip


def write(
    path: Path, code: str, *, requirements: str = "clarifai==12.5.0\n", head: str = HEAD, tail: str = ""
) -> Path:
    """Write a model directory whose class has this code."""
    (path / "1").mkdir(parents=True)
    (path / "config.yaml").write_text(f"model: {{id: {path.name}}}\ncompute: {{instance: cpu}}\n")
    (path / "requirements.txt").write_text(requirements)
    (path / "1" / "model.py").write_text(head + textwrap.indent(textwrap.dedent(code), "    ") + tail)
    return path


def method(path: Path, code: str) -> Path:
    """Write a model directory whose class has this method."""
    return write(path, f"@ModelClass.method\n{code}\n")


def told(contract: ModelContract) -> list[Finding]:
    """Return the findings of a contract that are no notes."""
    return [each for each in contract.findings if each.severity is not Severity.NOTE]
