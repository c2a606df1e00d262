"""Connects to an engine's Unix socket, and closes what could not be connected.

The ``docker`` package leaves a socket open for each connection that nobody takes: an engine over SSH is away
whenever the network is.
"""

from __future__ import annotations

import socket
from typing import Any

from docker.transport.unixconn import UnixHTTPAdapter, UnixHTTPConnection, UnixHTTPConnectionPool


class _Connection(UnixHTTPConnection):
    def connect(self) -> None:
        connecting = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connecting.settimeout(self.timeout)
            connecting.connect(self.unix_socket)
        except BaseException:
            connecting.close()
            raise
        self.sock = connecting


class _Pool(UnixHTTPConnectionPool):
    def __init__(self, url: str, path: str, seconds: int, most: int) -> None:
        super().__init__(url, path, seconds, maxsize=most)
        self._seconds = seconds

    def _new_conn(self) -> Any:
        return _Connection(self.base_url, self.socket_path, self._seconds)


class ClosingUnixAdapter(UnixHTTPAdapter):
    """Serves a client's requests over connections to a Unix socket."""

    def get_connection(self, url: str | bytes, proxies: Any = None) -> Any:
        """Return the pool of an address."""
        with self.pools.lock:
            pool = self.pools.get(url)
            if pool is None:
                pool = self.pools[url] = _Pool(str(url), self.socket_path, self.timeout, self.max_pool_size)
        return pool
