"""Finds a container engine, says what it is, and where its containers reach this machine.

Docker (rootful, rootless, Desktop), Podman's Docker socket, or whatever DOCKER_HOST or the Docker CLI's context
names. All calls block: they are made in threads.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from clarifai_emulator.backends.docker.engine_address import EngineAddress, NoEngine, is_elsewhere, resolve

if TYPE_CHECKING:
    import ssl

    from docker import DockerClient

Kind = Literal["docker", "rootless docker", "docker desktop", "podman", "rootless podman"]

_CONNECT_SECONDS = 5
# A build step may be silent for long; a call that hangs for ever is worse.
CALL_SECONDS = 600
_LOOPBACK = "127.0.0.1"
_BY_VARIABLE = "DOCKER_HOST"
_OLDEST_VERSION = "1.24"  # of the engine's API, for the one question which it speaks


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine that answers. ``address``: its socket or URL, as it was named. ``found``: what named that address.
    ``url``: where it is spoken to from here; ``host``: the machine that it is on, empty for this one;
    ``ssh``: its address over SSH, where it is spoken to so.

    ``cpus``, ``memory``: how many it has, and bytes. ``runtimes``: names of its OCI runtimes. ``cdi``: names of
    the CDI devices that it says it has. ``cgroups``: version and driver, for ``doctor``.
    """

    address: str
    found: str
    kind: Kind
    version: str
    url: str = ""
    host: str = ""
    ssh: str = ""
    cpus: int = 1
    memory: int = 0
    runtimes: tuple[str, ...] = ()
    cdi: tuple[str, ...] = ()
    cgroups: str = ""
    architecture: str = ""
    root: str = ""
    context: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def is_local(self) -> bool:
        """Tell whether its containers run on this machine (Desktop's run in a machine of its own, but near)."""
        return not self.host and not is_elsewhere(self.address)

    @property
    def remote_host(self) -> str:
        return self.host or urlsplit(self.address).hostname or ""

    @property
    def is_named_by_context(self) -> bool:
        """Tell whether its address is the name of a Docker context."""
        return "://" not in self.address

    @property
    def silence(self) -> str:
        """Why nothing listens where it was; empty when something does. Blocks."""
        return why_silent(self.url or self.address)

    @property
    def reaches_bridge(self) -> bool:
        """Tell whether this machine has the bridges of the engine's networks as interfaces of its own."""
        return self.is_local and self.kind in ("docker", "podman")

    @property
    def is_podman(self) -> bool:
        return self.kind.endswith("podman")

    def __str__(self) -> str:
        return f"{self.kind} {self.version} at {self.address} ({self.found})"


def connect(address: str = "", *, environ: Mapping[str, str] = os.environ) -> tuple[DockerClient, Engine]:
    """The first engine that answers: ``address`` if given, else what the environment and this machine name.

    Raises ``NoEngine``.
    """
    tried: list[str] = []
    for candidate, found in candidates(address, environ):
        try:
            where = resolve(candidate, environ, may_be_clear=found == _BY_VARIABLE)
            refusal = why_silent(where.url)
            if refusal:
                tried.append(f"{candidate} ({found}): {refusal}")
                continue
            return _open(where, found, environ)
        except NoEngine:
            raise
        except Exception as error:
            tried.append(f"{candidate} ({found}): {_reason(error)}")
    listed = "\n".join(f"  - {each}" for each in tried)
    raise NoEngine(
        f"No container engine answers. Looked at:\n{listed}\n"
        "Start Docker or Podman, set DOCKER_HOST, or run replicas as processes (--backend process)."
    )


def why_silent(address: str) -> str:
    """Why nothing listens at a socket or a port; empty when something does, or when the address is neither.

    Asked before a call: the ``docker`` package would leave a socket open for each that fails, and wait for minutes
    for a machine that is off.
    """
    parts = urlsplit(address)
    if parts.scheme in ("tcp", "https") and parts.port:
        try:
            socket.create_connection((parts.hostname, parts.port), timeout=_CONNECT_SECONDS).close()
        except OSError as error:
            return _reason(error)
    if parts.scheme != "unix":
        return ""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_CONNECT_SECONDS)
        try:
            probe.connect(address.removeprefix("unix://"))
        except OSError as error:
            return _reason(error)
    return ""


def candidates(address: str, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Addresses where an engine may be, and what names each. What the user named is the only one."""
    if address:
        yield address, "as configured"
        return
    if environ.get("DOCKER_HOST"):
        yield environ["DOCKER_HOST"], _BY_VARIABLE
        return
    context = _context(environ)
    if context:
        yield context
    home, runtime = environ.get("HOME") or str(Path.home()), environ.get("XDG_RUNTIME_DIR", "")
    yield "unix:///var/run/docker.sock", "Docker's usual socket"
    if runtime:
        yield f"unix://{runtime}/docker.sock", "rootless Docker's usual socket"
    yield f"unix://{home}/.docker/run/docker.sock", "Docker Desktop's usual socket"
    yield f"unix://{home}/.docker/desktop/docker.sock", "Docker Desktop's usual socket"
    if runtime:
        yield f"unix://{runtime}/podman/podman.sock", "rootless Podman's usual socket"
    yield "unix:///run/podman/podman.sock", "Podman's usual socket"


def _context(environ: Mapping[str, str]) -> tuple[str, str] | None:
    """The endpoint of the Docker CLI's current context, when it is not the default one."""
    from docker.context import ContextAPI

    with contextlib.suppress(Exception):  # a broken file of another program is not ours to complain of
        context: Any = ContextAPI.get_context(environ.get("DOCKER_CONTEXT") or None)
        if context is not None and context.Name != "default" and context.Host:
            # The name of one elsewhere stands for its certificates, too.
            address = context.Name if is_elsewhere(context.Host) else context.Host
            return str(address), f"the Docker context {context.Name!r}"
    return None


def _open(where: EngineAddress, found: str, environ: Mapping[str, str]) -> tuple[DockerClient, Engine]:
    client = _client(where, environ)
    try:
        url = str(getattr(client, "url", where.url))
        engine = describe(where.said, found, client.version(), client.info())
        engine = replace(engine, url=url, host=where.host, ssh=where.url if where.url.startswith("ssh://") else "")
    except BaseException:
        client.close()
        raise
    client.api.timeout = CALL_SECONDS
    return client, engine


def _client(where: EngineAddress, environ: Mapping[str, str]) -> DockerClient:
    import docker

    if where.url.startswith("ssh://"):
        from clarifai_emulator.backends.docker.ssh_client import SshDockerClient

        return SshDockerClient(where.url, environ=environ, timeout=_CONNECT_SECONDS)

    def client(version: str) -> DockerClient:
        options: dict[str, Any] = {"version": version, "timeout": _CONNECT_SECONDS, "max_pool_size": 32}
        made = docker.DockerClient(base_url=where.url, tls=where.tls or False, **options)
        if where.tls is not None:
            # REQUESTS_CA_BUNDLE of this environment would count for more than the certificates of the engine.
            made.api.trust_env = False
        return made

    return client(api_version(client))


def api_version(client: Callable[[str], DockerClient]) -> str:
    """Ask an engine which version of its API it speaks. A client that is made without one asks by itself, and
    leaves its connection open where there is no answer. Raises the ``docker`` package's errors."""
    with contextlib.closing(client(_OLDEST_VERSION)) as first:
        return str(first.version()["ApiVersion"])


def describe(address: str, found: str, version: Mapping[str, Any], info: Mapping[str, Any]) -> Engine:
    """Put in words what an engine says of itself."""
    components = [str(each.get("Name", "")) for each in version.get("Components") or ()]
    is_rootless = any("rootless" in str(option) for option in info.get("SecurityOptions") or ())
    kind: Kind = "docker"
    if any("podman" in name.lower() for name in components):
        kind = "rootless podman" if is_rootless else "podman"
    elif "Docker Desktop" in str(info.get("OperatingSystem", "")):
        kind = "docker desktop"
    elif is_rootless:
        kind = "rootless docker"
    return Engine(
        address=address,
        found=found,
        url=address,
        kind=kind,
        version=str(version.get("Version", "")),
        cpus=int(info.get("NCPU") or 1),
        memory=int(info.get("MemTotal") or 0),
        runtimes=tuple(sorted(info.get("Runtimes") or ())),
        cdi=tuple(str(each.get("ID", "")) for each in info.get("DiscoveredDevices") or ()),
        cgroups=f"cgroup v{info.get('CgroupVersion') or '1'}, driver {info.get('CgroupDriver') or 'unknown'}",
        architecture=str(version.get("Arch", "")),
        root=str(info.get("DockerRootDir", "")),
    )


@dataclass(frozen=True, slots=True)
class Meeting:
    """The point where replicas in containers meet the emulator: ``listen`` here, and the name containers know it
    by. Podman makes a bridge when the first container joins it: that address ``may_come_later``. ``tls``: what
    connections are secured by, of containers on other machines."""

    listen: str
    advertised: str
    may_come_later: bool = False
    tls: ssl.SSLContext | None = None

    @property
    def is_exposed(self) -> bool:
        """Tell whether other machines may reach it: it is neither a bridge's gateway nor this machine's own."""
        return self.tls is not None or (not self.may_come_later and not self.listen.startswith("127."))


def meeting_point(engine: Engine, gateway: str, override: str = "") -> Meeting:
    """Choose where to listen for replicas, and as what they reach that.

    On a bridge of this machine its gateway, which nobody but containers reaches. Rootless engines put containers
    behind a network of their own, from which this machine's outward address is reached; Desktop has a name for it.
    """
    if override:
        return Meeting(override, override)
    if engine.kind == "docker desktop":
        return Meeting(_LOOPBACK, "host.docker.internal")
    if engine.reaches_bridge and gateway:
        return Meeting(gateway, gateway, may_come_later=True)
    address = outward_address()
    return Meeting(address, address)


def outward_address(towards: str = "192.0.2.1") -> str:
    """This machine's address on the way to another; nothing is sent. The loopback address when there is no way."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((towards, 9))
        except OSError:
            return _LOOPBACK
        return str(probe.getsockname()[0])


def _reason(error: Exception) -> str:
    """The cause of a failed connection in one line."""
    text = " ".join(str(error).split())
    for known, words in (
        ("Permission denied", "permission denied: add your user to the group `docker`, or use a rootless engine"),
        ("Connection refused", "nothing listens there: the engine is not running"),
        ("No such file", "there is no such socket"),
        ("timed out", f"no answer within {_CONNECT_SECONDS} s"),
    ):
        if known in text:
            return words
    return text[:300]
