"""The example of the README runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from plugin.conftest import MODELS

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_the_example_of_the_readme(nested: Any, tmp_path: Path) -> None:
    (found,) = re.findall(
        r"^```python\n(from clarifai.client import Model\n\ndef test_.*?)^```$", README, re.MULTILINE | re.DOTALL
    )
    (tmp_path / "my-model").symlink_to(MODELS / "hello")
    run = nested({"test_mine.py": found.replace("…", "assert fault.injected == 0")}, into=tmp_path)
    assert "2 passed" in run.text, run.text
