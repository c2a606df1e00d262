"""Judges calls of workflows: each node's model, where the definition is among the paths."""

from __future__ import annotations

import re
from dataclasses import dataclass

from clarifai_emulator.contracts.endpoints.known_endpoints import EndpointModels
from clarifai_emulator.contracts.endpoints.named_model import NamedModel, named_models
from clarifai_emulator.contracts.endpoints.written_value import UNSEEN, WrittenValue, shown_texts
from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.client_call import ClientCall
from clarifai_emulator.contracts.rules.finding import Finding, Location

_ID = re.compile(r"(?:.*/workflows/)?(?P<id>[^/?#]+)(?:[/?#].*)?")
_HOW_TO_NAME = "a node names its model by model_id, user_id and app_id."


@dataclass(frozen=True, slots=True)
class WorkflowCall:
    """A call. ``workflow``: its URL, or its id; None where neither is in sight. ``named``: how the client names the
    workflow."""

    location: Location
    shown: str
    workflow: WrittenValue | None
    named: str


def judge_workflow(call: WorkflowCall, models: EndpointModels) -> ClientCall:
    """Return the call with what is wrong with the models of its nodes."""
    texts = call.workflow.texts if call.workflow is not None else ()
    ids = [
        match["id"] for text in texts if (match := _ID.fullmatch(text)) is not None and UNSEEN not in match["id"]
    ]
    known = [models.workflows[each] for each in ids if each in models.workflows]
    if not known:
        message = f"The definition of {call.named} is not at hand, so {call.shown} is not checked."
        missing = found("workflow-not-given", message, call.location)
        return ClientCall(call.location, call.shown, shown_texts(texts), (missing,))
    findings: list[Finding] = []
    for workflow in known:
        shown = f"Workflow '{workflow.workflow_id}'"
        for model in workflow.models:
            named = NamedModel(shown, model, model.texts, _HOW_TO_NAME)
            findings += [each for each in named_models(named, models) if isinstance(each, Finding)]
    return ClientCall(call.location, call.shown, ", ".join(each.workflow_id for each in known), tuple(findings))
