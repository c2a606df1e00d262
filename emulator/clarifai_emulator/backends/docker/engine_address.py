"""Reads how somebody names a container engine: by an address or a Docker context, with what secures the way to it.

gpu-box (a Docker context) ─► its endpoint and certificates
ssh://user@host:22/run/docker.sock · tcp://host:2376 (TLS) · unix:///var/run/docker.sock
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from clarifai_emulator.errors import EmulatorError

if TYPE_CHECKING:
    from docker.tls import TLSConfig

_SCHEMES = ("unix", "npipe", "ssh", "tcp", "http", "https", "http+unix", "fd")
_TCP = ("tcp", "http", "https")
_CERTIFICATES = ("ca.pem", "cert.pem", "key.pem")


class NoEngine(EmulatorError):
    """No engine answers. Its text says where it was looked for, and what to do."""


@dataclass(frozen=True, slots=True)
class EngineAddress:
    """Says where an engine is. ``said``: as somebody named it. ``url``: what that stands for. ``tls``: the
    certificates of an engine that is reached over the network."""

    said: str
    url: str
    tls: TLSConfig | None = None

    @property
    def is_elsewhere(self) -> bool:
        """Tell whether it is, or may be, an engine of another machine."""
        return is_elsewhere(self.url)

    @property
    def host(self) -> str:
        """Return the name of the machine that it is on; empty for this one."""
        return urlsplit(self.url).hostname or "" if self.is_elsewhere else ""


def is_elsewhere(url: str) -> bool:
    """Tell whether an address leads to another machine: by SSH it is taken to, whatever the host."""
    parts = urlsplit(url)
    return parts.scheme == "ssh" or (parts.scheme in _TCP and not _is_loopback(parts.hostname or ""))


def resolve(name: str, environ: Mapping[str, str], *, may_be_clear: bool = False) -> EngineAddress:
    """Find out which engine a name stands for. Raises ``NoEngine`` for one that stands for none, or for one that
    would be spoken to in clear text over the network, unless it ``may_be_clear``: it is what DOCKER_HOST names, and
    every other program of this machine speaks to it so (an engine beside a CI job, in a network of their own)."""
    context: Any = None if "://" in name else _context(name)
    url = str(context.Host) if context is not None else name
    parts = _parts(name, url)
    if parts.scheme == "ssh":
        _require_plain_words(name, parts)
    if not is_elsewhere(url) or parts.scheme == "ssh":
        return EngineAddress(name, url)
    tls = context.TLSConfig if context is not None else _own_tls(environ)
    if tls is None and may_be_clear:
        return EngineAddress(name, url)
    if tls is None or not tls.cert or not tls.ca_cert:
        raise NoEngine(
            f"The engine at {name} would be spoken to in clear text, over the network: whoever reaches it is root "
            "there.\nName it as ssh://user@host, which needs nothing but a login there; or give it TLS: set "
            f"DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH to a folder with {', '.join(_CERTIFICATES)}, or make a "
            "context (`docker context create`) that has them."
        )
    return EngineAddress(name, url, tls)


def _context(name: str) -> Any:
    """Return a context of the Docker CLI. Raises ``NoEngine``."""
    from docker.context import ContextAPI
    from docker.errors import DockerException

    try:
        found: Any = ContextAPI.get_context(name)
        known = _known_contexts()
    except (DockerException, OSError, ValueError) as error:
        raise NoEngine(f"The Docker context {name!r} cannot be read: {error}") from None
    if found is None or not found.Host:
        raise NoEngine(
            f"There is no Docker context {name!r}; there are {', '.join(known)}.\n"
            f"Make one (`docker context create {name} --docker host=ssh://user@host`), or name the engine by its "
            "address: ssh://user@host, tcp://host:2376, unix:///path/docker.sock."
        )
    return found


def _known_contexts() -> list[str]:
    """Return the names of all contexts; the ``docker`` package would leave their files open."""
    from docker.context.config import get_meta_dir

    described = (json.loads(each.read_text()) for each in Path(get_meta_dir()).glob("*/meta.json"))
    return sorted({"default", *(str(each.get("Name") or "(without a name)") for each in described)})


def _parts(name: str, url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        if (
            parts.port == 0
            or parts.scheme not in _SCHEMES
            or (parts.scheme in ("ssh", *_TCP) and not parts.hostname)
        ):
            raise ValueError
    except ValueError:
        raise NoEngine(
            f"{name!r} is no address of a container engine.\n"
            "Name a Docker context, or ssh://user@host, tcp://host:2376, unix:///path/docker.sock."
        ) from None
    return parts


def _require_plain_words(name: str, parts: SplitResult) -> None:
    """Refuse what ``ssh`` would take for an option, and passwords: they would be in a list of processes."""
    if parts.password is not None:
        raise NoEngine(
            "The address of an engine over SSH has no password in it: SSH is asked to log in with a key.\n"
            "Use ssh-copy-id once, then name it as ssh://user@host."
        )
    if (parts.hostname or "").startswith("-") or (parts.username or "").startswith("-"):
        raise NoEngine(f"{name!r} is no address of a container engine.\nExample: ssh://user@host")


def _own_tls(environ: Mapping[str, str]) -> TLSConfig | None:
    """Return the certificates that Docker's own variables name; None where they name none. Raises ``NoEngine``."""
    from docker.errors import TLSParameterError
    from docker.tls import TLSConfig

    if not (environ.get("DOCKER_TLS_VERIFY") or environ.get("DOCKER_CERT_PATH")):
        return None
    folder = Path(environ.get("DOCKER_CERT_PATH") or Path(environ.get("HOME") or Path.home()) / ".docker")
    authority, certificate, key = (folder / each for each in _CERTIFICATES)
    try:
        return TLSConfig(client_cert=(str(certificate), str(key)), ca_cert=str(authority), verify=True)
    except TLSParameterError:
        missing = [each.name for each in (authority, certificate, key) if not each.is_file()]
        raise NoEngine(
            f"{folder} has no {', '.join(missing) or 'certificates'}, to reach an engine over TLS.\n"
            f"DOCKER_CERT_PATH names the folder of {', '.join(_CERTIFICATES)}."
        ) from None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
