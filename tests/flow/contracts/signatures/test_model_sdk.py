"""A model is read with the SDK that it names, which is installed for it; it is said where that cannot be had."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from clarifai_emulator.cli.main import cli
from clarifai_emulator.contracts.signatures.read_signatures import read_many
from old_sdks import METHODS, OWN_RUNNER, XDG_CACHE, code_of, write_old

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(autouse=True)
def _kept_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(XDG_CACHE))


def show(*words: object) -> Result:
    return CliRunner().invoke(cli, ["contract", "show", *map(str, words)])


def test_the_methods_are_those_that_its_own_sdk_sees(tmp_path: Path) -> None:
    model = write_old(tmp_path, "clarifai==11.5.6\n", METHODS)
    [contract] = read_many([model])
    assert (contract.way, contract.sdk, contract.findings) == ("import", "11.5.6", ())
    assert sorted(each.signature.name for each in contract.methods) == ["generate", "look", "predict", "stream"]

    shown = show(model)
    assert shown.exit_code == 0
    assert "read by importing model.py, with clarifai 11.5.6" in shown.stdout
    assert json.loads(show(model, "--json").stdout)[0]["sdk"] == "11.5.6"


@pytest.mark.parametrize("version", ["10.11.1", "11.1.7"])
def test_a_model_of_the_old_form_has_methods_on_messages_and_no_signatures(tmp_path: Path, version: str) -> None:
    [contract] = read_many([write_old(tmp_path, f"clarifai=={version}\n", code_of(version))])
    assert (contract.way, contract.sdk, contract.methods) == ("import", version, ())
    assert [(each.rule, each.method) for each in contract.findings] == [
        ("proto-method", "predict"), ("proto-method", "generate"), ("proto-method", "stream"),
    ]  # fmt: skip


def test_code_of_another_version_is_an_error_with_the_line_and_the_way_out(tmp_path: Path) -> None:
    model = write_old(tmp_path, "clarifai==10.11.1\n", METHODS)
    shown = show(model)
    assert shown.exit_code == 1
    line = 1 + METHODS.split("\n").index("    @ModelClass.method")
    assert "error[other-sdk] " in shown.stdout
    assert f"{model.name}/1/model.py:{line}\n" in shown.stdout
    assert "clarifai 10.11.1 has no @ModelClass.method: that came with 11.3.0." in shown.stdout
    assert "next: Name `clarifai>=11.3.0` in requirements.txt" in shown.stdout


def test_check_says_so_too(tmp_path: Path) -> None:
    model = write_old(tmp_path, "clarifai==10.11.1\n", METHODS)
    client = tmp_path / "client.py"
    client.write_text(
        "from clarifai.client import Model\n"
        'Model(url="https://clarifai.com/me/demo/models/old").predict(prompt="x")\n'
    )
    checked = CliRunner().invoke(cli, ["check", str(client), "--model", str(model)])
    assert checked.exit_code == 1
    assert "clarifai 10.11.1 has no @ModelClass.method: that came with 11.3.0." in checked.stdout


def test_an_sdk_that_cannot_run_a_model_is_refused_before_anything_is_installed(tmp_path: Path) -> None:
    shown = show(write_old(tmp_path, "clarifai==9.11.0\n", OWN_RUNNER))
    assert shown.exit_code == 1
    assert (
        "clarifai==9.11.0 in requirements.txt is too old to run a model: the oldest that does is clarifai 10.8.9."
        in (shown.stdout)
    )


def test_where_its_sdk_cannot_be_had_it_is_read_with_the_one_here_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    [contract] = read_many([write_old(tmp_path, "numpy\nclarifai==11.5.6\n", METHODS)])
    assert contract.way == "import"
    assert len(contract.methods) == 4
    [finding] = contract.findings
    assert finding.rule == "sdk-not-read"
    assert finding.location is not None
    assert finding.location.line == 2
    assert "index" in str(finding.hint)
    assert "The Python environment for clarifai==11.5.6 cannot be built: the package index cannot be reached" in (
        finding.message
    )
    [old] = read_many([write_old(tmp_path, "clarifai==10.11.1\n", OWN_RUNNER, model_id="older")])
    assert (old.way, [each.rule for each in old.findings]) == ("failed", ["sdk-not-read"])


def test_nothing_is_installed_for_whoever_forbids_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("CLARIFAI_EMULATOR_INSTALL", "0")
    shown = show(write_old(tmp_path, "clarifai==11.5.6\n", METHODS))
    assert "warning[sdk-not-read] Read with clarifai " in shown.stdout
    assert (
        "clarifai==11.5.6, which requirements.txt names, is not installed, "
        "and CLARIFAI_EMULATOR_INSTALL forbids it."
    ) in shown.stdout
    assert "Unset CLARIFAI_EMULATOR_INSTALL, or deploy the model once" in shown.stdout
    assert not (tmp_path / "cache/clarifai-emulator/environments").exists()
