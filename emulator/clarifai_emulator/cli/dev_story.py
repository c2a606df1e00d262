"""Tells line by line what happens under ``dev``: what models print, calls, reloads, failures and findings.

    events, log lines ──► Story ──► lines for a pipe, or for a terminal above its footer (dev_view.py)

Left out is what does not help a developer: what the runner logs of itself, the frames of the SDK in a traceback,
answers to requests that call no model, and replicas that end because others took their place.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from clarifai_emulator.backends.printed import sdk_line
from clarifai_emulator.cli.event_lines import SUCCESS, EventLines
from clarifai_emulator.cli.log_lines import clock, message_text
from clarifai_emulator.cli.terminal_text import inert

Event = Mapping[str, Any]

LOG_LINE = "log.line"
GUTTER = "│"
_FOLDED = frozenset({"replica.draining", "replica.stopped", "replica.starting", "dev.deployed"})
_ENDED = ("replica.stopped", "replica.crashed", "replica.draining")
_SDK_FRAME = re.compile(r'\s*File "[^"]*/clarifai(?:_protocol|_emulator)?/[^"]*", line \d+')
_FRAME = re.compile(r'\s*File "[^"]+", line \d+')
_SDK_HEAD = re.compile(r"Error in (?:predict|generate|stream)$")


class Story:
    """Lines for what happens. ``names``: of the model directories; with several, each line names its own."""

    def __init__(self, names: Sequence[str]) -> None:
        self._several = len(names) > 1
        self._events = EventLines()
        self._replicas: dict[str, set[str]] = {}  # ids of replicas that may print, by deployment
        self._in_sdk_frame: dict[str, bool] = {}

    def lines(self, event: Event) -> Iterator[str]:
        """Return the lines for one event, or for one line of a log; none for what is left out."""
        kind = str(event["kind"])
        if kind == LOG_LINE:
            yield from self._printed(event)
            return
        self._count(kind, event)
        if kind in _FOLDED or _is_question(kind, event):
            return
        if kind == "dev.progress":
            yield click.style("  · ", fg="cyan") + inert(str(event["message"]))
        elif (line := self._events.line(event)) is not None:
            yield shortened_paths(line)

    def _count(self, kind: str, event: Event) -> None:
        replica, deployment = str(event.get("replica_id", "")), str(event.get("deployment_id", ""))
        if kind in ("replica.starting", "replica.live"):
            self._replicas.setdefault(deployment, set()).add(replica)
        elif kind in _ENDED:
            self._replicas.get(deployment, set()).discard(replica)
            if kind != "replica.draining":
                self._in_sdk_frame.pop(replica, None)

    def _printed(self, line: Event) -> Iterator[str]:
        if line["stream"] not in ("model", "emulator") or self._is_folded(line):
            return
        when = click.style(clock(float(line["time"])), dim=True)
        whose = click.style(f"{self._label(line)} {GUTTER}".strip(), fg="cyan")
        yield f"{when}  {whose} {message_text(line, with_ids=False)}"

    def _label(self, line: Event) -> str:
        """Name the model and the replica that a line comes from, as far as that is not clear."""
        parts = [str(line["model"]).rpartition("/")[2]] if self._several else []
        if len(self._replicas.get(str(line["deployment_id"]), ())) > 1:
            parts.append(str(line["replica_id"])[:8])
        return " ".join(parts)

    def _is_folded(self, line: Event) -> bool:
        """Tell whether a line shows only how the SDK called the model, which is of no use to its author."""
        replica, text = str(line["replica_id"]), str(line["message"])
        said = sdk_line(text)
        if said is not None:
            self._in_sdk_frame[replica] = False
            return said.level == "ERROR" and _SDK_HEAD.match(said.message) is not None
        if _FRAME.match(text):
            self._in_sdk_frame[replica] = _SDK_FRAME.match(text) is not None
            return self._in_sdk_frame[replica]
        if self._in_sdk_frame.get(replica):
            self._in_sdk_frame[replica] = text.startswith("    ")
            return self._in_sdk_frame[replica]
        return False


def _is_question(kind: str, event: Event) -> bool:
    """Tell whether a request was answered without calling a model, as when the SDK asks for its methods."""
    return kind == "request.finished" and "rule" not in event and int(event.get("status") or 0) == SUCCESS


def shortened_paths(text: str) -> str:
    """Write paths below the current folder relative to it."""
    here = os.path.join(os.getcwd(), "")
    return text.replace(here, "") if len(here) > 1 else text
