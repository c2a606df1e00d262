"""Answers the command line: takes the plain JSON of a command, uses verbs, and gives plain JSON to show."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from clarifai_emulator.api.transport.grpc_stream import GrpcStream
from clarifai_emulator.backends.backend import Debugging
from clarifai_emulator.backends.printed import LogOrigin, without_colours
from clarifai_emulator.control.explaining import explained
from clarifai_emulator.control.fault_changes import change_faults
from clarifai_emulator.control.progress_answers import Answers, with_progress
from clarifai_emulator.control.snapshot import names
from clarifai_emulator.control.verbs import Verbs
from clarifai_emulator.deploy.deploy_request import Deployed, DeployRequest
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.events import Event
from clarifai_emulator.listeners import Follower, following
from clarifai_emulator.logbook import BUILDER, RUNNER_EVENTS, LogLine
from clarifai_emulator.messages.json import as_dict
from clarifai_emulator.models.version_source import Watched
from clarifai_emulator.reload.plan import ReloadKind
from clarifai_emulator.reload.project import Options, Outcome
from clarifai_emulator.store import Kind

_ANSWER_SECONDS = 0.05
# As many as are kept for whoever asks later.
_MOST_WAITING = 10_000
_MOST_AT_ONCE = 100
# Characters of a document.
_PIECE = 512 * 1024
# Of the lines that no replica printed.
_WRITERS = {RUNNER_EVENTS: LogOrigin.EMULATOR.value, BUILDER: LogOrigin.EMULATOR.value}

Command = Callable[[dict[str, Any], GrpcStream], Answers]
_T = TypeVar("_T")


class Commands:
    """Answers the commands that are about all of an emulator. ``about``: what ``About`` tells of it. ``stop`` is
    called when somebody wants it to stop."""

    def __init__(
        self, emulator: Emulator, verbs: Verbs, *, about: Mapping[str, Any], stop: Callable[[], object]
    ) -> None:
        self._emulator = emulator
        self._verbs = verbs
        self._about_it = about
        self._stop = stop
        self._calls: dict[str, Callable[[dict[str, Any]], Answers]] = {
            "About": self._about,
            "Caller": self._caller,
            "Deploy": self._deploy,
            "Dev": self._dev,
            "Down": self._down,
            "Events": self._events,
            "Export": self._export,
            "Faults": self._faults,
            "Import": self._import,
            "Logs": self._logs,
            "Names": self._names,
            "Page": self._page,
            "Reload": self._reload,
            "Reset": self._reset,
            "Route": self._route,
            "Status": self._status,
            "Topology": self._topology,
            "Undeploy": self._undeploy,
        }

    def find(self, name: str) -> Command | None:
        """Return what answers a command; None for a name that is none."""
        if name == "DeployArchive":
            return self._deploy_archive
        call = self._calls.get(name)
        return (lambda request, _: call(request)) if call is not None else None

    def _deploy(self, request: dict[str, Any]) -> Answers:
        wanted = DeployRequest(path=Path(request.pop("path")), debugging=_debugging(request), **request)
        return with_progress(lambda tell: self._verbs.deploy(wanted, tell), deployed_as_dict)

    async def _deploy_archive(self, request: dict[str, Any], stream: GrpcStream) -> Answers:
        """Deploy a directory whose archive follows the request, in pieces; ``path`` is its name."""
        path = await self._emulator.sent.receive(_rest_of(stream), str(request["path"]))
        async with aclosing(self._deploy({**request, "path": path})) as answers:
            async for answer in answers:
                yield answer

    async def _undeploy(self, request: dict[str, Any]) -> Answers:
        """Take away the deployment or the deployments of the model ``name``; null: all."""
        done = await self._verbs.undeploy(request.get("name"))
        yield {"result": {"undeployed": [asdict(each) for each in done]}}

    def _dev(self, request: dict[str, Any]) -> Answers:
        """Deploy a directory into the dev loop: ``always``, ``strict``, ``include``, ``exclude``, and as for
        ``Deploy``."""
        options = Options(ReloadKind(request.pop("always")), request.pop("strict"))
        watched = Watched(tuple(request.pop("include")), tuple(request.pop("exclude")))
        debugging = _debugging(request)
        wanted = DeployRequest(path=Path(request.pop("path")), watched=watched, debugging=debugging, **request)
        return with_progress(lambda tell: self._verbs.dev(wanted, options, tell), deployed_as_dict)

    def _reload(self, request: dict[str, Any]) -> Answers:
        """Reload a directory in the dev loop, of which files were saved."""
        path = Path(request["path"])
        return with_progress(lambda tell: self._verbs.reload(path, tell), Outcome.as_dict)

    async def _status(self, request: dict[str, Any]) -> Answers:
        yield {"result": await self._verbs.status()}

    async def _names(self, request: dict[str, Any]) -> Answers:
        """Tell what there is to name on a command line; of the model ``model``, its methods."""
        yield {"result": names(self._emulator, str(request.get("model") or ""))}

    async def _topology(self, request: dict[str, Any]) -> Answers:
        """Create what further ``files`` name; without any, apply those of the topology, which were saved."""
        if request.get("files"):
            await self._verbs.apply(tuple(map(Path, request["files"])))
            yield {"result": {"files": request["files"]}}
            return
        yield {"result": (await self._verbs.reload_topology()).as_dict()}

    async def _about(self, request: dict[str, Any]) -> Answers:
        yield {
            "result": {
                "user_id": self._emulator.config.user_id,
                "pid": os.getpid(),
                "started": 0.0,
                **self._about_it,
            }
        }

    async def _caller(self, request: dict[str, Any]) -> Answers:
        """Tell whose token has this ``sha256``; empty for nobody's. ``is_known``: the emulator was told of it, or
        issued it."""
        emulator = self._emulator
        authenticator = emulator.authenticator
        keys = [key[-1] for key in emulator.store.keys(Kind.KEY)]
        caller = authenticator.find(keys, str(request.get("sha256")))
        anyone = emulator.config.user_id if authenticator.takes_any else ""
        yield {
            "result": {
                "user_id": caller.user_id if caller is not None else anyone,
                "is_known": caller is not None,
                "is_one_of_several": not authenticator.takes_any,
            }
        }

    async def _route(self, request: dict[str, Any]) -> Answers:
        yield {"result": await explained(self._emulator, self._verbs, request)}

    async def _events(self, request: dict[str, Any]) -> Answers:
        """Tell of kept events after ``since`` whose kind begins with ``prefix``; with ``follow``, then of new ones.
        In place of those that came faster than they were read comes ``{"missed": their number}``."""
        bus, prefix = self._emulator.events, request.get("prefix", "")

        def wants(event: Event) -> bool:
            return event.kind.startswith(prefix)

        with following(bus.subscribe, wants, most=_MOST_WAITING) as follower:
            for event in list(bus.recent(prefix, since=request.get("since", 0))):
                yield {"event": event.as_dict()}
            if request.get("follow", False):
                async with aclosing(_coming(follower, lambda event: {"event": event.as_dict()})) as answers:
                    async for answer in answers:
                        yield answer
        yield {"result": {"last_seq": bus.last_seq}}

    async def _logs(self, request: dict[str, Any]) -> Answers:
        """Tell of lines of ``log_types`` from ``since`` (seconds since the epoch) on, whose source has the ids in
        ``match``, oldest first. After those that are kept comes ``{"kept": their number}``, then, with ``follow``,
        new ones, and ``{"missed": …}`` as for ``Events``."""
        self._emulator.keep_logs()
        book, types, since = self._emulator.logbook, request.get("log_types", ["runner"]), request.get("since", 0.0)
        match = {name: value for name, value in request.get("match", {}).items() if value}
        deployment = match.pop("deployment_id", "")

        def wants(line: LogLine) -> bool:
            is_of_deployment = line.deployment_id in ("", deployment or line.deployment_id)
            return line.log_type in types and is_of_deployment and line.is_from(match)

        with following(book.subscribe, wants, most=_MOST_WAITING) as follower:
            found = [line for kind in types for line in book.lines(kind, **match) if line.time >= since]
            kept = sorted(filter(wants, found), key=lambda line: line.seq)
            for line in kept:
                yield {"line": _line_as_dict(line)}
            yield {"kept": len(kept)}
            if request.get("follow", False):
                async with aclosing(_coming(follower, lambda line: {"line": _line_as_dict(line)})) as answers:
                    async for answer in answers:
                        yield answer
        yield {"result": {}}

    async def _faults(self, request: dict[str, Any]) -> Answers:
        """Add the fault ``add``, remove those with the ids of ``remove``, or ``clear`` them; then list all."""
        yield {"result": await change_faults(self._verbs, request)}

    async def _reset(self, request: dict[str, Any]) -> Answers:
        await self._verbs.reset()
        yield {"result": {}}

    async def _export(self, request: dict[str, Any]) -> Answers:
        from clarifai_emulator.state.transfer import export_state

        yield {"result": export_state(self._emulator.store, self._emulator.resources.table)}

    async def _page(self, request: dict[str, Any]) -> Answers:
        """Save the page to one document, which comes in pieces."""
        from clarifai_emulator.control.page.page_saving import saved_document

        saved = await saved_document(self._emulator)
        for start in range(0, len(saved.text), _PIECE):
            yield {"piece": saved.text[start : start + _PIECE]}
        yield {"result": {"requests": saved.requests, "replicas": saved.replicas, "notes": list(saved.notes)}}

    async def _import(self, request: dict[str, Any]) -> Answers:
        from clarifai_emulator.state.transfer import import_state

        imported = import_state(self._emulator.store, self._emulator.resources.table, request.get("document"))
        self._emulator.resume_builds()
        yield {"result": asdict(imported)}

    async def _down(self, request: dict[str, Any]) -> Answers:
        yield {"result": {"pid": os.getpid()}}
        # The answer leaves first: stopping breaks off every call.
        asyncio.get_running_loop().call_later(_ANSWER_SECONDS, self._stop)


async def _rest_of(stream: GrpcStream) -> AsyncIterator[bytes]:
    """Give the messages that follow the first."""
    while (message := await stream.read()) is not None:
        yield message


async def _coming(follower: Follower[_T], answer: Callable[[_T], dict[str, Any]]) -> Answers:
    """Yield answers about what comes, and before what was left of it how much a slow reader missed. Without end."""
    while True:
        missed, items = await follower.next(_MOST_AT_ONCE)
        if missed:
            yield {"missed": missed}
        for item in items:
            yield answer(item)


def _line_as_dict(line: LogLine) -> dict[str, Any]:
    """Return a line as JSON, without colours. ``stream``: who wrote it."""
    ids = line.ids
    return {
        "time": round(line.time, 6),
        "message": without_colours(line.message),
        "log_type": line.log_type,
        "stream": line.origin or _WRITERS.get(line.log_type, "model"),
        "deployment_id": line.deployment_id,
        "replica_id": line.replica_id,
        "runner_id": ids["runner_id"],
        "model": "/".join(ids[name] for name in ("user_id", "app_id", "model_id")),
    }


def _debugging(request: dict[str, Any]) -> Debugging | None:
    """Take ``debug`` out of a request: ``port`` and ``wait``."""
    wanted = request.pop("debug", None)
    return Debugging(**wanted) if wanted is not None else None


def deployed_as_dict(deployed: Deployed) -> dict[str, Any]:
    """Return what a deploy did, as JSON; the signatures as protobuf JSON."""
    user, app, model = deployed.model
    return {
        "model_url": deployed.model_url,
        "model_user_id": user,
        "app_id": app,
        "model_id": model,
        "version_id": deployed.version_id,
        "is_new_version": deployed.is_new_version,
        "user_id": deployed.user_id,
        "deployment_id": deployed.deployment_id,
        "compute_cluster_id": deployed.compute_cluster_id,
        "nodepool_id": deployed.nodepool_id,
        "environment": deployed.environment,
        "seconds": round(deployed.seconds, 3),
        "signatures": [as_dict(s) for s in deployed.signatures],
        "warnings": list(deployed.warnings),
        "debug_port": deployed.debug_port,
        "waits_for_debugger": deployed.waits_for_debugger,
    }
