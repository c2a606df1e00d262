"""Describes apps, the containers of models."""

from __future__ import annotations

from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import App

from clarifai_emulator.messages import not_found
from clarifai_emulator.resources.filters import sorted_as_asked, text_matches
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.resources.rows import Draft, Match, Resource
from clarifai_emulator.store import Key, Kind


def _prepare(_: Resources, draft: Draft) -> None:
    if not draft.message.name:
        draft.message.name = draft.message.id


def _make(resources: Resources, key: Key) -> None:
    resources.post(Kind.APP, key[0], (), [App(id=key[1])])


def _matches(_: Resources, request: Any) -> Match:
    def match(key: Key, app: Any) -> bool:
        return (
            text_matches(request, app)
            and request.id in ("", key[-1])
            and request.visibility.gettable in (0, app.visibility.gettable)
        )

    return match


# ``make``: `deploy`, topologies and stand-ins make the apps that they name; the API does where that was chosen
# (``Behaviour.apps``). On the platform GetApp of an app that is not there is 11101 (clarifai-python
# ``test_model_uploader_missing_app_action``).
APP = Resource(
    kind=Kind.APP,
    message=App,
    in_request="user_app_id.app_id",
    not_found=not_found.APP,
    read_only=("is_starred", "star_count"),
    actions=("overwrite", "merge", "remove"),
    listed_by_change=True,
    filters=("name", "id", "query", "search", "visibility", "sort_ascending", "sort_by_name", "sort_by_id",
             "sort_by_created_at", "sort_by_modified_at"),
    ignored_filters=("additional_fields",),
    prepare=_prepare,
    matches=_matches,
    order=sorted_as_asked,
    make=_make,
)  # fmt: skip
