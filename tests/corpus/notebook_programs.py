"""Makes notebooks that call a model, one cell after the other, and makes one thing of each wrong."""

# ruff: noqa: E501 - a program on one line reads better

from __future__ import annotations

import json
import random
from collections.abc import Iterator

from corpus.every_method import misspelt
from corpus.program import Program

_IMPORT, _MAKE = "from clarifai.client import Model", "model = Model('https://clarifai.com/me/corpus/models/ID')"
# The cells of each; `CALL` stands for a call of `predict`.
_CELLS: dict[str, list[str]] = {
    "three cells": [_IMPORT, _MAKE, "model.CALL"],
    "one cell": [f"{_IMPORT}\n{_MAKE}\nmodel.CALL"],
    "pip before": ["!pip install clarifai", f"{_IMPORT}\n{_MAKE}", "print(model.CALL)"],
    "pip as a magic": ["%pip install -q clarifai", f"{_IMPORT}\n{_MAKE}", "answer = model.CALL\nanswer"],
    "environment": ["%env CLARIFAI_PAT=x", f"import os\n{_IMPORT}\n{_MAKE}", "print(model.CALL)"],
    "shell cell between": [_IMPORT, "%%bash\necho 'model.predict('", _MAKE, "model.CALL"],
    "broken cell between": [f"{_IMPORT}\n{_MAKE}", "this is no code", "model.CALL"],
    "timed": [f"{_IMPORT}\n{_MAKE}", "%time model.CALL"],
    "timed cell": [f"{_IMPORT}\n{_MAKE}", "%%time\nanswer = model.CALL\nprint(answer)"],
    "captured": [f"{_IMPORT}\n{_MAKE}", "%%capture out\nprint(model.CALL)"],
    "help before": [f"{_IMPORT}\n{_MAKE}", "model?", "model.CALL"],
    "awaited": [f"{_IMPORT}\n{_MAKE}", "await model.async_CALL"],
    "function in a cell": [f"{_IMPORT}\n{_MAKE}", "def ask():\n    return model.CALL", "ask()"],
    "loop": [f"{_IMPORT}\n{_MAKE}", "for each in range(2):\n    print(model.CALL)"],
    "widget": [f"import ipywidgets as widgets\n{_IMPORT}\n{_MAKE}", "def on_click(button):\n    print(model.CALL)\nbutton = widgets.Button()\nbutton.on_click(on_click)"],
    "magic with a name": [f"{_IMPORT}\n{_MAKE}", "answer = %time model.CALL"],
    "indented": [f"{_IMPORT}\n{_MAKE}", "    print(model.CALL)"],
    "prompts": [f"{_IMPORT}\n{_MAKE}", ">>> print(model.CALL)"],
    "display": [f"from IPython.display import display\n{_IMPORT}\n{_MAKE}", "display(model.CALL)"],
    "matplotlib": ["%matplotlib inline", f"{_IMPORT}\n{_MAKE}", "print(model.CALL)"],
}  # fmt: skip
_CALLS = {
    "": "predict(prompt='Hello', n=2)",
    "method misspelt": "prdict(prompt='Hello', n=2)",
    "argument misspelt": "predict(promt='Hello', n=2)",
    "argument left out": "predict(n=2)",
    "argument too much": "predict(prompt='Hello', n=2, surplus=1)",
    "value of another type": "predict(prompt='Hello', n='two')",
}


def notebook_programs(seed: int) -> Iterator[Program]:
    """Yield a right notebook of each shape, and the wrong ones that are made of it."""
    for shape, cells in _CELLS.items():
        rolls = random.Random(f"{seed} {shape}")
        for wrong, call in _CALLS.items():
            if wrong != "method misspelt" or "async_" not in "".join(cells):
                yield Program("notebooks", shape, _notebook(cells, call, "plain"), wrong, "ipynb")
        yield Program(
            "notebooks", shape, _notebook(cells, _CALLS[""], misspelt("plain", rolls)), "model misspelt", "ipynb"
        )


def _notebook(cells: list[str], call: str, model: str) -> str:
    written = [
        {
            "cell_type": "code",
            "execution_count": number,
            "metadata": {},
            "outputs": [{"output_type": "stream", "name": "stdout", "text": ["model.predict()\n"]}],
            "source": each.replace("CALL", call).replace("ID", model).splitlines(keepends=True),
        }
        for number, each in enumerate(cells, 1)
    ]
    return json.dumps({"cells": written, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
