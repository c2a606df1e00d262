"""Provides the requirements of reports' readers: published schemas, and for GitLab the published list of fields."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import xmlschema

_PUBLISHED = Path(__file__).with_name("published")

_TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
_COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}
_NUMBER: dict[str, Any] = {"type": "integer", "minimum": 1}


def _object(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": list(required),
        "additionalProperties": False,
    }


_SEVERITY = {"enum": ["error", "warning", "unchecked", "note"]}
_PLACE: dict[str, Any] = {"file": {"type": "string"}, "line": _COUNT, "column": _COUNT}
_MORE: dict[str, Any] = {"end_line": _COUNT, "end_column": _COUNT, "cell": _NUMBER, "revision": _TEXT}
_FINDING = _object(
    {
        "rule": _TEXT,
        "severity": _SEVERITY,
        **_PLACE,
        "message": _TEXT,
        "hint": {"type": "string"},
        "model": {"type": "string"},
        "method": {"type": "string"},
        "caller": {"type": "string"},
        "declared": {"anyOf": [{"type": "null"}, _object(_PLACE, **_MORE)]},
        "edit": {"anyOf": [{"type": "null"}, _object({**_PLACE, "text": {"type": "string"}}, **_MORE)]},
        "breaks": {"type": "string"},
        "old": {"type": "string"},
        "new": {"type": "string"},
        "used_by": {"type": "array", "items": _object(_PLACE, **_MORE)},
        "fingerprint": _TEXT,
    },
    **_MORE,
    reason=_TEXT,
)
_VERDICTS = ("checked", "unchecked", "warning", "error", "ignored")
_CALL = _object(
    {
        "verdict": {"enum": list(_VERDICTS)},
        **_PLACE,
        "called": _TEXT,
        "model": {"type": "string"},
        "caller": {"type": "string"},
        "rule": {"type": "string"},
        "reason": {"type": "string"},
    },
    **_MORE,
)
JSON_REPORT = _object(
    {
        "version": {"const": 1},
        "command": _TEXT,
        "failed": {"type": "boolean"},
        "findings": {"type": "array", "items": _FINDING},
        "ignored": {"type": "array", "items": _FINDING},
        "calls": {"type": "array", "items": _CALL},
        "summary": _object(
            {
                **dict.fromkeys(("error", "warning", "unchecked", "note", "in_baseline", "files", "calls"), _COUNT),
                "calls_by_verdict": _object(dict.fromkeys(_VERDICTS, _COUNT)),
                "seconds": {"type": "number"},
            }
        ),
        "models": {"type": "array", "items": _object({"model": _TEXT, "read_by": _TEXT})},
    }
)

# GitLab's code quality report: the fields that its documentation lists.
GITLAB = {
    "type": "array",
    "items": _object(
        {
            "description": _TEXT,
            "check_name": _TEXT,
            "fingerprint": _TEXT,
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": _object({"path": _TEXT, "lines": _object({"begin": _NUMBER})}),
        }
    ),
}


@functools.cache
def sarif() -> jsonschema.Draft4Validator:
    """Return a validator of the published schema."""
    schema = json.loads((_PUBLISHED / "sarif-2.1.0-rtm.5.json").read_text(encoding="utf-8"))
    checker = jsonschema.FormatChecker()
    # Without another package this format is not looked at.
    checker.checks("uri")(_is_uri)
    return jsonschema.Draft4Validator(schema, format_checker=checker)


def _is_uri(text: object) -> bool:
    return bool(urlsplit(str(text)).scheme)


@functools.cache
def junit() -> xmlschema.XMLSchema:
    """Return the published schema."""
    return xmlschema.XMLSchema(_PUBLISHED / "junit-10.xsd")
