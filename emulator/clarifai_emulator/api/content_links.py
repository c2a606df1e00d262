"""Signs the addresses from which contents are downloaded, so that a download needs no credential.

    /artifact-contents/USER/APP/ARTIFACT/VERSION?expires=SECONDS&signature=…

The SDK downloads from ``upload.content_url`` without its token, as from a storage that signs its addresses.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlencode

from clarifai_emulator.clock import Clock
from clarifai_emulator.store import Key

CONTENTS = "/artifact-contents"
_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class ContentLinks:
    """Makes links that are good for an hour, and until the emulator ends."""

    clock: Clock
    _secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def link(self, version: Key) -> str:
        """Return the path and query from which the content of a version can be had."""
        path = f"{CONTENTS}/{'/'.join(quote(each, safe='') for each in version)}"
        expires = str(int(self.clock.now()) + _SECONDS)
        return f"{path}?{urlencode({'expires': expires, 'signature': self._signature(path, expires)})}"

    def version_of(self, path: str, query: Mapping[str, str]) -> Key | None:
        """Return the version that a link is about; None for one that was not made here, or is too old."""
        expires = query.get("expires", "")
        signed = hmac.compare_digest(query.get("signature", "").encode(), self._signature(path, expires).encode())
        if not signed or int(expires) < self.clock.now():
            return None
        return tuple(unquote(each) for each in path.removeprefix(f"{CONTENTS}/").split("/"))

    def _signature(self, path: str, expires: str) -> str:
        return hmac.new(self._secret, f"{path}?{expires}".encode(), "sha256").hexdigest()
