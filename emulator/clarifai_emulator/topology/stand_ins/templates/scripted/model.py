"""Gives answers that were written down, under the name of a hosted language model: texts and calls of tools."""

import json
import runpy
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

from clarifai.runners.models.model_class import ModelClass
from clarifai.runners.utils.data_types import Image

HERE = Path(__file__).parent
forms = SimpleNamespace(**runpy.run_path(str(HERE / "openai_forms.py")))
turns = SimpleNamespace(**runpy.run_path(str(HERE / "script_turns.py")))
TOLD = json.loads((HERE / "script.json").read_text(encoding="utf-8"))
CHAT, RESPONSES = "/chat/completions", "/responses"


def next_turn(said: list, tools: dict):
    """Return the answer to what was said last in a conversation, and the number of its turn."""
    answered = [index for index, (who, _) in enumerate(said) if who == "assistant"]
    # Several results of tools are one message; at the beginning, what precedes the last message is instructions.
    latest = said[answered[-1] + 1 :] if answered else said[-1:]
    before = said[: answered[0]] if answered else said
    asked = turns.ConversationRequest(
        answers=len(answered),
        latest="\n".join(text for _, text in latest),
        sender=latest[-1][0] if latest else "nobody",
        opening=before[-1][1] if before else "",
        tools=tools,
    )
    if TOLD["in_order"]:
        return turns.next_answer(TOLD["model"], TOLD["scripts"], asked), asked.answers + 1
    return turns.fitting_answer(TOLD["model"], TOLD["scripts"][0], asked), asked.answers + 1


def prompted(prompt: str, chat_history: list, tools: list):
    said = forms.chat_conversation(chat_history)
    if prompt or not said:
        said.append(("user", prompt))
    return next_turn(said, forms.offered_tools({"tools": tools}))


def endpoint_of(request: dict) -> str:
    endpoint = request.get("openai_endpoint", CHAT)
    if endpoint not in (CHAT, RESPONSES):
        raise ValueError(f"A stand-in with answers serves {CHAT} and {RESPONSES}, not {endpoint}; give it a path.")
    return endpoint


def conversation(request: dict) -> list:
    if endpoint_of(request) == RESPONSES:
        return forms.response_conversation(request)
    return forms.chat_conversation(request.get("messages"))


class StandIn(ModelClass):
    # What clients may pass stands in the signature of each method, as hosted models have it.
    @ModelClass.method
    def predict(
        self,
        prompt: str = "",
        image: Image = None,
        images: list[Image] = None,
        chat_history: list[dict] = None,
        system_prompt: str = "",
        tools: list[dict] = None,
        tool_choice: str = None,
        max_tokens: int = 512,
        temperature: float = 0.7,
        top_p: float = 0.8,
    ) -> str:
        answer, turn = prompted(prompt, chat_history, tools)
        return json.dumps(forms.chat_calls(answer, turn)) if answer["calls"] else answer["text"]

    @ModelClass.method
    def generate(
        self,
        prompt: str = "",
        image: Image = None,
        images: list[Image] = None,
        chat_history: list[dict] = None,
        system_prompt: str = "",
        tools: list[dict] = None,
        tool_choice: str = None,
        max_tokens: int = 512,
        temperature: float = 0.7,
        top_p: float = 0.8,
    ) -> Iterator[str]:
        answer, turn = prompted(prompt, chat_history, tools)
        if answer["calls"]:
            yield json.dumps(forms.chat_calls(answer, turn))
        else:
            yield from forms.in_pieces(answer["text"])

    @ModelClass.method
    def openai_transport(self, msg: str) -> str:
        request = json.loads(msg)
        answer, turn = next_turn(conversation(request), forms.offered_tools(request))
        write = forms.whole_response if endpoint_of(request) == RESPONSES else forms.chat_completion
        return json.dumps(write(request, answer, turn))

    @ModelClass.method
    def openai_stream_transport(self, msg: str) -> Iterator[str]:
        request = json.loads(msg)
        answer, turn = next_turn(conversation(request), forms.offered_tools(request))
        write = forms.response_events if endpoint_of(request) == RESPONSES else forms.chat_chunks
        for piece in write(request, answer, turn):
            yield json.dumps(piece)
