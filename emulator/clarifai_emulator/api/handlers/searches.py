"""Answers PostModelsSearches and PostAppsSearches: listings, asked for with a query message."""

from __future__ import annotations

from typing import Any

from clarifai_grpc.grpc.api.service_pb2 import ListAppsRequest, ListModelsRequest

from clarifai_emulator.api.call import ApiCall, Handler
from clarifai_emulator.api.handlers.resource_verbs import list_page
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.store import Kind


def handlers(resources: Resources) -> dict[str, Handler]:
    """Return the two searches."""

    def models(call: ApiCall, request: Any) -> Any:
        """PostModelsSearches: models by a text in their id, name or description, and by type."""
        asked = ListModelsRequest(
            query=request.model_query.name, model_type_id=request.model_query.model_type_id, **_same(request)
        )
        return list_page(resources, resources.row(Kind.MODEL), call, asked)

    def apps(call: ApiCall, request: Any) -> Any:
        """PostAppsSearches: apps by a text in their id, name or description."""
        asked = ListAppsRequest(query=request.app_query.name, **_same(request))
        return list_page(resources, resources.row(Kind.APP), call, asked)

    return {"PostModelsSearches": models, "PostAppsSearches": apps}


def _same(request: Any) -> dict[str, Any]:
    pages = request.pagination
    return {"user_app_id": request.user_app_id, "page": pages.page, "per_page": pages.per_page}
