"""Runs the loop behind ``dev``: deploys, watches, asks for a reload at each save, and shows what happens.

watcher of each directory ──save──► a worker of that directory ──Reload──► emulator
poller of topology files ───save──► a worker ────────────────────Topology──► emulator
                                                          events ◄─────────┘
                                          screen (dev_view.py), or a line each
"""

from __future__ import annotations

import io
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from functools import partial
from pathlib import Path
from typing import Any

import click

from clarifai_emulator.backends.debugging.prompt_holds import while_held
from clarifai_emulator.background_work import begin_thread, submit
from clarifai_emulator.cli.deploy import show_calls
from clarifai_emulator.cli.dev_clients import Clients
from clarifai_emulator.cli.dev_story import LOG_LINE, Story
from clarifai_emulator.cli.dev_view import DevView, screen
from clarifai_emulator.cli.interruption import Interrupted, ending_signals
from clarifai_emulator.cli.load_times import Loading, LoadTimes
from clarifai_emulator.cli.log_lines import clock, missed_text
from clarifai_emulator.cli.output import failure_of, print_json
from clarifai_emulator.config import default_cache_dir
from clarifai_emulator.control.client import Client
from clarifai_emulator.errors import EmulatorError
from clarifai_emulator.models.version_source import Watched
from clarifai_emulator.reload.file_poller import FileLooks
from clarifai_emulator.reload.watcher import Watcher

# A save may come while an earlier one is being reloaded; it then ends that reload.
_AT_ONCE = 4
_STATUS_SECONDS = 1.0
_LOOK_SECONDS = 0.1
# A model may print faster than anybody reads.
_MOST_WAITING = 10_000
_MOST_TAKEN = 500
_LAST_WORDS_SECONDS = 0.5


class DevLoop:
    """A run of ``dev``, over the controls of one emulator. ``requests``: what the emulator is asked for, one
    request for each model directory."""

    def __init__(
        self,
        client: Client,
        requests: Sequence[dict[str, Any]],
        options: Mapping[str, Any],
        *,
        as_json: bool,
        plain: bool,
    ) -> None:
        self._client = client
        self._requests = requests
        self._paths = [Path(request["path"]) for request in self._requests]
        self._watched = Watched(tuple(options["include"]), tuple(options["exclude"]))
        self._polls = bool(options["poll"])
        self._as_json = as_json
        self._has_screen = not (as_json or plain) and sys.stdout.isatty()
        self._deployed: dict[str, dict[str, Any]] = {}
        self._beginnings = {str(request["path"]): threading.Lock() for request in self._requests}
        # Not a SimpleQueue: after a signal its get() with a timeout may wait for ever.
        self._shown: queue.Queue[dict[str, Any]] = queue.Queue(_MOST_WAITING)
        self._clients = Clients(
            self._paths,
            [path.absolute() for path in options["clients"]],
            options["stubs"],
            self._put,
            default_cache_dir() / "contracts",
        )
        self._topology: Sequence[Path] = [path.absolute() for path in options["topology"]]
        names = [path.name for path in self._paths]
        times = LoadTimes(default_cache_dir() / "dev" / "load-times.json")
        self._loading = Loading(times, self._directory_of)
        self._story = Story(names)
        self._view = DevView(client.running.url, names, self._loading)
        self._warned: set[str] = set()  # warnings that were shown already
        self._may_show = threading.Event()
        self._may_show.set()
        self._has_begun = False
        self._stop = _Stop()
        self._last_words = 0.0

    def run(self) -> None:
        """Run until Ctrl-C, or until the emulator stops. Raises ``Interrupted`` if not all is deployed yet."""
        with ExitStack() as stack:
            stack.enter_context(_stopped_by_signals(self._stop))
            stack.enter_context(while_held(self._silence))
            workers = stack.enter_context(ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="reload"))
            stack.callback(self._client.hang_up)  # break off the workers' requests: nobody waits for them
            watchers = [self._watcher(request, workers) for request in self._requests]
            for watcher in watchers:  # before the first deployment: a save while it goes on counts
                watcher.start()
                stack.callback(watcher.stop)
            failed = partial(self._failed, "Topology files are not looked at any more")
            if self._topology:
                looks = FileLooks(
                    lambda: self._topology, partial(self._submit, workers, self._reload_topology), failed
                )
                looks.start()
                stack.callback(looks.stop)
            stack.callback(self._clients.stop)
            for part in (self._follow, self._follow_logs, self._begin_all):
                begin_thread(
                    part, "part of the dev loop", partial(self._failed, "The dev loop cannot go on", ends=True)
                )
            if self._has_screen:
                self._show_screen()
            else:
                self._show_lines()
            if self._stop.number and not self._has_begun:
                raise Interrupted("Not everything was deployed yet.", number=self._stop.number)

    def _watcher(self, request: dict[str, Any], workers: ThreadPoolExecutor) -> Watcher:
        def saved(files: Sequence[str]) -> None:
            if not self._stop.is_set():
                self._submit(workers, partial(self._reload, request))

        return Watcher(Path(request["path"]), self._watched, saved, self._note, poll=self._polls)

    def _submit(self, workers: ThreadPoolExecutor, work: Callable[[], object]) -> None:
        submit(workers, work, "reload of a save", partial(self._failed, "A save could not be reloaded"))

    def _failed(self, what: str, reason: str, *, ends: bool = False) -> None:
        """Show that a part of the loop failed. ``ends``: nothing of use is left without it."""
        self._tell("dev.problem", message=f"{what}: {reason}. This is a bug of the emulator.")
        if ends:
            self._stop.set()

    # ── what is asked of the emulator ──────────────────────────────────────────────────────────────────

    def _begin_all(self) -> None:
        """Deploy one directory after the other, while what happens is shown already."""
        for request in self._requests:
            if not self._stop.is_set():
                self._begin(request)
        if not self._stop.is_set():
            self._clients.start()
        self._has_begun = True

    def _begin(self, request: dict[str, Any]) -> None:
        """Deploy a directory; a save meanwhile is reloaded after that."""
        with self._beginnings[request["path"]]:
            self._deploy(request)

    def _deploy(self, request: dict[str, Any]) -> None:
        """Deploy a directory; a broken one waits for the save that mends it."""
        try:
            deployed = self._client.result("Dev", self._progress, **request)
        except EmulatorError as error:
            self._problem(f"{request['path']} cannot be run yet", error)
            return
        self._deployed[request["path"]] = deployed
        self._tell("dev.deployed", path=request["path"], **deployed)

    def _how_to_call(self, deployed: Mapping[str, Any]) -> str:
        """Say that a directory is watched and how to call its model. Runs in the main thread only,
        because it redirects stdout."""
        with redirect_stdout(io.StringIO()) as said:
            show_calls(dict(deployed), self._client.running)
        news = [each for each in deployed["warnings"] if self._is_new(each)]
        warnings = [click.style("Warning: ", fg="yellow", bold=True) + each for each in news]
        heading = click.style(f"Watching {deployed['path']}", bold=True)
        return "\n".join(["", heading, *warnings, said.getvalue().rstrip(), ""])

    def _reload(self, request: dict[str, Any]) -> None:
        with self._beginnings[request["path"]]:
            if request["path"] not in self._deployed:
                self._deploy(request)
                self._clients.changed()
                return
        try:
            if self._client.result("Reload", self._progress, path=request["path"])["signatures_changed"]:
                self._clients.changed()
        except EmulatorError as error:
            self._problem(f"{request['path']} could not be reloaded", error)

    def _reload_topology(self) -> None:
        """Apply the changed topology; the emulator's events tell the outcome."""
        try:
            self._client.result("Topology")
        except EmulatorError as error:
            self._problem("The topology could not be applied", error)

    def _progress(self, answer: dict[str, Any]) -> None:
        if "progress" in answer:
            self._tell("dev.progress", message=answer["progress"])

    def _follow(self) -> None:
        """Show everything that happens from now on; end the loop if the emulator is gone."""
        try:
            since = self._client.result("Events", prefix="nothing")["last_seq"]
            for answer in self._client.answers("Events", prefix="", since=since, follow=True):
                if "event" in answer:
                    self._put(answer["event"])
                elif "missed" in answer:
                    self._note(missed_text(answer["missed"], "events"))
        except EmulatorError as error:
            self._problem("The emulator is gone", error)
        self._stop.set()

    def _follow_logs(self) -> None:
        """Show what replicas print from now on. ``_follow`` tells when the emulator is gone."""
        request = {"log_types": ["runner"], "since": time.time(), "follow": True}
        with suppress(EmulatorError):
            for answer in self._client.answers("Logs", **request):
                if "line" in answer:
                    self._put({"kind": LOG_LINE, **answer["line"]})
                elif "missed" in answer:
                    self._note(missed_text(answer["missed"], "lines"))

    # ── what is shown ──────────────────────────────────────────────────────────────────────────────────

    def _note(self, text: str) -> None:
        self._tell("dev.note", message=text)

    def _problem(self, what: str, error: EmulatorError) -> None:
        """Show a failure and its way out; nothing once the loop ends, because requests are broken off then."""
        failure = failure_of(error)
        text = "\n".join(filter(None, (f"{what}: {failure.message}", failure.log.rstrip(), failure.hint)))
        self._tell("dev.problem", message=text)

    def _tell(self, kind: str, **fields: Any) -> None:
        self._put({"kind": kind, "time": time.time(), **fields})

    def _put(self, event: dict[str, Any]) -> None:
        """Show an event once there is room; drop it when the loop ends."""
        while not self._stop.is_set():
            with suppress(queue.Full):
                self._shown.put(event, timeout=0.2)
                return

    def _lines(self, events: Sequence[dict[str, Any]]) -> list[str]:
        """Return the lines for these events, and for loads that have been going on for a while."""
        lines: list[str] = []
        for event in events:
            self._loading.feed(event)
            self._view.feed(event)
            if event["kind"] != "deployment.overcommitted" or self._is_new(str(event["reason"])):
                lines += self._story.lines(event)
            if event["kind"] == "dev.deployed":
                lines.append(self._how_to_call(event))
            if not self._has_screen and event["kind"] == "replica.starting":
                lines += self._loads()
        return lines if self._has_screen else lines + self._loads()

    def _is_new(self, warning: str) -> bool:
        """Tell whether a warning was not shown yet: some come both with the deployment and as an event."""
        before = len(self._warned)
        self._warned.add(warning)
        return len(self._warned) > before

    def _loads(self) -> list[str]:
        when = click.style(clock(time.time()), dim=True)
        return [f"{when}  {text}" for text in self._loading.news(time.time())]

    def _directory_of(self, model: str) -> str:
        """Return the directory of the model with this id, under which the time of its load is remembered; return
        the id if several directories could be meant."""
        if len(self._paths) == 1:
            return str(self._paths[0])
        return next((str(path) for path in self._paths if path.name == model), model)

    @contextmanager
    def _silence(self) -> Generator[None]:
        """Show nothing while somebody is at a debugger's prompt in this terminal; catch up afterwards."""
        self._may_show.clear()
        try:
            yield
        finally:
            self._may_show.set()

    def _show_lines(self) -> None:
        while not self._is_over:
            while not self._may_show.wait(_LOOK_SECONDS) and not self._stop.is_set():
                pass
            events = self._taken()
            if self._as_json:
                for event in events:
                    print_json(event)
            else:
                for line in self._lines(events):
                    click.echo(line)

    @property
    def _is_over(self) -> bool:
        """Tell whether the loop was told to stop and has shown what happened by then, for at most a while."""
        if not self._stop.is_set():
            return False
        self._last_words = self._last_words or time.monotonic() + _LAST_WORDS_SECONDS
        return self._shown.empty() or time.monotonic() > self._last_words

    def _show_screen(self) -> None:
        looked = 0.0
        with screen(self._view) as shown:
            while not self._is_over:
                events = self._taken()
                shown.tell(self._lines(events))
                is_due = time.monotonic() - looked > _STATUS_SECONDS or any(map(_is_news, events))
                if is_due:
                    looked = time.monotonic()
                    self._view.status(self._status())
                if is_due or events or self._loading.texts(time.time()):
                    shown.refresh()

    def _taken(self) -> list[dict[str, Any]]:
        """Take the events that have come; wait a moment for the first."""
        taken: list[dict[str, Any]] = []
        try:
            taken.append(self._shown.get(timeout=0.1))
            while len(taken) < _MOST_TAKEN:
                taken.append(self._shown.get_nowait())
        except queue.Empty:
            pass
        return taken

    def _status(self) -> dict[str, Any]:
        try:
            return self._client.result("Status")
        except EmulatorError:
            return {}


def _is_news(event: Mapping[str, Any]) -> bool:
    """Tell whether the replicas, or what they work on, may have changed with this event."""
    return event["kind"] != LOG_LINE


class _Stop(threading.Event):
    """The request that the loop ends; ``number``: the signal that made it, if one did."""

    number = 0


@contextmanager
def _stopped_by_signals(stop: _Stop) -> Generator[None]:
    def end(number: int, frame: object) -> None:
        stop.number = stop.number or number
        stop.set()

    before = {number: signal.signal(number, end) for number in ending_signals()}
    try:
        yield
    finally:
        stop.set()
        for number, handler in before.items():
            signal.signal(number, handler)
