"""Files that are hostile to a checker: each is told, and the others are checked as ever."""

from __future__ import annotations

import json
import os
import socket
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from clarifai_emulator.cli.check import check
from clarifai_emulator.contracts.calls.client_check import CallReport, check_known, result_of
from clarifai_emulator.contracts.calls.client_project import ClientProject
from clarifai_emulator.contracts.calls.given_models import KnownModel
from clarifai_emulator.contracts.calls.unread_clients import unread_files
from clarifai_emulator.contracts.reports import FORMATS, render
from clarifai_emulator.contracts.reports.judged_report import report_of
from clarifai_emulator.contracts.rules.policy import Policy
from clarifai_emulator.errors import ConfigError
from flow.contracts.calls.conftest import FIXTURES

MAKE = "from clarifai.client import Model\nmodel = Model('https://clarifai.com/me/demo/models/hello')\n"
WRONG = f"{MAKE}model.predict(promt='x')\n"
# Name → content, and how what is told of it begins.
TOLD: dict[str, tuple[bytes, str]] = {
    "picture.py": (b"\x89PNG\r\n\x1a\n\0\0\0", "holds NUL bytes: it is not text"),
    "legacy.py": (WRONG.encode() + b"# \xe9", "is not UTF-8 text: byte 0xe9 in line 4"),
    "wide.py": (WRONG.encode("utf-16"), "is UTF-16 text, which Python does not read"),
    "cookie.py": (b"# coding: nonsense\n" + WRONG.encode(), "names an encoding that cannot be used"),
    "old.py": (MAKE.encode() + b"print model.predict('x')\n", "is not Python 3."),
    "deep.py": (MAKE.encode() + b"x = 1" + b"+1" * 100_000, "has code that is nested deeper than 150 levels"),
    "chain.py": (MAKE.encode() + b"x = a" + b".b" * 400, "has code that is nested deeper than 150 levels"),
    "minus.py": (MAKE.encode() + b"-" * 20_000 + b"1", "has code that is nested deeper than 150 levels"),
    "generated.py": (MAKE.encode() + b"x = [" + b"1, " * 1_000_000 + b"]", "has 2.9 MiB of code"),
    "large.py": (MAKE.encode() + b"x = [" + b"1, " * 3_500_000 + b"]", "has 10.0 MiB of code"),
    "surrogate.py": (MAKE.encode() + b"x = '\xed\xa0\x80'\n", "is not UTF-8 text: byte 0xed in line 3"),
    "cut.ipynb": (b'{"clarifai": [', "is not a notebook: its JSON breaks off or is wrong"),
    "julia.ipynb": (
        b'{"cells": [{"cell_type": "code", "source": "clarifai"}],'
        b' "metadata": {"kernelspec": {"language": "julia"}}}',
        "is a notebook in julia, not in Python",
    ),
}
# Files in which the call is found, at the line and the column.
CHECKED: dict[str, tuple[bytes, int, int]] = {
    "plain.py": (WRONG.encode(), 3, 15),
    "dos.py": (WRONG.replace("\n", "\r\n").encode(), 3, 15),
    "mac.py": (WRONG.replace("\n", "\r").encode(), 3, 15),
    "mark.py": (b"\xef\xbb\xbf" + WRONG.encode(), 3, 15),
    "latin.py": (b"# -*- coding: latin-1 -*-\n" + WRONG.encode() + b"# \xe9", 4, 15),
    "feed.py": (WRONG.replace("model.", "\f\nmodel.").encode(), 4, 15),
    "with\nline.py": (WRONG.encode(), 3, 15),
    "with [x]*?{y}.py": (WRONG.encode(), 3, 15),
    "-option.py": (WRONG.encode(), 3, 15),
    "😀.py": (WRONG.encode(), 3, 15),
    "b" * 245 + ".py": (WRONG.encode(), 3, 15),
    "long.py": (f"{MAKE}x = '{'é' * 300_000}', model.predict(promt='x')\n".encode(), 3, 300_023),
    "deep_enough.py": (WRONG.encode() + b"x = 1" + b" + a.b(1)" * 140, 3, 15),
    "branches.py": (WRONG.encode() + b"if model: pass\n" + b"elif model: pass\n" * 140, 3, 15),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with all of these files, and with what only looks like one."""
    folder = tmp_path_factory.mktemp("hostile")
    for name, (content, *_) in {**TOLD, **CHECKED}.items():
        (folder / name).write_bytes(content)
    (folder / os.fsdecode(b"b\xffyte.py")).write_text(WRONG)
    (folder / "empty.py").touch()
    (folder / "empty.ipynb").touch()
    (folder / "package.py").mkdir()
    (folder / "package.py" / "inner.py").write_text(WRONG)
    (folder / "loop.py").symlink_to("loop.py")
    (folder / "circle").symlink_to(folder)
    (folder / "gone.py").symlink_to("nowhere.py")
    os.mkfifo(folder / "pipe.py")
    half = [{"cell_type": "code", "source": "x = '\ud800'"}, {"cell_type": "code", "source": WRONG}]
    (folder / "half.ipynb").write_text(json.dumps({"cells": half}))
    (folder / "long.ipynb").write_text(json.dumps({"cells": _long_cells()}))
    return folder


def _long_cells() -> list[dict[str, object]]:
    """Return cells of 10,000 lines with as many lines of output; the wrong call is in the last one."""
    lines = "\n".join(f"x_{number} = {number}" for number in range(100))
    outputs = [{"output_type": "stream", "name": "stdout", "text": ["model.predict(promt='x')\n"] * 100}]
    sources = [*[lines] * 100, WRONG]
    return [dict[str, object](cell_type="code", source=each, outputs=outputs, metadata={}) for each in sources]


@pytest.fixture(scope="module")
def report(folder: Path, models: list[KnownModel]) -> CallReport:
    return check_known([folder], models)


def test_every_file_that_cannot_be_read_is_told(report: CallReport):
    told = {
        each.location.path.name: each
        for each in report.findings
        if each.location and each.rule == "unreadable-client"
    }

    for name, (_, reason) in TOLD.items():
        assert told[name].message.startswith(f"{name} {reason}"), name
        assert told[name].message.endswith(". Nothing in it is checked.")
        assert told[name].hint
    assert told["loop.py"].message.startswith("loop.py is a link that leads back to itself.")
    assert told["gone.py"].message.startswith("gone.py is a link to nowhere.py, which is not there.")
    assert told["pipe.py"].message.startswith("pipe.py is a named pipe, not a file.")
    assert told.keys() == {*TOLD, "loop.py", "gone.py", "pipe.py"}


def test_the_other_files_are_checked(report: CallReport):
    found = {
        each.location.path.name: (each.location.line, each.location.column)
        for each in report.findings
        if each.location and each.rule == "unknown-argument"
    }

    expected = {name: (line, column) for name, (_, line, column) in CHECKED.items()}
    more = {os.fsdecode(b"b\xffyte.py"): (3, 15), "inner.py": (3, 15), "half.ipynb": (3, 15), "long.ipynb": (3, 15)}
    assert found == {**expected, **more}
    assert len(report.calls) == len(found)
    assert [each.message for each in report.findings if each.rule == "unreadable-cell"] == [
        "Cell 1 of half.ipynb holds half of a surrogate pair, which is no character. "
        "Nothing in this cell is checked; the others are."
    ]


@pytest.mark.parametrize("form", FORMATS)
def test_every_report_can_be_written(report: CallReport, folder: Path, form: str):
    text = render(report_of(result_of(report), Policy(root=folder)), form)

    assert text.encode().decode() == text
    assert r"b\udcffyte.py" in text.replace(r"\\", "\\").replace("%5C", "\\")
    assert "with\nline.py" not in text


def test_a_named_pipe_that_is_named_is_told_and_not_waited_for(tmp_path: Path, models: list[KnownModel]):
    os.mkfifo(tmp_path / "pipe.py")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket.py"))

        report = check_known([tmp_path / "pipe.py", tmp_path / "socket.py", Path("/dev/zero")], models)

    assert [each.message for each in report.findings] == [
        "zero is a device, not a file. Nothing in it is checked.",
        "pipe.py is a named pipe, not a file. Nothing in it is checked.",
        "socket.py is a socket, not a file. Nothing in it is checked.",
    ]


def test_a_path_that_is_not_there_is_refused(tmp_path: Path, models: list[KnownModel]):
    with pytest.raises(ConfigError, match=r"there is no .*no\\nthing\.py"):
        check_known([tmp_path / "no\nthing.py"], models)


def test_a_file_that_is_removed_while_it_is_read_is_told(
    tmp_path: Path, models: list[KnownModel], monkeypatch: pytest.MonkeyPatch
):
    stat = os.stat

    def removing(path: Path, **options: bool) -> os.stat_result:
        found = stat(path, **options)
        if str(path).endswith("brief.py"):
            os.unlink(path)
        return found

    (tmp_path / "brief.py").write_text(WRONG)
    (tmp_path / "stays.py").write_text(WRONG)
    monkeypatch.setattr("clarifai_emulator.contracts.calls.client_reading.os.stat", removing)

    findings = check_known([tmp_path], models).findings

    assert [each.rule for each in findings] == ["unreadable-client", "unknown-argument"]
    assert findings[0].message == "brief.py was removed before it could be read. Nothing in it is checked."
    assert findings[0].hint == "Run the check again."


def test_a_file_that_may_not_be_read_is_told():
    with tempfile.TemporaryDirectory() as name:  # another user can go there, unlike to the folders of the tests
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "secret.py").write_text(WRONG)
        (folder / "secret.py").chmod(0)
        (folder / "stays.py").write_text(WRONG)
        own = os.geteuid()
        os.seteuid(65534 if own == 0 else own)
        try:
            project = ClientProject([folder])
            told = [str(each.message) for each in unread_files(project)]
        finally:
            os.seteuid(own)

    assert told == ["secret.py may not be read by this user. Nothing in it is checked."]


def test_thousands_of_files_take_seconds(tmp_path: Path, models: list[KnownModel]):
    for number in range(3000):
        (tmp_path / f"f{number}.py").write_text("x = 1\n")
    (tmp_path / "client.py").write_text(WRONG)

    report = check_known([tmp_path], models)

    assert (len(report.files), len(report.findings)) == (3001, 1)


def test_the_exit_code_says_what_was_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "clients").mkdir()
    (tmp_path / "clients" / "old.py").write_bytes(TOLD["old.py"][0])
    (tmp_path / "left").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "left"))
    monkeypatch.chdir(tmp_path)

    def run(*options: str) -> int:
        return (
            CliRunner()
            .invoke(check, ["--static", "--no-cache", "--model", str(FIXTURES / "hello"), *options])
            .exit_code
        )

    assert run("clients") == 0
    assert run("clients", "--fail-on", "unchecked") == 1
    assert run("clients", "nothing") == 2
    assert list((tmp_path / "left").iterdir()) == []
