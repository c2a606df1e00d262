"""Takes the parts of one uploaded file, in order, and writes them to the disk as they come.

first_message ─► its config  ·  each content_part ─► ReceivedParts.receive ─► the file  ·  require_all
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.transport.upload_parts import LongPart
from clarifai_emulator.errors import CallerError, describe
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.store import Key, Kind

_AGAIN = "Upload it again, whole."


async def first_message(requests: AsyncIterator[Any], *, holds: str, what: str) -> Any:
    """Return the config that an upload of ``what`` begins with. ``holds``: what it says. Raises ``CallerError``."""
    with contextlib.suppress(StopAsyncIteration):
        first = await anext(requests)
        if first.HasField("upload_config"):
            return first.upload_config
    raise CallerError(
        StatusCode.CONN_INVALID_REQUEST,
        f"The first message of an upload must be upload_config: {holds}.",
        hint=f"Send the {what}'s parts after it.",
    )


def check_version(resources: Resources, kind: Kind, parent: Key, version: Any, *, field: str) -> None:
    """Check the version that a file is uploaded for as if it were posted. ``field``: where the config has it, which
    the error names. Raises ``CallerError``."""
    try:
        resources.check(kind, parent[0], parent[1:], [version])
    except CallerError as error:
        where = error.details.replace(f"{field}s[0]", f"upload_config.{field}")
        raise CallerError(error.code, where, hint=error.hint) from None


def check_size(total: int, most: int, code: int, *, what: str, hint: str) -> None:
    """Check the size that an upload is said to have. ``what`` is uploaded, as "a file". Raises ``CallerError``."""
    if not 0 < total <= most:
        raise CallerError(code, f"upload_config.total_size: {total} bytes; {what} may have 1 to {most}.", hint=hint)


def say_progress(response: Any, parts: ReceivedParts, code: int) -> Any:
    """Say in an answer how much of the file has come, and return it."""
    response.bytes_remaining = parts.left
    response.status.code, response.status.description = code, describe(code)
    response.status.percent_completed = parts.received * 100 // parts.total
    return response


def part_number(request: Any) -> int:
    """Return the number of the part that a message holds; 0 for one that holds none."""
    message = request.request if isinstance(request, LongPart) else request
    return message.content_part.part_number


@dataclass(slots=True)
class ReceivedParts:
    """Counts the parts of one file of ``total`` bytes that are on the disk. ``what`` names it; ``failed``: the
    platform's code for an upload of it that failed."""

    total: int
    what: str
    failed: int
    received: int = 0
    number: int = 0

    @property
    def left(self) -> int:
        """Return how many bytes are still to come."""
        return self.total - self.received

    async def receive(self, request: Any, file: BinaryIO) -> None:
        """Write the next part into the file. Raises ``CallerError`` for one that cannot be it."""
        if isinstance(request, LongPart):
            size = request.size
            self._expect(request.request, size)
            while pieces := await request.read():
                await self._write(file, pieces)
        else:
            data = request.content_part.data  # each look at it is a copy
            size = len(data)
            self._expect(request, size)
            await self._write(file, [data])
        self.number += 1
        self.received += size

    def require_all(self) -> None:
        """Raise ``CallerError`` unless the file is complete."""
        if self.left:
            raise CallerError(
                self.failed, f"The upload ended after {self.received} of {self.total} bytes.", hint=_AGAIN
            )

    def _expect(self, request: Any, size: int) -> None:
        """Raise ``CallerError`` for a message that cannot be the next part, with ``size`` bytes of data.

        ``range_start`` is not looked at: the SDK sends where a part ends, and parts come in order anyhow.
        """
        if not request.HasField("content_part"):
            raise CallerError(
                StatusCode.CONN_INVALID_REQUEST,
                "After upload_config, each message of an upload must be a content_part.",
                hint="Send upload_config once.",
            )
        given = request.content_part
        if given.part_number != self.number + 1:
            raise CallerError(
                self.failed,
                f"content_part.part_number: {given.part_number} came, {self.number + 1} was expected; parts are "
                "numbered from 1 and sent in order.",
                hint=_AGAIN,
            )
        if self.received + size > self.total:
            raise CallerError(
                self.failed,
                f"{self.received + size} bytes came with part {self.number + 1}; upload_config.total_size is "
                f"{self.total}.",
                hint=f"Say the {self.what}'s real size in total_size.",
            )

    async def _write(self, file: BinaryIO, pieces: list[bytes]) -> None:
        """Other requests are served meanwhile."""

        def write() -> None:
            file.writelines(pieces)
            file.flush()

        try:
            await asyncio.to_thread(write)
        except OSError as error:
            raise CallerError(
                self.failed,
                f"The emulator cannot write the {self.what} to its disk: {error.strerror or error}.",
                hint="Make room there, and upload it again.",
            ) from None
