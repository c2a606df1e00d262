"""Shows names and texts that others chose so that a report keeps its lines and can be written."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return the text with escapes for what a terminal cannot show: control characters, and the bytes of file
    names that are not UTF-8."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape", "surrogatepass").decode() for each in text
    )
