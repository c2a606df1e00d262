"""The loop behind ``dev``: deploys, watches, asks for a reload at each save, and shows what happens.

watcher of each directory ──save──► a worker of that directory ──Reload──► emulator
looks at topology files ────save──► a worker ────────────────────Topology──► emulator
                                                          events ◄─────────┘
                                          screen (dev_view.py), or a line each
"""

from __future__ import annotations

import queue
import signal
import sys
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click

from clarifai_emulator.cli.client import Client
from clarifai_emulator.cli.debug_options import debug_request
from clarifai_emulator.cli.deploy import show_calls
from clarifai_emulator.cli.dev_clients import Clients
from clarifai_emulator.cli.event_lines import EventLines
from clarifai_emulator.cli.interruption import Interrupted
from clarifai_emulator.cli.output import Failure, print_json, step, warn
from clarifai_emulator.cli.place_options import place_of
from clarifai_emulator.config import default_cache_dir
from clarifai_emulator.models.directory import Watched
from clarifai_emulator.reload.file_looks import FileLooks
from clarifai_emulator.reload.watcher import Watcher
from clarifai_emulator.runners.breakpoints import while_held

# A save may come while another is being reloaded, which it then ends.
_AT_ONCE = 4
_STATUS_SECONDS = 1.0
_LOOK_SECONDS = 0.1
# Ctrl-C ends it: a model that waits for room, or loads for long, is waited for.
_READY_SECONDS = 1800.0


class DevLoop:
    """One run of ``dev``, over the controls of one emulator."""

    def __init__(
        self, client: Client, directories: Sequence[Path], options: Mapping[str, Any], *, as_json: bool, plain: bool
    ) -> None:
        self._client = client
        self._requests = _requests_of(directories, options)
        self._watched = Watched(tuple(options["include"]), tuple(options["exclude"]))
        self._polls = bool(options["poll"])
        self._as_json = as_json
        self._has_screen = not (as_json or plain) and sys.stdout.isatty()
        self._deployed: dict[str, dict[str, Any]] = {}
        self._beginnings = {str(request["path"]): threading.Lock() for request in self._requests}
        self._shown: queue.Queue[dict[str, Any]] = queue.Queue()
        self._clients = Clients(
            [Path(request["path"]) for request in self._requests],
            [path.absolute() for path in options["clients"]],
            options["stubs"],
            self._shown.put,
            default_cache_dir() / "contracts",
        )
        self._topology: Sequence[Path] = [path.absolute() for path in options["topology"]]
        self._is_drawing = False
        self._may_show = threading.Event()
        self._may_show.set()
        self._warned: set[str] = set()  # what need not be said again when its event comes
        self._stop = _Stop()

    def run(self) -> None:
        """Until Ctrl-C, or until the emulator stops. Raises ``Interrupted`` where not all is deployed yet."""
        with ExitStack() as stack:
            stack.enter_context(_stopped_by_signals(self._stop))
            stack.enter_context(while_held(self._silence))
            workers = stack.enter_context(ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="reload"))
            stack.callback(self._client.hang_up)  # nobody waits for what the workers still ask for
            watchers = [self._watcher(request, workers) for request in self._requests]
            for watcher in watchers:  # before the first deployment: a save while it goes on counts
                watcher.start()
                stack.callback(watcher.stop)
            if self._topology:
                looks = FileLooks(lambda: self._topology, lambda: workers.submit(self._reload_topology))
                looks.start()
                stack.callback(looks.stop)
            follower = threading.Thread(target=self._follow, name="events", daemon=True)
            follower.start()
            beginning = workers.submit(self._begin_all)
            while not beginning.done() and not self._stop.is_set():
                wait([beginning], timeout=_LOOK_SECONDS)
            if self._stop.number:
                raise Interrupted("Not everything was deployed yet.", number=self._stop.number)
            self._clients.start()
            stack.callback(self._clients.stop)
            if self._has_screen:
                self._show_screen()
            else:
                self._show_lines()

    def _watcher(self, request: dict[str, Any], workers: ThreadPoolExecutor) -> Watcher:
        def saved(files: Sequence[str]) -> None:
            if not self._stop.is_set():
                workers.submit(self._reload, request)

        return Watcher(Path(request["path"]), self._watched, saved, self._note, poll=self._polls)

    # ── what is asked of the emulator ──────────────────────────────────────────────────────────────────

    def _begin_all(self) -> None:
        for request in self._requests:
            if not self._stop.is_set():
                self._begin(request)

    def _begin(self, request: dict[str, Any]) -> None:
        """Deploy a directory; a save meanwhile is reloaded after that."""
        with self._beginnings[request["path"]]:
            self._deploy(request)

    def _deploy(self, request: dict[str, Any]) -> None:
        """One that is broken waits for the save that mends it."""
        try:
            deployed = self._client.result("Dev", self._progress, **request)
        except Failure as failure:
            if not self._stop.is_set():
                self._problem(f"{request['path']} cannot be run yet", failure)
            return
        self._deployed[request["path"]] = deployed
        if self._is_drawing:
            self._note(f"{request['path']} is deployed now.")
        elif not self._as_json:
            click.secho(f"\nWatching {request['path']}", bold=True)
            for warning in deployed["warnings"]:
                warn(warning)
                self._warned.add(warning)
            show_calls(deployed, self._client.running)
            click.echo("")

    def _reload(self, request: dict[str, Any]) -> None:
        with self._beginnings[request["path"]]:
            if request["path"] not in self._deployed:
                self._deploy(request)
                self._clients.changed()
                return
        try:
            if self._client.result("Reload", self._progress, path=request["path"])["signatures_changed"]:
                self._clients.changed()
        except Failure as failure:
            if not self._stop.is_set():
                self._problem(f"{request['path']} could not be reloaded", failure)

    def _reload_topology(self) -> None:
        """Its events say what came of it."""
        try:
            self._client.result("Topology")
        except Failure as failure:
            if not self._stop.is_set():
                self._problem("The topology could not be applied", failure)

    def _progress(self, answer: dict[str, Any]) -> None:
        if "progress" in answer and not self._as_json and not self._is_drawing:
            step(answer["progress"])

    def _follow(self) -> None:
        """Everything that happens from now on; without the emulator, there is nothing more to do."""
        try:
            since = self._client.result("Events", prefix="nothing")["last_seq"]
            for answer in self._client.answers("Events", prefix="", since=since, follow=True):
                if "event" in answer:
                    self._shown.put(answer["event"])
        except Failure as failure:
            if not self._stop.is_set():
                self._problem("The emulator is gone", failure)
        self._stop.set()

    # ── what is shown ──────────────────────────────────────────────────────────────────────────────────

    def _note(self, text: str) -> None:
        self._shown.put({"kind": "dev.note", "time": time.time(), "message": text})

    def _problem(self, what: str, failure: Failure) -> None:
        text = "\n".join(filter(None, (f"{what}: {failure.message}", failure.log.rstrip(), failure.hint)))
        self._shown.put({"kind": "dev.problem", "time": time.time(), "message": text})

    def _happened(self) -> Iterator[dict[str, Any]]:
        while True:
            try:
                yield self._shown.get(timeout=0.1)
            except queue.Empty:
                if self._stop.is_set():
                    return

    @contextmanager
    def _silence(self) -> Generator[None]:
        """Somebody is at a debugger's prompt in this terminal: what happens is shown afterwards."""
        self._may_show.clear()
        try:
            yield
        finally:
            self._may_show.set()

    def _show_lines(self) -> None:
        lines = EventLines()
        for event in self._happened():
            while not self._may_show.wait(_LOOK_SECONDS) and not self._stop.is_set():
                pass
            if self._as_json:
                print_json(event)
            elif event.get("reason") not in self._warned and (line := lines.line(event)) is not None:
                click.echo(line)

    def _show_screen(self) -> None:
        from clarifai_emulator.cli.dev_view import DevView, live

        view = DevView(self._client.running.url, [Path(request["path"]).name for request in self._requests])
        self._is_drawing = True
        with live(view) as refresh:
            looked = 0.0
            while not self._stop.is_set():
                changed = False
                for event in self._taken():
                    view.feed(event)
                    changed = True
                if time.monotonic() - looked > _STATUS_SECONDS or changed:
                    looked = time.monotonic()
                    view.status(self._status())
                refresh()

    def _taken(self) -> list[dict[str, Any]]:
        """What has come; waits a moment for the first."""
        taken: list[dict[str, Any]] = []
        try:
            taken.append(self._shown.get(timeout=0.1))
            while True:
                taken.append(self._shown.get_nowait())
        except queue.Empty:
            return taken

    def _status(self) -> dict[str, Any]:
        try:
            return self._client.result("Status")
        except Failure:
            return {}


class _Stop(threading.Event):
    """The wish that it ends; ``number``: the signal that said so, if it was one."""

    number = 0


@contextmanager
def _stopped_by_signals(stop: _Stop) -> Generator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def end(number: int, frame: object) -> None:
        stop.number = stop.number or number
        stop.set()

    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        stop.set()
        for number, handler in before.items():
            signal.signal(number, handler)


def _requests_of(directories: Sequence[Path], options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the emulator is asked for, for each directory."""
    return [
        {
            "path": str(directory.expanduser().resolve()),
            **place_of(options),
            "min_replicas": options["min_replicas"],
            "max_replicas": 1 if debug_request(options) else max(5, options["min_replicas"]),
            "debug": debug_request(options),
            "wait": not options["debug_wait"],
            "wait_seconds": _READY_SECONDS,
            "always": options["always"] or "none",
            "strict": options["strict"],
            "include": list(options["include"]),
            "exclude": list(options["exclude"]),
        }
        for directory in directories
    ]
