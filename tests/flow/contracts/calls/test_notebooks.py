"""Notebooks are checked by their code cells."""

from __future__ import annotations

import json
import re
from pathlib import Path

from clarifai_emulator.contracts.calls.client_check import check_known
from clarifai_emulator.contracts.calls.given_models import KnownModel
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


MAKE = "from clarifai.client import Model\nmodel = Model('https://clarifai.com/me/demo/models/hello')\n"


def test_a_cell_of_shell_commands_costs_this_cell_only(tmp_path: Path, models: list[KnownModel]):
    (tmp_path / "try.ipynb").write_text(
        notebook(("code", "git clone https://example.com/x.git\ncd x"), ("code", f"{MAKE}model.predict(text='x')"))
    )

    cell, *calls = check_known([tmp_path], models).findings

    assert (cell.rule, cell.severity) == ("unreadable-cell", "unchecked")
    assert re.fullmatch(
        r"Cell 1 of try\.ipynb is not Python 3\.\d+: invalid syntax\. "
        r"Nothing in this cell is checked; the others are\.",
        cell.message,
    )
    assert cell.hint == "Mend it, or say what it is in its first line: `%%bash`."
    assert cell.location is not None
    assert (cell.location.cell, cell.location.line) == (1, 1)
    assert {each.rule for each in calls} == {"missing-argument", "unknown-argument"}


def test_code_behind_magics_is_checked_at_its_place(tmp_path: Path, models: list[KnownModel]):
    calls = [
        "%time model.predict(promt='a')",
        "%timeit -n 1 -r 1 model.predict(promt='b')",
        "if model:\n    r = %time model.predict(promt='c')\n    print(r)",
        "%%time\nmodel.predict(promt='d')",
        "  r = model.predict(promt='e')\n  !ls",
    ]
    (tmp_path / "try.ipynb").write_text(notebook(("code", MAKE), *(("code", each) for each in calls)))

    report = check_known([tmp_path], models)

    assert {each.rule for each in report.findings} == {"unknown-argument"}
    shown: list[str] = []
    for each in report.findings:
        assert each.location is not None
        line = report.lines(each.location.path, each.location.cell)[each.location.line - 1]
        shown.append(line[each.location.column - 1 :].rstrip(")"))
    assert sorted(shown) == [f"promt='{letter}'" for letter in "abcde"]


def test_the_value_of_a_shell_command_is_not_called_wrong(tmp_path: Path, models: list[KnownModel]):
    code = "files = !ls\nkey = %env KEY\nprint(model.predict(files[0]), model.predict(key))"
    (tmp_path / "try.ipynb").write_text(notebook(("code", MAKE), ("code", code)))

    report = check_known([tmp_path], models)

    assert (said(report), len(report.calls)) == ([], 2)


def test_a_client_that_a_cell_writes_is_checked_in_its_cell(tmp_path: Path, models: list[KnownModel]):
    written = f"%%writefile ask.py\n{MAKE}\nasync def ask(text):\n    return model.predict(promt=text)"
    (tmp_path / "try.ipynb").write_text(
        notebook(
            ("code", written),
            ("code", "from ask import model\nmodel.predict(promt='x')"),
            ("code", f"%%python\n{MAKE}model.predict(promt='y')"),
            ("code", "%%writefile bad.py\nimport clarifai\ndef f(:"),
        )
    )

    report = check_known([tmp_path], models)

    found = [
        (each.rule, each.location.path.name, each.location.cell, each.location.line)
        for each in report.findings
        if each.location
    ]
    assert sorted(found, key=lambda each: (each[2], each[0])) == [
        ("sync-in-async", "try.ipynb", 1, 6),
        ("unknown-argument", "try.ipynb", 1, 6),
        ("unknown-argument", "try.ipynb", 2, 2),
        ("unknown-argument", "try.ipynb", 3, 4),
        ("unreadable-client", "try.ipynb", 4, 3),
    ]
    assert report.files == (tmp_path / "try.ipynb",)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["try.ipynb"]


def test_a_written_client_gives_way_to_a_file_of_its_name(tmp_path: Path, models: list[KnownModel]):
    (tmp_path / "ask.py").write_text(f"{MAKE}model.predict(promt='on the disk')")
    (tmp_path / "try.ipynb").write_text(
        notebook(("code", f"%%writefile ask.py\n{MAKE}model.predict(promt='in the cell')"))
    )

    report = check_known([tmp_path], models)

    places = [(each.location.path.name, each.location.cell) for each in report.findings if each.location]
    assert places == [("ask.py", 0), ("try.ipynb", 1)]


def test_a_python_file_in_cells_is_checked_like_a_notebook(tmp_path: Path, models: list[KnownModel]):
    (tmp_path / "cells.py").write_text(
        f"# %%\n{MAKE}# %%\ngit clone x\n# %%\nasync def ask():\n    return model.predict('x')\n"
        "# %%\n!ls\nawait ask()\n# %%\n%time model.predict(promt='x')\n"
    )
    (tmp_path / "bricks.py").write_text(
        f"# Databricks notebook source\n{MAKE}# COMMAND ----------\n# MAGIC %sql select 1\n"
        "# COMMAND ----------\nasync def ask():\n    return model.predict('x')\nawait ask()\n"
    )

    report = check_known([tmp_path], models)

    found = [
        (each.rule, each.location.path.name, each.location.cell, each.location.line, each.location.column)
        for each in report.findings
        if each.location
    ]
    assert found == [("unreadable-cell", "cells.py", 0, 5, 5), ("unknown-argument", "cells.py", 0, 13, 21)]
    assert report.findings[0].message.startswith("The cell around line 5 of cells.py is not Python 3.")


def test_a_notebook_and_a_module_of_almost_its_name_are_two(tmp_path: Path, models: list[KnownModel]):
    (tmp_path / "ask.ipynb").write_text(notebook(("code", f"{MAKE}model.predict(promt='x')")))
    (tmp_path / "ask_ipynb.py").write_text(f"{MAKE}model.predict('x')")

    report = check_known([tmp_path], models)

    assert ([each.rule for each in report.findings], len(report.calls)) == (["unknown-argument"], 2)


def test_a_notebook_in_one_string_imports_its_neighbours(tmp_path: Path, models: list[KnownModel]):
    (tmp_path / "ready.py").write_text(MAKE)
    code = "print(1)\nfrom ready import model\nmodel.predict(promt='x')"
    (tmp_path / "try.ipynb").write_text(json.dumps({"cells": [{"cell_type": "code", "source": code}]}))

    assert [each.rule for each in check_known([tmp_path], models).findings] == ["unknown-argument"]


def test_a_file_that_is_no_notebook_is_said_to_be_unread(tmp_path: Path, models: list[KnownModel]):
    (tmp_path / "clarifai.ipynb").write_text("{clarifai")

    (finding,) = check_known([tmp_path], models).findings

    assert finding.rule == "unreadable-client"
    assert finding.message.startswith(
        "clarifai.ipynb is not a notebook: its JSON breaks off or is wrong (Expecting"
    )
    assert finding.message.endswith(". Nothing in it is checked.")
