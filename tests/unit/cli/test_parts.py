"""The parts of the command line that need no emulator: names, variables, state files, event lines, checks."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click import Context, unstyle
from click.testing import CliRunner

from clarifai_emulator.cli import demo
from clarifai_emulator.cli import doctor_checks as checks
from clarifai_emulator.cli.answers import as_json_value, as_text
from clarifai_emulator.cli.columns import columns
from clarifai_emulator.cli.env import assignment, is_behind_proxy, variables_for
from clarifai_emulator.cli.event_lines import EventLines
from clarifai_emulator.cli.hints import _OTHER_WORDS
from clarifai_emulator.cli.init import TEMPLATE, model_id, write_template
from clarifai_emulator.cli.main import cli
from clarifai_emulator.cli.model_names import read_model_name
from clarifai_emulator.cli.output import Failure, failure_of
from clarifai_emulator.cli.state import Running, find_running, remove_state, running_emulators, write_state
from clarifai_emulator.cli.up import arguments_of, parse_pats
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.messages.address import ModelAddress

DEPLOYMENT = {"deployment_id": "d", "replica_id": "0123456789"}
KNOWN = ["me/demo/hello", "me/demo/types", "ada/other/types"]


@pytest.fixture
def listening() -> Iterator[int]:
    """A port on which somebody listens."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def running(port: int = 7878, **changes: Any) -> Running:
    facts = {"url": f"http://127.0.0.1:{port}", "pid": os.getpid(), "token": "t", "user_id": "me", "port": port}
    return Running(**{**facts, "started": 1.0, **changes})


# ── names ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hello", ModelAddress("me", "demo", "hello")),
        ("me/demo/hello", ModelAddress("me", "demo", "hello")),
        ("me/demo/models/hello", ModelAddress("me", "demo", "hello")),
        ("https://clarifai.com/me/demo/models/hello", ModelAddress("me", "demo", "hello")),
        ("https://clarifai.com/me/demo/models/hello/versions/v1", ModelAddress("me", "demo", "hello", "v1")),
        ("me/demo/models/hello/versions/v1", ModelAddress("me", "demo", "hello", "v1")),
    ],
)
def test_a_model_by_any_of_its_names(text: str, expected: ModelAddress) -> None:
    assert read_model_name(text, KNOWN) == expected


@pytest.mark.parametrize(
    ("text", "said", "code"),
    [
        ("helo", "There is no model 'helo'. There are: me/demo/hello, me/demo/types, ada/other/types.", 1),
        ("types", "Several models are called 'types': me/demo/types, ada/other/types.", 2),
        ("a/b", "'a/b' does not name a model.", 2),
        ("https://clarifai.com/me/demo/workflows/x", "does not name a model.", 2),
    ],
)
def test_names_that_mean_no_model(text: str, said: str, code: int) -> None:
    with pytest.raises(Failure) as caught:
        read_model_name(text, KNOWN)
    assert said in caught.value.message
    assert caught.value.exit_code == code


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((), {}),
        (("token",), {"token": "me"}),
        (("token=ada",), {"token": "ada"}),
        (("abc==",), {"abc==": "me"}),
        (("abc===ada",), {"abc==": "ada"}),
        (("a=x", "b"), {"a": "x", "b": "me"}),
    ],
)
def test_tokens_and_their_users(values: tuple[str, ...], expected: dict[str, str]) -> None:
    assert parse_pats(values, "me") == expected


def test_options_travel_to_a_detached_emulator_without_its_tokens() -> None:
    options = {"port": 0, "pats": ("secret",), "topology": (Path("/a.yaml"), Path("/b.yaml")), "num_threads": None}
    assert arguments_of(options) == ["--port", "0", "--topology", "/a.yaml", "--topology", "/b.yaml"]


def test_sizes_are_given_in_words_and_the_largest_archive_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    configs: list[EmulatorConfig] = []
    monkeypatch.setattr(
        "clarifai_emulator.cli.foreground.serve", lambda config, **_: configs.append(config), raising=True
    )
    for words in ([], ["--max-upload-bytes", "300Mi"], ["--max-upload-bytes", "1048576"]):
        CliRunner().invoke(cli, ["up", "--port", "0", *words], catch_exceptions=False)
    assert [config.max_upload_bytes for config in configs] == [16 * 1024**3, 300 * 1024**2, 1024**2]
    done = CliRunner().invoke(cli, ["up", "--max-upload-bytes", "many"])
    assert done.exit_code == 2
    assert "'many' is not an amount of memory: expected a number with an optional suffix" in done.output


# ── variables ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("shell", "line"),
    [
        ("bash", "export CLARIFAI_PAT='it'\"'\"'s'"),
        ("zsh", "export CLARIFAI_PAT='it'\"'\"'s'"),
        ("fish", "set -gx CLARIFAI_PAT 'it\\'s';"),
        ("powershell", "$Env:CLARIFAI_PAT = 'it''s'"),
        ("dotenv", "CLARIFAI_PAT=it's"),
    ],
)
def test_a_variable_in_each_shell(shell: str, line: str) -> None:
    assert assignment(shell, "CLARIFAI_PAT", "it's") == line


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, False),
        ({"http_proxy": "http://proxy"}, True),
        ({"HTTPS_PROXY": "http://proxy", "no_proxy": "example.org"}, True),
        ({"http_proxy": "http://proxy", "no_proxy": "example.org, 127.0.0.1"}, False),
        ({"http_proxy": "http://proxy", "NO_PROXY": "*"}, False),
    ],
)
def test_a_proxy_between_client_and_emulator(environ: dict[str, str], expected: bool) -> None:
    assert is_behind_proxy("127.0.0.1", environ) is expected
    variables = variables_for(running(), environ)
    assert ("no_proxy" in variables) is expected
    assert checks.check_proxy(environ).level == ("warn" if expected else "ok")


def test_a_proxys_exceptions_are_kept() -> None:
    variables = variables_for(running(), {"http_proxy": "http://proxy", "no_proxy": "example.org"})
    assert variables["no_proxy"] == variables["NO_PROXY"] == "example.org,127.0.0.1"


# ── state files ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_state_file_comes_and_goes(tmp_path: Path, listening: int) -> None:
    folder = tmp_path / "state"
    path = write_state(folder, running(listening))
    assert path.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [each.name for each in folder.iterdir()] == [f"emulator-{listening}.json"]
    assert running_emulators(folder) == [running(listening)]
    remove_state(folder, listening, pid=1)
    assert path.exists(), "another process's file stays"
    remove_state(folder, listening, pid=os.getpid())
    assert not path.exists()


def test_what_is_left_of_a_dead_emulator_is_removed(tmp_path: Path, listening: int) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    dead = write_state(tmp_path, running(listening, pid=ended.pid))
    (tmp_path / "emulator-1.json").write_text("not JSON")
    (tmp_path / "emulator-2.json").write_text('{"other": 1}')
    assert running_emulators(tmp_path) == []
    assert not dead.exists()


def test_a_process_id_that_was_given_away_is_no_emulator(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    write_state(tmp_path, running(free))
    assert running_emulators(tmp_path) == []


def test_the_port_that_is_named_does_not_run(
    tmp_path: Path, listening: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    write_state(tmp_path / "clarifai-emulator", running(listening))
    assert find_running(None).port == listening
    assert find_running(0).port == listening
    with pytest.raises(Failure, match=rf"on port 1. Running: http://127.0.0.1:{listening}") as caught:
        find_running(1)
    assert caught.value.exit_code == 4


# ── what is printed ────────────────────────────────────────────────────────────────────────────────────────


def test_columns_are_as_wide_as_their_cells() -> None:
    assert columns([["a", "bb"], ["ccc", "", "d"]]) == ["  a    bb", "  ccc      d"]


def test_failures_of_each_kind() -> None:
    refused = failure_of({"kind": "refused", "code": 21353, "message": "No.", "hint": "Do it."})
    assert (refused.message, refused.hint) == ("21353 MODEL_NOT_DEPLOYED: No.", "Do it.")
    assert failure_of({"kind": "model", "message": "Broken.", "log": "trace"}).log == "trace"
    assert "This is a bug of the emulator" in failure_of({"kind": "bug", "message": "x"}).hint


def test_one_line_per_request() -> None:
    lines = EventLines()
    base = {"seq": 1, "time": 0.0, "request_id": "r"}
    decided = {**base, "kind": "route.decided", "rule": "owner_default", "deployment": "me/d", "nodepools": []}
    assert lines.line(decided) is None
    done = {**base, "kind": "request.finished", "rpc": "PostModelOutputs", "status": 10000, "milliseconds": 1.26}
    text = lines.line({**done, "replica_id": "0123456789"}) or ""
    assert unstyle(text).endswith("PostModelOutputs  owner_default → me/d  replica 01234567  ok  1.3 ms")
    failed = lines.line({**done, "status": 21353, "error": "No deployment.\n"}) or ""
    assert "21353 MODEL_NOT_DEPLOYED" in failed
    assert failed.endswith("1.3 ms\n    No deployment.")
    assert "cancelled by the client" in (lines.line({**done, "cancelled": True}) or "")


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"kind": "route.refused", "code": 21353, "details": "No."}, "21353 MODEL_NOT_DEPLOYED: No."),
        ({"kind": "replica.live", "message": "ready", **DEPLOYMENT}, "d 01234567: ready"),
        ({"kind": "deployment.failed", "reason": "why", "traceback": "trace\n", **DEPLOYMENT}, "d: why\ntrace"),
        ({"kind": "connection.odd", "what": "TLS"}, "what=TLS"),
    ],
)
def test_other_events(event: dict[str, Any], said: str) -> None:
    assert (EventLines().line({"seq": 1, "time": 0.0, **event}) or "").endswith(said)


def test_details_show_every_event() -> None:
    event = {"seq": 1, "time": 0.0, "kind": "work.sent", "work_id": "w"}
    assert EventLines().line(event) is None
    assert "work_id=w" in (EventLines(details=True).line(event) or "")


def test_answers_as_text_and_as_json() -> None:
    assert as_text("text") == "text"
    assert as_text(b"text") == "text"
    assert as_text(b"\xff\x00") == "<2 bytes>"
    assert as_text({"a": [1, None, "é"]}) == '{"a": [1, null, "é"]}'
    assert as_text([object]) == "[<class 'object'>]"
    assert as_json_value((1, b"a", {"x": object})) == [1, {"base64": "YQ=="}, {"x": "<class 'object'>"}]


# ── init, demo, doctor ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "expected"), [("my-model", "my-model"), ("My model.v2", "My-model-v2"), ("é", "my-model")]
)
def test_a_models_id_from_its_folder(name: str, expected: str) -> None:
    assert model_id(name) == expected


def test_the_template_is_a_whole_model_directory(tmp_path: Path) -> None:
    from clarifai_emulator.contracts.signatures.model_files import read_model_files
    from clarifai_emulator.models.directory import read_model_directory

    write_template(tmp_path / "m", "mine")
    assert all((tmp_path / "m" / name).is_file() for name in TEMPLATE)
    directory = read_model_directory(tmp_path / "m")
    assert (directory.model_id, directory.warnings) == ("mine", ())
    assert read_model_files(tmp_path / "m").findings == ()


def test_the_demo_has_a_model_without_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (demo._hello(tmp_path) / "config.yaml").is_file()
    monkeypatch.setattr(demo, "_HELLO", Path("nowhere"))
    monkeypatch.setattr(demo, "__file__", "/nowhere/a/b/c/demo.py")
    assert demo._hello(tmp_path) == tmp_path / "hello"
    assert (tmp_path / "hello" / "1" / "model.py").is_file()


def test_where_clients_would_go(tmp_path: Path) -> None:
    here = [running(7000)]
    assert checks.check_variables(here, {"CLARIFAI_API_BASE": "http://127.0.0.1:7000"}).level == "ok"
    assert "api.clarifai.com" in checks.check_variables(here, {}).found
    assert "not an emulator" in checks.check_variables([], {"CLARIFAI_API_BASE": "https://api.clarifai.com"}).found
    assert checks.check_variables([], {}).level == "ok"


def test_the_context_of_the_clarifai_cli(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    assert checks.check_context(environ).found.startswith("no ")
    file = tmp_path / ".config" / "clarifai" / "config"
    file.parent.mkdir(parents=True)
    contexts = {"work": {"env": {"CLARIFAI_API_BASE": "https://api.example.org"}}}
    file.write_text(json.dumps({"current_context": "work", "contexts": contexts}))
    assert "'work' of" in checks.check_context(environ).found
    assert "(https://api.example.org)" in checks.check_context(environ).found
    file.write_text("{")
    assert checks.check_context(environ).level == "warn"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["route"], "Give a MODEL, or --deployment."),
        (["route", "m", "--cluster", "c"], "--cluster and --nodepool belong together: give both."),
        (["predict", "m", "--nodepool", "n"], "--cluster and --nodepool belong together: give both."),
        (["predict", "m", "--nodepool", "n", "--cluster", "c", "--deployment", "d"], "not to both."),
        (["deploy"], "Missing argument 'DIR'."),
        (["stauts"], "No such command 'stauts'. Did you mean 'status'?"),
        (["STATUS"], "No such command 'STATUS'. Did you mean 'status'?"),
        (["xyzzy"], "No such command 'xyzzy'. There are: up, env, "),
        (["ps"], "No such command 'ps'. Did you mean 'status'?"),
        (["ls"], "No such command 'ls'. Did you mean 'status'?"),
        (["list"], "No such command 'list'. Did you mean 'status'?"),
        (["stop"], "No such command 'stop'. Did you mean 'down'"),
        (["kill"], "No such command 'kill'. Did you mean 'down'"),
        (["delete", "x"], "No such command 'delete'. Did you mean "),
        (["start"], "No such command 'start'. Did you mean 'up' or 'deploy'?"),
        (["serve"], "No such command 'serve'. Did you mean 'dev' or 'deploy'?"),
        (["run", "my-model"], "No such command 'run'. Did you mean 'dev', 'deploy' or 'predict'?"),
        (["test"], "No such command 'test'. Did you mean 'check' or 'contract'?"),
        (["help"], "No such command 'help'. Did you mean 'clarifai-emulator --help'?"),
        (["help", "deploy"], "No such command 'help'. Did you mean 'clarifai-emulator deploy --help'?"),
        (["fault", "ls"], "No such command 'ls'. Did you mean 'list'?"),
        (["fault", "rm", "x"], "No such command 'rm'. Did you mean 'remove'?"),
        (["contract", "verfy"], "No such command 'verfy'. Did you mean 'verify'?"),
        (["status", "--prot", "1"], "--prot'. Did you mean '--port'?"),
        (["env", "--topology", "f"], "'--topology'. It is an option of `clarifai-emulator up`"),
        (["--port", "1", "status"], "Write it after the command: 'clarifai-emulator COMMAND --port'."),
    ],
)
def test_command_lines_that_cannot_be_understood(words: list[str], said: str) -> None:
    done = CliRunner().invoke(cli, words, prog_name="clarifai-emulator")
    assert done.exit_code == 2
    assert said in done.output


def test_every_word_of_another_tool_means_a_command_that_there_is() -> None:
    with Context(cli) as ctx:
        known = {*cli.list_commands(ctx), "list", "remove", "clear", "add", "undeploy", "topology"}
    assert {each for meant in _OTHER_WORDS.values() for each in meant} <= known
    assert not known.intersection(_OTHER_WORDS) - {"list", "remove", "clear", "add"}
