"""Reaches an emulator by its address: one in a container, on another machine, or of another user.

--url, CLARIFAI_EMULATOR_URL      where it is
CLARIFAI_EMULATOR_TOKEN           opens its controls; `clarifai-emulator env --control` prints both where it runs
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from clarifai_emulator.control.running import TOKEN_VARIABLE, Running, has_token_characters
from clarifai_emulator.errors import ControlError

if TYPE_CHECKING:
    from clarifai_emulator.control.client import Client

Open = Callable[[Running], "Client"]

_PATIENCE_SECONDS = 3.0
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_HOW = (
    "Where the emulator runs, `clarifai-emulator env --control` prints CLARIFAI_EMULATOR_URL and "
    f"{TOKEN_VARIABLE}. In a container: `docker exec CONTAINER clarifai-emulator env --control`."
)


def reach(text: str, environ: Mapping[str, str] = os.environ, *, open_client: Open | None = None) -> Running:
    """Return the emulator at an address, by its own account. Raises ``ControlError``: nothing answers there,
    something else does, or the token is missing or wrong."""
    address = _address(text)
    url = f"{address.scheme}://{address.netloc}"
    token = environ.get(TOKEN_VARIABLE, "")
    found = health(url)
    if found is None:
        raise ControlError(
            f"No emulator answers at {url}.",
            hint="Is it running, does it listen for more than its own machine (`up --host 0.0.0.0`), and is "
            "its port published?",
            reason="not running",
        )
    if found.get("name") != "clarifai-emulator":
        raise ControlError(
            f"What answers at {url} is no emulator.",
            hint=f"Give the address that `up` prints. {TOKEN_VARIABLE} was not sent there.",
            reason="not running",
        )
    if not token:
        raise ControlError(
            f"The controls of the emulator at {url} need its token, and {TOKEN_VARIABLE} is not set.",
            hint=_HOW,
        )
    if not has_token_characters(token):
        raise ControlError(
            f"{TOKEN_VARIABLE} holds characters that no token has.",
            hint="Copy it anew, without line ends.",
            reason="usage",
        )
    return _introduced(url, address, token, open_client)


def _introduced(url: str, address: SplitResult, token: str, open_client: Open | None) -> Running:
    """Return what the emulator says about itself to whoever has its token."""
    from clarifai_emulator.control.client import Client

    port = _port_of(address)
    unknown = Running(url=url, pid=0, token=token, user_id="", port=port, started=0.0, place="elsewhere//")
    with (open_client or Client)(unknown) as client:
        about = client.result("About")
    known = {each.name for each in fields(Running)}
    facts: dict[str, Any] = {name: value for name, value in about.items() if name in known}
    facts |= {"url": url, "port": port, "token": token}
    return Running(**facts)


def answering_on_this_machine(
    port: int, environ: Mapping[str, str] = os.environ, *, open_client: Open | None = None
) -> Running | None:
    """Return the emulator at a port of this machine whose run file is not here; None when none answers. Raises
    ``ControlError`` when its token is not known."""
    url = f"http://127.0.0.1:{port}"
    if not is_emulator(url):
        return None
    if environ.get(TOKEN_VARIABLE):
        return reach(url, environ, open_client=open_client)
    raise ControlError(
        f"An emulator answers at {url}, but its run file, which holds the token of its controls, is not in this "
        "user's state folder: it runs in a container, for another user, or with another XDG_STATE_HOME.",
        hint=_HOW,
    )


def is_emulator(url: str) -> bool:
    """Tell whether an emulator answers there."""
    found = health(url)
    return found is not None and found.get("name") == "clarifai-emulator"


def is_same_address(one: str, other: str) -> bool:
    """Tell whether two base URLs name the same host and port."""
    if not one:
        return False
    ours, theirs = _parsed(one), _parsed(other)
    try:
        ports = [_port_of(each) for each in (ours, theirs)]
    except ValueError:
        return False
    hosts = [each.hostname for each in (ours, theirs)]
    return ports[0] == ports[1] and (hosts[0] == hosts[1] or all(host in _LOOPBACK for host in hosts))


def health(url: str) -> dict[str, Any] | None:
    """Return the answer of ``GET /health``; empty for something else, None for nothing. Uses no proxy."""
    import http.client  # with it comes much that most commands do without

    address = urlsplit(url)
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    connection = kind(address.hostname or "", address.port, timeout=_PATIENCE_SECONDS)
    try:
        connection.request("GET", "/health", headers={"accept": "application/json"})
        answer = json.loads(connection.getresponse().read(4096))
    except OSError:
        return None
    except (http.client.HTTPException, ValueError):
        return {}
    finally:
        connection.close()
    return answer if isinstance(answer, dict) else {}  # pyright: ignore[reportUnknownVariableType] - checked by name


def _address(text: str) -> SplitResult:
    address = _parsed(text.strip())
    try:
        is_usable = address.scheme in ("http", "https") and bool(address.hostname) and address.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or address.path not in ("", "/") or address.query or "@" in address.netloc:
        raise ControlError(
            f"'{text}' is no address of an emulator.",
            hint="Write http://HOST:PORT, as `clarifai-emulator up` prints it.",
            reason="usage",
        )
    return address


def _parsed(text: str) -> SplitResult:
    """Split an address; without a scheme it is HTTP."""
    return urlsplit(text if "://" in text else f"http://{text}")


def _port_of(address: SplitResult) -> int:
    """Return the port, the usual one of the scheme where none is given. Raises ``ValueError`` for what is none."""
    return address.port or (443 if address.scheme == "https" else 80)
