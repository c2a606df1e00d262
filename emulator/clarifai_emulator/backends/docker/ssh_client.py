"""Talks to the engine of another machine over SSH: a Docker client that has an ``ssh`` of its own.

The ``docker`` package's own way over SSH starts an ``ssh`` for each connection, and cannot attach to containers
over those of OpenSSH.
"""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path

from docker.errors import DockerException

from clarifai_emulator.backends.docker.closing_sockets import ClosingUnixAdapter
from clarifai_emulator.backends.docker.engine import api_version
from clarifai_emulator.backends.docker.ssh_forward import SshFailure, SshForward, socket_of, to_socket
from docker import DockerClient

_MOST_CONNECTIONS = 32


class SshDockerClient(DockerClient):
    """A client of the engine at an address ``ssh://…``. Raises ``SshFailure`` where no way leads there. Blocks."""

    def __init__(self, address: str, *, environ: Mapping[str, str], timeout: int) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="clarifai-emulator-ssh-"))  # which nobody else may enter
        self._socket = self._folder / "docker.sock"
        self._ssh = SshForward(address, to_socket(address, self._socket), environ=environ)
        try:
            self.reach()
            version = api_version(lambda version: DockerClient(self.url, version=version, timeout=timeout))
            super().__init__(base_url=self.url, version=version, timeout=timeout, max_pool_size=_MOST_CONNECTIONS)
            adapter = ClosingUnixAdapter(f"http+{self.url}", timeout, max_pool_size=_MOST_CONNECTIONS)
            self.api.mount("http+docker://", adapter)
        except DockerException as error:
            self._leave()
            raise SshFailure(no_engine(self._ssh.target, address, error)) from None
        except BaseException:
            self._leave()
            raise

    @property
    def url(self) -> str:
        """Return the address of the socket here."""
        return f"unix://{self._socket}"

    def reach(self) -> None:
        """Start ``ssh`` again where it has ended. Raises ``SshFailure``."""
        self._ssh.start(self._answers)

    def close(self) -> None:
        """Let go of the engine, and end ``ssh``."""
        super().close()
        self._leave()

    def _leave(self) -> None:
        self._ssh.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(str(self._socket))
            except OSError:
                return False
        return True


def no_engine(target: str, address: str, error: Exception) -> str:
    """Say that SSH works, and no engine answers behind it."""
    if "Permission denied" in str(error) or "Connection" in str(error) or "RemoteDisconnected" in str(error):
        return (
            f"ssh to {target} works, and no engine answers at its {socket_of(address)}: start Docker there, let "
            "its user use it (group `docker`), or name another socket (ssh://user@host/run/user/1000/docker.sock)"
        )
    return f"ssh to {target} works, and its engine answers: {error}"
