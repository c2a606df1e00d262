"""Formats events as readable lines: one per request, with the rule, the replica, the status and the time."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import click

from clarifai_emulator.cli.output import status_name
from clarifai_emulator.cli.terminal_text import inert_values

SUCCESS = 10000
_REMEMBERED = 1000
_DEEPEST = 16  # of a request inside others that is indented further than the one around it
_COLOURS = {
    "replica.live": "green",
    "replica.crashed": "red",
    "replica.hung": "red",
    "emulator.failed": "red",
    "replica.substituted": "yellow",
    "deployment.failed": "red",
    "deployment.rolled_out": "green",
    "deployment.stops_first": "yellow",
    "deployment.pending": "yellow",
    "deployment.overcommitted": "yellow",
    "route.refused": "red",
    "reload.ready": "green",
    "reload.failed": "red",
    "topology.applied": "green",
    "topology.refused": "red",
    "dev.problem": "red",
    "dev.note": "yellow",
    "dev.checked": "cyan",
    "fault.injected": "yellow",
    "fault.added": "yellow",
    "contract.finding": "yellow",
    "connection.cors": "yellow",
}
_SEVERITIES = {"error": "red", "warning": "yellow", "unchecked": "magenta"}
# Steps within a request or a start, which other lines tell already.
_DETAILS = ("route.decided", "replica.loading", "replica.ready", "work.")
_BORING = frozenset({"seq", "time", "kind"})
_DIM, _PLAIN = click.style("|", dim=True).split("|")
_OK = click.style("ok", fg="green")


class EventLines:
    """Formats one stream of events. ``details`` shows every event instead of one line per happening."""

    def __init__(self, *, details: bool = False) -> None:
        self._details = details
        self._decided: OrderedDict[str, Mapping[str, Any]] = OrderedDict()

    def wants(self, kind: str) -> bool:
        """Tell whether events of a kind become lines, or belong to one; ``line`` need not be asked of others."""
        return self._details or kind == "route.decided" or not kind.startswith(_DETAILS)

    def line(self, event: Mapping[str, Any]) -> str | None:
        """Return the line for an event (``Event.as_dict``); None when the event is part of another line."""
        kind = str(event["kind"])
        if kind == "route.decided":
            self._remember(event)
        if kind.startswith(_DETAILS) and not self._details:
            return None
        text = self._text(kind, inert_values(event))
        return f"{_DIM}{_clock(float(event['time']))}{_PLAIN}  {text}"

    def _remember(self, event: Mapping[str, Any]) -> None:
        self._decided[str(event["request_id"])] = event
        if len(self._decided) > _REMEMBERED:
            self._decided.popitem(last=False)

    def _text(self, kind: str, event: Mapping[str, Any]) -> str:
        if kind == "request.finished":
            return self._request(event)
        label = click.style(kind, fg=_COLOURS.get(kind))
        if kind == "route.refused":
            said = f"{label}  {status_name(int(event['code']))}: {event['details']}"
            return f"{said} {event['note']}" if event.get("note") else said
        if kind.startswith("replica.") and "message" in event:
            return f"{label}  {event['deployment_id']} {str(event['replica_id'])[:8]}: {event['message']}"
        if kind.startswith("deployment.") and "reason" in event:
            trace = str(event.get("traceback") or "").rstrip()
            return f"{label}  {event['deployment_id']}: {event['reason']}" + (f"\n{trace}" if trace else "")
        if kind.startswith("reload."):
            return f"{label}  {event['model_id']}: {_reload(kind, event)}"
        if kind == "connection.cors":  # a sentence, which is not to be cut
            return f"{label}  {event['what']}"
        if kind == "emulator.failed":
            return f"{label}  {event['part']}: {event['reason']}"
        if kind.startswith(("topology.", "dev.")):
            return f"{label}  {event['message']}{findings_text(event)}"
        if kind == "contract.finding":
            grave = click.style(f"{event['severity']} {event['rule']}", fg=_SEVERITIES.get(str(event["severity"])))
            return f"{label}  {grave}  {event['model']}: {event['message']}"
        if kind == "workflow.node":
            return f"{label}  {_node(event)}"
        if kind.startswith("fault."):
            return f"{label}  {event['fault_id']}: {_fault(kind, event)}"
        fields = (f"{name}={_short(value)}" for name, value in event.items() if name not in _BORING)
        return f"{label}  {' '.join(fields)}"

    def _request(self, event: Mapping[str, Any]) -> str:
        decided = self._decided.pop(str(event["request_id"]), None)
        if event.get("call"):
            return _call(event, decided)
        parts = [_bold(str(event["rpc"])), *_way(event, decided), _status(event), _took(event)]
        error = str(event.get("error") or "").rstrip()
        return _inside(event) + "  ".join(parts) + "".join(f"\n    {line}" for line in error.splitlines())


def _node(event: Mapping[str, Any]) -> str:
    """Describe a node of a workflow: what answered, when it began after the request, how long it took, its end."""
    text = f"{event['workflow']} {_bold(str(event['node']))}  {event['by']}  "
    text += f"at {float(event['begun']):.1f} ms  {_took(event)}"
    if event.get("error"):
        return f"{text}  {click.style(str(event['error']), fg='red')}"
    return f"{text}  {click.style('cancelled', fg='yellow')}" if event.get("cancelled") else f"{text}  {_OK}"


def _call(event: Mapping[str, Any], decided: Mapping[str, Any] | None) -> str:
    """Describe a call of a model in the dev loop: what was called and its outcome, then how it got there."""
    text = _inside(event) + "  ".join([click.style(str(event["call"]), bold=True), _status(event), _took(event)])
    way = list(_way(event, decided))
    text += "  " + click.style("  ".join(way), dim=True) if way else ""
    reason = str(event.get("error") or "").rstrip()
    return text + "".join(f"\n    {click.style(line, fg='red')}" for line in reason.splitlines())


def _inside(event: Mapping[str, Any]) -> str:
    """Return what stands before a request that a model made while it answered another: how deep it is."""
    depth = int(event.get("depth") or 0)
    return f"{'  ' * min(depth, _DEEPEST)}└ " if depth else ""


def _way(event: Mapping[str, Any], decided: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield how a request got there: by which rule, to which replica, in the dev loop also to which code."""
    if decided is not None:
        yield f"{decided['rule']} → {decided['deployment'] or ' '.join(decided['nodepools'][:1])}"
    if event.get("parent_id"):
        yield f"inside {str(event['parent_id'])[-8:]}"
    if event.get("replica_id"):
        yield f"replica {str(event['replica_id'])[:8]}"
    if event.get("code"):
        yield f"code {str(event['code'])[:8]}"


def _took(event: Mapping[str, Any]) -> str:
    return f"{float(event['milliseconds']):.1f} ms"


def _status(event: Mapping[str, Any]) -> str:
    if event.get("emulator_stopped"):
        return click.style("ended, because the emulator stops", fg="yellow")
    if event.get("cancelled"):
        return click.style("cancelled by the client", fg="yellow")
    if event.get("grpc_status"):
        return click.style(f"gRPC {event['grpc_status']}", fg="red")
    code = int(event.get("status") or 0)
    return _OK if code == SUCCESS else click.style(status_name(code), fg="red")


def findings_text(event: Mapping[str, Any]) -> str:
    """Return the findings of a check of clients, a line each."""
    lines: list[str] = []
    for each in event.get("findings", ()):
        severity = click.style(f"{each['severity']}[{each['rule']}]", fg=_SEVERITIES.get(each["severity"]))
        lines.append(f"\n    {each['place']}: {severity} {each['message']} {each['hint']}".rstrip())
    return "".join(lines)


def _reload(kind: str, event: Mapping[str, Any]) -> str:
    if not event["files"]:
        return str(event["reason"])
    done = f"{event['reload']} of {', '.join(event['files'])}: {event['reason']}"
    if kind == "reload.ready":
        version = f", version {str(event['version_id'])[:8]}" if event["signatures_changed"] else ""
        kept = ", weights kept" if event["reload"] == "swap" else ""
        return f"{done}  {float(event['milliseconds']):.1f} ms, code {str(event['code'])[:8]}{version}{kept}"
    if kind == "reload.superseded":
        return f"{done}  given up for a newer save"
    failure = event["failure"]
    where = f"{failure['file']}:{failure['line']}: " if failure["file"] else ""
    story = [f"{where}{failure['message']}", failure["frame"] or failure["traceback"], failure["hint"]]
    told = "\n".join(filter(None, story)).replace("\n", "\n    ")
    return f"{done}\n    {told}"


def _fault(kind: str, event: Mapping[str, Any]) -> str:
    if kind != "fault.injected":
        return str(event["rule"])
    delay = f", {float(event['seconds']):.3f} s" if "seconds" in event else ""
    return f"{event['effect']}{delay} into {event['rpc']}"


@lru_cache(maxsize=64)
def _bold(text: str) -> str:
    return click.style(text, bold=True)


def _clock(seconds: float) -> str:
    return f"{_to_the_second(int(seconds))}.{int(seconds * 1000) % 1000:03d}"


@lru_cache(maxsize=64)
def _to_the_second(seconds: int) -> str:
    return time.strftime("%H:%M:%S", time.localtime(seconds))


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 120 else text[:119] + "…"
