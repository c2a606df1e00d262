"""The live view of ``dev``: replicas, the last reloads with their reason and time, the last requests, problems."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from clarifai_emulator.cli.event_lines import SUCCESS, findings_text
from clarifai_emulator.cli.output import status_name

_RELOADS = 8
_REQUESTS = 10
_NOTES = 4
_PER_SECOND = 10


class DevView:
    """What is on the screen. ``feed`` takes events, ``status`` the emulator's state, ``render`` draws."""

    def __init__(self, url: str, names: Sequence[str]) -> None:
        self._url = url
        self._names = list(names)
        self._reloads: deque[Mapping[str, Any]] = deque(maxlen=_RELOADS)
        self._requests: deque[Mapping[str, Any]] = deque(maxlen=_REQUESTS)
        self._notes: deque[str] = deque(maxlen=_NOTES)
        self._broken: dict[str, Mapping[str, Any]] = {}
        self._routes: dict[str, Mapping[str, Any]] = {}
        self._topology = ""  # why its files cannot be used
        self._checked: Mapping[str, Any] = {}
        self._state: Mapping[str, Any] = {}

    def feed(self, event: Mapping[str, Any]) -> None:
        """One thing that happened."""
        kind = str(event["kind"])
        if kind == "route.decided":
            self._routes[str(event["request_id"])] = event
        elif kind == "request.finished":
            route = self._routes.pop(str(event["request_id"]), None)
            if route is not None:
                self._requests.append({**event, "route": route})
        elif kind in ("reload.ready", "reload.failed"):
            self._reloads.append(event)
            self._broken.pop(str(event["deployment_id"]), None)
            if kind == "reload.failed":
                self._broken[str(event["deployment_id"])] = event["failure"]
        elif kind.startswith("topology."):
            self._topology = str(event["message"]) if kind == "topology.refused" else ""
            if not self._topology:
                self._notes.append(f"topology: {event['message']}")
        elif kind == "dev.checked":
            self._checked = event
        elif kind == "contract.finding" and "breaks" in event:  # of an edit, not of a request
            self._notes.append(f"{event['severity']}[{event['rule']}] {event['model']}: {event['message']}")
        elif kind == "deployment.overcommitted":
            self._notes.append(str(event["reason"]))
        elif kind in ("dev.note", "dev.problem", "replica.crashed", "replica.hung"):
            self._notes.append(str(event["message"]))

    def status(self, state: Mapping[str, Any]) -> None:
        """What `status` shows."""
        self._state = state or self._state

    def render(self) -> RenderableType:
        """All of it."""
        title = Text.assemble(
            ("clarifai-emulator dev", "bold"), f"  {self._url}  ", (", ".join(self._names), "cyan")
        )
        parts: list[RenderableType] = [title, self._replicas(), self._reload_table(), self._request_table()]
        parts += [self._failure(name, failure) for name, failure in self._broken.items()]
        if self._topology:
            parts.append(Text(self._topology, "red"))
        if self._checked:
            parts.append(Text.from_ansi(f"clients: {self._checked['message']}{findings_text(self._checked)}"))
        parts += [Text(note, "yellow") for note in self._notes]
        return Group(*parts, Text("Ctrl-C stops", "dim"))

    def _replicas(self) -> Table:
        table = _table("deployment", "replica", "state", "code", "process", "in flight")
        codes = {each["deployment_id"]: str(each["code"])[:8] for each in self._state.get("dev", ())}
        for deployment in self._state.get("deployments", ()):
            name = deployment["deployment_id"]
            for version in deployment["versions"]:
                for replica in version["replicas"]:
                    style = {"live": "green", "draining": "dim"}.get(replica["state"], "yellow")
                    code = codes.get(name, "") if replica["state"] == "live" else ""
                    cells = (replica["replica_id"][:8], Text(replica["state"], style), code, str(replica["pid"]))
                    table.add_row(name, *cells, str(version["in_flight"]))
        return table

    def _reload_table(self) -> Table:
        table = _table("reload", "model", "kind", "file", "reason", "ms")
        for event in self._reloads:
            is_ready = event["kind"] == "reload.ready"
            state = Text("ready", "green") if is_ready else Text("broken", "red bold")
            files = ", ".join(event["files"][:2]) + (" …" if len(event["files"]) > 2 else "")
            cells = (str(event["model_id"]), str(event["reload"]), files, str(event["reason"]))
            table.add_row(_clock(event), *cells, Text.assemble(state, f" {float(event['milliseconds']):.0f}"))
        return table

    def _request_table(self) -> Table:
        table = _table("request", "call", "route", "code", "answer", "ms")
        for event in self._requests:
            route = event["route"]
            where = f"{route['rule']} → {route['deployment'] or ' '.join(route['nodepools'][:1])}"
            code = int(event.get("status") or 0)
            answer = Text("ok", "green") if code == SUCCESS else Text(_ending(event, code), "red")
            cells = (str(event["rpc"]), where, str(event.get("code", ""))[:8])
            table.add_row(_clock(event), *cells, answer, f"{float(event['milliseconds']):.1f}")
        return table

    def _failure(self, name: str, failure: Mapping[str, Any]) -> Text:
        where = f"{failure['file']}:{failure['line']}: " if failure["file"] else ""
        text = Text(f"{name}: {where}{failure['message']}\n", "red bold")
        text.append(f"{failure['frame'] or failure['traceback']}\n", "default not bold")
        strict = any(each["strict"] for each in self._state.get("dev", ()) if each["deployment_id"] == name)
        meanwhile = "Requests fail until then (--strict)." if strict else "The last good code goes on serving."
        text.append(f"{failure['hint']} {meanwhile}", "dim not bold")
        return text


@contextmanager
def live(view: DevView) -> Generator[Callable[[], None]]:
    """Draw the view in the terminal; the function that is given draws it anew."""
    with Live(view.render(), console=Console(), refresh_per_second=_PER_SECOND, transient=False) as screen:
        yield lambda: screen.update(view.render())


def _ending(event: Mapping[str, Any], code: int) -> str:
    if event.get("cancelled"):
        return "cancelled"
    return f"gRPC {event['grpc_status']}" if event.get("grpc_status") else status_name(code)


def _table(*headings: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, expand=True, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, no_wrap=heading not in ("reason", "file"), overflow="ellipsis")
    return table


def _clock(event: Mapping[str, Any]) -> str:
    return time.strftime("%H:%M:%S", time.localtime(float(event["time"])))
