"""Apps: the containers of models. One that its owner only mentions is created."""

from __future__ import annotations

from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import App
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.chain import Handler
from clarifai_emulator.api.handlers.listing import sorted_as_asked, text_matches
from clarifai_emulator.api.handlers.verbs import serve
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.resources.rows import Draft, Match, Resource
from clarifai_emulator.store import Key, Kind


def handlers(resources: Resources) -> dict[str, Handler]:
    """The RPCs of apps. GetApp of an app that the caller does not have yet creates it: the SDK would ask on
    the terminal whether to create it, which no test or CI job can answer."""
    rows = _Apps(resources)
    row = Resource(
        kind=Kind.APP,
        stem="App",
        name="app",
        message=App,
        in_request="user_app_id.app_id",
        does_not_exist=StatusCode.CONN_DOES_NOT_EXIST,
        invalid_argument=StatusCode.CONN_INVALID_REQUEST,
        read_only=("is_starred", "star_count"),
        actions=("overwrite", "merge", "remove"),
        filters=("name", "id", "query", "search", "visibility", "sort_ascending", "sort_by_name", "sort_by_id",
                 "sort_by_created_at", "sort_by_modified_at"),
        ignored_filters=("additional_fields",),
        prepare=rows.prepare,
        before_delete=rows.before_delete,
        matches=_matches,
        order=sorted_as_asked,
        make=rows.make,
    )  # fmt: skip
    found = serve(resources, row)
    return {**found, "PatchAppsDetails": found["PatchApps"]}


class _Apps:
    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    def prepare(self, draft: Draft) -> None:
        if not draft.message.name:
            draft.message.name = draft.message.id

    def make(self, key: Key) -> None:
        self._resources.post(Kind.APP, key[0], (), [App(id=key[1])])

    def before_delete(self, key: Key) -> None:
        self._resources.delete(Kind.MODEL, list(self._resources.store.keys(Kind.MODEL, key)))


def _matches(request: Any) -> Match:
    def match(key: Key, app: Any) -> bool:
        return (
            text_matches(request, app)
            and request.id in ("", key[-1])
            and request.visibility.gettable in (0, app.visibility.gettable)
        )

    return match
