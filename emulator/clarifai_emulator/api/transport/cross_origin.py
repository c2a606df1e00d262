"""Decides whose pages may use the HTTP endpoints (CORS), and says how to let others."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

EVERYONE = "*"
# Pages of this machine, at any port: each development server takes another.
THIS_MACHINE = "localhost"
# Pages that browsers name no origin for: of files, and in sandboxed frames.
NO_ORIGIN = "null"
_DEFAULT_PORTS = {"http": 80, "https": 443}
# Domains that no registry gives away.
_LOCAL_NAMES = (".localhost", ".local", ".internal", ".test", ".home.arpa", ".lan")
_PREFLIGHT_SECONDS = "600"
# Besides these, `*`: it means every header, but not to a page that sends its request with credentials.
_EXPOSED = (
    "*, allow, mcp-session-id, x-clarifai-request-id, x-clarifai-emulator-rule, x-clarifai-emulator-nodepool, "
    "x-clarifai-emulator-replica, x-clarifai-emulator-finding, x-clarifai-emulator-fault"
)


class Origins:
    """Holds the origins whose pages may ask: those that the configuration names."""

    def __init__(self, allowed: Iterable[str]) -> None:
        self._allowed = frozenset(_normal(each) for each in allowed)

    def allows(self, origin: str) -> bool:
        """Tell whether pages of this origin may ask."""
        return (
            EVERYONE in self._allowed
            or _normal(origin) in self._allowed
            or (THIS_MACHINE in self._allowed and _is_of_this_machine(origin))
        )


def refusal(origin: str) -> str:
    """Return what to say of a page that may not ask, with the way out."""
    shown = origin[:100]
    if origin == NO_ORIGIN:
        return (
            "Pages of no origin ('null': opened from a file, or in a sandboxed frame) may not use this emulator. "
            "Serve the page over HTTP and start the emulator with --cors localhost, or start it with --cors null."
        )
    if _is_of_this_machine(origin):
        way_out = f"Start it with --cors {THIS_MACHINE} to let all pages of this machine, whatever their port"
        return f"Pages of {shown!r} may not use this emulator. {way_out}, or with --cors {shown} for these alone."
    return f"Pages of {shown!r} may not use this emulator. Start it with --cors {shown} to let them."


def answer_fields(origin: str) -> dict[str, str]:
    """Return the header fields with which a page of this origin may read an answer."""
    return {
        "access-control-allow-origin": origin,
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": _EXPOSED,
        "vary": "origin",
    }


def preflight_fields(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the header fields of the answer to a browser that asks before it sends a page's request."""
    fields = {
        "access-control-allow-methods": headers["access-control-request-method"],
        "access-control-allow-headers": headers.get("access-control-request-headers", ""),
        "access-control-max-age": _PREFLIGHT_SECONDS,
        "vary": "origin, access-control-request-method, access-control-request-headers",
    }
    if headers.get("access-control-request-private-network") == "true":
        fields["access-control-allow-private-network"] = "true"
    return fields


def names_this_machine(host: str) -> bool:
    """Tell whether a host, with its port or without, is this machine's loopback address or a name of it."""
    name = without_port(host).lower().rstrip(".")
    if name in ("", "localhost") or name.endswith(".localhost"):
        return True
    address = address_in(name)
    return address is not None and address.is_loopback


def names_a_neighbour(host: str) -> bool:
    """Tell whether a host is an address, or a name that only a local network or a container engine can give: no
    page can make such a name its own and point it here (DNS rebinding)."""
    name = without_port(host).lower().rstrip(".")
    return "." not in name or name.endswith(_LOCAL_NAMES) or address_in(name) is not None


def address_in(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address that a host without its port is; None for a name, which somebody has to look up."""
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def without_port(host: str) -> str:
    """Return a host without its port."""
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


def _is_of_this_machine(origin: str) -> bool:
    scheme, separator, host = _normal(origin).partition("://")
    return bool(separator) and scheme in _DEFAULT_PORTS and host != "" and names_this_machine(host)


def _normal(origin: str) -> str:
    """Return an origin as browsers write it: in lower case, without its scheme's own port."""
    origin = origin.lower().rstrip("/")
    try:
        split = urlsplit(origin)
        port = split.port
    except ValueError:
        return origin  # no port, or an address that is none
    if port is not None and port == _DEFAULT_PORTS.get(split.scheme):
        return origin.rpartition(":")[0]
    return origin
