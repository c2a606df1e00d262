"""A real warm parent has real children. They run a stand-in for the SDK, which imports in no time."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from clarifai_emulator.backends.backend import Exit
from clarifai_emulator.backends.process.parent import launch, runner_environ
from clarifai_emulator.backends.process.warm_parent import Child
from clarifai_emulator.backends.process.zygote_link import Zygote
from clarifai_emulator.backends.replica_output import OutputPipe
from clarifai_emulator.errors import ModelError
from flow.processes import children_of

# The runner of the stand-in: runs what the model directory says.
SERVER = """
import os, pathlib, sys
PROXIES = {name: os.environ.get(name) for name in ("HTTP_PROXY", "HTTPS_PROXY", "https_proxy", "NO_PROXY")}
def main():
    exec(pathlib.Path(sys.argv[2], "run.py").read_text(), {})
"""


class Scene:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.lines: list[str] = []
        package = root / "sdk" / "clarifai" / "runners"
        package.mkdir(parents=True)
        for folder in (package.parent, package):
            (folder / "__init__.py").touch()
        (package / "server.py").write_text(SERVER)
        self.model = root / "model"
        self.model.mkdir()
        self.environ = {
            **runner_environ(os.environ),
            "PYTHONPATH": str(root / "sdk"),
            "HTTPS_PROXY": "http://proxy:1",
        }
        self.zygote = Zygote(Path(sys.executable), self.environ)

    async def fork(self, program: str, **environ: str) -> Child:
        """Start a child that runs this program."""
        child = await self.begin(program, **environ)
        await asyncio.wait_for(asyncio.shield(child.started), 10)
        return child

    async def begin(self, program: str, **environ: str) -> Child:
        await self.zygote.start()
        (self.model / "run.py").write_text("import os, signal, subprocess, sys, time\n" + program)
        return self.zygote.fork(self.job(**environ), OutputPipe(self.lines.append))

    def job(self, **environ: str) -> dict[str, Any]:
        return {
            "op": "run",
            "model_path": str(self.model),
            "base_url": "http://127.0.0.1:1",
            "pat": "replica-1",
            "num_threads": 3,
            "environ": environ,
        }

    async def run(self, program: str, **environ: str) -> Exit:
        return await ended(await self.fork(program, **environ))

    async def line(self) -> str:
        """Return the first line that a child prints."""
        for _ in range(2000):
            if self.lines:
                return self.lines[0]
            await asyncio.sleep(0.002)
        raise AssertionError("nothing was printed")


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    scene = Scene(tmp_path)
    yield scene
    scene.zygote.close()


async def ended(child: Child) -> Exit:
    return await asyncio.wait_for(asyncio.shield(child.exited), 10)


async def gone(pid: int) -> bool:
    """Tell whether the process ends in time. A zombie has ended."""
    for _ in range(2000):
        if not _is_running(pid):
            return True
        await asyncio.sleep(0.002)
    return False


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


# What a child is.


async def test_a_child_is_the_runner_with_the_environment_and_folder_of_its_model(scene: Scene) -> None:
    program = "print(sys.argv, os.getcwd() == sys.argv[2] == sys.path[0], dict(os.environ), sys.stdin.read())"
    assert await scene.run(program, CLARIFAI_PAT="replica-1") == Exit(0)
    argv = ["clarifai.runners.server", "--model_path", str(scene.model)]
    assert scene.lines == [f"{argv} True {{'CLARIFAI_PAT': 'replica-1'}} "]


async def test_importing_the_sdk_reaches_no_network_and_leaves_the_environment_as_it_was(scene: Scene) -> None:
    program = "from clarifai.runners.server import PROXIES; print(PROXIES)"
    assert await scene.run(program) == Exit(0)
    nowhere = "http://127.0.0.1:9"
    assert scene.lines == [
        str({"HTTP_PROXY": nowhere, "HTTPS_PROXY": nowhere, "https_proxy": None, "NO_PROXY": None})
    ]
    parent = Path(f"/proc/{scene.zygote._process.pid}")  # type: ignore[union-attr]
    assert b"HTTPS_PROXY=http://proxy:1" in parent.joinpath("environ").read_bytes()


async def test_children_share_nothing_that_they_change(scene: Scene) -> None:
    await scene.run("sys.modules['left_behind'] = sys; os.environ['LEFT'] = '1'")
    await scene.run("print('left_behind' in sys.modules, 'LEFT' in os.environ)")
    assert scene.lines == ["False False"]


async def test_the_pid_is_the_childs_own_and_it_leads_a_session(scene: Scene) -> None:
    child = await scene.fork("print(os.getpid(), os.getsid(0))")
    await ended(child)
    assert scene.lines == [f"{child.pid} {child.pid}"]


# How a child ends.


@pytest.mark.parametrize(
    ("program", "exit_", "said"),
    [
        ("os._exit(3)", Exit(3), "its process exited with code 3"),
        ("sys.exit(7)", Exit(7), "its process exited with code 7"),
        ("sys.exit('words')", Exit(1), "its process exited with code 1"),
        ("raise ValueError('boom')", Exit(1), "its process exited with code 1"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", Exit(signal=11), "its process was ended by signal 11"),
    ],
)
async def test_how_a_child_ended_is_told(scene: Scene, program: str, exit_: Exit, said: str) -> None:
    assert await scene.run(program) == exit_
    assert str(exit_) == said


async def test_everything_a_child_printed_is_read_before_its_end_is_told(scene: Scene) -> None:
    await scene.run("sys.stdout.write('x\\n' * 4000); sys.stderr.write('last'); os._exit(0)")
    assert len(scene.lines) == 4001
    assert scene.lines[-1] == "last"


async def test_a_child_that_raises_prints_its_trace(scene: Scene) -> None:
    await scene.run("raise ValueError('boom')")
    assert scene.lines[0] == "Traceback (most recent call last):"
    assert scene.lines[-1] == "ValueError: boom"


async def test_terminate_lets_a_child_clean_up(scene: Scene) -> None:
    program = (
        "signal.signal(signal.SIGTERM, lambda *_: (print('cleaned up'), sys.exit(5)))\nprint('on')\ntime.sleep(60)"
    )
    child = await scene.fork(program)
    await scene.line()
    child.terminate()
    assert await ended(child) == Exit(5)
    assert scene.lines == ["on", "cleaned up"]


async def test_kill_ends_a_child_that_will_not_listen_and_all_it_started(scene: Scene) -> None:
    deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    program = deaf + "print(subprocess.Popen(['sleep', '60']).pid)\ntime.sleep(60)"
    child = await scene.fork(program)
    grandchild = int(await scene.line())
    child.terminate()
    child.kill()
    assert await ended(child) == Exit(signal=9)
    assert await gone(grandchild)


async def test_what_a_child_started_ends_with_it(scene: Scene) -> None:
    assert await scene.run("print(subprocess.Popen(['sleep', '60']).pid)") == Exit(0)
    assert await gone(int(scene.lines[0]))


DAEMON = (
    "if os.fork() == 0:\n"
    "    os.setsid()\n"
    "    if os.fork() == 0:\n"
    "        print(os.getpid(), flush=True)\n"
    "        os.execvp('sleep', ['sleep', '60'])\n"
    "    os._exit(0)\n"
    "os.wait()\n"
)


@pytest.mark.parametrize("end", ["os._exit(3)", "os.kill(os.getpid(), signal.SIGKILL)", "time.sleep(60)"])
async def test_a_daemon_in_a_session_of_its_own_ends_with_the_child_that_started_it(scene: Scene, end: str) -> None:
    other = await scene.fork("print('up'); time.sleep(60)")
    assert await scene.line() == "up"
    scene.lines.clear()
    child = await scene.fork(f"{DAEMON}while not os.path.exists('go'): time.sleep(0.005)\n{end}")
    daemon = int(await scene.line())
    assert _is_running(daemon)
    (scene.model / "go").touch()
    if "sleep(" in end:
        child.kill()
    await ended(child)
    assert await gone(daemon)
    assert _is_running(other.pid), "what belongs to nobody else goes on"


async def test_a_kill_in_a_childs_first_moment_is_not_lost(scene: Scene) -> None:
    for _ in range(20):
        child = await scene.begin("time.sleep(60)")
        child.kill()
        assert await ended(child) == Exit(signal=9)


async def test_a_signal_to_a_child_that_has_ended_is_nothing(scene: Scene) -> None:
    child = await scene.fork("pass")
    await ended(child)
    child.kill()
    child.terminate()
    assert await scene.run("print('the parent lives')") == Exit(0)


async def test_many_children_may_be_started_at_once(scene: Scene) -> None:
    """The jobs are more than the socket to the parent holds."""
    await scene.zygote.start()
    (scene.model / "run.py").write_text("print('up')")
    job = scene.job(FILLER="x" * 20_000)
    children = [scene.zygote.fork(job, OutputPipe(scene.lines.append)) for _ in range(30)]
    assert [await ended(child) for child in children] == [Exit(0)] * 30
    assert scene.lines == ["up"] * 30


FORKING = """
print(open("/proc/self/cgroup").read().replace("\\n", " "))
count = 0
try:
    while count < 300:
        if os.fork() == 0:
            time.sleep(60)
        count += 1
except OSError as error:
    print(count, error.strerror)
else:
    print("no end")
"""


def groups_of(pid: int) -> list[Path]:
    return list(Path("/sys/fs/cgroup").rglob(f"clarifai-emulator-{pid}"))


async def test_a_child_that_makes_more_and_more_processes_is_stopped_at_its_limit(scene: Scene) -> None:
    await scene.zygote.start()
    (scene.model / "run.py").write_text("import os, time\n" + FORKING)
    job = {**scene.job(), "processes": 100}
    child = scene.zygote.fork(job, OutputPipe(scene.lines.append))
    assert await ended(child) == Exit(0)
    groups, said = scene.lines
    if "clarifai-emulator-" not in groups:
        pytest.skip("needs a system that lets this user count the processes of a replica")
    assert said == "99 Resource temporarily unavailable"
    assert await scene.run("print('another')") == Exit(0)
    for _ in range(2000):
        if not groups_of(child.pid):
            return
        await asyncio.sleep(0.005)
    raise AssertionError("its group is still there")


# How the parent ends.


async def test_when_the_parent_is_closed_its_children_die(scene: Scene) -> None:
    child = await scene.fork("print(subprocess.Popen(['sleep', '60']).pid)\ntime.sleep(60)")
    grandchild = int(await scene.line())
    assert scene.zygote.is_alive
    scene.zygote.close()
    scene.zygote.close()
    assert not scene.zygote.is_alive
    assert await ended(child) == Exit(signal=9)
    assert await gone(child.pid)
    assert await gone(grandchild)


def keeper_of(scene: Scene) -> int:
    assert scene.zygote._process is not None  # pyright: ignore[reportPrivateUsage]
    return scene.zygote._process.pid  # pyright: ignore[reportPrivateUsage]


def parent_of(scene: Scene) -> int:
    """Return the process that replicas are forked from."""
    return next(pid for pid in children_of(keeper_of(scene)) if os.getsid(pid) != pid)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP])
async def test_a_parent_that_is_killed_or_stopped_is_replaced_and_its_children_go_on(
    scene: Scene, number: int, caplog: pytest.LogCaptureFixture
) -> None:
    child = await scene.fork(f"{DAEMON}while not os.path.exists('go'): time.sleep(0.005)\nsys.exit(7)")
    daemon = int(await scene.line())
    before = parent_of(scene)
    os.kill(before, number)
    assert await scene.run("print('another')") == Exit(0)
    assert scene.lines[-1] == "another"
    assert parent_of(scene) != before
    assert _is_running(child.pid)
    assert _is_running(daemon)
    assert (
        f"{sys.executable}, from which replicas are forked, "
        + ("was stopped" if number == signal.SIGSTOP else f"was ended by signal {int(number)}")
        + ". Another one has taken its place; replicas go on."
    ) in caplog.text
    (scene.model / "go").touch()
    assert await ended(child) == Exit(7), "how it ended is known, whoever forked it"
    assert await gone(daemon)


async def test_a_parent_that_cannot_be_had_again_is_told_where_the_child_would_have_printed(scene: Scene) -> None:
    await scene.zygote.start()
    (scene.root / "sdk" / "clarifai" / "runners" / "server.py").write_text("import not_installed")
    os.kill(parent_of(scene), signal.SIGKILL)
    child = await scene.begin("pass")
    assert await ended(child) == Exit(1)
    assert scene.lines[-1] == "ModuleNotFoundError: No module named 'not_installed'"
    (scene.root / "sdk" / "clarifai" / "runners" / "server.py").write_text(SERVER)
    assert await scene.run("print('mended')") == Exit(0)


async def test_when_the_keeper_is_killed_its_children_die_and_that_is_told(scene: Scene) -> None:
    child = await scene.fork("time.sleep(60)")
    parent = parent_of(scene)
    os.kill(keeper_of(scene), signal.SIGKILL)
    assert await ended(child) == Exit(signal=9)
    assert not scene.zygote.is_alive
    assert await gone(child.pid)
    assert await gone(parent)
    with pytest.raises(ModelError, match="has ended"):
        await scene.begin("pass")


async def test_a_keeper_that_is_stopped_is_noticed_and_ended_with_all_that_it_kept(scene: Scene) -> None:
    scene.zygote = Zygote(Path(sys.executable), scene.environ, beat=0.3)
    child = await scene.fork(f"{DAEMON}time.sleep(60)")
    daemon, parent = int(await scene.line()), parent_of(scene)
    os.kill(keeper_of(scene), signal.SIGSTOP)
    child.kill()
    assert await ended(child) == Exit(signal=9)
    assert not scene.zygote.is_alive
    for pid in (keeper_of(scene), parent, child.pid, daemon):
        assert await gone(pid)


async def test_a_keeper_that_is_stopped_is_ended_at_once_when_it_is_closed(scene: Scene) -> None:
    child = await scene.fork(f"{DAEMON}time.sleep(60)")
    daemon = int(await scene.line())
    os.kill(keeper_of(scene), signal.SIGSTOP)
    scene.zygote.close()
    assert await ended(child) == Exit(signal=9)
    assert await gone(child.pid)
    assert await gone(daemon)


async def test_a_keeper_that_answers_is_left_alone(scene: Scene) -> None:
    scene.zygote = Zygote(Path(sys.executable), scene.environ, beat=0.3)
    child = await scene.fork("while not os.path.exists('go'): time.sleep(0.005)")
    await asyncio.sleep(2)
    (scene.model / "go").touch()
    assert await ended(child) == Exit(0)


# A parent that cannot be started.


async def test_an_environment_without_the_sdk_is_named_with_what_to_do(scene: Scene) -> None:
    (scene.root / "sdk" / "clarifai" / "runners" / "server.py").write_text("import not_installed")
    with pytest.raises(ModelError) as raised:
        await scene.zygote.start()
    assert re.fullmatch(
        rf"clarifai [\d.]+ cannot be imported by {re.escape(sys.executable)} beside clarifai-protocol [\d.]+, "
        r"clarifai-grpc [\d.]+, protobuf [\d.]+: ModuleNotFoundError: No module named 'not_installed'\.",
        raised.value.summary,
    )
    assert raised.value.log.rstrip().endswith("ModuleNotFoundError: No module named 'not_installed'")
    assert raised.value.hint == "Name `clarifai` in the model's requirements.txt, or mend the environment."
    with pytest.raises(ModelError):
        await scene.zygote.start()


async def test_an_sdk_that_breaks_in_itself_is_told_with_the_packages_that_do_not_fit(scene: Scene) -> None:
    installed = scene.root / "site-packages" / "clarifai"
    installed.parent.mkdir()
    shutil.move(scene.root / "sdk" / "clarifai", installed)
    (installed / "runners" / "server.py").write_text("field = object()\nfield.label")
    scene.zygote.close()
    scene.zygote = Zygote(Path(sys.executable), {**scene.environ, "PYTHONPATH": str(installed.parent)})
    with pytest.raises(ModelError) as raised:
        await scene.zygote.start()
    assert "AttributeError: 'object' object has no attribute 'label'" in raised.value.log
    assert "an old SDK often needs `protobuf<7`" in raised.value.hint


async def test_a_parent_that_was_launched_before_there_was_an_event_loop_serves_as_one_of_its_own(
    scene: Scene,
) -> None:
    parent = await asyncio.to_thread(launch, Path(sys.executable), scene.environ)
    scene.zygote = Zygote(parent.python, parent.environ, parent)
    assert scene.zygote.is_alive
    assert await scene.run("print('hello')") == Exit(0)
    assert scene.lines == ["hello"]
    assert parent.process.poll() is None
    scene.zygote.close()
    assert parent.process.poll() is not None


async def test_an_interpreter_that_is_not_there_is_named(scene: Scene) -> None:
    scene.zygote = Zygote(scene.root / "python", scene.environ)
    with pytest.raises(ModelError) as raised:
        await scene.zygote.start()
    assert raised.value.summary == (
        f"A model's interpreter could not be started: {scene.root}/python: No such file or directory."
    )
    assert raised.value.hint == "If its environment was removed, deploy the model again to build it anew."


async def test_an_interpreter_that_ends_at_once_is_told_with_what_it_printed(scene: Scene) -> None:
    broken = scene.root / "python"
    broken.write_text("#!/bin/sh\necho no luck\n")
    broken.chmod(0o755)
    scene.zygote = Zygote(broken, scene.environ)
    with pytest.raises(ModelError) as raised:
        await scene.zygote.start()
    assert raised.value.summary == (
        f"A model's interpreter could not be started: the interpreter {broken} ended unexpectedly."
    )
    assert raised.value.log == "no luck"
