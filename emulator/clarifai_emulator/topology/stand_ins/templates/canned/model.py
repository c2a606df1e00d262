"""Gives canned answers under the name of a hosted language model."""

import json
import re
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from clarifai.runners.models.model_class import ModelClass
from clarifai.runners.utils.data_types import Image

ANSWERS = json.loads(Path(__file__).with_name("answers.json").read_text(encoding="utf-8"))
CHAT = "/chat/completions"


def answer_to(said: str) -> str:
    folded = said.casefold()
    for answer in ANSWERS:
        if answer["contains"] in folded:
            return answer["text"]
    raise ValueError(f"This stand-in has no answer to {said[:200]!r}. Give it one without `contains`.")


def in_pieces(text: str) -> list[str]:
    return re.findall(r"\s*\S+\s*$|\s*\S+", text) or [text]


def last_message(chat: list) -> str:
    content = chat[-1].get("content") if chat else ""
    if isinstance(content, list):
        content = " ".join(part.get("text", "") for part in content if isinstance(part, dict))
    return content or ""


def words(text: str) -> int:
    return len(text.split())


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
        max_tokens: int = 512,
        temperature: float = 0.7,
        top_p: float = 0.8,
    ) -> str:
        return answer_to(prompt or last_message(chat_history or []))

    @ModelClass.method
    def generate(
        self,
        prompt: str = "",
        image: Image = None,
        images: list[Image] = None,
        chat_history: list[dict] = None,
        system_prompt: str = "",
        max_tokens: int = 512,
        temperature: float = 0.7,
        top_p: float = 0.8,
    ) -> Iterator[str]:
        yield from in_pieces(answer_to(prompt or last_message(chat_history or [])))

    @ModelClass.method
    def openai_transport(self, msg: str) -> str:
        request = self._chat_request(msg)
        text = answer_to(last_message(request["messages"]))
        message = {"role": "assistant", "content": text}
        return json.dumps(
            {
                **self._head(request, "chat.completion"),
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": self._usage(request, text),
            }
        )

    @ModelClass.method
    def openai_stream_transport(self, msg: str) -> Iterator[str]:
        request = self._chat_request(msg)
        text = answer_to(last_message(request["messages"]))
        head = self._head(request, "chat.completion.chunk")
        deltas = [{"role": "assistant", "content": ""}, *({"content": piece} for piece in in_pieces(text))]
        for delta in deltas:
            yield json.dumps({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
        yield json.dumps({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        if (request.get("stream_options") or {}).get("include_usage"):
            yield json.dumps({**head, "choices": [], "usage": self._usage(request, text)})

    def _chat_request(self, msg: str) -> dict:
        request = json.loads(msg)
        endpoint = request.get("openai_endpoint", CHAT)
        if endpoint != CHAT:
            raise ValueError(f"A stand-in with canned answers serves {CHAT} only, not {endpoint}; give it a path.")
        return {"messages": [], **request}

    def _head(self, request: dict, kind: str) -> dict:
        return {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "object": kind,
            "created": int(time.time()),
            "model": request.get("model", "stand-in"),
        }

    def _usage(self, request: dict, text: str) -> dict:
        asked = sum(words(last_message([each])) for each in request["messages"])
        return {"prompt_tokens": asked, "completion_tokens": words(text), "total_tokens": asked + words(text)}
