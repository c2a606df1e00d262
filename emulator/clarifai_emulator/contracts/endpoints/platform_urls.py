"""Reads URLs as clients write them: whether they are the platform's, and what they ask of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from clarifai_emulator.contracts.calls.call_targets import Address
from clarifai_emulator.contracts.endpoints.written_value import UNSEEN
from clarifai_emulator.messages.address import parse_address
from clarifai_emulator.messages.mcp_paths import PATH
from clarifai_emulator.messages.openai_paths import PREFIX

MCP_MARK = "/v2/ext/mcp"
_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>[^/?#]*)(?P<path>[^?#]*)")
_HOST = re.compile(r"(^|\.)clarifai\.com(:\d+)?$")
# Other servers have /v2/models/NAME/infer.
_OUTPUTS = re.compile(r"^/v2/(.+/)?(outputs|results)(/generate|/stream)?/?$")
_LITELLM = re.compile(r"clarifai/(?P<ids>.+)")


@dataclass(frozen=True, slots=True)
class PlatformUrl:
    """A URL of the platform. ``host``: with the scheme; ``path`` is as it is written, with ``UNSEEN`` in it for
    what is not known."""

    host: str
    path: str


def read_platform_url(text: str) -> PlatformUrl | None:
    """Return the URL where it is the platform's: on its host, or with a path that only the platform has."""
    match = _URL.match(text)
    if match is None:
        # The host comes from elsewhere: f"{BASE}/v2/ext/openai/v1".
        host, slash, path = text.partition("/")
        if UNSEEN not in host or not slash:
            return None
        return PlatformUrl(host, f"/{path}") if _is_platform_path(f"/{path}") else None
    host, path = match["host"], unquote(match["path"])
    if _HOST.search(host) and host.startswith("api"):
        return PlatformUrl(f"{match['scheme']}://{host}", path or "/")
    return PlatformUrl(f"{match['scheme']}://{host}", path) if _is_platform_path(path) else None


def is_elsewhere(text: str) -> bool:
    """Tell whether the URL is known, and not the platform's."""
    return bool(text) and not text.startswith(UNSEEN) and read_platform_url(text) is None


def is_openai_base(url: PlatformUrl) -> bool:
    """Tell whether the OpenAI-compatible API is at this URL; what is not known agrees."""
    return url.path.rstrip("/") == PREFIX or UNSEEN in url.path


def mcp_address(path: str) -> Address | None:
    """Return the address of the model that an MCP server's path names; ids that are not known are empty. None where
    it is no such path."""
    match = PATH.fullmatch(path)
    if match is None:
        return None
    return Address(_known(match["user"]), _known(match["app"]), _known(match["model"]))


def model_address(text: str) -> Address | None:
    """Return the address that names a model in a request, as ``USER/APP/models/ID`` or as a URL; ids that are not
    known are empty. None where it is no address."""
    found = parse_address(text)
    if found is None:
        return None
    user, app, model = (_known(each) for each in found.key)
    return Address(user, app, model)


def litellm_name(text: str) -> tuple[str, bool]:
    """Return the name that LiteLLM sends for a model, without the provider's prefix, and whether it goes to
    Clarifai whatever the base URL is."""
    match = _LITELLM.fullmatch(text)
    if match is None:
        provider, slash, rest = text.partition("/")
        return (rest if slash and provider in ("openai", "custom_openai", "openai_like") else text), False
    ids = match["ids"].split(".")
    return ("/".join([*ids[:2], "models", *ids[2:]]) if len(ids) == 3 else text), True


def _is_platform_path(path: str) -> bool:
    return path.startswith("/v2/ext/") or _OUTPUTS.search(path) is not None


def _known(part: str) -> str:
    return "" if UNSEEN in part else unquote(part)
