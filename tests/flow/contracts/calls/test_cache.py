"""Unchanged files are not checked again, and files that depend on a change are."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
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


# What each file of a repository may be: models come and go, between files that import one another and that do not.
VARIANTS = {
    "settings.py": (
        "URL = 'https://clarifai.com/me/demo/models/hello'\n",
        "URL = 'https://clarifai.com/me/demo/models/types'\n",
        "import os\nURL = os.environ['URL']\n",
        None,
    ),
    "loading.py": (
        "from clarifai.client import Model\nfrom settings import URL\ndef load():\n    return Model(URL)\n",
        "from clarifai.client import Model\nfrom settings import URL\ndef load(n=1):\n    return Model(URL), 1\n",
        "def load():\n    return None\n",
        None,
    ),
    "client.py": (
        "from loading import load\nimport clarifai\nload().predict(prompt=1)\n",
        "from loading import load\nimport clarifai\nload().predict('x', n='3')\nload().nothing()\n",
        "import loading, clarifai\nloading.load = lambda: None\nloading.load().predict('x')\n",
        "def (:\n",
    ),
    "test_it.py": (
        "import clarifai\ndef test_it(model, other):\n    model.rank(text='x')\n    other.model.rank(1)\n",
        "import clarifai\ndef test_it(model):\n    return model.predict(text='x')\n",
        None,
    ),
    "apart.py": (
        "import pytest\nfrom clarifai.client import Model\n@pytest.fixture\ndef model():\n"
        "    return Model('https://clarifai.com/me/demo/models/hello')\n",
        "from clarifai.client import Model\ndef keep(app):\n"
        "    app.model = Model('https://clarifai.com/me/demo/models/hello')\n",
        "print('clarifai')\n",
        None,
    ),
}


def answer(report: CallReport) -> tuple[object, ...]:
    return report.findings, report.calls, report.files


@pytest.mark.parametrize("seed", range(3))
def test_what_was_kept_says_the_same_as_a_check_from_nothing_whatever_is_edited(
    tmp_path: Path, models: list[KnownModel], seed: int
):
    rng, folder = random.Random(seed), tmp_path / "repository"
    folder.mkdir()
    kept = 0
    for step in range(6):
        for name in VARIANTS if step == 0 else rng.sample(sorted(VARIANTS), rng.choice((1, 1, 2))):
            text = rng.choice(VARIANTS[name][: 1 if step == 0 else None])
            (folder / name).unlink(missing_ok=True)
            if text is not None:
                (folder / name).write_text(text)

        with_cache = check_known([folder], models, cache=tmp_path / "cache")
        kept += with_cache.cached
        shutil.rmtree(tmp_path / "cold", ignore_errors=True)
        cold = check_known([folder], models, cache=tmp_path / "cold")

        assert answer(with_cache) == answer(cold), f"step {step}"
    assert kept > 0


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _change(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"str", b"int"))


def _turn_into_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


SPOILT: dict[str, Callable[[Path], object]] = {
    "removed": Path.unlink,
    "emptied": lambda path: path.write_bytes(b""),
    "cut": _cut,
    "changed": _change,
    "a list": lambda path: path.write_text("[1, 2]"),
    "not text": lambda path: path.write_bytes(b"\xff\xfe\x00"),
    "a folder": _turn_into_folder,
}


@pytest.mark.parametrize("how", SPOILT)
@pytest.mark.parametrize("name", ["results.json", "model.pyi", "made-of"])
def test_what_was_kept_and_is_spoilt_is_made_anew(repository: Path, models: list[KnownModel], how: str, name: str):
    first = check(repository, models)
    for path in [*(repository.parent / "cache").rglob(name)]:
        SPOILT[how](path)
    (repository / "one.py").write_text(CLIENT + "\n")

    second = check(repository, models)

    assert answer(second) == answer(first)
    assert said(second) == ["wrong-type: predict(): argument 'n' is '3' (str), and int is expected."]


def test_a_cache_that_cannot_be_written_changes_no_answer(repository: Path, models: list[KnownModel]):
    """A file takes its place: a folder of another user is told by the same kind of error."""
    right = check(repository, models)
    shutil.rmtree(repository.parent / "cache")
    (repository.parent / "cache").write_text("")

    assert answer(check(repository, models)) == answer(right)


def test_two_checks_at_once_say_what_each_says_alone(repository: Path, models: list[KnownModel]):
    without = [replace(models[0], methods=models[0].methods[1:]), *models[1:]]
    given = [models, without] * 3
    alone = [answer(check_known([repository], each)) for each in (models, without)] * 3
    # Processes, as commands are: two threads of Python 3.11 may not parse at once (python/cpython#106905).
    fork = multiprocessing.get_context("fork")
    pipes = [fork.Pipe(duplex=False) for _ in given]

    def checked(each: list[KnownModel], told: Connection) -> None:
        told.send(answer(check(repository, each)))

    checking = [
        fork.Process(target=checked, args=(each, told)) for each, (_, told) in zip(given, pipes, strict=True)
    ]
    for process in checking:
        process.start()
    assert [ours.recv() for ours, _ in pipes] == alone
    for process in checking:
        process.join()


def test_a_module_that_was_removed_is_not_found_among_the_copies(repository: Path, models: list[KnownModel]):
    check(repository, models)
    (repository / "settings.py").unlink()

    assert [each.rule for each in check(repository, models).findings] == ["unknown-model"]
    assert not [*(repository.parent / "cache").rglob("one.py")]
