"""Weighs findings against what the SDK's own upload said of a directory: it is the judge, rules have the words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.finding import Finding, Location
from clarifai_emulator.contracts.rules.rule import Severity
from clarifai_emulator.contracts.signatures.imported import Reading
from clarifai_emulator.contracts.signatures.upload_files import RULE
from clarifai_emulator.models.image_content import model_file_of

_MOCK = re.compile(r"<MagicMock name='mock(?:\.import\(\))?\.?([\w.()]*)' id='\d+'>")
_BY_MOCKS = re.compile(r"MagicMock|metaclass conflict|Could not determine model class|Unsupported type")
_MOCKED = (
    "The upload imports model.py with every module mocked that is neither Python's nor the SDK's, also those of "
    "the model itself: annotate with types of Python or of clarifai.runners.utils.data_types, and keep the model's "
    "class and its methods in model.py."
)
# Rules about what only the upload refuses; the second is one also where the model runs.
_OF_UPLOADS = (RULE, "compute-missing")


def as_uploaded(findings: Iterable[Finding], reading: Reading, directory: Path) -> tuple[Finding, ...]:
    """Return the findings with the verdict of the upload, where it was asked: a rule about uploads is a warning
    where the upload has nothing against it, and what no rule has found is told in the upload's words."""
    findings = tuple(findings)
    if reading.upload is None:
        return findings
    if not reading.upload:
        return tuple(map(_doubtful, findings))
    if any(each.severity is Severity.ERROR for each in findings):
        return findings
    return (*findings, *_told(reading, Location(model_file_of(directory), 1, 1)))


def _doubtful(finding: Finding) -> Finding:
    if finding.rule not in _OF_UPLOADS or finding.severity is not Severity.ERROR:
        return finding
    return replace(finding, severity=Severity.WARNING)


def _told(reading: Reading, place: Location) -> Iterator[Finding]:
    error = reading.upload or ""
    last = [line.strip() for line in error.splitlines() if line.strip()][0 if "\n  " in error else -1]
    last = _MOCK.sub(r"\1 (a mock)", last).removeprefix("clarifai.errors.").rstrip(".")
    hint = _MOCKED if _BY_MOCKS.search(error) else None
    yield found(RULE, f"The upload of clarifai {reading.sdk} refuses the model: {last}.", place, hint=hint)
