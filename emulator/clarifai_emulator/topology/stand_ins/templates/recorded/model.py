"""Answers as a hosted model did when its calls were recorded."""

import json
import runpy
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

from clarifai.runners.models.model_class import ModelClass
from clarifai_grpc.grpc.api.resources_pb2 import MethodSignature
from clarifai_grpc.grpc.api.service_pb2 import MultiOutputResponse
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode
from google.protobuf.json_format import MessageToDict, ParseDict

HERE = Path(__file__).parent
MATCHING = SimpleNamespace(**runpy.run_path(str(HERE / "matching.py")))
RECORDING = json.loads((HERE / "recording.json").read_text(encoding="utf-8"))
SIGNATURES = [ParseDict(each, MethodSignature(), ignore_unknown_fields=True) for each in RECORDING["signatures"]]
GET_SIGNATURES = "_GET_SIGNATURES"
PROTO_METHOD = "PostModelOutputs"


def asked_in(request: dict) -> dict:
    """Return what a request asks of the model, whoever sends it and wherever it was sent."""
    return {"inputs": [without_fetched(each.get("data", {})) for each in request.get("inputs", [])]}


def without_fetched(value):
    """A runner puts beside an address what it fetched from there, if it could."""
    if isinstance(value, list):
        return [without_fetched(each) for each in value]
    if isinstance(value, dict):
        fetched = ("base64", "raw") if value.get("url") else ()
        return {name: without_fetched(each) for name, each in value.items() if name not in fetched}
    return value


def method_of(asked: dict) -> str:
    inputs = asked["inputs"] or [{}]
    return inputs[0].get("metadata", {}).get("_method_name", "")


class StandIn(ModelClass):
    """The runner calls the three wrappers with requests as they came; nothing is made of them in between."""

    @classmethod
    def _get_method_infos(cls, func_name=None):
        infos = {each.name: method_info(each.name, each) for each in SIGNATURES}
        # Nobody asked for signatures then: a model of the kind that has none.
        infos = infos or {PROTO_METHOD: method_info(PROTO_METHOD, None)}
        return infos[func_name] if func_name else infos

    def load_model(self):
        self._turns = threading.Lock()
        self._calls = [
            SimpleNamespace(
                rpc=call["rpc"],
                requests=[asked_in(each) for each in call["requests"]],
                answers=call["answers"],
                order=call["order"],
                call=call.get("call", ""),
                error=call.get("error"),
                played=0,
            )
            for call in RECORDING["calls"]
        ]

    def predict_wrapper(self, request) -> MultiOutputResponse:
        if method_of(now(request)) == GET_SIGNATURES:
            return super().predict_wrapper(request)
        return next(self._play("PostModelOutputs", iter([request])))

    def generate_wrapper(self, request) -> Iterator[MultiOutputResponse]:
        return self._play("GenerateModelOutputs", iter([request]))

    def stream_wrapper(self, request_iterator) -> Iterator[MultiOutputResponse]:
        return self._play("StreamModelOutputs", iter(request_iterator))

    def _play(self, rpc: str, requests: Iterator) -> Iterator[MultiOutputResponse]:
        """Say what was recorded, in the order in which it was: later requests must be those of then."""
        asked = now(next(requests))
        call = self._next(rpc, asked)
        if call is None:
            said = f"This call of {method_of(asked) or rpc}"
            yield refused(MATCHING.explain(self._calls, rpc, asked, said))
            return
        wanted, answers = iter(call.requests[1:]), iter(call.answers)
        for turn in call.order[1:]:
            if turn == "<":
                yield ParseDict(next(answers), MultiOutputResponse(), ignore_unknown_fields=True)
                continue
            expected, request = next(wanted), next(requests, None)
            if request is None or now(request) != expected:
                yield refused(unexpected(call, expected, request))
                return
        if call.error:
            name, message = call.error
            yield failed("Ended with an error", f"The recorded call ended with the gRPC status {name}: {message}")

    def _next(self, rpc: str, asked: dict):
        with self._turns:
            call = MATCHING.find_in_turn(self._calls, rpc, asked)
            if call is not None:
                call.played += 1
            return call


def now(request) -> dict:
    return asked_in(MessageToDict(request, preserving_proto_field_name=True))


def unexpected(call, expected: dict, request) -> str:
    if request is None:
        return f"The stream of {call.call or call.rpc} ends earlier than it was recorded."
    lines = MATCHING.difference(expected, now(request))
    return "\n".join([f"The stream of {call.call or call.rpc} goes on differently.", *lines])


def refused(why: str) -> MultiOutputResponse:
    what_next = f"{RECORDING['cassette']} stands in for this model: record this call too, or give the model a path."
    return failed("Not recorded", f"{why}\n{what_next}")


def failed(description: str, details: str) -> MultiOutputResponse:
    response = MultiOutputResponse()
    response.status.code = StatusCode.FAILURE
    response.status.description = description
    response.status.details = details
    return response


def method_info(name: str, signature):
    return SimpleNamespace(name=name, signature=signature, proto_method=signature is None)


def recorded(self):
    """A method of then: the wrappers answer for it."""


for method in StandIn._get_method_infos():
    setattr(StandIn, method, recorded)
