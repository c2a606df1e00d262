"""Writes the examples of rules as files: clients, notebooks and model directories that can be read and run."""

from __future__ import annotations

import ast
import json
import re
import textwrap
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path

from clarifai_emulator.contracts.rules.example import Example, examples

URL = "https://clarifai.com/me/main/models/assistant"
OPENAI_URL = "https://api.clarifai.com/v2/ext/openai/v1"
CLIENT_IMPORTS = """\
import asyncio
import json
import os

import numpy as np
import requests
from clarifai.client import Model
from clarifai.client.workflow import Workflow
from fastmcp import Client
from openai import OpenAI

KEY = "any"
HEADERS = {"Authorization": f"Key {KEY}"}
"""
MODEL_IMPORTS = """\
import asyncio
import datetime
import functools
import json
import os
import time
from typing import Any, AsyncIterator, Dict, Iterator, List, Optional, Tuple

import numpy as np
import PIL.Image
from clarifai.runners.models.model_class import ModelClass
from clarifai.runners.utils.data_types import Concept, Image, NamedFields
from clarifai.runners.utils.data_utils import Param
from clarifai_grpc.grpc.api import service_pb2
from openai import OpenAI
"""
METHODS = (
    "predict(prompt: str, n: int = 1) -> str",
    "generate(prompt: str) -> Iterator[str]",
    "stream(prompts: Iterator[str]) -> Iterator[str]",
)
CONFIG = """\
model: {{id: {id}, user_id: me, app_id: main, model_type_id: any-to-any}}
inference_compute_info: {{cpu_limit: "1", cpu_memory: 1Gi}}
"""
_SIGNATURE = re.compile(r"(?P<name>\w+)\((?P<parameters>.*)\) -> (?P<result>[^()]+)")
_RESULTS = {
    "str": "return 'Hello'", "int": "return 3", "float": "return 0.5", "List[str]": "return ['Hello']",
    "Iterator[str]": "yield from ['Hello', 'you']",
}  # fmt: skip


def name_of_model(example: Example) -> str:
    """Return the id of the model that an example calls: another one, where it has another ``predict``."""
    own = _SIGNATURE.fullmatch(example.model)
    other = own is not None and own["name"] in ("predict", "generate", "stream") and example.model not in METHODS
    return f"other-{own['name']}" if other and own else "assistant"


def write_models(folder: Path) -> dict[str, Path]:
    """Write the models that examples of clients call, with the methods that these name; return them by id."""
    methods: dict[str, list[str]] = {"assistant": list(METHODS)}
    for example in examples().values():
        if _SIGNATURE.fullmatch(example.model):
            listed = methods.setdefault(name_of_model(example), [])
            listed += [] if example.model in listed else [example.model]
    return {
        name: write_model(folder / name, "\n".join(map(method, signatures)), model_id=name)
        for name, signatures in methods.items()
    }


def method(signature: str) -> str:
    parts = _SIGNATURE.fullmatch(signature)
    assert parts is not None
    head = f"def {parts['name']}(self, {parts['parameters']}) -> {parts['result']}:"
    return f"@ModelClass.method\n{head}\n    {_RESULTS[parts['result']]}\n"


def write_model(
    directory: Path, code: str, *, model_id: str = "assistant", requirements: str = "", config: str = ""
) -> Path:
    """Write a model directory. ``code``: the whole of model.py, or what stands in its class."""
    (directory / "1").mkdir(parents=True)
    whole = re.search(r"^\s*class ", code, re.MULTILINE) is not None
    if not whole:
        code = f"class MyModel(ModelClass):\n{textwrap.indent(code, '    ')}\n"
    imports = "" if "from __future__" in code else f"{_imports(code)}\n\n"
    (directory / "1" / "model.py").write_text(f"{imports}{code}\n")
    (directory / "config.yaml").write_text(config or CONFIG.format(id=model_id))
    (directory / "requirements.txt").write_text(own_sdk(requirements) or f"clarifai=={version('clarifai')}\n")
    return directory


def _imports(code: str) -> str:
    """Return the imports that the code needs: some take a second, in each of a hundred models."""
    return "\n".join(
        ast.unparse(node)
        for node in ast.parse(MODEL_IMPORTS).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        and any(re.search(rf"\b{each.asname or each.name.partition('.')[0]}\b", code) for each in node.names)
    )


def own_sdk(requirements: str) -> str:
    """Return requirements with the SDK that is installed here, where they name the one of the examples."""
    return requirements.replace("clarifai==12.5.0", f"clarifai=={version('clarifai')}")


def client_code(example: Example, code: str) -> str:
    """Return a whole program of what an example shows."""
    lines = [CLIENT_IMPORTS]
    if re.search(r"\bmodel\b", code):
        lines.append(f'model = Model("{URL}")')
    if re.search(r"\bclient\.", code) and "client = " not in code and "(client" not in code:
        lines.append(f'client = OpenAI(base_url="{OPENAI_URL}", api_key=KEY)')
    return "\n".join([*lines, "", code, ""]).replace("/models/assistant", f"/models/{name_of_model(example)}")


def write_client(folder: Path, example: Example, code: str) -> Path:
    """Write the client that an example is, and the files beside it; return its folder."""
    folder.mkdir(parents=True)
    write_files(folder, example.beside)
    text = client_code(example, code) if not example.file.endswith((".yml", ".yaml")) else code
    if example.file.endswith(".ipynb"):
        cells = [text.removesuffix(f"{code}\n"), code]
        text = json.dumps(notebook(cells))
    (folder / example.file).write_text(text)
    return folder


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Write files by name, with the folders that they are in."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{text}\n")


def notebook(cells: Iterable[str]) -> dict[str, object]:
    """Return a notebook of these cells of code."""
    written = [{"cell_type": "code", "source": each, "metadata": {}, "outputs": []} for each in cells]
    return {"cells": written, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
