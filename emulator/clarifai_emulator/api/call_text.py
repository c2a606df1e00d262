"""Writes a request as its caller would have, for the dev loop: ``ranker.predict(text='hi', top=3)``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from clarifai_emulator.api.secret_texts import HIDDEN, is_secret_name, longest_first, without_secrets
from clarifai_emulator.messages.data_values import method_of, shown, signature_of, value_of
from clarifai_emulator.routing import Decision
from clarifai_emulator.store import Kind, Store

_MEDIA = ("image", "audio", "video")
# A larger value of many parts is described by its size: to read it all would hold up the request.
_READ_BYTES = 64 * 1024
_MOST_ARGUMENTS = 12


class CallTexts:
    """Writes requests to models in the dev loop as calls."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def of(self, read: Callable[[], Any], decision: Decision) -> str:
        """The call of a request, which ``read`` gives; empty for a model that is not in the dev loop."""
        key = (*decision.model, decision.version_id)
        source: Any = self._store.get(Kind.SOURCE, key)
        if source is None or source.watched is None:
            return ""
        request = read()
        version: Any = self._store.get(Kind.MODEL_VERSION, key)
        method = method_of(request)
        signature = signature_of(version.method_signatures, method) if version is not None else None
        secrets = list[Any](self._store.list(Kind.SECRET))
        text = call_text(request, method, signature)
        for value in longest_first(each.value for each in secrets):
            text = text.replace(value, HIDDEN)
        return f"{decision.model[2]}.{text}"


def call_text(request: Any, method: str, signature: Any = None) -> str:
    """Return ``predict(text='hi', top=3)``; of several inputs, the first, and how many more there are."""
    if not request.inputs:
        return f"{method}()"
    fields = {each.name: each for each in signature.input_fields} if signature is not None else {}
    parts = request.inputs[0].data.parts
    told = [f"{part.id}={_argument(part, fields.get(part.id))}" for part in parts[:_MOST_ARGUMENTS]]
    if len(parts) > _MOST_ARGUMENTS:
        told.append(f"… {len(parts) - _MOST_ARGUMENTS} more")
    if not parts:
        told = list(_without_parts(request.inputs[0].data))
    more = f" and {len(request.inputs) - 1} more inputs" if len(request.inputs) > 1 else ""
    return f"{method}({', '.join(told)}){more}"


def _without_parts(data: Any) -> Iterable[str]:
    """The values of an input in the form of older clients: in the fields themselves."""
    if any(field.name != "metadata" for field, _ in data.ListFields()):
        yield _value(data, None)


def _argument(part: Any, field: Any) -> str:
    return HIDDEN if is_secret_name(part.id) else _value(part.data, field)


def _value(data: Any, field: Any) -> str:
    for name in _MEDIA:
        if data.HasField(name):
            media = getattr(data, name)
            url = media.url.partition("?")[0]  # what follows may be a signature
            return f"<{name} {shown(url)}>" if url else f"<{name}, {_size(len(media.base64))}>"
    if data.ByteSize() > _READ_BYTES and not (data.string_value or data.bytes_value or data.HasField("text")):
        return f"<{_size(data.ByteSize())}>"
    value = value_of(data, field)
    if isinstance(value, bytes):
        return f"<{_size(len(value))}>"
    if isinstance(value, str):
        return shown(without_secrets(value))
    return without_secrets(shown(value))


def _size(count: int) -> str:
    if count < 1000:
        return f"{count} bytes"
    return f"{count / 1000:.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"
