"""What readers of the reports require, from the published lists of their fields: the parts that are used here."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

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
_MORE: dict[str, Any] = {"end_line": _COUNT, "end_column": _COUNT, "cell": _NUMBER}
_FINDING = _object(
    {
        "rule": _TEXT,
        "severity": _SEVERITY,
        **_PLACE,
        "message": _TEXT,
        "hint": {"type": "string"},
        "model": {"type": "string"},
        "method": {"type": "string"},
        "declared": {"anyOf": [{"type": "null"}, _object(_PLACE, **_MORE)]},
        "fingerprint": _TEXT,
    },
    **_MORE,
    reason=_TEXT,
)
JSON_REPORT = _object(
    {
        "version": {"const": 1},
        "failed": {"type": "boolean"},
        "findings": {"type": "array", "items": _FINDING},
        "ignored": {"type": "array", "items": _FINDING},
        "summary": _object(
            {
                **dict.fromkeys(("error", "warning", "unchecked", "note", "in_baseline", "files", "calls"), _COUNT),
                "seconds": {"type": "number"},
            }
        ),
        "models": {"type": "array", "items": _object({"model": _TEXT, "read_by": _TEXT})},
    }
)

# SARIF 2.1.0, sections 3.13 (log), 3.14 (run), 3.19 (tool component), 3.27 (result), 3.28 to 3.30 (places).
_LEVEL = {"enum": ["none", "note", "warning", "error"]}
_MESSAGE = _object({"text": _TEXT})
_REGION = _object({"startLine": _NUMBER}, startColumn=_NUMBER, endLine=_NUMBER, endColumn=_NUMBER)
_ARTIFACT = _object({"uri": {"type": "string", "pattern": r"^[^\s\\]+$"}}, uriBaseId={"const": "ROOT"})
_LOCATION = _object(
    {"physicalLocation": _object({"artifactLocation": _ARTIFACT}, region=_REGION)}, id=_COUNT, message=_MESSAGE
)
_RULE = _object(
    {"id": _TEXT},
    shortDescription=_MESSAGE,
    fullDescription=_MESSAGE,
    help=_MESSAGE,
    defaultConfiguration=_object({"level": _LEVEL}),
)
_RESULT = _object(
    {"ruleId": _TEXT, "ruleIndex": _COUNT, "level": _LEVEL, "message": _MESSAGE},
    partialFingerprints={"type": "object", "additionalProperties": _TEXT},
    properties={"type": "object"},
    locations={"type": "array", "items": _LOCATION},
    relatedLocations={"type": "array", "items": _LOCATION},
)
_DRIVER = _object(
    {"name": _TEXT}, semanticVersion=_TEXT, rules={"type": "array", "items": _RULE, "uniqueItems": True}
)
_BASES = {"type": "object", "additionalProperties": _object({"uri": {"type": "string", "pattern": "/$"}})}
SARIF = _object(
    {
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": _object(
                {"tool": _object({"driver": _DRIVER}), "results": {"type": "array", "items": _RESULT}},
                columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                originalUriBaseIds=_BASES,
            ),
        },
    },
    **{"$schema": _TEXT},
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

# JUnit XML as CI systems read it: which elements may stand where, and which attributes they need.
_CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"testcase", "properties", "system-out", "system-err"},
    "testcase": {"failure", "error", "skipped", "system-out", "system-err"},
}
_ATTRIBUTES = {
    "testsuites": {"name", "tests", "failures", "errors"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time"},
    "testcase": {"name", "classname", "time"},
    "failure": {"message", "type"},
    "skipped": {"message"},
}


def check_junit(element: ET.Element) -> None:
    """Raise ``AssertionError`` where an element or its attributes are not as they must be."""
    assert _ATTRIBUTES.get(element.tag, set()) <= set(element.keys()), element.tag
    for child in element:
        assert child.tag in _CHILDREN.get(element.tag, set()), f"{child.tag} in {element.tag}"
        check_junit(child)
    if element.tag == "testsuite":
        cases = element.findall("testcase")
        assert int(element.get("tests", "")) == len(cases)
        assert int(element.get("failures", "")) == sum(each.find("failure") is not None for each in cases)
        assert int(element.get("skipped", "")) == sum(each.find("skipped") is not None for each in cases)
