"""Puts the text of an input into a prompt template (``prompter``)."""

from __future__ import annotations

from clarifai_grpc.grpc.api.resources_pb2 import Data, Text
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.errors import CallerError
from clarifai_emulator.workflows.operators.operator import OperatorInput, require_text
from clarifai_emulator.workflows.operators.operator_settings import OperatorSettings

# "Your prompt template should include at least one instance of the placeholder" (Clarifai/docs, prompter.md).
PLACE = "{data.text.raw}"
_MOST_CHARACTERS = 32 * 1024 * 1024


def prompt(settings: OperatorSettings, item: OperatorInput) -> Data:
    """Return the template with the text in each of its places."""
    template = settings.text("prompt_template")
    places = template.count(PLACE)
    if not places:
        raise settings.refusal("output_info.params.prompt_template", f"must contain {PLACE}, got {template!r:.200}")
    text = require_text(item)
    if len(template) + places * len(text) > _MOST_CHARACTERS:
        raise CallerError(
            StatusCode.MODEL_INVALID_REQUEST,
            f"The template has {places} places, and a text of {len(text)} characters in each makes a prompt of "
            f"more than {_MOST_CHARACTERS} characters.",
            hint="Shorten the text, or take places out of the template.",
        )
    return Data(text=Text(raw=template.replace(PLACE, text)))
