"""Tells which build arguments are credentials, and whether a Dockerfile would leave them in the image's history.

A builder notes in the history of a stage's image the values of the arguments that the stage declares. The image of
a model is that of the last stage, with the stages that it begins with; of the others only files are copied.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

# Builders know these without a declaration, and leave them out of the history then.
PROXIES = tuple(
    name for base in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY") for name in (base, base.lower())
)
_WORD = re.compile(
    r"(?:^|_)(?:API_?KEY|AUTH|CREDENTIALS?|KEY|PASS|PASSPHRASE|PASSWD|PASSWORD|PAT|SECRET|TOKEN)S?(?:_|$)"
)
_INSTRUCTION = re.compile(r"^\s*(?P<word>FROM|ARG)\s+(?P<rest>.+)$", re.IGNORECASE)
_FROM = re.compile(r"(?:--\S+\s+)*(?P<base>\S+)(?:\s+AS\s+(?P<alias>\S+))?", re.IGNORECASE)


def is_credential(name: str, value: str) -> bool:
    """Tell whether a build argument looks like a credential: by a word in its name, or by a user or a password in
    an address."""
    if _WORD.search(name.upper()):
        return True
    return any("@" in word.partition("://")[2].partition("/")[0] for word in value.split())


def left_in_history(dockerfile: str, build_args: Mapping[str, str]) -> list[str]:
    """Return the names of the credentials that a Dockerfile would leave in the history of the image."""
    declared = _declared_in_the_image(dockerfile)
    return [name for name, value in sorted(build_args.items()) if name in declared and is_credential(name, value)]


def _declared_in_the_image(dockerfile: str) -> set[str]:
    """Return the arguments that the last stage, or one that it begins with, declares."""
    arguments: dict[str, set[str]] = {}
    begins_with: dict[str, str] = {}
    stage = ""  # what stands before the first FROM is for FROM lines only
    for line in re.sub(r"\\[ \t]*\r?\n", " ", re.sub(r"(?m)^\s*#.*\n", "", dockerfile)).splitlines():
        found = _INSTRUCTION.match(line)
        if found is None:
            continue
        if found["word"].upper() == "FROM":
            parts = _FROM.match(found["rest"])
            number = str(len(begins_with))
            base = parts["base"].lower() if parts else ""
            stage = ((parts and parts["alias"]) or number).lower()
            begins_with[stage] = base
            arguments[stage] = set()
        elif stage:
            arguments[stage] |= {word.partition("=")[0] for word in found["rest"].split()}
    declared: set[str] = set()
    seen: set[str] = set()
    while stage in begins_with and stage not in seen:
        seen.add(stage)
        declared |= arguments[stage]
        stage = begins_with[stage]
    return declared
