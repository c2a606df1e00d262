"""The snippets of the documentation, which CI runs against the emulator, are right for the checker, too."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from unit.contracts.endpoints.conftest import CheckRequests

DOCS = Path(__file__).parents[4] / "docs"
_FENCE = re.compile(r"^```(python|js|sh)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SUFFIX = {"python": "py", "js": "mjs", "sh": "sh"}
# Of these the calls are those of the SDK's Model, of messages without a prediction, or none.
OTHERS = ("from clarifai.client", "GetModelRequest", "eval ", "clarifai-emulator")


def snippets() -> list[tuple[str, str, str]]:
    found: list[tuple[str, str, str]] = []
    for page in ("clients.md", "clients-openai.md"):
        text = (DOCS / page).read_text()
        for match in _FENCE.finditer(text):
            section = text[: match.start()].rpartition("\n## ")[2].partition("\n")[0]
            found.append((f"{page}: {section}", _SUFFIX[match[1]], match[2]))
    return [each for each in found if not any(other in each[2] for other in OTHERS)]


@pytest.mark.parametrize(("section", "suffix", "code"), snippets(), ids=[each[0] for each in snippets()])
def test_a_snippet_is_understood_and_nothing_is_wrong_with_it(
    check_requests: CheckRequests, section: str, suffix: str, code: str
):
    findings, calls = check_requests(code, f"client.{suffix}")

    assert [each for each in findings if each.severity != "unchecked"] == []
    assert calls or findings, "its calls are neither checked nor named"


def test_snippets_are_found():
    assert len(snippets()) >= 12
