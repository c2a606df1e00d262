"""Keeps the answers of predictions that ask for it (``use_predict_cache``), for equal requests after them.

The platform keeps the whole answer by input, model and version, and runs no model for an equal request after it
(Clarifai/docs, "Prediction Caching"). How long it does is not public; here as long as there is room and the version
stays as it is.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from clarifai_grpc.grpc.api.service_pb2 import MultiOutputResponse
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.messages.address import ModelKey
from clarifai_emulator.store import Key, Kind

_MOST_BYTES = 64 * 1024 * 1024
# A runner may leave the status of its answer out.
_SUCCESS = (StatusCode.ZERO, StatusCode.SUCCESS)
_OF_A_VERSION = (Kind.MODEL, Kind.MODEL_VERSION, Kind.SOURCE)


@dataclass(frozen=True, slots=True)
class CacheKey:
    """Says what two requests have in common that get the same answer: the version, and ``digest``, which is made of
    the data of the inputs and of the output info; ids of inputs do not count."""

    model: ModelKey
    version_id: str
    digest: bytes


class PredictionCache:
    """Holds answers, up to ``most_bytes`` of them; those that were not asked for longest go first.

    ``watch`` tells of changes in the store: an answer goes when its model, its version or its code changes.
    """

    def __init__(
        self,
        watch: Callable[[Callable[[Kind, Key], None]], object] = lambda watcher: None,
        most_bytes: int = _MOST_BYTES,
    ) -> None:
        self._answers: OrderedDict[CacheKey, bytes] = OrderedDict()
        self._most_bytes = most_bytes
        self._bytes = 0
        watch(self._changed)

    def key(self, request: Any, model: ModelKey, version_id: str) -> CacheKey | None:
        """Return the key of a request for this version; None where the request does not ask for the cache."""
        if not request.use_predict_cache:
            return None
        digest = hashlib.sha256(request.model.output_info.SerializeToString(deterministic=True))
        digest.update(request.model.model_version.output_info.SerializeToString(deterministic=True))
        for each in request.inputs:
            digest.update(hashlib.sha256(each.data.SerializeToString(deterministic=True)).digest())
        return CacheKey(model, version_id, digest.digest())

    def find(self, key: CacheKey) -> Any | None:
        """Return the answer that is kept, as a message of its own; None where there is none."""
        kept = self._answers.get(key)
        if kept is None:
            return None
        self._answers.move_to_end(key)
        return MultiOutputResponse.FromString(kept)

    def keep(self, key: CacheKey, answer: Any) -> None:
        """Keep an answer, if it is one of success and there is room for it."""
        data = answer.SerializeToString()
        if answer.status.code not in _SUCCESS or len(data) > self._most_bytes:
            return
        self._drop(key)
        self._answers[key] = data
        self._bytes += len(data)
        while self._bytes > self._most_bytes:
            self._drop(next(iter(self._answers)))

    def _drop(self, key: CacheKey) -> None:
        self._bytes -= len(self._answers.pop(key, b""))

    def _changed(self, kind: Kind, key: Key) -> None:
        if self._answers and kind in _OF_A_VERSION:
            for each in [each for each in self._answers if (*each.model, each.version_id)[: len(key)] == key]:
                self._drop(each)
