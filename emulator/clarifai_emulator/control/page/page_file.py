"""Writes the page and what it shows as one HTML file, which a browser opens without an emulator.

    built app.js, app.css ─┐
    saved, as JSON         ┴─► one document; its policy admits that script and those styles by their hashes

Imports nothing of the emulator: pytest's process that reports has none.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

NOT_BUILT = (
    "This checkout has no page: its sources in emulator/page were not built. `make setup` builds them; "
    "an installed wheel has it."
)
# What the saved part of a file may take; script and styles come to it.
MOST_BYTES = 19_000_000
# Ends a script, or lets a browser look for another end of it. In a script both are only ever in a text.
_TAG = re.compile(r"<(?=/script|!--)", re.I)


def read_built(name: str) -> bytes:
    """Return a file that the page is made of. Raises ``OSError`` where it was not built."""
    return _folder().joinpath(name).read_bytes()


def _folder() -> Traversable:
    return resources.files("clarifai_emulator.control.page").joinpath("built")


def json_of(value: Any) -> str:
    """Return a value as JSON that every browser reads: what has no number there is a text."""
    text = json.dumps(value, default=str, ensure_ascii=False, separators=(",", ":"))
    if "NaN" in text or "Infinity" in text:
        whole = json.loads(text, parse_constant=str)
        text = json.dumps(whole, ensure_ascii=False, separators=(",", ":"))
    return text


def size_of(text: str) -> int:
    """Return how many bytes of a file this JSON takes: each < is written as six."""
    return len(text.encode("utf-8", "replace")) + 5 * text.count("<")


def address_of(name: str, query: Mapping[str, str]) -> str:
    """Return by which name the page looks an answer up: what was asked, written as browsers write it."""
    words = [f"{_quoted(key)}={_quoted(value)}" for key, value in sorted(query.items()) if value]
    return f"{name}?{'&'.join(words)}" if words else name


def _quoted(text: str) -> str:
    return quote_plus(text, safe="*", errors="replace").replace("~", "%7E")


def saved_json(
    *,
    time: float,
    version: str,
    title: str,
    notes: Iterable[str],
    events: Iterable[str],
    answers: Mapping[str, str],
    tests: Iterable[str] | None = None,
) -> str:
    """Return what the page reads (``Saved`` in its sources) of parts that are JSON already."""
    begun = json_of({"time": time, "version": version, "title": title, "notes": list(notes)})[1:-1]
    told = ",".join(f"{json_of(address)}:{answer}" for address, answer in answers.items())
    parts = [begun, f'"events":[{",".join(events)}]', f'"answers":{{{told}}}']
    if tests is not None:
        parts.append(f'"tests":[{",".join(tests)}]')
    return f"{{{','.join(parts)}}}"


def page_document(title: str, saved: str) -> str:
    """Return the whole file. ``saved``: as ``saved_json`` gives it. Raises ``OSError`` where the page was not
    built."""
    script = _TAG.sub(r"\\x3c", read_built("app.js").decode())
    style = read_built("app.css").decode()
    policy = (
        f"default-src 'none'; script-src {_hash_of(script)}; style-src {_hash_of(style)}; "
        "img-src data: blob:; media-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    # No text of it ends the element: in JSON a < is only ever in a string, where this means the same.
    data = saved.encode("utf-8", "replace").decode().replace("<", "\\u003c")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<div id="page"></div>
<noscript><p>This page is made by its script, and this browser runs none.</p></noscript>
<script type="application/json" id="saved">{data}</script>
<script>{script}</script>
</body>
</html>
"""


def _hash_of(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
