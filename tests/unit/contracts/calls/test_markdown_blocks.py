"""Tests which blocks of Markdown are found, and where their lines stand."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from clarifai_emulator.contracts.calls.client_source import Source
from clarifai_emulator.contracts.calls.markdown_blocks import markdown_blocks, markdown_cells

PAGE = """\
Text with `code`.

```python
a = 1
```

- list

  ````py title="x"
  b = a
    c
  ```
  ````
> ~~~ Console
> $ ls
>
> ~~~
```
none
```
~~~sh
open"""


def test_blocks_are_found_in_lists_and_quotations() -> None:
    found = [(each.language, each.line, list(each.lines)) for each in markdown_blocks(PAGE)]
    assert found == [
        ("python", 4, ["a = 1"]),
        ("py", 10, ["b = a", "  c", "```"]),
        ("console", 15, ["$ ls", ""]),
        ("", 19, ["none"]),
        ("sh", 22, ["open"]),
    ]


def test_the_text_that_is_checked_has_the_lines_of_the_file() -> None:
    source = Source(Path("README.md"), PAGE.replace("    c\n  ```\n", "").encode())
    assert len(source.lines) == len(PAGE.split("\n")) - 2
    assert {number: line for number, line in enumerate(source.lines, 1) if line} == {4: "a = 1", 10: "b = a"}
    location = source.location(source.attributes[0] if source.attributes else source.tree.body[1])  # pyright: ignore[reportArgumentType]
    assert (location.line, location.column) == (10, 3)
    assert source.cell_lines(0)[9] == "  b = a"


@given(st.text(alphabet="`~> \t\npyth#a=1", max_size=200))
def test_whatever_the_text_every_line_is_in_one_cell(text: str) -> None:
    cells = markdown_cells(text)
    assert sum(len(each.code.split("\n")) for each in cells) == len(text.split("\n"))
    assert [each.first_line for each in cells] == sorted(each.first_line for each in cells)
