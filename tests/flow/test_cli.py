"""The command line as its user runs it: real commands as processes, their text and their exit codes."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

MODELS = Path(__file__).parents[2] / "fixtures" / "models"
COMMANDS = (
    "up",
    "env",
    "deploy",
    "undeploy",
    "dev",
    "predict",
    "status",
    "logs",
    "events",
    "route",
    "fault",
    "export",
    "import",
    "topology",
    "contract",
    "reset",
    "down",
    "init",
    "demo",
    "conform",
    "doctor",
    "completion",
)


class Shell:
    """Runs commands with folders of its own, so that nothing of this machine's user is seen."""

    def __init__(self, folder: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CLARIFAI_", "XDG_"))}
        self.environ = {
            **kept,
            "HOME": str(folder),
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "PYTHONWARNINGS": "default",
        }
        self.state = folder / "state" / "clarifai-emulator"

    def run(self, *words: str | Path, stdin: str = "", timeout: float = 60) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words), input=stdin, capture_output=True, text=True, env=self.environ, timeout=timeout
        )

    def ok(self, *words: str | Path, stdin: str = "") -> str:
        """Return the output of a command that must succeed."""
        done = self.run(*words, stdin=stdin)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, *words: str | Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*words),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environ,
            start_new_session=True,
        )

    @staticmethod
    def command(*words: str | Path) -> list[str]:
        return [sys.executable, "-m", "clarifai_emulator", *map(str, words)]


class Up:
    """Runs ``up --port 0 --json`` in the foreground of a process, and reads its output as it comes."""

    def __init__(self, shell: Shell) -> None:
        self.process = shell.start("up", "--port", "0", "--json")
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("{"), line + self.process.stdout.read()
        self.started: dict[str, Any] = json.loads(line)
        self.port = str(self.started["port"])
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._lines.extend, args=[self.process.stdout])
        self._reader.start()

    def wait(self) -> tuple[int, list[dict[str, Any]]]:
        """Wait until the process has ended; return the exit code and the events that were printed."""
        code = self.process.wait(timeout=20)
        self._reader.join(20)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code, [json.loads(line) for line in self._lines]

    def signal(self, number: int) -> None:
        """Send a signal as a terminal does, to all that the process started."""
        os.killpg(self.process.pid, number)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return Shell(tmp_path_factory.mktemp("cli"))


@pytest.fixture
def lone_shell(tmp_path: Path) -> Shell:
    """Return a shell in which no emulator runs."""
    return Shell(tmp_path)


@pytest.fixture(scope="module")
def emulator(shell: Shell) -> Iterator[Up]:
    up = Up(shell)
    yield up
    if up.process.poll() is None:
        up.process.kill()
        up.wait()


@pytest.fixture(scope="module")
def hello(shell: Shell, emulator: Up) -> str:
    """Return the output of deploying the model ``hello``."""
    return shell.ok("deploy", MODELS / "hello")


def replica_pids(shell: Shell, *options: str) -> list[int]:
    state = json.loads(shell.ok("status", "--json", *options))
    versions = [version for each in state["deployments"] for version in each["versions"]]
    return [replica["pid"] for version in versions for replica in version["replicas"]]


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def children(pid: int) -> list[int]:
    found = [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return found + [below for each in found for below in children(each)]


def read_until(process: subprocess.Popen[str], *words: str) -> None:
    """Read lines until one has any of the words; the test's own time limit ends a wait in vain."""
    assert process.stdout is not None
    while (line := process.stdout.readline()) and not any(word in line for word in words):
        pass
    assert line, f"it ended before it printed {' or '.join(words)}"


# ── the story ──────────────────────────────────────────────────────────────────────────────────────────────


def test_up_says_where_it_is_and_keeps_its_token_to_its_user(shell: Shell, emulator: Up) -> None:
    assert emulator.started["kind"] == "emulator.started"
    assert emulator.started["url"] == f"http://127.0.0.1:{emulator.port}"
    assert emulator.started["user_id"] == "me"
    file = shell.state / f"emulator-{emulator.port}.json"
    assert str(file) == emulator.started["state_file"]
    assert file.stat().st_mode & 0o777 == 0o600
    assert set(json.loads(file.read_text())) == {
        "page",
        "url",
        "pid",
        "token",
        "user_id",
        "port",
        "started",
        "pat",
        "place",
        "run",
    }
    assert [each.name for each in shell.state.iterdir()] == [file.name]


def test_env_is_for_eval(shell: Shell, emulator: Up) -> None:
    script = (
        f'eval "$({sys.executable} -m clarifai_emulator env)"; '
        'echo "$CLARIFAI_API_BASE $CLARIFAI_PAT $CLARIFAI_USER_ID"'
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=shell.environ)
    url = re.escape(emulator.started["url"])
    assert re.fullmatch(rf"{url} local-emulator-token-[0-9a-f]{{32}} me\n", done.stdout), done.stderr
    assert json.loads(shell.ok("env", "--json"))["CLARIFAI_API_BASE"] == emulator.started["url"]


def test_deploy_shows_each_step_the_route_and_how_to_call_it(hello: str) -> None:
    assert "  · reading the method signatures of model.py\n" in hello
    assert "Deployed me/demo/models/hello in " in hello
    assert "deployment     deploy-hello of user me\n" in hello
    assert "nodepool       cpu of compute cluster local\n" in hello
    assert "default route  owner_default → me/deploy-hello\n" in hello
    assert "  clarifai-emulator predict hello prompt=Hello\n" in hello


def test_the_snippet_that_deploy_shows_runs(shell: Shell, emulator: Up, hello: str) -> None:
    program = "\n".join(line[2:] for line in hello.partition('env)"\n')[2].splitlines())
    variables = json.loads(shell.ok("env", "--json"))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={**shell.environ, **variables}
    )
    assert done.stdout.splitlines()[-5:] == [
        "Hello, Hello!",
        "Hello,",
        "Hello!",
        "Hello, Hello!",
        "Hello, Hello!",
    ], done.stderr


def test_deploy_shows_the_clients_of_a_model_that_speaks_another_protocol(lone_shell: Shell) -> None:
    up = Up(lone_shell)
    try:
        said = lone_shell.ok("deploy", MODELS / "openai")
        assert "Call it" not in said  # a text by hand would be no message of the protocol
        program = textwrap.dedent(said.partition("\nWith OpenAI's client\n")[2])
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, env=lone_shell.environ
        )
        assert "You said: Hello" in done.stdout, done.stderr
    finally:
        up.signal(signal.SIGINT)
        up.wait()


def test_deploy_as_json(shell: Shell, hello: str) -> None:
    done = shell.run("deploy", MODELS / "hello", "--json")
    deployed = json.loads(done.stdout)
    assert deployed["deployment_id"] == "deploy-hello"
    assert deployed["is_new_version"] is False
    assert deployed["default_route"]["decision"]["rule"] == "owner_default"
    assert "unchanged: version" in done.stderr


def test_status_shows_what_runs(shell: Shell, hello: str) -> None:
    text = shell.ok("status")
    assert re.search(r"deploy-hello +me/demo/hello +\w{8} +ready +1 \(1-5\)", text), text
    assert re.search(r"local +cpu +local +1 of 1", text), text
    assert len(replica_pids(shell)) == 1


def test_predict_prints_the_answer_and_the_route(shell: Shell, hello: str) -> None:
    done = shell.run("predict", "hello", "prompt=you", "n=3")
    assert done.stdout == "Hello, you!!!\n", done.stderr
    told = r"owner_default → me/deploy-hello in nodepool me/local/cpu, replica \w{8}, [\d.]+ ms\n"
    assert re.fullmatch(told, done.stderr), done.stderr


def test_predict_streams_chunks_from_stdin(shell: Shell, hello: str) -> None:
    url = "https://clarifai.com/me/demo/models/hello"
    done = shell.run("predict", url, "stream", "-", "--cluster", "local", "--nodepool", "cpu", stdin="one\ntwo\n")
    assert done.stdout == "Hello, one!\nHello, two!\n", done.stderr
    assert done.stderr.startswith("explicit_nodepool → me/deploy-hello in nodepool me/local/cpu, replica ")


def test_predict_as_json(shell: Shell, hello: str) -> None:
    arguments = ("predict", "me/demo/models/hello", "generate", "prompt=you", "--deployment", "deploy-hello")
    answer = json.loads(shell.ok(*arguments, "--json"))
    assert answer["chunks"] == ["Hello,", "you!"]
    assert answer["rule"] == "explicit_deployment"
    assert answer["deployment"] == "me/deploy-hello"
    assert answer["nodepool"] == "me/local/cpu"
    assert answer["milliseconds"] > 0
    assert (answer["user_id"], answer["token"]) == ("me", "the emulator's own token")
    assert len(answer["replica_id"]) == 32


def test_predict_names_the_methods_and_their_arguments(shell: Shell, hello: str) -> None:
    unknown = shell.run("predict", "hello", "sing")
    assert unknown.returncode == 2
    assert "The model has no method 'sing'. It has:\n  model.predict(prompt=\"Hello\", n=1)" in unknown.stderr
    missing = shell.run("predict", "hello")
    assert (missing.returncode, "'predict' needs prompt." in missing.stderr) == (2, True)
    misspelt = shell.run("predict", "hello", "promt=you")
    assert misspelt.returncode == 2
    assert "not an argument of 'predict', which takes prompt, n. Did you mean 'prompt'?" in misspelt.stderr
    assert "Signature: predict(prompt: str, n: int = 1) -> str" in misspelt.stderr
    assert "Did you mean 'predict'?" in shell.run("predict", "hello", "predikt", "prompt=you").stderr
    wrong = shell.run("predict", "hello", "prompt=you", "n=many")
    assert wrong.returncode == 2
    assert "n=many: this is not JSON" in wrong.stderr


def test_route_explains(shell: Shell, hello: str) -> None:
    text = shell.ok("route", "hello")
    assert re.search(r"^rule +owner_default$", text, re.MULTILINE)
    assert re.search(r"^deployment +me/deploy-hello$", text, re.MULTILINE)
    decision = json.loads(shell.ok("route", "--deployment", "deploy-hello", "--json"))["decision"]
    assert (decision["rule"], decision["nodepools"]) == ("explicit_deployment", ["me/local/cpu"])


def test_a_refused_route_has_its_reason_and_exit_code_3(shell: Shell, hello: str) -> None:
    done = shell.run("route", "hello", "--deployment", "nope")
    assert done.returncode == 3
    assert re.match(r"refused  11101 \w+: Deployment with ID 'nope' not found\. Check your request", done.stdout), (
        done.stdout
    )
    assert json.loads(shell.run("route", "hello", "--deployment", "nope", "--json").stdout)["refusal"]["details"]


def test_logs_and_events(shell: Shell, hello: str) -> None:
    shell.ok("predict", "hello", "prompt=you")
    assert "model_predict | 200 OK" in shell.ok("logs", "deploy-hello", "--type", "runner")
    assert "[runner.events] replica.live: ready after" in shell.ok("logs")
    unknown = shell.run("logs", "nope")
    assert unknown.returncode == 1
    assert "There is no deployment 'nope'. There are: deploy-hello" in unknown.stderr
    events = shell.ok("events")
    assert re.search(r"PostModelOutputs  owner_default → me/deploy-hello  replica \w{8}  ok  [\d.]+ ms", events)
    kinds = {json.loads(line)["kind"] for line in shell.ok("events", "--kind", "route", "--json").splitlines()}
    assert "route.decided" in kinds


def test_each_log_line_has_its_time_deployment_and_replica_and_json_has_no_colours(
    shell: Shell, hello: str
) -> None:
    shell.ok("predict", "hello", "prompt=you")
    lines = shell.ok("logs", "deploy-hello").splitlines()
    assert all(re.match(r"\d\d:\d\d:\d\d\.\d{3}  deploy-hello [0-9a-f]{8}  .", line) for line in lines), lines
    (answered,) = shell.ok("logs", "--grep", "model_predict", "--tail", "1", "--json").splitlines()
    found = json.loads(answered)
    assert found["stream"] == "runner"
    assert found["deployment_id"] == "deploy-hello"
    assert found["replica_id"]
    assert found["time"] > 1.7e9
    assert found["message"].startswith("[INFO] ")
    assert shell.ok("logs", "--since", "1h", "--tail", "3").count("\n") == 3
    assert shell.ok("logs", "--since", "2999-01-01", "--tail", "3") == ""
    assert shell.ok("logs", "--model-only") == "", "hello prints nothing itself"
    for words, said in ((["--since", "soon"], "is no time"), (["--grep", "("], "is no regular expression")):
        refused = shell.run("logs", *words)
        assert refused.returncode == 2
        assert said in refused.stderr


def test_faults_are_added_shown_and_removed(shell: Shell, hello: str) -> None:
    added = shell.ok(
        "fault", "add", "busy", "--model", "hello", "--grpc", "internal", "--message", "No.", "--times", "1"
    )
    assert added == (
        "busy is injected from now on  inference of model hello: gRPC INTERNAL, once\n"
        "Remove it with `clarifai-emulator fault remove busy`.\n"
    )
    slow = json.loads(shell.ok("fault", "add", "--latency", "normal:0.02,0.01", "--seed", "3", "--json"))
    assert slow["fault"] == {"latency": "normal:0.02,0.01", "seed": 3}
    status = shell.ok("status")
    assert "2 faults are active: busy, fault-1; `clarifai-emulator fault list` shows what each does\n" in status
    failed = shell.run("predict", "hello", "prompt=you")
    assert failed.returncode == 1
    assert "No. (injected by fault 'busy')" in failed.stderr
    assert "1 fault is active: fault-1;" in shell.ok("status")
    listed = shell.ok("fault", "list")
    assert re.search(
        r"^  busy +inference of model hello: gRPC INTERNAL, once +1 +1 +used up$", listed, re.MULTILINE
    )
    assert re.search(
        r"^  fault-1 +inference: latency normal, mean 0.02 deviation 0.01 s +\d +\d +active$", listed, re.M
    )
    events = shell.ok("events")
    assert re.search(r"fault.injected  fault-1: latency normal, .* s, 0.0\d\d s into PostModelOutputs", events), (
        events
    )
    assert "fault.injected  busy: gRPC INTERNAL into PostModelOutputs" in events
    assert re.search(
        r"PostModelOutputs  owner_default → me/deploy-hello  gRPC INTERNAL  [\d.]+ ms\n    No\. \(inj", events
    )
    assert "Removed busy, injected into 1 of 1 requests it concerned.\n" in shell.ok("fault", "remove", "busy")
    assert [each["id"] for each in json.loads(shell.ok("fault", "clear", "--json"))] == ["fault-1"]
    assert shell.ok("fault", "list").startswith("There are no faults. Add one with")
    assert shell.ok("fault", "clear") == "There are no faults.\n"
    assert "active" not in shell.ok("status")


def test_a_fault_that_makes_no_sense(shell: Shell, hello: str) -> None:
    done = shell.run("fault", "add", "--status", "BUSY", "--times", "0")
    assert done.returncode == 1
    assert "The fault cannot be used:" in done.stderr
    assert "  - status: 'BUSY' is no status code of the platform" in done.stderr
    assert "  - times: must be at least 1, got 0" in done.stderr
    unknown = shell.run("fault", "remove", "busy", "--json")
    assert unknown.returncode == 1
    assert json.loads(unknown.stdout)["error"]["message"].startswith("There is no fault 'busy'. There are: none.")


def completions(shell: Shell, words: str) -> set[str]:
    """Return what bash is offered for the last of the words; fail where completing it imports the SDK."""
    environ = {"_CLARIFAI_EMULATOR_COMPLETE": "bash_complete", "COMP_WORDS": f"clarifai-emulator {words}"}
    environ["COMP_CWORD"] = str(words.count(" ") + 1)
    program = (
        "import sys\n"
        "from clarifai_emulator.cli.main import main\n"
        "try: main()\n"
        "finally: assert 'clarifai' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={**shell.environ, **environ}
    )
    assert done.stderr == ""
    return {line.partition(",")[2] for line in done.stdout.splitlines() if line}


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("fault ", {"add", "list", "remove", "clear"}),
        ("fault add --rpc PostModelO", {"PostModelOutputs"}),
        ("fault add --status model_busy", {"MODEL_BUSY_PLEASE_RETRY"}),
        ("fault add --grpc un", {"UNKNOWN", "UNIMPLEMENTED", "UNAVAILABLE", "UNAUTHENTICATED"}),
        ("fault add --cold-start ", {"hold", "bounce"}),
        ("fault remove to-", {"to-complete"}),
    ],
)
def test_faults_are_completed(shell: Shell, emulator: Up, words: str, completed: set[str]) -> None:
    shell.run("fault", "add", "to-complete", "--latency", "0")
    assert completions(shell, words) == completed
    shell.ok("fault", "clear")


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("predict he", {"hello"}),
        ("predict me/", {"me/demo/models/hello"}),
        ("predict hello ", {"predict", "generate", "stream", "prompt=", "n="}),
        ("predict hello generate ", {"prompt="}),
        ("predict hello prompt=x ", {"n="}),
        ("predict hello --deployment dep", {"deploy-hello"}),
        ("predict hello --cluster local --nodepool ", {"cpu"}),
        ("predict unknown ", set[str]()),
        ("route h", {"hello"}),
        ("route hello --caller m", {"me"}),
        ("logs d", {"deploy-hello"}),
        ("deploy my-model --nodepool c", {"cpu"}),
        ("deploy my-model --cluster l", {"local"}),
        ("fault add --model h", {"hello"}),
        ("fault add --deployment d", {"deploy-hello"}),
        ("contract fuzz h", {"hello"}),
    ],
)
def test_what_the_emulator_knows_is_completed(shell: Shell, hello: str, words: str, completed: set[str]) -> None:
    assert completions(shell, words) == completed


@pytest.mark.parametrize("words", ["predict h", "predict hello ", "logs d", "status --port 7"])
def test_without_an_emulator_nothing_is_completed_and_nothing_said(lone_shell: Shell, words: str) -> None:
    assert completions(lone_shell, words) == set()


@pytest.mark.parametrize("command", ["add", "list", "remove", "clear"])
def test_the_help_of_each_fault_command_has_examples(shell: Shell, command: str) -> None:
    assert re.search(rf"Examples?:\n +clarifai-emulator fault {command}", shell.ok("fault", command, "--help"))


def test_following_ends_with_ctrl_c(shell: Shell, hello: str) -> None:
    shell.ok("predict", "hello", "prompt=you")
    follower = shell.start("events", "--follow", "--kind", "request.finished")
    logs = shell.start("logs", "deploy-hello", "--follow", "--type", "runner")
    for each in (follower, logs):
        read_until(each, "PostModelOutputs", "model_predict")
    shell.ok("predict", "hello", "generate", "prompt=you")
    for each in (follower, logs):
        read_until(each, "GenerateModelOutputs", "model_generate")
    for each in (follower, logs):
        each.send_signal(signal.SIGINT)
        assert "Traceback" not in each.communicate(timeout=10)[0]
    assert (follower.returncode, logs.returncode) == (0, 0)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("crash_import", "the vocabulary file is missing"),
        ("crash_syntax", "SyntaxError: '(' was never closed"),
        ("crash_exit_import", "model.py ended the interpreter while it was being imported"),
        ("crash_unsignable", "Unsupported type: typing.Optional[str]"),
        ("crash_load", "FileNotFoundError: weights.bin is not in the checkpoints folder"),
    ],
)
def test_a_broken_model_is_explained_in_its_own_words(shell: Shell, emulator: Up, model: str, said: str) -> None:
    done = shell.run("deploy", MODELS / model)
    assert done.returncode == 1
    assert said in done.stderr
    assert "\nNext: " in done.stderr
    assert "Deployed" not in done.stdout


def test_a_method_that_raises_shows_the_models_traceback(shell: Shell, emulator: Up) -> None:
    shell.ok("deploy", MODELS / "crash_method")
    done = shell.run("predict", "crash_method", "prompt=you")
    assert done.returncode == 1
    assert "cannot answer 'you'" in done.stderr
    assert "crash_method/1/model.py" in done.stderr
    data = json.loads(shell.run("predict", "crash_method", "prompt=you", "--json").stdout)["error"]
    assert (data["rule"], data["status"]) == ("owner_default", "FAILURE")


def test_a_model_that_cannot_run_here_is_refused_with_commands_to_paste(shell: Shell, emulator: Up) -> None:
    directory = MODELS / "gpu"
    done = shell.run("deploy", directory)
    assert done.returncode == 1
    assert "No replica can be placed for gpu: 1 accelerator of type NVIDIA-*" in done.stderr
    command = re.search(r"^  clarifai-emulator (deploy \S+ --instance \S+)$", done.stderr, re.MULTILINE)
    assert command is not None
    assert str(directory) in command[1]
    assert "in nodepool deploy-np-t3a-medium of cluster deploy-cc-aws-us-east-1" in shell.ok(*command[1].split())
    shell.ok("undeploy", "gpu")


def test_topology_apply_gives_a_running_emulator_a_brain_and_then_another(
    shell: Shell, emulator: Up, tmp_path: Path
) -> None:
    file = tmp_path / "brain.yaml"
    model = "mistralai/completion/models/large"
    for said in ("One.", "Two."):
        file.write_text(f"stand_ins: [{{model: {model}, script: [{said}]}}]\n")
        assert shell.ok("topology", "apply", file) == f"Applied {file}.\n"
        assert said in shell.ok("predict", model, "prompt=x")
    file.write_text(f"stand_ins: [{{model: {model}, script: [{{tol: x, text: y}}]}}]\n")
    done = shell.run("topology", "apply", file)
    assert done.returncode != 0
    assert f"{file}:1: stand_ins[0].script[0].tol: is not a known name; did you mean 'tool'?" in done.stderr


def test_undeploy_takes_what_it_names_and_says_what_it_took(shell: Shell, emulator: Up) -> None:
    shell.ok("deploy", MODELS / "slow")
    assert completions(shell, "undeploy slo") == {"slow"}
    assert completions(shell, "undeploy deploy-s") == {"deploy-slow"}
    assert shell.ok("undeploy", "slow") == "Undeployed deploy-slow of user me, which served me/demo/slow.\n"
    done = shell.run("undeploy", "slow", "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (1, 25900)
    shell.ok("deploy", MODELS / "slow", "--no-wait")
    said = json.loads(shell.ok("undeploy", "deploy-slow", "--json"))
    assert said == {
        "undeployed": [{"user_id": "me", "deployment_id": "deploy-slow", "model": "me/demo/slow"}],
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["deploy", "m", "--min-replicas", "3", "--max-replicas", "2"], "3 is more than --max-replicas 2."),
        (["deploy", "m", "--instance", "A10G", "--nodepool", "cpu"], "leave --nodepool and --cluster out."),
        (["deploy", "m", "--wait", "5", "--no-wait"], "--wait and --no-wait exclude each other."),
        (["deploy", "m", "--debug", "--min-replicas", "2"], "--debug is for one replica: an editor would see"),
        (["dev", "m", "--debug-wait", "--min-replicas", "2"], "--debug is for one replica: an editor would see"),
        (["dev", "m", "--instance", "A10G", "--cluster", "c"], "leave --nodepool and --cluster out."),
        (["undeploy"], "Name what to undeploy, or give --all."),
        (["undeploy", "m", "--all"], "Name what to undeploy, or give --all."),
    ],
)
def test_options_that_exclude_each_other(words: list[str], said: str) -> None:
    from click.testing import CliRunner

    from clarifai_emulator.cli.main import cli

    done = CliRunner().invoke(cli, words, prog_name="clarifai-emulator")
    assert (done.exit_code, said in done.stderr) == (2, True), done.output


def test_instance_types_are_completed(lone_shell: Shell) -> None:
    assert completions(lone_shell, "deploy m --instance t3a.x") == {"t3a.xlarge"}
    assert completions(lone_shell, "undeploy ") == set()


def test_a_missing_directory_as_json(shell: Shell, emulator: Up) -> None:
    done = shell.run("deploy", "/no/such/model", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["message"] == "The model directory /no/such/model does not exist."


def test_every_value_type_travels(shell: Shell, emulator: Up) -> None:
    """Send the snippets and the values of every data type to a model that returns what it is given."""
    deployed = json.loads(shell.ok("deploy", MODELS / "types", "--json"))
    from clarifai_emulator.cli.signatures import snippet

    program = snippet(deployed["signatures"], model_url=deployed["model_url"])
    variables = json.loads(shell.ok("env", "--json"))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={**shell.environ, **variables}
    )
    assert done.returncode == 0, done.stderr
    assert "NamedFields(name='Hello', count=1)" in done.stdout
    assert shell.ok("predict", "types", "echo_tuple", 'value=["a", 2]') == '["a", 2]\n'


def test_answers_that_nobody_reads_end_the_command_without_a_word(shell: Shell, hello: str) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        shell.command("predict", "hello", "generate", "prompt=you"),
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        env=shell.environ,
        timeout=60,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_fault_for_a_model_that_is_not_there_is_told(shell: Shell, hello: str) -> None:
    added = shell.run("fault", "add", "typo", "--model", "helo", "--status", "MODEL_DEPLOYING")
    assert added.returncode == 0
    assert "There is no model 'helo'. Did you mean 'hello'? The fault waits for it." in added.stderr
    shell.ok("fault", "remove", "typo")


def test_reset_forgets(shell: Shell, emulator: Up, hello: str) -> None:
    pids = replica_pids(shell)
    assert "is as it was when it started" in shell.ok("reset")
    assert "Nothing is deployed." in shell.ok("status")
    assert not any(map(is_running, pids))
    missing = shell.run("predict", "hello", "prompt=you")
    assert missing.returncode == 1
    assert "There is no model 'hello'. There are: none." in missing.stderr


def test_down_stops_everything(shell: Shell, emulator: Up) -> None:
    shell.ok("deploy", MODELS / "hello")
    pids = [*replica_pids(shell), *children(emulator.process.pid)]
    assert shell.ok("down").startswith(f"Stopped the emulator at {emulator.started['url']}")
    code, events = emulator.wait()
    assert (code, events[-1]["kind"], events[-1]["left_running"]) == (0, "emulator.stopped", [])
    assert not any(map(is_running, pids))
    assert list(shell.state.glob("*.json")) == []


# ── starting and stopping ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "words",
    [["status"], ["env"], ["deploy", "x"], ["predict", "x"], ["logs"], ["route", "x"], ["reset"], ["down"]],
    ids=lambda words: words[0],
)
def test_without_an_emulator(lone_shell: Shell, words: list[str]) -> None:
    done = lone_shell.run(*words)
    assert done.returncode == 4
    assert done.stderr.startswith("Error: No emulator is running.\nNext: Start one with `clarifai-emulator up`")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_leaves_nothing_running(lone_shell: Shell, number: int) -> None:
    up = Up(lone_shell)
    lone_shell.ok("deploy", MODELS / "hello")
    pids = [*replica_pids(lone_shell), *children(up.process.pid)]
    assert pids

    up.signal(number)

    code, events = up.wait()
    assert code == 0
    assert events[-1] == {
        "kind": "emulator.stopped",
        "time": events[-1]["time"],
        "replicas_ended": 1,
        "left_running": [],
    }
    assert not any(map(is_running, pids))
    assert list(lone_shell.state.iterdir()) == []


def test_a_killed_emulator_takes_its_replicas_along_and_its_file_is_cleaned_up(lone_shell: Shell) -> None:
    up = Up(lone_shell)
    lone_shell.ok("deploy", MODELS / "hello")
    pids = [*replica_pids(lone_shell), *children(up.process.pid)]
    up.process.kill()
    up.wait()
    deadline = time.monotonic() + 10
    while any(map(is_running, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(is_running, pids))
    assert lone_shell.run("status").returncode == 4
    assert list(lone_shell.state.iterdir()) == []


def test_in_the_foreground_it_prints_readable_lines(lone_shell: Shell) -> None:
    process = lone_shell.start("up", "--port", "0", "--user-id", "ada")
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(9)]
    text = "".join(lines)
    assert lines[0].startswith("Clarifai emulator at http://127.0.0.1:")
    assert re.search("CLARIFAI_PAT=local-emulator-token-[0-9a-f]{32} CLARIFAI_USER_ID=ada", text)
    assert "\x1b" not in text
    lone_shell.ok("deploy", MODELS / "hello", "--model", "ada/demo/models/hello")
    lone_shell.ok("predict", "hello", "prompt=you")
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=20)[0]
    assert re.search(r"replica.live  deploy-hello \w{8}: ready after", output)
    assert re.search(r"PostModelOutputs  owner_default → ada/deploy-hello  replica \w{8}  ok  [\d.]+ ms", output)
    assert re.search(
        r"Stopping: ending 1 replica …\n(.*\n)*Stopped. Nothing is left running, port \d+ is free", output
    )
    assert process.returncode == 0


def test_up_names_the_faults_of_its_topology(lone_shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "faults.yaml"
    file.write_text("faults:\n  - {id: busy, status: MODEL_DEPLOYING}\n  - {id: slow, latency: 0.1}\n")
    process = lone_shell.start("up", "--port", "0", "--topology", file)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(10)]
    process.terminate()
    process.communicate(timeout=20)
    assert "  Faults of the topology:    busy, slow\n" in lines
    file.write_text("faults:\n  - id: busy\n    status: BUSY\n")
    done = lone_shell.run("up", "--port", "0", "--topology", file)
    assert done.returncode == 1
    assert f"{file}:3: faults[0].status: 'BUSY' is no status code of the platform" in done.stderr


@pytest.mark.slow
def test_nobody_reads_its_output(lone_shell: Shell) -> None:
    """A full pipe must not hold up the emulator: whoever starts it may not read."""
    process = lone_shell.start("up", "--port", "0", "--json")
    assert process.stdout is not None
    assert "emulator.started" in process.stdout.readline()
    lone_shell.ok("deploy", MODELS / "hello")
    variables = json.loads(lone_shell.ok("env", "--json"))
    program = (
        "from clarifai.client import Model\n"
        "model = Model('https://clarifai.com/me/demo/models/hello')\n"
        "for _ in range(100): model.predict('x')\n"
        "print('through')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={**lone_shell.environ, **variables},
        timeout=60,
    )
    assert done.stdout.endswith("through\n"), done.stderr
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0
    process.communicate()


@pytest.mark.slow
def test_detached_and_two_of_them(lone_shell: Shell) -> None:
    first = json.loads(lone_shell.ok("up", "--port", "0", "--detach", "--json"))
    text = lone_shell.ok("up", "--port", "0", "-d", "--pat", "secret-token=me")
    second = re.match(r"Clarifai emulator at http://127.0.0.1:(\d+) \(process \d+\)\n", text)
    assert second is not None, text
    try:
        log_file = Path(first["log_file"])
        assert log_file.read_text().startswith(f"Clarifai emulator at {first['url']}")
        done = lone_shell.run("status")
        assert done.returncode == 2
        assert "2 emulators are running: " in done.stderr
        assert f"{first['url']} (process {first['pid']})" in done.stderr
        assert "Choose one with --port" in done.stderr
        assert "CLARIFAI_PAT=secret-token" in lone_shell.ok("env", "--port", second[1])
        assert "secret-token" not in Path(f"/proc/{first['pid']}/cmdline").read_text()
        taken = lone_shell.run("up", "--port", str(first["port"]))
        assert taken.returncode == 1
        assert (
            f"An emulator is already running at {first['url']} (process {first['pid']}, user 'me')" in taken.stderr
        )
        detached = lone_shell.run("up", "--port", str(first["port"]), "--detach")
        assert (detached.returncode, "is already running" in detached.stderr) == (1, True)
    finally:
        lone_shell.ok("down", "--port", str(first["port"]))
        assert "Stopped the emulator" in lone_shell.ok("down", "--all")
    assert not is_running(first["pid"])


def test_a_port_that_another_program_has(lone_shell: Shell) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = lone_shell.run("up", "--port", str(port))
        assert done.returncode == 1
        assert f"Error: Port {port} of 127.0.0.1 is in use." in done.stderr
        assert "--port (0 takes a free one)" in done.stderr
        found = json.loads(lone_shell.run("doctor", "--json", "--port", str(port)).stdout)["checks"]
        [check] = [each for each in found if each["name"] == "port"]
        assert check["level"] == "warn"
        assert check["found"].startswith(f"{port} is not free: ")


def test_options_that_cannot_be_used_are_all_named(lone_shell: Shell) -> None:
    done = lone_shell.run("up", "--queue-size", "0", "--num-threads", "0", "--topology", "/no/file.yaml")
    assert done.returncode == 1
    for problem in (
        "queue_size must be at least 1",
        "num_threads must be at least 1",
        "/no/file.yaml does not exist",
    ):
        assert problem in done.stderr


def test_other_hosts_are_warned_about(lone_shell: Shell) -> None:
    process = lone_shell.start("up", "--port", "0", "--host", "0.0.0.0")
    assert process.stdout is not None
    line = process.stdout.readline()
    process.terminate()
    process.communicate(timeout=20)
    assert line.startswith(
        "WARNING 0.0.0.0 is not a loopback address: the emulator listens on every network address"
    )
    assert "other machines can reach every RPC" in line
    assert "Every token is accepted, so anybody is user 'me' and can run, change and delete the models" in line
    assert "Name the accepted tokens with --pats FILE." in line


PATS = """
users: [{id: ada}, {id: bob}]
tokens:
  - {token: ada-limited, user: ada, scopes: [Predict]}
  - {token: ada-planted-token, user: ada}
  - {token: bob-planted-token, user: bob}
"""


def test_a_pats_file_is_warned_about_and_its_tokens_are_not_printed(lone_shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "pats.yaml"
    path.write_text(PATS)
    path.chmod(0o644)
    words = ["up", "--port", "0", "--user-id", "ada", "--pats", str(path)]
    up = lone_shell.run(*words, "--detach", "--json")
    assert up.returncode == 0, up.stderr
    assert f"{path} holds tokens and can be read by every user of this machine (mode 644)." in up.stderr
    assert f"chmod 600 {path}" in up.stderr
    facts = json.loads(up.stdout)
    env = json.loads(lone_shell.ok("env", "--json"))
    lone_shell.ok("down")
    assert (env["CLARIFAI_PAT"], env["CLARIFAI_USER_ID"]) == ("ada-planted-token", "ada")
    log = Path(facts["log_file"]).read_text()
    assert "WARNING" in log
    assert "CLARIFAI_PAT=YOUR_TOKEN CLARIFAI_USER_ID=ada" in log
    assert "planted-token" not in up.stdout + up.stderr + log


@pytest.mark.slow
def test_predict_calls_as_the_environment_says_where_there_are_several_accounts(
    lone_shell: Shell, tmp_path: Path
) -> None:
    path = tmp_path / "pats.yaml"
    path.write_text(PATS)
    path.chmod(0o600)
    lone_shell.ok("up", "--port", "0", "--user-id", "ada", "--pats", path, "--detach")
    try:
        lone_shell.ok("deploy", MODELS / "hello", "--model", "ada/demo/models/hello")

        def predict(**variables: str) -> subprocess.CompletedProcess[str]:
            command = lone_shell.command("predict", "hello", "prompt=you")
            environ = {**lone_shell.environ, **variables}
            return subprocess.run(command, capture_output=True, text=True, env=environ)

        own = predict()
        assert own.stdout == "Hello, you!\n", own.stderr
        assert own.stderr.rstrip().endswith(" ms, as ada (the emulator's own token)")
        bob = predict(CLARIFAI_PAT="bob-planted-token")
        assert "Error: 21200 MODEL_DOES_NOT_EXIST" in bob.stderr  # it is ada's own
        assert "Next: The call was made as user 'bob', by CLARIFAI_PAT." in bob.stderr
        stranger = predict(CLARIFAI_PAT="of-the-real-platform")
        assert stranger.stdout == "Hello, you!\n"
        assert "Warning: CLARIFAI_PAT holds a token that the emulator at " in stranger.stderr
        assert " does not know; the emulator's own, of user 'ada', was used." in stranger.stderr
        url = json.loads(lone_shell.ok("status", "--json"))["url"]
        meant = predict(CLARIFAI_PAT="of-the-real-platform", CLARIFAI_API_BASE=url)
        assert meant.returncode == 1
        assert "11009" in meant.stderr
    finally:
        lone_shell.ok("down")


def test_a_pats_file_that_cannot_be_used_is_refused_with_every_line(lone_shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "pats.yaml"
    path.write_text(PATS.replace("user: bob", "user: bbo").replace("[Predict]", "[Predcit]"))
    done = lone_shell.run("up", "--port", "0", "--pats", path)
    assert done.returncode == 1
    assert f"{path}:4: tokens[0].scopes: 'Predcit' is not a scope of the platform" in done.stderr
    assert f"{path}:6: tokens[2].user: there is no user 'bbo' in this file; did you mean 'bob'?" in done.stderr
    done = lone_shell.run("up", "--port", "0", "--pats", "/no/file.yaml")
    assert "pats file /no/file.yaml does not exist" in done.stderr


def test_where_no_token_is_the_emulators_users_it_says_so(lone_shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "pats.yaml"
    path.write_text(PATS)
    path.chmod(0o600)
    process = lone_shell.start("up", "--port", "0", "--pats", path)
    assert process.stdout is not None
    line = process.stdout.readline()
    process.terminate()
    process.communicate(timeout=20)
    assert line == (
        "WARNING No accepted token belongs to user 'me', whose account `deploy` and the topology use. "
        "Start with --user-id and one of: ada, bob.\n"
    )


# ── everything else ────────────────────────────────────────────────────────────────────────────────────────


def test_the_demo_passes_and_touches_nothing_of_the_user(lone_shell: Shell) -> None:
    done = lone_shell.run("demo")
    assert done.returncode == 0, done.stdout + done.stderr
    for rule in ("explicit_deployment", "explicit_nodepool", "owner_default"):
        assert len(re.findall(rf"{rule} +me/demo-deployment +\w{{8}} +Hello, ", done.stdout)) == 3
    assert "Refused: a request for nodepool idle-pool" in done.stdout
    assert done.stdout.rstrip().endswith("stopped: nothing is left running")
    home = Path(lone_shell.environ["HOME"])
    assert list(home.rglob("*")) == []


def test_init_makes_a_model_that_deploys(lone_shell: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "My model"
    assert "Next: clarifai-emulator deploy" in lone_shell.ok("init", folder)
    again = lone_shell.run("init", folder)
    assert again.returncode == 1
    assert "already has config.yaml, requirements.txt, 1/model.py." in again.stderr
    lone_shell.ok("up", "--port", "0", "--detach")
    try:
        lone_shell.ok("deploy", folder)
        assert lone_shell.ok("predict", "My-model", "prompt=you") == "Hello, you!\n"
    finally:
        lone_shell.ok("down")


def test_doctor(lone_shell: Shell) -> None:
    lone_shell.environ["CLARIFAI_API_BASE"] = "https://api.clarifai.com"
    done = lone_shell.run("doctor", "--json")
    checks = {each["name"]: each for each in json.loads(done.stdout)["checks"]}
    assert done.returncode == 0, done.stdout
    assert {"python", "clarifai", "runner", "uv", "fork", "port", "gpus", "docker", "cache"} <= set(checks)
    assert checks["variables"]["level"] == "warn"
    assert checks["variables"]["advice"].startswith('eval "$(clarifai-emulator env)"')
    blocked = Path(lone_shell.environ["HOME"]) / "file"
    blocked.touch()
    lone_shell.environ["XDG_CACHE_HOME"] = str(blocked)
    text = lone_shell.run("doctor")
    assert text.returncode == 1
    assert re.search(r"fail  cache +\S+ cannot be written\n +→ Set XDG_CACHE_HOME", text.stdout)


def test_doctor_lists_the_rpcs(lone_shell: Shell) -> None:
    table = json.loads(lone_shell.ok("doctor", "--rpcs", "--json"))
    assert table["PostModelOutputs"]["handled"] is True
    assert table["PostModelOutputs"]["http"].startswith("POST /v2/")
    assert table["PostWorkflowVersionEvaluations"]["handled"] is False


@pytest.mark.parametrize("shell_name", ["bash", "zsh", "fish"])
def test_completion(lone_shell: Shell, shell_name: str) -> None:
    script = lone_shell.ok("completion", shell_name)
    assert "_CLARIFAI_EMULATOR_COMPLETE" in script
    assert ("compopt -o nospace" in script) is (shell_name == "bash")  # `prompt=` goes on without a space


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples(command: str) -> None:
    from click.testing import CliRunner

    from clarifai_emulator.cli.main import cli

    done = CliRunner().invoke(cli, [command, "--help"], prog_name="clarifai-emulator")
    assert done.exit_code == 0
    assert re.search(rf"Examples?:\n  .*clarifai-emulator {command}", done.output), done.output


@pytest.mark.parametrize("group", [[], ["fault"], ["contract"], ["topology"]])
def test_each_command_of_a_list_is_told_in_a_whole_line(group: list[str]) -> None:
    from click.testing import CliRunner

    from clarifai_emulator.cli.main import cli

    done = CliRunner(env={"COLUMNS": "80"}).invoke(cli, [*group, "--help"])
    commands = done.output.partition("Commands:\n")[2].splitlines()
    assert commands
    assert [line for line in commands if not line.endswith(".") or line.endswith("...")] == []


def test_help_and_version_are_quick_and_complete(lone_shell: Shell) -> None:
    program = (
        "import sys\n"
        "from clarifai_emulator.cli.main import main\n"
        "try: main(['--help'])\n"
        "finally: print(sorted({'grpc', 'clarifai', 'google.protobuf', 'rich', 'yaml'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=lone_shell.environ)
    assert done.stdout.splitlines()[-1] == "[]"
    assert all(re.search(rf"^  {command} ", done.stdout, re.MULTILINE) for command in COMMANDS)
    assert "Exit codes:" in done.stdout
    assert re.fullmatch(r"clarifai-emulator, version [\d.]+\n", lone_shell.ok("--version"))


def test_a_mistyped_command(lone_shell: Shell) -> None:
    done = lone_shell.run("deplyo")
    assert done.returncode == 2
    assert "No such command 'deplyo'. Did you mean 'deploy'?" in done.stderr
