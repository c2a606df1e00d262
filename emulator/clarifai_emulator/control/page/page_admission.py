"""Decides which browser sees the page: one that opened the address of this run once, and then has a cookie.

    /?token=…  ─► cookie (HttpOnly, SameSite=Strict) ─► the page and its data

The token is of one run. The cookie is made of a key that only the user of this emulator can read, and lasts over
restarts at the same port, so that a page that is open meanwhile goes on.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from pathlib import Path

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.transport.http_exchange import Exchange, HttpProblem
from clarifai_emulator.config import default_run_dir
from clarifai_emulator.control.page.page_address import page_token
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.whole_file import write_whole

log = logging.getLogger(__name__)

_KEY_FILE = "page.key"
_KEY_LENGTH = 64
NO_COOKIE = (
    "This browser has not been let in. Open the address that `clarifai-emulator page` prints, "
    "on the machine of the emulator."
)
OTHER_PAGE = "Pages of other origins may not use the emulator's page, whatever --cors says."


@dataclass(frozen=True, slots=True)
class PageAdmission:
    """Knows the token of the address, and the cookie that a browser gets for it."""

    token: str
    cookie_name: str
    cookie: str

    @classmethod
    def of(cls, emulator: Emulator, control_token: str) -> PageAdmission:
        """Make the admission of an emulator that listens."""
        key = _kept_key(emulator.config.run_dir or default_run_dir())
        named = f"clarifai-emulator-{emulator.port}"  # browsers send a cookie to every port of a host
        cookie = hmac.new(key.encode(), named.encode(), hashlib.sha256).hexdigest()
        return cls(page_token(control_token), named, cookie)

    @property
    def set_cookie(self) -> str:
        """Return the header that gives a browser its cookie, until it is closed."""
        return f"{self.cookie_name}={self.cookie}; Path=/; HttpOnly; SameSite=Strict"

    def is_token(self, given: str) -> bool:
        """Tell whether this is the token of this run's address."""
        return hmac.compare_digest(given.encode(), self.token.encode())

    def knows(self, exchange: Exchange) -> bool:
        """Tell whether a request brings the cookie."""
        try:
            cookies = SimpleCookie(exchange.headers.get("cookie", ""))
        except CookieError:
            return False
        given = cookies.get(self.cookie_name)
        return given is not None and hmac.compare_digest(given.value.encode(), self.cookie.encode())

    def require(self, exchange: Exchange) -> None:
        """Refuse whoever may not read the page's data. Raises ``HttpProblem``."""
        refuse_other_pages(exchange)
        if not self.knows(exchange):
            raise HttpProblem(401, StatusCode.CONN_TOKEN_INVALID, NO_COOKIE)


def refuse_other_pages(exchange: Exchange) -> None:
    """Refuse requests that a page of another origin makes: of another port of this host, browsers send the cookie,
    too. Raises ``HttpProblem``."""
    headers = exchange.headers
    origin = headers.get("origin")
    is_own = origin is None or origin.partition("://")[2] == headers.get("host", "")
    if not is_own or headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise HttpProblem(403, StatusCode.CONN_INSUFFICIENT_SCOPES, OTHER_PAGE)


def _kept_key(folder: Path) -> str:
    """Return the key that cookies are made of: this user's on this machine, or a new one where none can be kept."""
    path = folder / _KEY_FILE
    try:
        kept = path.read_text(encoding="ascii")
        if len(kept) == _KEY_LENGTH:
            return kept
    except (OSError, ValueError):
        pass
    key = secrets.token_hex(_KEY_LENGTH // 2)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(path, key, is_private=True)
    except OSError as error:
        log.warning(
            "The page's key cannot be kept in %s (%s): open its address again after a restart.", path, error
        )
    return key
