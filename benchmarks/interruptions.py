"""Interrupts every long command at random moments, under load, and looks what it left (``make interruptions``).

    python -m benchmarks.interruptions [--times N] [--load N] [--seed N] [NAME …]

A run is right when the command ends in time, with a meaningful exit code, without a traceback, in at most one line
about it, and when nothing of it is there afterwards: no process, no temporary file, no state file. Ctrl-C goes to
the whole process group, as a terminal sends it; SIGTERM to the command alone, as a supervisor sends it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

MODELS = Path(__file__).parents[1] / "fixtures" / "models"
_MARK = "INTERRUPTED_RUN"
# How long it may take to end, and what it left to be gone, where the machine is busy with other things, too.
_END_SECONDS = 30.0
_GONE_SECONDS = 15.0
_SLOW_SECONDS = 2.0
_MODEL = """
import time
from clarifai.runners.models.model_class import ModelClass


class Model(ModelClass):
    def load_model(self):
        time.sleep({load})

    @ModelClass.method
    def predict(self, seconds: float = 60.0) -> str:
        \"\"\"Sleeps.\"\"\"
        time.sleep(seconds)
        return "slept"
"""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A command, and between which seconds after its start it is interrupted. ``codes``: what it may end with
    besides 128 + the signal (it was done already, or Ctrl-C is how it is meant to end). ``serves``: it needs an
    emulator with this sample model (or none), which is looked at afterwards."""

    name: str
    words: Callable[[World], Sequence[str | Path]]
    moments: tuple[float, float]
    codes: tuple[int, ...] = (0,)
    serves: str | None = None


@dataclass(slots=True)
class Outcome:
    """A run: after how many seconds it was interrupted, how long it took to end, and all that was wrong.
    ``was_done``: it had ended by itself before, so that this run says nothing."""

    moment: float
    number: int
    seconds: float = 0.0
    code: int | None = None
    was_done: bool = False
    problems: list[str] = field(default_factory=list[str])
    output: str = ""


class World:
    """Folders of its own for every command that is run; nothing of this machine's user is seen."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state" / "clarifai-emulator"
        self.temporary = folder / "tmp"
        self.temporary.mkdir(parents=True)
        self.serving: str | None = None
        self._number = 0

    def environ(self, mark: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CLARIFAI_", "XDG_"))}
        folders = {"HOME": "home", "XDG_STATE_HOME": "state", "XDG_CACHE_HOME": "cache", "TMPDIR": "tmp"}
        return {**kept, **{name: str(self.folder / each) for name, each in folders.items()}, _MARK: mark}

    def run(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """A command that is not interrupted."""
        return subprocess.run(
            _command(words), env=self.environ("world"), capture_output=True, text=True, check=False, timeout=180
        )

    def model(self, *, load: float = 0.0, requirements: str = "clarifai\n") -> Path:
        """A new model directory, so that nothing of it is known."""
        self._number += 1
        path = self.folder / "models" / f"model-{self._number}"
        (path / "1").mkdir(parents=True)
        (path / "1" / "model.py").write_text(_MODEL.format(load=load))
        (path / "requirements.txt").write_text(requirements)
        (path / "config.yaml").write_text(
            f"model: {{id: model-{self._number}, user_id: me, app_id: main, model_type_id: text-to-text}}\n"
            "inference_compute_info: {cpu_limit: 100m, cpu_memory: 128Mi, num_accelerators: 0}\n"
        )
        return path

    def client(self) -> Path:
        """A client file that calls ``hello``."""
        path = self.folder / "client.py"
        path.write_text(
            "from clarifai.client import Model\n"
            'model = Model(url="https://clarifai.com/me/demo/models/hello")\n'
            'print(model.predict("you"))\n'
        )
        return path

    def topology(self) -> Path:
        """A topology file with a model that loads slowly."""
        path = self.folder / f"topology-{self._number}.yaml"
        path.write_text(
            f"models:\n  - {{path: {self.model(load=2)}, deploy: {{nodepool: cpu, min_replicas: 1}}}}\n"
        )
        return path

    @contextlib.contextmanager
    def emulator(self, serves: str | None) -> Iterator[None]:
        """An emulator, for scenarios that need one; ``serves``: a sample model that is deployed in it."""
        if serves is None:
            yield
            return
        self._checked("up", "--port", "0", "--detach")
        try:
            if serves:
                self._checked("deploy", MODELS / serves)
            yield
        finally:
            self.run("down", "--all")

    def _checked(self, *words: str | Path) -> None:
        done = self.run(*words)
        if done.returncode:
            raise RuntimeError(f"{words} failed: {done.stdout}{done.stderr}")


SCENARIOS = (
    Scenario("up", lambda w: ["up", "--port", "0"], (0.1, 3)),
    Scenario("up --topology", lambda w: ["up", "--port", "0", "--topology", w.topology()], (0.5, 4)),
    Scenario("up --backend inprocess", lambda w: ["up", "--port", "0", "--backend", "inprocess"], (0.1, 2)),
    Scenario("up --detach", lambda w: ["up", "--port", "0", "--detach"], (0.1, 1.5)),
    Scenario("deploy, while it starts and waits", lambda w: ["deploy", w.model(load=30)], (0.3, 3), serves=""),
    Scenario(
        "deploy, while it builds an environment",
        lambda w: ["deploy", w.model(requirements="clarifai\nsix==1.15.0\n")],
        (0.3, 4),
        serves="",
    ),
    Scenario("dev", lambda w: ["dev", "--plain", w.model(load=1)], (0.1, 6)),
    Scenario(
        "dev --backend inprocess", lambda w: ["dev", "--plain", "--backend", "inprocess", w.model()], (0.1, 5)
    ),
    Scenario("dev, joined", lambda w: ["dev", "--plain", w.model(load=1)], (0.1, 5), serves=""),
    Scenario("predict of a slow model", lambda w: ["predict", "slow", "seconds=60"], (0.1, 4), serves="slow"),
    Scenario("logs --follow", lambda w: ["logs", "--follow"], (0.1, 1.5), serves="hello"),
    Scenario("events --follow", lambda w: ["events", "--follow"], (0.1, 1.5), serves="hello"),
    Scenario("check", lambda w: ["check", w.client(), "--model", MODELS / "hello"], (0.1, 4), codes=(0, 1)),
    Scenario("contract show", lambda w: ["contract", "show", w.model()], (0.1, 3), codes=(0, 1)),
    Scenario("contract fuzz", lambda w: ["contract", "fuzz", "hello"], (0.1, 4), codes=(0, 1), serves="hello"),
    Scenario("stubs", lambda w: ["stubs", w.model(), "--out", w.folder / "stubs"], (0.1, 3)),
    Scenario("doctor", lambda w: ["doctor"], (0.1, 2), codes=(0, 1)),
    Scenario("demo", lambda w: ["demo"], (0.1, 6)),
    Scenario("reset", lambda w: ["reset"], (0.05, 0.4), serves="hello"),
    Scenario("down", lambda w: ["down"], (0.05, 0.6), codes=(0, 4), serves="hello"),
)


def interrupt(scenario: Scenario, world: World, *, moment: float, number: int) -> Outcome:
    """Run the command, interrupt it at this moment, and say what was wrong with its end."""
    outcome = Outcome(moment, number)
    mark = uuid.uuid4().hex
    before = _files(world)
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            _command(scenario.words(world)),
            env=world.environ(mark),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(moment)
            outcome.was_done = True
        began = time.monotonic()
        with contextlib.suppress(ProcessLookupError):
            if number == signal.SIGINT:
                os.killpg(process.pid, number)
            else:
                process.send_signal(number)
        try:
            outcome.code = process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            outcome.problems.append(f"had not ended {_END_SECONDS:g} s later")
        outcome.seconds = time.monotonic() - began
        output.seek(0)
        outcome.output = output.read().decode(errors="replace")
    if "stop:  clarifai-emulator down" in outcome.output:  # `up --detach` was done before it was interrupted
        world.run("down", "--all")
    outcome.problems += _wrong_words(outcome, scenario)
    outcome.problems += _left(world, mark, before)
    for pid in _marked(mark):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()
    return outcome


def _wrong_words(outcome: Outcome, scenario: Scenario) -> Iterator[str]:
    # One that is interrupted while Python itself starts is ended by the signal, or with a traceback of Python's.
    if "Traceback" in outcome.output and "clarifai_emulator" not in outcome.output:
        return
    allowed = (128 + outcome.number, -outcome.number, *scenario.codes)
    if outcome.code is not None and outcome.code not in allowed:
        yield f"exit code {outcome.code}"
    for word in ("Traceback", "Exception ignored", "Task was destroyed", "Fatal Python error", "KeyboardInterrupt"):
        if word in outcome.output:
            yield f"printed {word!r}"
            return
    if outcome.output.count("Interrupted by") > 1:
        yield "told of it more than once"
    if outcome.code == 128 + outcome.number and "Interrupted by" not in outcome.output:
        yield "did not tell that it was interrupted"


def _left(world: World, mark: str, before: set[Path]) -> list[str]:
    """Return what is still there after a while. Emulators of ``up --detach`` that had started are ended first."""
    deadline = time.monotonic() + _GONE_SECONDS
    left: list[str] = []
    while True:
        processes = {pid: _command_of(pid) for pid in _marked(mark)}
        files = _files(world) - before
        left = [f"left process {pid}: {words}" for pid, words in processes.items()]
        left += [f"left {path}" for path in sorted(files)]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.1)


def _files(world: World) -> set[Path]:
    """Temporary and state files; logs of emulators are meant to stay."""
    states = [path for path in world.state.glob("*") if path.suffix != ".log"] if world.state.is_dir() else []
    drafts = world.state.glob("emulator-starting-*") if world.state.is_dir() else []
    return {*world.temporary.iterdir(), *states, *drafts}


def _marked(mark: str) -> list[int]:
    """Return the processes of a run, however far they have got from it."""
    wanted, found = f"{_MARK}={mark}".encode(), list[int]()
    for each in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if wanted in each.read_bytes():
                found.append(int(each.parent.name))
    return found


def _command_of(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[:160]
    return "ended meanwhile"


def _command(words: Sequence[str | Path]) -> list[str]:
    return [sys.executable, "-m", "clarifai_emulator", *map(str, words)]


def leftovers_of_deployments(world: World) -> list[str]:
    """Return the interrupted deployments that the emulator still has."""
    state = json.loads(world.run("status", "--json").stdout or "{}")
    return [each["deployment_id"] for each in state.get("deployments", ()) if "model-" in each["deployment_id"]]


@contextlib.contextmanager
def load(processes: int) -> Iterator[None]:
    """Keep processors busy with so many processes."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for each in busy:
            each.kill()
            each.wait()


def repeat(scenario: Scenario, times: int, chance: random.Random, *, stop_early: int = 5) -> list[Outcome]:
    """Interrupt it so often, each at another moment, by turns with either signal."""
    folder = Path(tempfile.mkdtemp(prefix="interruptions-"))
    outcomes: list[Outcome] = []
    try:
        world = World(folder)
        with contextlib.ExitStack() as stack:
            for turn in range(times):
                # Commands that end their emulator need another one each time.
                if turn == 0 or scenario.name in ("down", "reset"):
                    stack.close()
                    stack.enter_context(world.emulator(scenario.serves))
                moment = chance.uniform(*scenario.moments)
                number = (signal.SIGINT, signal.SIGTERM)[turn % 2]
                outcome = interrupt(scenario, world, moment=moment, number=number)
                if scenario.name.startswith("deploy"):
                    outcome.problems += [f"the emulator still has {each}" for each in _unwanted(world)]
                outcomes.append(outcome)
                if sum(bool(each.problems) for each in outcomes) >= stop_early:
                    break
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return outcomes


def _unwanted(world: World) -> list[str]:
    deadline = time.monotonic() + 5
    while (found := leftovers_of_deployments(world)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.interruptions", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="scenarios whose name begins so (default: all)")
    parser.add_argument("--times", type=int, default=100, help="how often each is interrupted (default: 100)")
    parser.add_argument("--load", type=int, default=os.cpu_count() or 1, help="busy processes beside it")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    options = parser.parse_args(arguments)
    chosen = [each for each in SCENARIOS if not options.names or each.name.startswith(tuple(options.names))]
    chance = random.Random(options.seed)
    print(f"{'command':42} {'runs':>5} {'too late':>9} {'wrong':>6} {'ended after (median, most)':>28}", flush=True)
    wrong = 0
    with load(options.load):
        for scenario in chosen:
            outcomes = repeat(scenario, options.times, chance)
            bad = [each for each in outcomes if each.problems]
            wrong += len(bad)
            seconds = sorted(each.seconds for each in outcomes if not each.was_done) or [0.0]
            late = sum(each.was_done for each in outcomes)
            ended = f"{seconds[len(seconds) // 2]:.2f} s, {seconds[-1]:.2f} s"
            print(f"{scenario.name:42} {len(outcomes):5} {late:9} {len(bad):6} {ended:>28}", flush=True)
            slowest = max(outcomes, key=lambda each: each.seconds)
            if slowest.seconds > _SLOW_SECONDS:
                print(
                    f"    slowest: {signal.Signals(slowest.number).name} after {slowest.moment:.2f} s", flush=True
                )
            for each in bad:
                name = signal.Signals(each.number).name
                print(f"    {name} after {each.moment:.2f} s: {'; '.join(each.problems)}", flush=True)
                print("        " + each.output.strip().replace("\n", "\n        ")[-1500:], flush=True)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
