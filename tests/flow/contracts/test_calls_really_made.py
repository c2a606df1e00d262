"""A call fares with the unmodified SDK as ``check`` says of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from clarifai_emulator.contracts.calls.client_check import GivenModel
from clarifai_emulator.contracts.calls.given_models import read_models
from clarifai_emulator.contracts.rules.rule import Severity
from clarifai_emulator.control.thread import EmulatorThread
from corpus import running_main
from corpus.holders import FRAMEWORKS, INSIDE
from corpus.program import Program
from corpus.sample_models import SOURCES, write_models
from corpus.sdk_programs import HEAD, SdkPrograms, sample_methods
from corpus.tables import seed
from corpus.tally import Judged, judged

# Every so many programs of a seed are run.
STEP = 5
# Media that no test has to load from elsewhere.
_MEDIA = {
    'Image.from_url("https://example.com/a.png")': "Image(bytes=b'x')",
    '"https://example.com/a.png"': "'x'",
    'Audio(url="https://example.com/a.mp3")': "Audio(bytes=b'x')",
    'Video(url="https://example.com/a.mp4")': "Video(bytes=b'x')",
}
# What the SDK lets pass, and what happens then: `check` says it of calls that do not fail.
LET_PASS = {
    "awaited-once": "what is awaited is another coroutine: nothing is sent",
    "bool-for-number": "True is sent as 1",
    "bytes-for-text": "the bytes are sent as text",
    "dict-for-list": "the keys of the dict are sent",
    "ignored-argument": "the argument is dropped: the call goes elsewhere than meant",
    "letters-of-text": "the loop goes over the letters of one answer",
    "not-a-choice": "the value reaches the model: nobody holds it against the choices that are declared",
    "not-awaited": "a coroutine is used as the answer: nothing is sent",
    "out-of-range": "the value reaches the model: nobody holds it against the range that is declared",
    "stream-as-value": "the stream itself is shown: nothing is sent",
    "stream-not-read": "nothing is sent",
    "text-for-list": "the letters of the text are sent, one by one",
    "sync-in-async": "a coroutine is given, which fails where it is awaited: nothing is sent",
    "stream-read-twice": "the second reading gives nothing",
}
# The SDK's Model cannot be copied: the program ends before it calls anything.
_COPIES = "copy.copy("


def runnable(program: Program) -> bool:
    """Tell whether a program has all that it needs, and calls something when it is run."""
    others = ("elsewhere", "orjson", _COPIES)
    return program.shape not in {*FRAMEWORKS, *INSIDE} and not any(each in program.text for each in others)


def ran(programs: Sequence[Program], folder: Path) -> list[str]:
    """Return what each program came to."""
    given, written = folder / "programs.json", folder / "outcomes.json"
    given.write_text(json.dumps([each.text for each in programs]))
    script = Path(running_main.__file__)
    subprocess.run([sys.executable, "-W", "ignore", script, given, written], check=True, timeout=200)
    return json.loads(written.read_text())


@pytest.fixture
def calls(emulator: EmulatorThread, tmp_path: Path) -> list[tuple[Judged, str]]:
    """Return what ``check`` says of some programs of the corpus, and what they came to."""
    directories = write_models(tmp_path / "models")
    assert len(directories) == len(SOURCES)
    for each in directories:
        emulator.deploy(each)
    models = read_models([GivenModel(each) for each in directories], None)
    methods = sample_methods({each.name: [one.signature for one in each.methods] for each in models})
    chosen = [each for each in SdkPrograms(methods, seed()).programs() if runnable(each)][::STEP]
    programs = [Program(each.dimension, each.shape, _with_media(each.text), each.wrong) for each in chosen]
    results = judged(programs, models, tmp_path / "programs")
    return list(zip(results, ran(programs, tmp_path), strict=True))


def _with_media(text: str) -> str:
    for there, here in _MEDIA.items():
        text = text.replace(there, here)
    return text


def agrees(each: Judged, error: str) -> bool:
    """Tell whether what ``check`` said of a program is what it came to."""
    if each.outcome == "named":
        return True
    if each.outcome != "found":
        return not error
    loud = {one.rule for one in each.findings if one.severity is not Severity.UNCHECKED}
    return bool(error) or loud <= LET_PASS.keys()


def described(each: Judged, error: str) -> str:
    program, rules = each.program, [one.rule for one in each.findings]
    what = f"{program.dimension}: {program.shape}: {program.wrong or 'right'}\n"
    return f"{what}{each.outcome} {rules}, and came to {error or 'an answer'}\n{program.text.removeprefix(HEAD)}"


def test_what_is_said_of_a_call_is_what_happens(calls: list[tuple[Judged, str]]) -> None:
    assert len(calls) >= 100
    differing = [described(each, error) for each, error in calls if not agrees(each, error)]
    assert not differing, f"{len(differing)} of {len(calls)}\n" + "\n\n".join(differing[:10])
    right = [(each, error) for each, error in calls if not each.program.wrong]
    assert [described(each, error) for each, error in right if error] == []
    failed = sum(bool(error) for _, error in calls)
    print(f"\n{len(calls)} calls, {len(right)} of them right; {failed} failed, the others had an answer")
