"""Writes a report as JUnit XML: a test case for each finding.

Errors and warnings fail the test case, findings of what was not checked skip it.
"""

from __future__ import annotations

from xml.etree import ElementTree as ET  # only writes: nothing is parsed

from clarifai_emulator.contracts.reports.report import Report, full_text
from clarifai_emulator.contracts.rules.finding import Finding
from clarifai_emulator.contracts.rules.rule import Severity


def render(report: Report) -> str:
    """Return the document. Without a finding it has one case, which passes: an empty suite counts as no run."""
    counts = report.counts()
    failures = counts[Severity.ERROR] + counts[Severity.WARNING]
    skipped = counts[Severity.UNCHECKED]
    shape = {
        "tests": str(max(1, len(report.findings))),
        "failures": str(failures),
        "errors": "0",
        "skipped": str(skipped),
        "time": f"{report.seconds:.3f}",
    }
    root = ET.Element("testsuites", {"name": report.title, **{k: v for k, v in shape.items() if k != "skipped"}})
    suite = ET.SubElement(root, "testsuite", {"name": report.title, **shape})
    for each in report.findings:
        _case(suite, report, each)
    if not report.findings:
        whole = {"name": report.summary().split("; ")[-1], "classname": report.title, "time": "0"}
        ET.SubElement(suite, "testcase", whole)
    ET.indent(root, " ")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _case(suite: ET.Element, report: Report, finding: Finding) -> None:
    # The place is in the name: some readers refuse every attribute that is not one of these.
    name = f"{report.place(finding.location)} {finding.rule}".strip()
    attributes = {
        "name": _clean(name),
        "classname": _clean(report.path(finding.location) or report.title),
        "time": "0",
    }
    case = ET.SubElement(suite, "testcase", attributes)
    text = _clean(full_text(report, finding))
    if finding.severity in (Severity.ERROR, Severity.WARNING):
        kind = f"{finding.severity.value}: {finding.rule}"
        ET.SubElement(case, "failure", {"message": _clean(finding.message), "type": kind}).text = text
    elif finding.severity is Severity.UNCHECKED:
        ET.SubElement(case, "skipped", {"message": text})
    else:
        ET.SubElement(case, "system-out").text = text


def _clean(text: str) -> str:
    """Without the characters that XML cannot hold."""
    return "".join(each for each in text if each in "\t\n\r" or (each >= " " and each not in "￾￿"))
