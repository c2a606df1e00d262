"""Notebooks are read as one Python text, cell by cell, whatever else their cells hold."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clarifai_emulator.contracts.calls.client_reading import UnreadableClient
from clarifai_emulator.contracts.calls.notebook_code import Cells, join_cells
from clarifai_emulator.contracts.calls.notebooks import read_cells, script_cells


def read(*cells: str | dict[str, Any], **notebook: Any) -> Cells:
    rows = [{"cell_type": "code", "source": each} if isinstance(each, str) else each for each in cells]
    return join_cells(read_cells(json.dumps({"cells": rows, **notebook})))


def lines(cells: Cells) -> list[str]:
    """Return the lines of the text, without the empty one that ends it."""
    return cells.text.split("\n")[:-1]


@pytest.mark.parametrize(
    ("cell", "python"),
    [
        ("x = !ls\nif x:\n    %cd y\nlen?", ["x = get_ipython()", "if x:", "    pass", "pass"]),
        ("!pip install \\\n  clarifai\nx = 1", ["pass", "", "x = 1"]),
        ("?len\nlen??\nmodel.pre*?\n%time?", ["pass"] * 4),
        ("key = %env KEY", ["key = get_ipython()"]),
        ("d['a'] = !!ls", ["d['a'] = get_ipython()"]),
        ("%time model.predict('x')", ["model.predict('x')"]),
        ("%timeit -n 1 -r3 model.predict('x')", ["model.predict('x')"]),
        ("%prun -s cumulative -q f()", ["f()"]),
        ("r = %time f(1)", ["r =       f(1)"]),
        ("if x:\n    %time f(1)", ["if x:", "    f(1)"]),
        ("%%time\nf(1)", ["", "f(1)"]),
        ("# warm\n%%capture out\n%%time\nf(1)", ["", "", "", "f(1)"]),
        ("%%unheard_of\nf(1)", ["", "f(1)"]),
        ("%%bash\nls -l", ["", ""]),
        ("%%html\n<b>", ["", ""]),
        ("pip install clarifai\nload_ext dotenv\ncd x", ["pass", "pass", "pass"]),
        ("ls = [1]\nls[0]\n!ls", ["ls = [1]", "ls[0]", "pass"]),
        ("%run ./setup/models.py\n!ls", ["from setup.models import *", "pass"]),
        ("  a = 1\n  if a:\n    !ls", ["a = 1", "if a:", "  pass"]),
        (">>> a = 1\n>>> if a:\n...     f(a)", ["a = 1", "if a:", "    f(a)"]),
        # What only looks like a magic, within brackets and strings.
        ("!ls\nf('%d'\n  % 2)\nx = '''\n%time y\nwhat?\n'''",
         ["pass", "f('%d'", "  % 2)", "x = '''", "%time y", "what?", "'''"]),
        ("x = f(a) \\\n  % b\n!ls", ["x = f(a) \\", "  % b", "pass"]),
        # Databricks: the first line says the language of the cell.
        ("%sql\nselect 1 from calls", ["", ""]),
        ("%sql select 1\nf(1)", ["pass", "f(1)"]),
        ("%python\nf(1)", ["", "f(1)"]),
        ("%md\n# What it does\nIt asks.", ["", "", ""]),
        ("await f(1)\nasync for x in g(): x", ["await f(1)", "async for x in g(): x"]),
    ],
)  # fmt: skip
def test_a_cell_is_read_as_python(cell: str, python: list[str]):
    cells = read(cell)

    assert lines(cells) == python
    assert cells.unread == ()


def test_a_line_of_a_magic_keeps_its_place():
    cells = read("x = 1", "%timeit -n 2 f(1)")

    assert [(each.cell, each.line, each.shift) for each in cells.places] == [(1, 1, 0), (2, 1, 13), (2, 1, 13)]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("git clone https://example.com\ncd x", "is not Python 3.1"),
        ("print 'x'", "Missing parentheses in call to 'print'"),
        ("f(", "was never closed"),
        ("x = '\ud800'", "holds half of a surrogate pair, which is no character"),
        ("x = a" + ".b" * 400, "nested deeper than 150 levels"),
        ("-" * 10000 + "1", "nested deeper than 150 levels"),
        ("a\0b", "is not Python 3.1"),
    ],
)
def test_a_bad_cell_costs_one_cell(bad: str, reason: str):
    cells = read("a = 1", bad, "b = 2")

    (unread,) = cells.unread
    assert (unread.place.cell, reason in unread.problem.reason) == (2, True)
    assert [each for each in lines(cells) if each] == ["a = 1", "b = 2"]


def test_cells_that_are_not_code_or_in_another_language_are_left_out():
    cells = read(
        {"cell_type": "raw", "source": "f(1)"},
        {"cell_type": "markdown", "source": ["# f(1)"]},
        {"cell_type": "code", "source": "f(2", "metadata": {"vscode": {"languageId": "sql"}}},
        {
            "cell_type": "code",
            "source": "Console.Write(1)",
            "metadata": {"dotnet_interactive": {"language": "csharp"}},
        },
        {"cell_type": "code", "source": ["f(3)\n", "g(4)"], "outputs": [{"data": {"image/png": "A" * 1000}}]},
        {"cell_type": "code"},
        "%%writefile notes.txt\nf(",
    )

    assert [each for each in lines(cells) if each] == ["f(3)", "g(4)"]
    assert cells.unread == ()
    assert cells.places[lines(cells).index("g(4)")].cell == 5


def test_notebooks_of_the_third_version_are_read():
    cell = {"cell_type": "code", "input": ["f(1)\n", "!ls"], "language": "python", "prompt_number": 2}
    heading = {"cell_type": "heading", "level": 1, "source": "Try it"}
    document = {"nbformat": 3, "worksheets": [{"cells": [heading, cell]}, {"metadata": {}}]}

    cells = join_cells(read_cells(json.dumps(document)))

    assert lines(cells) == ["f(1)", "pass"]
    assert cells.places[0].cell == 2


def test_a_notebook_of_another_language_is_told():
    with pytest.raises(UnreadableClient, match="is a notebook in R, not in Python"):
        read("x <- 1", metadata={"kernelspec": {"language": "R", "name": "ir"}})


def test_the_name_of_a_kernel_says_nothing_of_its_language():
    assert lines(read("f(1)", metadata={"kernelspec": {"name": "my-env", "display_name": "p"}})) == ["f(1)"]


def test_cells_that_were_run_in_another_order_are_read_in_it_where_names_need_it():
    def cell(code: str, count: int | None) -> dict[str, Any]:
        return {"cell_type": "code", "source": code, "execution_count": count}

    needed = [cell("f(model)", 3), cell("model = 1", 2), cell("g(model)", None)]
    run_again = [cell("model = 1", 9), cell("f(model)", 3)]

    assert lines(read(*needed)) == ["model = 1", "g(model)", "f(model)"]
    assert lines(read(*run_again)) == ["model = 1", "f(model)"]


def test_a_cell_that_writes_a_python_file_is_a_file():
    cells = read(
        "%%writefile app/client.py\nimport x\nf(1)",
        "%%writefile -a app/client.py\ng(2)",
        "%%python\nh(3)",
        "%%script python3 -u\ni(4)",
    )

    assert lines(cells) == [""] * 9
    assert [(each.name, each.lines) for each in cells.written] == [
        ("app/client.py", ("import x", "f(1)", "g(2)")),
        ("", ("h(3)",)),
        ("", ("i(4)",)),
    ]
    assert [(each.cell, each.line) for each in cells.written[0].places] == [(1, 2), (1, 3), (2, 2)]


def test_a_file_that_cells_write_twice_is_read_twice():
    cells = read("%%writefile client.py\nf(1)", "%%file client.py\ng(2)")

    assert [(each.name, each.lines) for each in cells.written] == [("", ("f(1)",)), ("client.py", ("g(2)",))]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "its JSON breaks off or is wrong"),
        ('{"cells": [', "its JSON breaks off or is wrong"),
        ("[]", "its JSON is not an object with `cells`"),
        ('{"cells": 3}', "its JSON has no list of `cells`"),
        ("[" * 100000, "its JSON is nested too deep"),
    ],
)
def test_what_is_no_notebook_is_told(content: str, reason: str):
    with pytest.raises(UnreadableClient) as told:
        read_cells(content)

    assert reason in told.value.reason


def test_odd_things_in_a_notebook_do_not_matter():
    cells = read(7, None, {"cell_type": "code", "source": [1, "f(1)"], "execution_count": "x", "metadata": 3})  # pyright: ignore[reportArgumentType]

    assert [each for each in lines(cells) if each] == ["f(1)"]


def test_a_python_file_in_cells_is_read_cell_by_cell():
    text = "import x\n# %% [markdown]\nNo code at all.\n# %%\n%time f(1)\n# %%\nf(\n# %%\ng(2)\n"

    cells = join_cells(script_cells(text))

    assert cells.text == "import x\n\n\n# %%\nf(1)\n\n\n# %%\ng(2)\n"
    assert [(each.cell, each.line, each.shift) for each in cells.places][4] == (0, 5, 6)
    (unread,) = cells.unread
    assert (unread.place.cell, unread.place.line) == (0, 7)


def test_a_long_notebook_takes_a_moment():
    cells = read(*(f"x{number} = f({number})\n!echo {number}" for number in range(5000)))

    assert len(lines(cells)) == 10000
