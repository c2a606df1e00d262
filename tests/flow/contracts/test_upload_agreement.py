"""`contract show` refuses the model directories that the SDK's upload refuses, and takes those that it takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from clarifai_emulator.contracts.rules.rule import Severity
from clarifai_emulator.contracts.signatures.read_signatures import ModelContract, read_many
from clarifai_emulator.control.thread import EmulatorThread
from flow.contracts.odd_directories import odd_directories
from flow.contracts.real_uploads import __file__ as real_uploads

# The SDK sends these, and nobody can use what becomes of them.
FAILS_LATER = {
    **dict.fromkeys(
        ("code-async", "code-class-method", "code-static-method", "code-keywords", "code-variadic"),
        "every call of it fails",
    ),
    "config-compute-accelerators-none": "it names an accelerator and gets none",
    "code-no-methods": "there is nothing to call",
    **dict.fromkeys(
        ("config-concepts-without-id", "config-concepts-without-name"),
        "answers could not say which concept they mean",
    ),
    "code-relative-import": "the runner cannot import it: the upload mocks what it imports",
    **dict.fromkeys(
        ("config-compute-cpu-true", "config-compute-cpu-word", "config-compute-memory-mb"),
        "it is no amount of anything that the platform's clusters know",
    ),
    **dict.fromkeys(
        ("config-id-blank", "config-id-long", "config-id-slash", "config-id-space", "config-id-umlaut"),
        "the platform refuses the id",
    ),
    **dict.fromkeys(
        (
            "requirements-comment-close",
            "requirements-constraint",
            "requirements-environment-variable",
            "requirements-include",
            "requirements-nonsense",
            "requirements-nul",
        ),
        "its image cannot be built",
    ),
    **dict.fromkeys(
        ("tree-editable-package", "tree-extra-txt", "tree-lib-beside", "tree-root-model"),
        "its image lacks what lies beside the folder `1`",
    ),
}
# One of each kind of refusal, and of what is taken.
FEW = (
    "plain",
    "code-missing-package-used",
    "code-numpy-annotation",
    "code-raises",
    "config-build-platform-list",
    "config-compute-missing",
    "config-concepts-missing",
    "config-instance-known",
    "config-python-3-13",
    "config-threads-empty",
    "link-broken-data",
    "link-loop",
    "requirements-capital",
    "requirements-two-limits",
    "tree-base-in-1",
    "tree-dockerfile-latin-1",
    "tree-image-without-clarifai",
)


def uploaded(folder: Path, emulator: EmulatorThread, tmp_path: Path) -> dict[str, str]:
    """Return what the SDK's upload says against each directory of a folder."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("uv", "ruff"):  # it goes on whatever they find
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    environ = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "CLARIFAI_API_BASE": emulator.url,
        "CLARIFAI_PAT": "any",
        "CLARIFAI_USER_ID": "me",
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }
    done = subprocess.run(
        [sys.executable, real_uploads, str(folder)], env=environ, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def refused(contract: ModelContract) -> str:
    """Return the errors of a contract, in a text."""
    errors = (each for each in contract.findings if each.severity is Severity.ERROR)
    return "; ".join(f"{each.rule}: {each.message}" for each in errors)


def differences(names: tuple[str, ...], emulator: EmulatorThread, tmp_path: Path) -> dict[str, tuple[str, str]]:
    """Return the directories that the upload and `contract show` disagree about, with what each says."""
    folder, theirs = tmp_path / "ours", tmp_path / "theirs"
    for each in odd_directories():
        if not names or each.name in names:
            each.write(folder)
            each.write(theirs)  # the upload writes into it
    said = uploaded(theirs, emulator, tmp_path)
    contracts = read_many(sorted(folder.iterdir()), upload=True)
    assert [each.directory.name for each in contracts] == list(said)
    ours = {each.directory.name: refused(each) for each in contracts}
    return {name: (said[name], ours[name]) for name in said if bool(said[name]) != bool(ours[name])}


def test_a_directory_of_each_kind_is_judged_as_the_upload_judges_it(
    emulator: EmulatorThread, tmp_path: Path
) -> None:
    assert differences(FEW, emulator, tmp_path) == {}


def test_what_no_rule_has_found_is_told_in_the_words_of_the_upload(tmp_path: Path) -> None:
    odd = next(each for each in odd_directories() if each.name == "code-numpy-annotation")
    [contract] = read_many([odd.write(tmp_path)], upload=True)
    [finding] = contract.findings
    assert finding.rule == "upload-refused"
    assert finding.message == (
        "The upload of clarifai 12.5.0 refuses the model: TypeError: Unsupported type: ndarray (a mock)."
    )
    assert finding.hint.startswith("The upload imports model.py with every module mocked")
    assert finding.location is not None
    assert finding.location.path == tmp_path / "code-numpy-annotation" / "1" / "model.py"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_three_hundred_odd_directories_are_judged_as_the_upload_judges_them(
    emulator: EmulatorThread, tmp_path: Path
) -> None:
    found = differences((), emulator, tmp_path)
    assert {name: said for name, said in found.items() if name not in FAILS_LATER or said[0]} == {}
    assert set(FAILS_LATER) == set(found)
