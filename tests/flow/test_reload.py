"""The dev loop takes an edit: it answers, no request waits or is lost, and each answer tells which code gave it."""

from __future__ import annotations

import os
import random
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.errors import ModelError
from clarifai_emulator.reload.plan import ReloadKind
from clarifai_emulator.reload.project import Options
from flow.driver import (
    IN_CONTAINERS,
    MODELS,
    RUNNERS,
    Client,
    figure,
    inference_request,
    live_replicas,
    logged,
    running,
    text_of,
    wait_for,
    write_model,
)

# `make reliability` asks for 1000.
EDITS = int(os.environ.get("CLARIFAI_TEST_CYCLES", "40"))
CLIENTS = 8

STATEFUL = """
import threading
from clarifai.runners.models.model_class import ModelClass

LOADS = []
BEGUN = []
GATE = threading.Event()

class Stateful(ModelClass):
    seen = []

    def load_model(self):
        LOADS.append(1)
        self.weights = 41

    @ModelClass.method
    def predict(self, text: str) -> str:
        self.weights += 1
        self.seen.append(text)
        return self.say(text)

    def say(self, text):
        return f"one {self.weights} {len(LOADS)} {len(self.seen)}"

    @ModelClass.method
    def wait(self, text: str) -> str:
        BEGUN.append(text)
        GATE.wait(float(text))
        return self.say(text)

    @ModelClass.method
    def let_go(self, text: str) -> str:
        GATE.set()
        return "gone"

    @ModelClass.method
    def begun(self, text: str) -> str:
        return str(len(BEGUN))
"""


@pytest.fixture(params=["docker"] if IN_CONTAINERS else [n for n in RUNNERS if n != "docker"], scope="module")
def _devs(request: pytest.FixtureRequest) -> Iterator[EmulatorThread]:
    settings = {"runner": "genuine", "backend": "process", "stop_seconds": 0.5, **RUNNERS[request.param]}
    with running(**settings) as emulator:
        yield emulator


@pytest.fixture
def dev(_devs: EmulatorThread) -> EmulatorThread:
    """Return an empty emulator, with each way to run a model."""
    _devs.reset()
    return _devs


@pytest.fixture
def caller(dev: EmulatorThread) -> Iterator[Client]:
    client = Client(dev.url)
    yield client
    client.close()


class Edits:
    """A model directory in the dev loop, and a client that calls it."""

    def __init__(self, dev: EmulatorThread, caller: Client, directory: Path, **options: Any) -> None:
        self.dev, self.caller, self.directory = dev, caller, directory
        self.model = directory / "1" / "model.py"
        self.source = self.model.read_text()
        dev.dev(directory, options=Options(**options))

    def save(self, old: str = "", new: str = "", *, add: str = "") -> Any:
        """Edit what was there at first, and reload; return what came of it."""
        assert old in self.source
        self.model.write_text(self.source.replace(old, new, 1) + add if old else self.source + add)
        return self.dev.reload(self.directory)

    def ask(self, method: str = "predict", *, model: str = "", **parts: Any) -> tuple[str, dict[str, str]]:
        """Return the answer's text, or why there is none, and the trailers."""
        request = inference_request(model or self.directory.name, method, **(parts or {"text": "x"}))
        response, trailers = self.caller.call_with_trailers("PostModelOutputs", request)
        return (text_of(response) if response.outputs else response.status.details), trailers

    @property
    def replica(self) -> str:
        (found,) = live_replicas(self.dev, f"deploy-{self.directory.name}")
        return found["replica_id"]


@pytest.fixture
def stateful(dev: EmulatorThread, caller: Client, tmp_path: Path) -> Edits:
    return Edits(dev, caller, write_model(tmp_path, "stateful", STATEFUL))


def test_a_swap_keeps_the_replica_its_weights_and_what_the_module_and_the_class_hold(stateful: Edits) -> None:
    assert stateful.ask()[0] == "one 42 1 1"
    replica = stateful.replica
    outcome = stateful.save('f"one', 'f"two')
    assert (outcome.state, outcome.plan.kind) == ("ready", ReloadKind.SWAP)
    assert (outcome.plan.reason, outcome.plan.files) == ("say has changed", ("1/model.py",))
    text, trailers = stateful.ask()
    assert text == "two 43 1 2"
    assert stateful.replica == replica
    assert trailers["x-clarifai-emulator-code"] == outcome.code


def test_a_fork_loads_the_model_again_in_the_same_version(stateful: Edits) -> None:
    stateful.ask()
    replica = stateful.replica
    outcome = stateful.save("self.weights = 41", "self.weights = 99")
    assert (outcome.state, outcome.plan.kind, outcome.plan.reason) == (
        "ready",
        ReloadKind.FORK,
        "load_model has changed",
    )
    text, trailers = stateful.ask()
    assert text == "one 100 1 1"
    assert trailers["x-clarifai-emulator-code"] == outcome.code
    assert stateful.replica != replica
    versions = stateful.caller.call(
        "ListModelVersions", user_app_id={"user_id": "me", "app_id": "demo"}, model_id="stateful"
    )
    assert [each.id for each in versions.model_versions] == [outcome.version_id]


@pytest.mark.parametrize(
    ("old", "new", "kind", "seconds"),
    [('f"one', 'f"two', ReloadKind.SWAP, "20"), ("self.weights = 41", "self.weights = 50", ReloadKind.FORK, "2")],
    ids=["swap", "fork"],
)
def test_a_request_in_flight_ends_on_the_code_it_began_with(
    stateful: Edits, old: str, new: str, kind: ReloadKind, seconds: str
) -> None:
    begun_with = stateful.ask()[1]["x-clarifai-emulator-code"]
    answers: list[tuple[str, dict[str, str]]] = []
    waiting = threading.Thread(target=lambda: answers.append(stateful.ask("wait", text=seconds)))
    waiting.start()
    wait_for(lambda: stateful.ask("begun")[0] == "1")
    outcome = stateful.save(old, new)
    assert (outcome.state, outcome.plan.kind) == ("ready", kind)
    after, trailers = stateful.ask()
    assert after.split()[:2] == (["two", "43"] if kind is ReloadKind.SWAP else ["one", "51"])
    assert trailers["x-clarifai-emulator-code"] == outcome.code
    assert not answers, "it still waits, and new requests are answered"
    if kind is ReloadKind.SWAP:
        stateful.ask("let_go")
    waiting.join(30)
    text, trailers = answers[0]
    assert text.startswith("one 4")
    assert trailers["x-clarifai-emulator-code"] == begun_with


BROKEN = {
    "syntax": ("return self.say(text)", "return self.say(text", "SyntaxError"),
    "a name in a decorator": (
        "    @ModelClass.method\n    def wait",
        "    @ModelClass.methods\n    def wait",
        "AttributeError",
    ),
    "an import": ("import threading\n", "import threading\nimport nothing_like_it\n", "ModuleNotFoundError"),
    "load_model": ("self.weights = 41", "self.weights = 41 / 0", "ZeroDivisionError"),
    "a default": (
        "text: str) -> str:\n        self.weights",
        "text: str = nope) -> str:\n        self.weights",
        "NameError",
    ),
}


@pytest.mark.parametrize(("old", "new", "error"), BROKEN.values(), ids=BROKEN)
def test_a_broken_edit_leaves_the_last_good_code_serving_and_says_where_it_is_wrong(
    stateful: Edits, old: str, new: str, error: str
) -> None:
    good = stateful.ask()[1]["x-clarifai-emulator-code"]
    outcome = stateful.save(old, new)
    assert outcome.state == "failed"
    assert outcome.failure is not None
    assert error in outcome.failure.message
    assert outcome.failure.file == "1/model.py"
    line = stateful.model.read_text().splitlines()[outcome.failure.line - 1]
    assert f"{outcome.failure.line} | {line}" in outcome.failure.frame.partition("> ")[2].partition("\n")[0]
    text, trailers = stateful.ask()
    assert text.startswith("one")
    assert trailers["x-clarifai-emulator-code"] == good
    assert trailers["x-clarifai-emulator-reload"] == outcome.failure.summary
    (event,) = stateful.dev.events("reload.failed")
    assert event.fields["failure"]["frame"] == outcome.failure.frame
    assert stateful.dev.status()["dev"][0]["last"]["failure"]["message"] == outcome.failure.message
    assert stateful.dev.reload(stateful.directory).state == "unchanged", "the same broken code is not tried again"
    mended = stateful.save('f"one', 'f"mended')
    assert mended.state == "ready"
    text, trailers = stateful.ask()
    assert text.startswith("mended")
    assert "x-clarifai-emulator-reload" not in trailers


def test_taking_a_broken_edit_back_is_ready_at_once(stateful: Edits) -> None:
    stateful.save("return self.say(text)", "return self.say(text")
    assert stateful.save().state == "unchanged"
    assert "x-clarifai-emulator-reload" not in stateful.ask()[1]
    assert [event.kind for event in stateful.dev.events("reload")] == ["reload.failed", "reload.ready"]
    reason = "the broken edit is taken back, and what serves is what is on disk again"
    assert stateful.dev.events("reload.ready")[0].fields["reason"] == reason


def test_strict_fails_requests_while_an_edit_is_broken(dev: EmulatorThread, caller: Client, tmp_path: Path) -> None:
    edits = Edits(dev, caller, write_model(tmp_path, "stateful", STATEFUL), strict=True)
    edits.save("self.weights = 41", "self.weights = 41 / 0")
    response = caller.call("PostModelOutputs", inference_request("stateful", text="x"))
    assert response.status.code == StatusCode.MODEL_DEPLOYMENT_FAILED
    assert "ZeroDivisionError: division by zero" in response.status.details
    assert "without --strict the last good code would have answered" in response.status.details
    edits.save()
    assert edits.ask()[0].startswith("one")


def test_other_signatures_are_a_new_model_version(stateful: Edits) -> None:
    first = stateful.dev.status()["deployments"][0]["versions"][0]["version_id"]
    outcome = stateful.save("def predict(self, text: str)", "def predict(self, text: str, more: str = 'm')")
    assert (outcome.state, outcome.plan.kind) == ("ready", ReloadKind.FORK)
    assert outcome.plan.reason == "predict has changed, and with it what clients see of the model"
    assert outcome.version_id != first
    assert [len(each.input_fields) for each in outcome.old if each.name == "predict"] == [1]
    assert [len(each.input_fields) for each in outcome.new if each.name == "predict"] == [2]
    assert stateful.ask()[1]["x-clarifai-emulator-code"] == outcome.code
    assert stateful.ask(text="x", more="y")[0].startswith("one")
    deployment = stateful.caller.call(
        "GetDeployment", deployment_id="deploy-stateful", user_app_id={"user_id": "me"}
    )
    assert deployment.deployment.worker.model.model_version.id == outcome.version_id


def test_what_other_signatures_break_is_said_by_rule_and_where(stateful: Edits) -> None:
    outcome = stateful.save("def predict(self, text: str)", "def predict(self, words: str)")
    told = [(each.rule, each.severity.value, each.method) for each in outcome.changes]
    assert ("parameter-renamed", "error", "predict") in told
    event = next(
        each for each in stateful.dev.events("contract.finding") if each.fields["rule"] == "parameter-renamed"
    )
    line = next(n for n, text in enumerate(stateful.model.read_text().splitlines(), 1) if "def predict" in text)
    assert (event.fields["file"], event.fields["line"]) == (str(stateful.model), line)
    assert [each["rule"] for each in stateful.dev.events("reload.ready")[0].fields["changes"]] == [
        t[0] for t in told
    ]
    assert stateful.save("def predict(self, text: str)", "def predict(self, words: str)").state == "unchanged"


def test_a_helper_beside_the_model_is_forked_and_named(stateful: Edits) -> None:
    (stateful.directory / "helper.py").write_text("A = 1\n")
    outcome = stateful.dev.reload(stateful.directory)
    assert (outcome.plan.kind, outcome.plan.files) == (ReloadKind.FORK, ("helper.py",))
    assert outcome.plan.reason == "helper.py is new, and the model may have read it"


HELPED = """
import os
import sys
import time
sys.path.insert(0, os.path.dirname(__file__))
import words
from clarifai.runners.models.model_class import ModelClass
from words import GREETING

LOADS = []
BEGUN = []
GO = os.path.join(os.path.dirname(__file__), "__pycache__", "go")

class Stateful(ModelClass):
    def load_model(self):
        LOADS.append(1)
        self.box = None

    @ModelClass.method
    def predict(self, text: str) -> str:
        self.box = self.box or words.Box()
        return f"{GREETING} {words.style(text)} {self.box.show()} {len(LOADS)}"

    @ModelClass.method
    def wait(self, text: str) -> str:
        first = words.style(text)
        BEGUN.append(text)
        for _ in range(1000):
            if os.path.exists(GO):
                break
            time.sleep(0.02)
        return first + words.style(text)

    @ModelClass.method
    def begun(self, text: str) -> str:
        return str(len(BEGUN))
"""
WORDS = """
GREETING = "Hello"

def style(text):
    return text

class Box:
    def show(self):
        return "box"
"""


@pytest.fixture
def helped(dev: EmulatorThread, caller: Client, tmp_path: Path) -> Edits:
    directory = write_model(tmp_path, "helped", HELPED)
    (directory / "1" / "words.py").write_text(WORDS)
    return Edits(dev, caller, directory)


def test_a_helper_that_loading_did_not_use_is_swapped_and_the_weights_stay(helped: Edits) -> None:
    assert helped.ask()[0] == "Hello x box 1"
    replica = helped.replica
    edit = (
        WORDS.replace("return text", "return text.upper()").replace('"Hello"', '"Moin"').replace('"box"', '"crate"')
    )
    (helped.directory / "1" / "words.py").write_text(edit)
    outcome = helped.dev.reload(helped.directory)
    text, trailers = helped.ask()
    assert text == "Moin X crate 1"
    assert trailers["x-clarifai-emulator-code"] == outcome.code
    if helped.dev.run(lambda emulator: emulator.config.backend) == "inprocess":
        assert outcome.plan.kind is ReloadKind.FORK
        return
    assert outcome.plan.kind is ReloadKind.SWAP
    assert outcome.plan.reason == (
        "style, Box.show, GREETING of 1/words.py have changed, which loading did not use"
    )
    assert helped.replica == replica


def test_a_request_ends_on_the_helper_it_began_with(helped: Edits) -> None:
    answers: list[str] = []
    asking = threading.Thread(target=lambda: answers.append(helped.ask("wait")[0]))
    asking.start()
    wait_for(lambda: helped.ask("begun")[0] == "1")
    (helped.directory / "1" / "words.py").write_text(WORDS.replace("return text", "return text.upper()"))
    outcome = helped.dev.reload(helped.directory)
    assert helped.ask()[0] == "Hello X box 1"
    go = helped.directory / "1" / "__pycache__" / "go"  # no file of the model, so no edit
    go.parent.mkdir(exist_ok=True)
    go.touch()
    asking.join()
    assert answers == ["xx"]
    assert outcome.plan.kind is ReloadKind.FORK


def test_a_save_without_a_change_causes_no_reload(stateful: Edits) -> None:
    os.utime(stateful.model)
    stateful.model.write_text(stateful.source)
    assert stateful.dev.reload(stateful.directory).state == "unchanged"
    (stateful.directory / "requirements.txt").write_text("# what it needs\nclarifai\n")
    outcome = stateful.dev.reload(stateful.directory)
    assert outcome.state == "unchanged"
    assert stateful.ask()[1]["x-clarifai-emulator-code"] == outcome.code, "it goes by its new name all the same"
    assert stateful.dev.events("reload") == []


def test_always_fork_forks(dev: EmulatorThread, caller: Client, tmp_path: Path) -> None:
    edits = Edits(dev, caller, write_model(tmp_path, "stateful", STATEFUL), always=ReloadKind.FORK)
    outcome = edits.save('f"one', 'f"two')
    assert (outcome.plan.kind, outcome.plan.reason) == (
        ReloadKind.FORK,
        "say has changed, and a fork was asked for every time",
    )


def test_a_model_that_is_renamed_is_refused_with_what_to_do(stateful: Edits) -> None:
    config = stateful.directory / "config.yaml"
    config.write_text(config.read_text().replace("id: stateful", "id: renamed"))
    outcome = stateful.dev.reload(stateful.directory)
    assert outcome.failure is not None
    assert outcome.failure.summary == "config.yaml now names another model: renamed."
    assert (
        outcome.failure.hint == "Stop `clarifai-emulator dev` and start it again for that, or take the change back."
    )
    assert stateful.ask()[0].startswith("one")


def test_other_threads_of_config_yaml_are_a_new_version(stateful: Edits) -> None:
    config = stateful.directory / "config.yaml"
    config.write_text(config.read_text() + "\nnum_threads: 3\n")
    first = stateful.dev.status()["deployments"][0]["versions"][0]["version_id"]
    outcome = stateful.dev.reload(stateful.directory)
    assert (outcome.state, outcome.plan.reason) == ("ready", "num_threads of config.yaml has changed")
    assert outcome.version_id != first


def test_several_replicas_change_together(dev: EmulatorThread, caller: Client, tmp_path: Path) -> None:
    directory = write_model(tmp_path, "stateful", STATEFUL)
    dev.dev(directory, min_replicas=3)
    wait_for(lambda: len(live_replicas(dev, "deploy-stateful")) == 3)
    model = directory / "1" / "model.py"
    for text, kind in (
        (STATEFUL.replace('f"one', 'f"two'), ReloadKind.SWAP),
        (STATEFUL.replace("41", "50"), ReloadKind.FORK),
    ):
        model.write_text(text)
        outcome = dev.reload(directory)
        assert (outcome.state, outcome.plan.kind) == ("ready", kind)
        codes = set()
        for _ in range(12):
            _, trailers = caller.call_with_trailers("PostModelOutputs", inference_request("stateful", text="x"))
            codes.add(trailers["x-clarifai-emulator-code"])
        assert codes == {outcome.code}
        assert len(live_replicas(dev, "deploy-stateful")) == 3


def test_a_replica_that_crashed_comes_back_with_what_is_on_disk_under_its_own_name(stateful: Edits) -> None:
    outcome = stateful.save('f"one', 'f"two')
    stateful.dev.run(
        lambda e: [
            e.supervisor.lose_replica(r.replica, "a test")
            for f in e.supervisor.fleets.values()
            for r in f.live
            if r.replica
        ]
    )
    text, trailers = stateful.ask()
    assert text.startswith("two")
    assert trailers["x-clarifai-emulator-code"] == outcome.code
    assert stateful.save('f"one', 'f"three').plan.kind is ReloadKind.SWAP


def test_a_newer_save_ends_the_wait_for_a_model_that_loads_long(stateful: Edits) -> None:
    if stateful.dev.config.backend == "inprocess":
        pytest.skip("a thread that loads a model cannot be ended")
    slow = "import time\n        print('loads', flush=True)\n        time.sleep(60)\n        self.weights = 41"
    stateful.model.write_text(STATEFUL.replace("self.weights = 41", slow))
    outcomes: list[Any] = []
    waiting = threading.Thread(target=lambda: outcomes.append(stateful.dev.reload(stateful.directory)), daemon=True)
    waiting.start()
    wait_for(lambda: "loads" in logged(stateful.dev))
    assert stateful.save('f"one', 'f"two').state == "ready"
    waiting.join(20)
    assert [outcome.state for outcome in outcomes] == ["superseded"]
    assert stateful.ask()[0].startswith("two")


def test_what_is_not_in_the_dev_loop_says_how_it_gets_there(dev: EmulatorThread, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as raised:
        dev.reload(tmp_path)
    assert raised.value.summary == f"{tmp_path} is not in the dev loop."
    assert raised.value.hint == f"Begin with `clarifai-emulator dev {tmp_path}`."


def test_nothing_of_it_is_there_outside_the_dev_loop(dev: EmulatorThread, caller: Client, tmp_path: Path) -> None:
    dev.deploy(write_model(tmp_path, "stateful", STATEFUL))
    response, trailers = caller.call_with_trailers("PostModelOutputs", inference_request("stateful", text="x"))
    assert text_of(response).startswith("one")
    assert "x-clarifai-emulator-code" not in trailers
    assert not response.HasField("runner_selector")


def random_edit(choose: random.Random, number: int) -> tuple[str, bool, str]:
    """Return a source, whether it is good, and what it then answers with."""
    kind = choose.choice(["body", "body", "body", "load", "top", "syntax", "raise", "name"])
    answer = f"edit {number}"
    source = MIXED.replace("ANSWER", answer)
    if kind == "load":
        source = source.replace("self.loaded = 0", f"self.loaded = {number}")
    elif kind == "top":
        source = source.replace("TOP = 0", f"TOP = {number}")
    elif kind == "syntax":
        source = source.replace("return f", "return return f")
    elif kind == "raise":
        source = source.replace("self.loaded = 0", "raise RuntimeError('no weights')")
    elif kind == "name":
        source = source.replace("text: str)", "text: str = not_there)")
    return source, kind not in ("syntax", "raise", "name"), answer


MIXED = """
from clarifai.runners.models.model_class import ModelClass

TOP = 0

class Mixed(ModelClass):
    def load_model(self):
        self.loaded = 0

    @ModelClass.method
    def predict(self, text: str) -> str:
        return f"ANSWER"
"""


@pytest.mark.timeout(1800)
@pytest.mark.slow
def test_under_load_no_request_fails_and_none_is_answered_by_old_code(
    dev: EmulatorThread, caller: Client, tmp_path: Path
) -> None:
    directory = write_model(tmp_path, "mixed", MIXED.replace("ANSWER", "edit -1"))
    dev.dev(directory)
    model = directory / "1" / "model.py"
    ready_since = [-1]  # the newest edit that was said to be ready
    failed: list[Any] = []
    stale: list[Any] = []
    hashes: dict[str, set[str]] = {}
    stop = threading.Event()
    asked = [0] * CLIENTS

    def client(number: int) -> None:
        mine = Client(dev.url)
        while not stop.is_set():
            at_least = ready_since[0]
            try:
                response, trailers = mine.call_with_trailers(
                    "PostModelOutputs", inference_request("mixed", text="x")
                )
            except Exception as error:
                failed.append(error)
                continue
            asked[number] += 1
            if response.status.code != StatusCode.SUCCESS:
                failed.append(response.status.details)
                continue
            text = text_of(response)
            hashes.setdefault(trailers.get("x-clarifai-emulator-code", ""), set()).add(text)
            if int(text.split()[1]) < at_least:
                stale.append((text, at_least))
        mine.close()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    choose = random.Random(7)
    began, kinds = time.monotonic(), dict[str, int]()
    try:
        for number in range(EDITS):
            source, good, answer = random_edit(choose, number)
            model.write_text(source)
            outcome = dev.reload(directory)
            assert outcome.state == ("ready" if good else "failed"), outcome
            kinds[outcome.plan.kind] = kinds.get(outcome.plan.kind, 0) + 1
            if good:
                ready_since[0] = number
                assert text_of(caller.call("PostModelOutputs", inference_request("mixed", text="x"))) == answer
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    took = time.monotonic() - began
    figure(f"{EDITS} edits ({kinds}) beside {sum(asked)} requests of {CLIENTS} clients, {took:.0f} s")
    assert failed == []
    assert stale == []
    assert "" not in hashes, "every answer tells its code"
    assert all(len(texts) == 1 for texts in hashes.values()), "a hash stands for one code"
    assert sum(asked) > EDITS
    assert left_running(dev) == 1, "nothing of the old code is left running"


def left_running(dev: EmulatorThread) -> int:
    """Count the replicas once those that were replaced have ended."""
    count = lambda: sum(len(v["replicas"]) for d in dev.status()["deployments"] for v in d["versions"])  # noqa: E731
    wait_for(lambda: count() == 1)
    return count()


@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="reads /proc: Linux only")
@pytest.mark.timeout(600)
def test_swaps_cost_a_replica_no_memory_that_stays(dev: EmulatorThread, caller: Client, tmp_path: Path) -> None:
    edits = Edits(dev, caller, write_model(tmp_path, "stateful", STATEFUL))

    def resident() -> int:
        (replica,) = live_replicas(dev, "deploy-stateful")
        return int(Path(f"/proc/{replica['pid']}/statm").read_text().split()[1])

    def swap(number: int) -> None:
        assert edits.save('f"one', f'f"{number}').plan.kind is ReloadKind.SWAP
        assert edits.ask()[0].startswith(f"{number} ")

    for number in range(10):
        swap(number)
    after_ten = resident()
    for number in range(10, max(EDITS, 100)):
        swap(number)
    figure(f"memory after {max(EDITS, 100)} swaps: {resident() / after_ten:.3f} of that after 10")
    assert resident() <= 1.2 * after_ten


def test_a_directory_that_is_deployed_already_joins_the_loop(
    dev: EmulatorThread, caller: Client, tmp_path: Path
) -> None:
    directory = tmp_path / "hello"
    shutil.copytree(MODELS / "hello", directory)
    dev.deploy(directory)
    edits = Edits(dev, caller, directory)
    assert edits.save("Hello, {prompt}{", "Hi, {prompt}{").plan.kind is ReloadKind.SWAP
    assert edits.ask(prompt="you")[0] == "Hi, you!"


def test_over_a_restart_with_state_it_is_the_same_version_and_answers_tell_their_code(tmp_path: Path) -> None:
    directory = write_model(tmp_path, "stateful", STATEFUL)
    request = inference_request("stateful", text="x")
    with running(data_dir=tmp_path / "kept") as emulator:
        version = emulator.dev(directory).version_id
        (directory / "1" / "model.py").write_text(STATEFUL.replace('f"one', 'f"two'))
        code = emulator.reload(directory).code
    with running(data_dir=tmp_path / "kept") as emulator:
        caller = Client(emulator.url)
        response, trailers = caller.call_with_trailers("PostModelOutputs", request)
        assert text_of(response).startswith("two")
        assert trailers["x-clarifai-emulator-code"] == code
        again = emulator.dev(directory)
        assert (again.version_id, again.is_new_version) == (version, False)
        caller.close()
