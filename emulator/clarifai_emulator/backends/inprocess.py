"""Runs replicas as threads of the emulator's own process, for tests and debugging."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import importlib
import logging
import os
import queue
import socket
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from clarifai_emulator.backends import inprocess_environ, own_output
from clarifai_emulator.backends.backend import Exit, ReplicaProcess, ReplicaSpec, Surroundings
from clarifai_emulator.backends.debugging import breakpoints
from clarifai_emulator.backends.health_watch import HealthWatch
from clarifai_emulator.backends.image_view import ImageViews
from clarifai_emulator.backends.inprocess_items import LeanThreads
from clarifai_emulator.backends.model_errors import unusable_model
from clarifai_emulator.backends.poller import Rounds
from clarifai_emulator.backends.replica_environ import wanted_variables
from clarifai_emulator.backends.signature_answers import Signatures, mocked_warning
from clarifai_emulator.background_work import begin_thread, nobody_waits
from clarifai_emulator.config import PROBE_SECONDS, own_environ
from clarifai_emulator.inside import call_chain_main, item_steps_main, lean_main, probes_main, reload_main, sdk_main
from clarifai_emulator.inside.inspect_main import is_network_trouble, model_traceback, read_signatures
from clarifai_emulator.inside.zygote_main import environ_with, import_sdk
from clarifai_emulator.machine.machine import Machine
from clarifai_emulator.models.directory import ModelDirectory
from clarifai_emulator.models.environment import describe_environment, own_interpreter
from clarifai_emulator.models.progress import Progress
from clarifai_emulator.models.version_source import ModelSource

# Importing is a matter of the whole process: one model at a time.
_loading = threading.Lock()
_model_paths: set[str] = set()
# Of these, those that replicas serve, once for each.
_served_paths: Counter[str] = Counter()
_counting = threading.Lock()


class InProcessBackend:
    """Replicas as threads of this process. ``api_base``: what the SDK is told to be the platform's address.
    ``wanted``: what they are given of ``environ()`` beside (``replica_environ.py``)."""

    name = "inprocess"

    def __init__(
        self,
        *,
        api_base: Callable[[], str],
        machines: Sequence[Machine] = (),
        probe_seconds: float = PROBE_SECONDS,
        environ: Callable[[], Mapping[str, str]] = own_environ,
        wanted: Sequence[str] = (),
    ) -> None:
        self.machines = machines
        self._environ = environ
        self._wanted = wanted
        self._probe_seconds = probe_seconds
        self._api_base = api_base
        self._replicas: set[InProcessReplica] = set()
        self._stops_at_breakpoints = False
        self._end_naming: Callable[[], object] | None = None
        self._views = ImageViews()

    async def warm(self) -> None:
        """Do nothing: a replica shares what this process has imported."""

    async def prepare(
        self, directory: ModelDirectory, progress: Progress, *, is_watched: bool = False
    ) -> ModelSource:
        """See that this process's own interpreter has what the model needs."""
        python = own_interpreter(directory)
        environment = describe_environment(python)
        return ModelSource(
            directory.path, python, directory.content_hash, environment, self.name, secrets=directory.secrets
        )

    async def start(self, spec: ReplicaSpec, on_line: Callable[[str], None]) -> ReplicaProcess:
        """Load the model and serve, in threads."""
        if not self._stops_at_breakpoints:
            self._stops_at_breakpoints = True
            breakpoints.install()
        source = replace(spec.source, path=self._views.of(spec.source.path))
        replica = InProcessReplica(
            replace(spec, source=source),
            on_line,
            self._api_base(),
            probe_seconds=self._probe_seconds,
            name_calls=self._name_calls,
            wanted=wanted_variables(self._environ(), self._wanted),
        )
        self._replicas.add(replica)
        replica.exited.add_done_callback(lambda _: self._replicas.discard(replica))
        return replica

    async def signatures(self, source: ModelSource) -> Sequence[Any]:
        """The model's method signatures. Raises ``ModelError`` with the model's own traceback."""
        source = replace(source, path=self._views.of(source.path))
        return await asyncio.to_thread(_signatures, source, self._api_base())

    def _name_calls(self) -> None:
        """Let calls of models name the items that they belong to. While nothing else is loaded."""
        if self._end_naming is None:
            self._end_naming = call_chain_main.CallChain(self._api_base(), inprocess_environ.shown).install()

    async def close(self) -> None:
        for replica in tuple(self._replicas):
            replica.kill()
        if self._end_naming is not None:
            self._end_naming()
            self._end_naming = None
        if self._stops_at_breakpoints:
            self._stops_at_breakpoints = False
            breakpoints.uninstall()
        self._views.close()


def make_backend(surroundings: Surroundings) -> InProcessBackend:
    """Make the backend of an emulator."""
    return InProcessBackend(
        api_base=surroundings.api_base,
        machines=[surroundings.machine],
        probe_seconds=surroundings.config.probe_seconds,
        environ=surroundings.config.environ,
        wanted=surroundings.config.env,
    )


class InProcessReplica:
    """A model in this process: see ``ReplicaProcess``."""

    def __init__(
        self,
        spec: ReplicaSpec,
        on_line: Callable[[str], None],
        api_base: str,
        *,
        probe_seconds: float,
        name_calls: Callable[[], None],
        wanted: Mapping[str, str],
    ) -> None:
        self._model: Any = None
        self._name_calls = name_calls
        self._killed_because = ""
        self._api_base = api_base
        self._variables = {**wanted, **spec.variables, "CLARIFAI_API_BASE": api_base}
        self.pid = os.getpid()
        self.connection = LeanThreads(self._enter)
        self.reloads, self._edits = socket.socketpair() if spec.source.watched is not None else (None, None)
        self.network = None
        self.debugger = None  # it is debugged where the emulator is
        self._loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[Exit] = self._loop.create_future()
        self._lines = _Lines(on_line)
        self._watch = HealthWatch(self._ask, every=probe_seconds, on_line=on_line, kill=self._kill_for)
        self._asking: asyncio.Future[str] | None = None
        name = f"replica {spec.replica_id[:8]}"
        begin_thread(partial(self._live, spec), name, self._life_failed, loop=self._loop)
        self._watch.begin("a replica in this process")

    def _life_failed(self, reason: str) -> None:
        self._end(Exit(why=f"the emulator lost sight of it: {reason}"))

    def terminate(self) -> None:
        """Take nothing more. What it works on goes on until it is done, and is not heard."""
        self.connection.close()
        if self._edits is not None:
            with contextlib.suppress(OSError):
                self._edits.shutdown(socket.SHUT_RDWR)
        self._end(Exit(why="the emulator stopped it"))

    def kill(self) -> None:
        self.terminate()

    def _live(self, spec: ReplicaSpec) -> None:
        why = "the emulator stopped it"
        served = str(spec.source.path)
        with _counting:
            _served_paths[served] += 1
        try:
            with _loading:
                _load_afresh(spec.source.path, self._api_base)
                self._warn_of_another_platform()
                inprocess_environ.enter(self._variables)
                _listen(self._tell)
                edits = self._made_edits(served)
                item_steps_main.spare()
                self._name_calls()
                environ = {**spec.variables, "CLARIFAI_PAT": spec.credential}  # the model's own may be another one
                runner, threads = lean_main.make_runner(
                    served, spec.base_url, environ, spec.num_threads, sdk_main, edits
                )
                self._model = getattr(runner, "model", runner)
                # Else the runner, and its model, stays until this process ends, and says then that it stops.
                atexit.unregister(runner.stop)
            if not own_output.is_heard():
                self._tell("in the emulator's process: what the model prints goes where the emulator prints")
            self.connection.serve(lean_main.ItemRunner(runner, threads))
        except BaseException as error:
            why = "it ended while it was being loaded"
            trace = model_traceback(error, served)
            self._tell(trace if "Traceback" in trace else traceback.format_exc().rstrip())
        finally:
            with _counting:
                _served_paths[served] -= 1
            if self._edits is not None:
                self._edits.close()
            self._in_loop(self._end, Exit(why=why))

    def _made_edits(self, served: str) -> _Edits | None:
        if self._edits is None:
            return None
        return _Edits(self._variables, self._edits, served, model_traceback, sdk_main)

    def _tell(self, text: str) -> None:
        self._lines.put(text)

    def _enter(self) -> None:
        """Show this thread the replica's variables, and hear what it says, from now on."""
        inprocess_environ.enter(self._variables)
        with _loading:
            _listen(self._tell)

    def _warn_of_another_platform(self) -> None:
        """The SDK of this process may have been imported before there was an emulator, and keeps what it found."""
        base = str(getattr(sys.modules.get("clarifai.utils.constants"), "DEFAULT_BASE", self._api_base))
        if base != self._api_base:
            self._tell(
                f"[emulator] the SDK was imported in this process with the base URL {base} and keeps it: what this "
                f"model asks the platform goes there. Set CLARIFAI_API_BASE={self._api_base} before it is imported."
            )

    def _in_loop(self, function: Callable[[Any], None], argument: Any) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, argument)

    async def _ask(self, probe: str, patience: float) -> str | None:
        """Ask the model of a probe, in a thread."""
        if self._model is None:
            return None
        if self._asking is None:
            self._asking = self._loop.create_future()
            begin_thread(partial(self._probe, probe, self._asking), "probe of a model", nobody_waits)
        try:
            async with asyncio.timeout(patience):
                why = await asyncio.shield(self._asking)
        except TimeoutError:
            return f"no answer within {patience:g} s"
        self._asking = None
        return why

    def _probe(self, probe: str, answer: asyncio.Future[str]) -> None:
        inprocess_environ.enter(self._variables)
        self._in_loop(partial(_settle, answer), probes_main.ask_model(self._model, probe))

    def _kill_for(self, why: str) -> None:
        self._killed_because = why
        self.terminate()

    def _end(self, exit_: Exit) -> None:
        self._watch.end()
        self._lines.close()
        if not self.exited.done():
            self.exited.set_result(Exit(why=self._killed_because) if self._killed_because else exit_)


def _settle(answer: asyncio.Future[str], said: str) -> None:
    if not answer.done():
        answer.set_result(said)


class _Lines:
    """The lines that threads say for the log, brought to the loop."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._loop = asyncio.get_running_loop()
        self._said: queue.Queue[str] = queue.Queue()
        self._awake = False
        self._rounds = Rounds(self.tell, self._rest)

    def put(self, text: str) -> None:
        """From any thread."""
        self._said.put(text)
        if not self._awake and not self._loop.is_closed():
            self._awake = True
            self._loop.call_soon_threadsafe(self._rounds.begin)

    def tell(self) -> bool:
        """In the loop: whether there was something."""
        found = False
        with contextlib.suppress(queue.Empty):
            while True:
                text = self._said.get_nowait()
                found = True
                for line in text.splitlines():
                    self._on_line(line)
        return found

    def close(self) -> None:
        """In the loop: no more comes."""
        self._rounds.stop()
        self.tell()

    def _rest(self) -> None:
        self._awake = False
        if self.tell():  # said in this instant, by a thread that thought that somebody looks
            self._awake = True
            self._rounds.begin()


class _Edits(reload_main.Reloads):
    """Edited code behind a model of this process. Which modules beside it are its own, is not known here: they are
    imported anew for each model that is loaded."""

    swaps_helpers = False

    def __init__(self, variables: Mapping[str, str], *parts: Any) -> None:
        super().__init__(*parts)
        self._variables = variables

    def listen(self) -> None:
        """Do what the emulator asks for, with the replica's variables."""
        inprocess_environ.enter(self._variables)
        super().listen()

    def hold(self, model: Any) -> Any:
        """The model is loaded: others may be, while this one waits until all of them are."""
        _loading.release()
        try:
            return super().hold(model)
        finally:
            _loading.acquire()


class _SdkLog(logging.Handler):
    """Tells what the SDK logs in a replica's thread to that replica, in the words of the SDK's own handler."""

    _tells = threading.local()
    _installed = False

    @classmethod
    def listen(cls, tell: Callable[[str], None]) -> None:
        """From now on, in this thread. While nothing else is loaded."""
        from clarifai.utils.logging import logger

        cls._tells.tell = tell
        if not cls._installed:
            cls._installed = True
            handler = cls()
            handler.setFormatter(next((each.formatter for each in logger.handlers), None))
            logger.addHandler(handler)

    def emit(self, record: logging.LogRecord) -> None:
        tell = getattr(self._tells, "tell", None)
        if tell is not None:
            tell(self.format(record))


def _listen(tell: Callable[[str], None]) -> None:
    """From now on ``tell`` gets what this thread logs with the SDK and, where that is heard, what it prints."""
    if own_output.is_heard():
        own_output.hear(tell)
    else:
        _SdkLog.listen(tell)


def _load_afresh(path: Path, api_base: str) -> None:
    """Let the modules of this model directory be found, and none of another's or of what it was before."""
    with environ_with({"CLARIFAI_API_BASE": api_base}):  # the SDK keeps the address that it is imported with
        import_sdk()
    _model_paths.add(str(path))
    for name, module in tuple(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(
            tuple(f"{each}{os.sep}" for each in _model_paths)
        ):
            del sys.modules[name]
    # What a model that has ended put there, such as its own folder, would be found by this one.
    ended = tuple(each for each in _model_paths if not _served_paths[each])
    sys.path[:] = [str(path), *(each for each in sys.path if each != str(path) and not _is_below(each, ended))]
    importlib.invalidate_caches()


def _is_below(path: str, folders: Sequence[str]) -> bool:
    return f"{path}{os.sep}".startswith(tuple(f"{each}{os.sep}" for each in folders))


def _signatures(source: ModelSource, api_base: str) -> Sequence[Any]:
    with _loading:
        _load_afresh(source.path, api_base)
        try:
            return read_signatures(str(source.path))
        except BaseException as error:
            said = "".join(traceback.format_exception_only(error)).strip()
            if isinstance(error, Exception) and is_network_trouble(error):
                with contextlib.suppress(Exception):
                    signatures = Signatures(read_signatures(str(source.path), mocking=True))
                    signatures.warning = mocked_warning(said, None)
                    return signatures
            trace = model_traceback(error, str(source.path))
            raise unusable_model(said, type(error).__name__, trace, getattr(error, "hint", "")) from None
