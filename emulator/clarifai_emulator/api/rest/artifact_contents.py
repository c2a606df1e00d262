"""Serves the contents of artifact versions, whole or from a byte on: a download that broke off is resumed so."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.content_links import ContentLinks
from clarifai_emulator.api.transport.http_exchange import Exchange, HttpProblem
from clarifai_emulator.store import Key

_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{0,18})")
_PIECE = 1024 * 1024
_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class ArtifactContents:
    """Answers requests for links that ``links`` made. ``content``: where the content of a version lies; None for
    one that there is no more."""

    links: ContentLinks
    content: Callable[[Key], Path | None]

    async def serve(self, exchange: Exchange) -> None:
        """Send the content that a link is about. Raises ``HttpProblem``."""
        if exchange.method not in ("GET", "HEAD"):
            exchange.answer_headers["allow"] = "GET"
            text = f"There is no {exchange.method} {exchange.path}; this path knows GET."
            raise HttpProblem(405, StatusCode.CONN_METHOD_NOT_ALLOWED, text)
        version = self.links.version_of(exchange.path, dict(exchange.query))
        if version is None:
            raise HttpProblem(
                403,
                StatusCode.CONN_INSUFFICIENT_SCOPES,
                "The signature of this link does not fit it, or it is older than an hour or than the emulator. "
                "GetArtifactVersion gives a new one.",
            )
        path = self.content(version)
        if path is None or not path.is_file():
            raise HttpProblem(
                404,
                StatusCode.ARTIFACT_VERSION_DOES_NOT_EXIST,
                f"There is no content of artifact version {version[-1]!r}: it was deleted, or imported without it.",
            )
        await _send(exchange, path)


async def _send(exchange: Exchange, path: Path) -> None:
    size = (await asyncio.to_thread(path.stat)).st_size
    asked = _RANGE.fullmatch(exchange.headers.get("range", ""))
    first = int(asked[1]) if asked else 0
    last = min(int(asked[2]), size - 1) if asked and asked[2] else size - 1
    if asked and first > last:
        raise HttpProblem(
            416, StatusCode.CONN_BAD_REQUEST_FORMAT, f"The range {asked[0]} is not within its {size} bytes."
        )
    headers = {"accept-ranges": "bytes"}
    if asked:
        headers["content-range"] = f"bytes {first}-{last}/{size}"
    await exchange.begin(206 if asked else 200, _TYPE, headers)
    if exchange.method == "HEAD":
        return
    left = last - first + 1
    with path.open("rb") as file:
        file.seek(first)
        while left and (piece := await asyncio.to_thread(file.read, min(left, _PIECE))):
            left -= len(piece)
            await exchange.write(piece)
