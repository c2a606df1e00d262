"""Explains where a request would go, without sending one: for the command ``route`` and for the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clarifai_emulator.control.verbs import Verbs
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.routing import Ask, RoutingError


async def explained(emulator: Emulator, verbs: Verbs, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is asked, and the decision or the refusal."""
    ask = Ask(
        caller=request.get("caller") or "",
        model_user=request.get("model_user") or "",
        model_app=request.get("model_app", ""),
        model_id=request.get("model_id", ""),
        version_id=request.get("version_id", ""),
        deployment=_key(request.get("deployment")),
        nodepool=_key(request.get("nodepool")),
        runner_id=request.get("runner_id", ""),
    )
    ask = verbs.account.asked(ask)
    try:
        decision = (await verbs.route(ask)).as_dict()
        return {"ask": ask.as_dict(), "decision": decision, "is_settled": emulator.is_settled(ask)}
    except RoutingError as error:
        return {"ask": ask.as_dict(), "refusal": error.as_dict()}


def _key(value: Sequence[str] | None) -> Any:
    return tuple(value) if value else None
