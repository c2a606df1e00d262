"""Tells a browser what runs, what happened in a request, what replicas printed, and where a request would go.

state               what `status --json` prints
request?id=ID       the kept events of one request
log?replica=ID      what a replica printed (page_logs.py)
lives               what became of each replica, as far back as their logs go
build?model=…       what building a version of it printed: version=ID
route?model=…       what `route --json` prints
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import metadata
from itertools import islice
from typing import Any

from clarifai_emulator.control.page.page_logs import lives_of_replicas, log_of_build, log_of_replica
from clarifai_emulator.control.page.page_topics import Asked, PageContext, PageTopic, Read, SavedShown, bad_request
from clarifai_emulator.control.page.resting_deployments import RestingDeployments
from clarifai_emulator.control.snapshot import snapshot_parts
from clarifai_emulator.messages.address import ModelAddress, parse_name

# Of a request that asks a thousand models inside it, the newest.
_MOST_EVENTS = 5_000
_ALWAYS = 1e12
# Of a page that is saved to a file, the versions whose builds it shows.
_MOST_BUILDS = 50


class PageState(PageTopic):
    """Tells of the emulator's state and events."""

    def __init__(self, context: PageContext) -> None:
        super().__init__(context)
        self._resting = RestingDeployments()
        self._version = metadata.version("clarifai-emulator")

    def reads(self) -> Mapping[str, Read]:
        return {
            "state": self._state,
            "request": self._request,
            "log": self._log,
            "build": self._build,
            "lives": self._lives,
            "route": self._route,
        }

    def saved(self, shown: SavedShown) -> Iterator[tuple[str, dict[str, str]]]:
        if shown.is_whole:
            yield "state", {}
            yield "lives", {}
            for fleet in islice(self.emulator.supervisor.fleets.values(), _MOST_BUILDS):
                model, version = fleet.target.model, fleet.target.version
                name = f"{model.user_id}/{model.app_id}/{model.id}"
                yield "build", {"model": name, "version": version.id}
        for replica in shown.replicas:
            yield "log", {"replica": replica}

    async def _state(self, asked: Asked) -> dict[str, Any]:
        # Its long lists are made while they are sent.
        state = {**dict(snapshot_parts(self.emulator)), "deployments": self._resting.of(self.emulator)}
        return {"run": self.emulator.run_id, "version": self._version, "state": state}

    async def _request(self, asked: Asked) -> dict[str, Any]:
        events = list(self.emulator.events.recent(request_id=asked.text("id")))[-_MOST_EVENTS:]
        return {"run": self.emulator.run_id, "events": [event.as_dict() for event in events]}

    async def _log(self, asked: Asked) -> dict[str, Any]:
        return log_of_replica(
            self.emulator,
            asked.text("replica"),
            since=int(asked.number("since")),
            begin=asked.number("begin"),
            end=asked.number("end", _ALWAYS),
        )

    async def _build(self, asked: Asked) -> dict[str, Any]:
        return log_of_build(self.emulator, _model_of(asked.text("model")), asked.text("version"))

    async def _lives(self, asked: Asked) -> dict[str, Any]:
        return lives_of_replicas(self.emulator)

    async def _route(self, asked: Asked) -> dict[str, Any]:
        from clarifai_emulator.control.explaining import explained

        caller = asked.text("caller") or self.emulator.config.user_id
        request: dict[str, Any] = {"caller": caller}
        if model := asked.text("model"):
            address = _model_of(model)
            request |= {"model_user": address.user_id, "model_app": address.app_id, "model_id": address.model_id}
        if deployment := asked.text("deployment"):
            user, _, name = deployment.rpartition("/")
            request["deployment"] = [user or caller, name]
        if nodepool := asked.text("nodepool"):
            parts = nodepool.split("/")
            if len(parts) != 3:
                raise bad_request(
                    f"'{nodepool[:100]}' is no nodepool's name: USER/CLUSTER/NODEPOOL, as the map has it."
                )
            request["nodepool"] = parts
        if not (request.get("model_id") or request.get("deployment")):
            raise bad_request("Name a model or a deployment to ask about.")
        return await explained(self.emulator, self.context.verbs, request)


def _model_of(name: str) -> ModelAddress:
    """Read a model's name. Raises ``HttpProblem``."""
    address = parse_name(name)
    if address is None:
        raise bad_request(f"'{name[:100]}' is no model's name: USER/APP/MODEL, as the list of models has it.")
    return address
