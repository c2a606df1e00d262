"""Unchanged files are not checked again, and files that depend on a change are."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from clarifai_emulator.contracts.calls.client_check import CallReport, check_known
from clarifai_emulator.contracts.calls.given_models import KnownModel
from clarifai_emulator.contracts.signatures.method import Method
from flow.contracts.calls.conftest import said

CLIENT = "from settings import URL\nfrom clarifai.client import Model\nModel(URL).predict('x', n='3')\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "settings.py").write_text("URL = 'https://clarifai.com/me/demo/models/hello'\n")
    (folder / "one.py").write_text(CLIENT)
    (folder / "two.py").write_text("from clarifai.client import User\nprint(User)\n")
    return folder


def check(repository: Path, models: list[KnownModel]) -> CallReport:
    return check_known([repository], models, cache=repository.parent / "cache")


def test_a_second_run_says_the_same_without_checking(
    repository: Path, models: list[KnownModel], monkeypatch: pytest.MonkeyPatch
):
    first = check(repository, models)
    monkeypatch.setattr("clarifai_emulator.contracts.calls.judge.judge_files", None)

    second = check(repository, models)

    assert second.findings == first.findings
    assert (len(first.findings), first.cached, second.cached, len(second.calls)) == (1, 0, 3, 1)
    assert second.calls == first.calls


def test_another_process_finds_what_was_kept(repository: Path):
    """Each process hashes texts in its own way, and so has its sets in an order of its own."""
    hello = Path(__file__).parents[4] / "fixtures" / "models" / "hello"
    code = f"""if True:
        from pathlib import Path
        from clarifai_emulator import GivenModel, check_calls
        print(check_calls([Path('.')], [GivenModel(Path({str(hello)!r}))], cache=Path('../cache')).cached)
    """
    counts: list[str] = []
    for seed in ("1", "2", "3"):
        environ = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=repository, env=environ, stdout=subprocess.PIPE, text=True, check=True
        )
        counts.append(done.stdout.strip())

    assert counts == ["0", "3", "3"]


def test_one_changed_file_alone_is_checked_again(repository: Path, models: list[KnownModel]):
    check(repository, models)
    (repository / "one.py").write_text(CLIENT.replace("'3'", "3"))

    report = check(repository, models)

    assert (said(report), report.cached) == ([], 2)


def test_a_change_in_an_imported_module_counts(repository: Path, models: list[KnownModel]):
    check(repository, models)
    (repository / "settings.py").write_text("# The address.\nURL = 'https://clarifai.com/me/demo/models/hello'\n")
    assert check(repository, models).cached == 1

    (repository / "settings.py").write_text("import os\nURL = os.environ['URL']\n")
    assert [each.rule for each in check(repository, models).findings] == ["unknown-model"]


def test_a_change_of_the_model_counts(repository: Path, models: list[KnownModel]):
    check(repository, models)
    signature = type(models[0].methods[0].signature)()
    signature.CopyFrom(models[0].methods[0].signature)
    signature.input_fields[1].type = signature.input_fields[1].DataType.Value("STR")
    changed = replace(models[0], methods=(Method(signature),))

    assert said(check(repository, [changed, *models[1:]])) == []
