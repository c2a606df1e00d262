"""Notebooks are checked by their code cells."""

from __future__ import annotations

import json
from pathlib import Path

from clarifai_emulator.contracts.calls.client_check import check_known
from clarifai_emulator.contracts.calls.given_models import KnownModel
from clarifai_emulator.contracts.calls.notebooks import read_notebook
from flow.contracts.calls.conftest import said


def notebook(*cells: tuple[str, str]) -> str:
    return json.dumps({"cells": [{"cell_type": kind, "source": text.splitlines(True)} for kind, text in cells]})


def test_a_finding_in_a_notebook_is_in_its_cell(tmp_path: Path, models: list[KnownModel]):
    (tmp_path / "try.ipynb").write_text(
        notebook(
            ("markdown", "# Try it"),
            ("code", "%pip install clarifai\nfrom clarifai.client import Model\n!ls"),
            ("code", 'model = Model("https://clarifai.com/me/demo/models/hello")\n\nmodel.predict(promt="x")'),
        )
    )

    report = check_known([tmp_path], models)

    (finding,) = report.findings
    assert finding.rule == "unknown-argument"
    assert finding.location is not None
    assert (finding.location.cell, finding.location.line, finding.location.column) == (3, 3, 15)
    assert report.lines(finding.location.path, 3)[2] == 'model.predict(promt="x")'


def test_a_notebook_may_call_a_model_in_an_async_cell(tmp_path: Path, models: list[KnownModel]):
    code = (
        "from clarifai.client import Model\nmodel = Model('https://clarifai.com/me/demo/models/hello')\n"
        "async def ask():\n    return model.predict('x')\nprint(await ask())"
    )
    (tmp_path / "try.ipynb").write_text(notebook(("code", code)))

    # `await` outside of a function is a notebook's own; the SDK knows there that the loop is not the client's.
    assert said(check_known([tmp_path], models)) == []


def test_in_a_notebook_one_await_gives_the_answer(tmp_path: Path, models: list[KnownModel]):
    (tmp_path / "try.ipynb").write_text(
        notebook(
            (
                "code",
                "from clarifai.client import Model\nmodel = Model('https://clarifai.com/me/demo/models/hello')",
            ),
            ("code", "text = await model.async_predict('x')\nprint(text.upper())"),
            ("code", "for part in await model.async_generate('x'): print(part.upper())"),
            ("code", "print(model.async_client.predict('x').upper())"),
            ("code", "text = await (await model.async_predict('x'))"),
            ("code", "await model.async_predict(promt='x')"),
        )
    )

    findings = check_known([tmp_path], models).findings

    assert {each.location.cell for each in findings if each.location} == {5, 6}
    assert (
        "awaited-twice: In a notebook `await …async_predict(…)` gives the answer, which cannot be awaited again."
        in [f"{each.rule}: {each.message}" for each in findings]
    )


def test_what_is_no_python_in_a_cell_is_left_out_and_lines_stay():
    cells = read_notebook(notebook(("code", "%%bash\nls -l"), ("code", "x = !ls\nif x:\n    %time y\nlen?")))

    assert cells.text == "\n\nx = ...\nif x:\n    pass\npass\n"
    assert cells.places == ((1, 1), (1, 2), (2, 1), (2, 2), (2, 3), (2, 4))


def test_a_file_that_is_no_notebook_is_said_to_be_unread(tmp_path: Path, models: list[KnownModel]):
    (tmp_path / "clarifai.ipynb").write_text("{clarifai")

    (finding,) = check_known([tmp_path], models).findings

    assert finding.rule == "unreadable-client"
    assert finding.message.startswith("clarifai.ipynb cannot be read: Expecting property name")
