"""Draws the foot of ``dev`` in a terminal: replicas, loads and broken code. What happens scrolls by above it."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from clarifai_emulator.cli.dev_story import GUTTER
from clarifai_emulator.cli.event_lines import findings_text
from clarifai_emulator.cli.load_times import Loading
from clarifai_emulator.cli.terminal_text import inert_values

_STYLES = {"live": "green", "draining": "dim"}
# Narrower than this, a table shows the necessary columns only.
_WIDE = 76
_MOST_FINDINGS = 8


class DevView:
    """The foot of the screen. ``feed`` takes events, ``status`` the emulator's state, ``render`` draws in ``width``
    columns."""

    def __init__(self, url: str, names: Sequence[str], loading: Loading) -> None:
        self._url = url
        self._names = list(names)
        self._loading = loading
        self._broken: dict[str, Mapping[str, Any]] = {}
        self._topology = ""  # why the topology files cannot be used
        self._checked: Mapping[str, Any] = {}
        self._state: Mapping[str, Any] = {}

    def feed(self, event: Mapping[str, Any]) -> None:
        """Take one event."""
        event = inert_values(event)
        kind = str(event["kind"])
        if kind in ("reload.ready", "reload.failed"):
            self._broken.pop(str(event["deployment_id"]), None)
            if kind == "reload.failed":
                self._broken[str(event["deployment_id"])] = event["failure"]
        elif kind.startswith("topology."):
            self._topology = str(event["message"]) if kind == "topology.refused" else ""
        elif kind == "dev.checked":
            self._checked = event

    def status(self, state: Mapping[str, Any]) -> None:
        """Take the emulator's state, as `status` shows it."""
        self._state = state or self._state

    def render(self, width: int = 80) -> RenderableType:
        """Draw the whole foot."""
        replicas = self._replicas(width)
        parts: list[RenderableType] = [self._title(), *([replicas] if replicas.row_count else [])]
        parts += [Text(text, "cyan") for text in self._loading.texts(time.time())]
        parts += [self._failure(name, failure) for name, failure in self._broken.items()]
        if self._topology:
            parts.append(Text(self._topology, "red"))
        if self._checked:
            parts.append(Text.from_ansi(self._clients()))
        port = self._url.rpartition(":")[2]
        return Group(
            *parts, Text(f"Ctrl-C stops. What the runner logs: clarifai-emulator logs --port {port}", "dim")
        )

    def _title(self) -> Rule:
        title = Text.assemble(("dev ", "bold"), (", ".join(self._names), "cyan"), f"  {self._url}")
        return Rule(title, align="left", style="dim")

    def _clients(self) -> str:
        first, *findings = f"clients: {self._checked['message']}{findings_text(self._checked)}".splitlines()
        more = len(findings) - _MOST_FINDINGS
        return "\n".join([first, *findings[:_MOST_FINDINGS], *([f"    and {more} more"] if more > 0 else [])])

    def _replicas(self, width: int) -> Table:
        is_wide = width >= _WIDE
        headings = ("deployment", "replica", "state", *(("code", "process") if is_wide else ()), "in flight")
        table = Table(box=None, pad_edge=False, header_style="dim")
        for heading in headings:
            table.add_column(heading, no_wrap=True, overflow="ellipsis")
        codes = {each["deployment_id"]: str(each["code"])[:8] for each in self._state.get("dev", ())}
        for deployment in self._state.get("deployments", ()):
            name = deployment["deployment_id"]
            for version in deployment["versions"]:
                for replica in version["replicas"]:
                    state = Text(replica["state"], _STYLES.get(replica["state"], "yellow"))
                    code = codes.get(name, "") if replica["state"] == "live" else ""
                    more = (code, str(replica["pid"] or "")) if is_wide else ()
                    table.add_row(name, replica["replica_id"][:8], state, *more, str(version["in_flight"]))
        return table

    def _failure(self, name: str, failure: Mapping[str, Any]) -> Text:
        where = f"{failure['file']}:{failure['line']}: " if failure["file"] else ""
        text = Text(f"{name}: {where}{str(failure['message']).splitlines()[0]}\n", "red bold")
        strict = any(each["strict"] for each in self._state.get("dev", ()) if each["deployment_id"] == name)
        meanwhile = "Requests fail until then (--strict)." if strict else "The last good code goes on serving."
        text.append(f"{failure['hint']} {meanwhile}", "dim not bold")
        return text


class Screen:
    """A terminal with the view at its foot."""

    def __init__(self, view: DevView, console: Console, live: Live) -> None:
        self._view = view
        self._console = console
        self._live = live

    def tell(self, lines: Sequence[str]) -> None:
        """Let lines scroll by above the foot."""
        if lines:  # all at once: the foot is drawn anew after each print
            self._console.print(Group(*map(_scrolled, lines)), crop=False)

    def refresh(self) -> None:
        """Draw the foot anew."""
        self._live.update(self._view.render(self._console.width), refresh=True)


def _scrolled(line: str) -> Text:
    text = Text.from_ansi(line, overflow="fold")
    if GUTTER in line:  # what a model prints can be copied as it was, however wide the terminal is
        text.no_wrap, text.overflow = True, "ignore"
    return text


@contextmanager
def screen(view: DevView, console: Console | None = None) -> Generator[Screen]:
    """Draw the view at the foot of the terminal for as long as the block goes on."""
    console = console or Console(highlight=False)
    foot = view.render(console.width)
    with Live(foot, console=console, auto_refresh=False, transient=True) as live:
        yield Screen(view, console, live)
