"""Shows a call that was kept: what its client asked and was answered, message by message.

KeptCall ─► KeptCallView (what the emulator knows of its version) ─► as_dict() ─► a browser
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlencode

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.access.auth import Caller
from clarifai_emulator.api.kept_calls import KeptCall, KeptMessage
from clarifai_emulator.api.secret_texts import SecretTexts
from clarifai_emulator.contracts.signatures.shapes import method_shape
from clarifai_emulator.control.page.known_secrets import known_secrets
from clarifai_emulator.control.page.method_places import method_place
from clarifai_emulator.control.page.page_values import ValueView, shown_values
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.messages.data_values import signature_of
from clarifai_emulator.models.version_source import ModelSource
from clarifai_emulator.store import Kind

KINDS = {"PostModelOutputs": "unary", "GenerateModelOutputs": "server stream", "StreamModelOutputs": "bidi"}
INPUT, OUTPUT = "input", "output"
_MOST_TRACE = 64 * 1024


@dataclass(frozen=True, slots=True)
class KeptCallView:
    """Holds a kept call and what the emulator knows of the version that was called. ``version`` and ``source`` are
    None where it knows none. Made in the event loop; what it reads then needs none."""

    kept: KeptCall
    inputs: Sequence[KeptMessage]
    outputs: Sequence[KeptMessage]
    model: tuple[str, str, str]
    version_id: str
    version: Any
    source: ModelSource | None
    secrets: SecretTexts

    @classmethod
    def of(cls, emulator: Emulator, kept: KeptCall) -> KeptCallView:
        """Return the view of a call as it is now."""
        store, decision = emulator.store, kept.decision
        if decision is not None:
            model, version_id = decision.model, decision.version_id
        else:
            first = kept.first_request()
            owner = Caller(kept.caller.user_id).resolve(first.user_app_id.user_id) if first is not None else ""
            model = (owner, first.user_app_id.app_id, first.model_id) if first is not None else ("", "", "")
            version_id = first.version_id if first is not None else ""
        version = (
            store.get(Kind.MODEL_VERSION, (*model, version_id))
            if version_id
            else store.newest(Kind.MODEL_VERSION, model)
        )
        source: Any = store.get(Kind.SOURCE, (*model, version_id))
        return cls(
            kept,
            list(kept.inputs),
            list(kept.outputs),
            model,
            version_id,
            version,
            source,
            SecretTexts(known_secrets(emulator)),
        )

    @property
    def kind(self) -> str:
        """Return the kind of the call, as the pytest plugin names it."""
        return KINDS.get(self.kept.rpc.name, self.kept.rpc.name)

    @property
    def signature(self) -> Any | None:
        """Return the signature of the method that was called; None where it is not known."""
        return signature_of(self.version.method_signatures, self.kept.method) if self.version is not None else None

    def as_dict(self) -> dict[str, Any]:
        """Return what a browser shows. Reads messages, and the model's source."""
        kept, signature, source = self.kept, self.signature, self.source
        view = ValueView(self.secrets)
        place = method_place(source.path, kept.method) if source is not None else None
        return {
            "id": kept.request_id,
            "kind": self.kind,
            "user": kept.caller.user_id,
            "model": "/".join(self.model),
            "version": self.version_id,
            "method": kept.method,
            "signature": str(method_shape(signature)) if signature is not None else "",
            "code": source.content_hash if source is not None else "",
            "place": {"file": place[0], "line": place[1]} if place is not None else None,
            "inputs": [self._input(index, each, view) for index, each in enumerate(self.inputs)],
            "outputs": [self._output(index, each, view) for index, each in enumerate(self.outputs)],
            "inputs_left_out": kept.inputs_left_out,
            "outputs_left_out": kept.outputs_left_out,
            "cannot_repeat": cannot_repeat(kept),
        }

    def data_at(self, way: str, message: int, item: int) -> Any | None:
        """Return the ``Data`` of an input or output of a message; None where there is none, or it is not kept."""
        messages = self.inputs if way == INPUT else self.outputs
        if not 0 <= message < len(messages):
            return None
        read = self._read(way, messages[message])
        items = (read.inputs if way == INPUT else read.outputs) if read is not None else ()
        return items[item].data if 0 <= item < len(items) else None

    def _read(self, way: str, message: KeptMessage) -> Any | None:
        if message.data is None:
            return None
        rpc = self.kept.rpc
        return (rpc.request_type if way == INPUT else rpc.response_type).FromString(message.data)

    def _input(self, index: int, message: KeptMessage, view: ValueView) -> dict[str, Any]:
        read = self._read(INPUT, message)
        fields = self.signature.input_fields if self.signature is not None else ()
        items = [each.data for each in read.inputs] if read is not None else []
        return {**_about(message), "values": self._values(INPUT, index, items, fields, view)}

    def _output(self, index: int, message: KeptMessage, view: ValueView) -> dict[str, Any]:
        read = self._read(OUTPUT, message)
        fields = self.signature.output_fields if self.signature is not None else ()
        items = [each.data for each in read.outputs] if read is not None else []
        about = _about(message)
        if read is not None and (failed := failure_of(read)) is not None:
            about["failed"] = {
                "code": failed.code,
                "name": StatusCode.Name(failed.code) if failed.code in StatusCode.values() else "",
                "details": self.secrets.hide((failed.details or failed.description)[:_MOST_TRACE]),
                "trace": self.secrets.hide("\n".join(failed.stack_trace)[:_MOST_TRACE]),
            }
        return {**about, "values": self._values(OUTPUT, index, items, fields, view)}

    def _values(
        self, way: str, message: int, items: Sequence[Any], fields: Sequence[Any], view: ValueView
    ) -> list[Any]:
        """Return the values of each input or output of a message."""
        shown = list[Any]()
        for index, data in enumerate(items):
            address_of = partial(value_address, self.kept.request_id, way, message, index)
            shown.append(shown_values(data, fields, view.at(address_of)))
        return shown


def value_address(request_id: str, way: str, message: int, item: int, part: str) -> str:
    """Return the address, below that of the page's data, of the whole of a value."""
    query = {"id": request_id, "way": way, "message": message, "input": item, "part": part}
    return f"value?{urlencode(query)}"


def cannot_repeat(kept: KeptCall) -> str:
    """Return why a call cannot be sent again; empty where it can."""
    if kept.inputs_left_out:
        there = len(kept.inputs)
        return f"It sent {there + kept.inputs_left_out} messages, of which the first {there} are kept."
    large = max((each.size for each in kept.inputs if each.held is None), default=None)
    if large is not None:
        return f"It sent a message of {large / 1024 / 1024:.1f} MiB, which is more than is kept."
    return ""


def _about(message: KeptMessage) -> dict[str, Any]:
    return {"time": round(message.time, 6), "size": message.size, "is_kept": message.held is not None}


def failure_of(response: Any) -> Any | None:
    """Return the status that says what failed; None where nothing did."""
    stati = [response.status, *(each.status for each in response.outputs)]
    failed = [each for each in stati if each.code not in (StatusCode.ZERO, StatusCode.SUCCESS)]
    return next((each for each in failed if each.details or each.stack_trace), failed[0] if failed else None)
