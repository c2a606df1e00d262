"""Makes the handlers of every RPC about resources: those that rows describe, and those that do more."""

from __future__ import annotations

from clarifai_emulator.api.call import Handler
from clarifai_emulator.api.handlers import access, model_types, models, searches, users
from clarifai_emulator.api.handlers.resource_verbs import serve
from clarifai_emulator.resources.resource import Resources


def handlers(resources: Resources) -> dict[str, Handler]:
    """Return the handlers by the name of their RPC."""
    served = serve(resources)
    return {
        **served,
        "PatchAppsDetails": served["PatchApps"],
        **users.handlers(resources),
        **models.handlers(resources),
        **model_types.handlers(),
        **searches.handlers(resources),
        **access.handlers(resources, served),
    }
