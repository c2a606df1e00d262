"""Makes a second machine for tests: a network namespace on a bridge, with an engine of its own, and an ``sshd``.

    this machine 10.213.77.1 ── bridge ── 10.213.77.2 the other one: dockerd (a socket, and a port with TLS), sshd

It has this machine's files and clock, and its own network. Everything is removed at the end.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trustme

from docker_engine import CACHE, TestEngine, Unavailable

HERE, THERE = "10.213.77.1", "10.213.77.2"
_NETWORK = "10.213.77.0/24"
_NAMESPACE = _BRIDGE = "clem-other"
_OURS, _THEIRS = "clem-here", "clem-there"
TLS_PORT, SSH_PORT = 2376, 2222
_RULES = (
    ("nat", "POSTROUTING", "-s", _NETWORK, "!", "-d", _NETWORK, "-j", "MASQUERADE"),
    ("filter", "FORWARD", "-s", _NETWORK, "-j", "ACCEPT"),
    ("filter", "FORWARD", "-d", _NETWORK, "-j", "ACCEPT"),
)
_SSHD = """Port {port}
ListenAddress {there}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/client_key.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
"""
_SSH_CONFIG = """Host *
  IdentityFile {folder}/client_key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
  GlobalKnownHostsFile /dev/null
"""


@dataclass
class OtherMachine:
    """The second machine, once it is there. ``ssh``: a folder for PATH whose ``ssh`` knows its key;
    ``certificates``: what DOCKER_CERT_PATH names to reach its engine."""

    engine: TestEngine
    folder: Path
    sshd: subprocess.Popen[bytes] | None = None
    lines: list[str] = field(default_factory=list[str])

    @property
    def ssh_address(self) -> str:
        """Return what names its engine over SSH."""
        return f"ssh://root@{THERE}:{SSH_PORT}{self.engine.address.removeprefix('unix://')}"

    @property
    def tls_address(self) -> str:
        """Return what names its engine over TLS."""
        return f"tcp://{THERE}:{TLS_PORT}"

    @property
    def ssh(self) -> Path:
        return self.folder / "bin"

    @property
    def certificates(self) -> Path:
        return self.folder / "certificates"

    def start_sshd(self) -> None:
        """Start its ``sshd``, and wait until it answers."""
        command = [*_INSIDE, _program("sshd"), "-D", "-e", "-f", str(self.folder / "sshd_config")]
        with (self.folder / "sshd.log").open("ab") as log:
            self.sshd = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        _until_it_listens(THERE, SSH_PORT)

    def end_sshd(self) -> None:
        """End its ``sshd`` with every connection that it has."""
        if self.sshd is None:
            return
        children = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.sshd.pid)], capture_output=True, text=True, check=False
        ).stdout.split()
        grandchildren = [
            each
            for child in children
            for each in subprocess.run(
                ["ps", "-o", "pid=", "--ppid", child], capture_output=True, text=True, check=False
            ).stdout.split()
        ]
        for each in (str(self.sshd.pid), *children, *grandchildren):
            subprocess.run(["kill", "-9", each], check=False, capture_output=True)
        self.sshd.wait()
        self.sshd = None

    @contextmanager
    def unreachable(self) -> Generator[None]:
        """Take its cable out for as long as this lasts."""
        _ip("link", "set", _OURS, "down")
        try:
            yield
        finally:
            _ip("link", "set", _OURS, "up")

    @contextmanager
    def no_way_back(self) -> Generator[None]:
        """Drop what it sends to new ports of this machine, as a firewall here would."""
        rule = ("INPUT", "-s", _NETWORK, "-p", "tcp", "--syn", "-j", "DROP")
        subprocess.run(["iptables", "-I", *rule], check=True)
        try:
            yield
        finally:
            subprocess.run(["iptables", "-D", *rule], check=True)


_INSIDE = ("nsenter", f"--net=/run/netns/{_NAMESPACE}")


@contextmanager
def other_machine(say: Callable[[str], None]) -> Generator[OtherMachine]:
    """Make the second machine, and remove it. Raises ``Unavailable``."""
    missing = [each for each in ("ip", "iptables", "nsenter", "dockerd", "sshd", "ssh-keygen") if not _found(each)]
    if os.geteuid() != 0 or missing:
        lacking = f"{', '.join(missing)} missing (apt-get install openssh-server)" if missing else "it needs root"
        raise Unavailable(f"no second machine can be made: {lacking}")
    folder = Path(tempfile.mkdtemp(prefix="clarifai-other-"))
    engine = TestEngine(data=CACHE / "other-machine" / "engine", prefix=_INSIDE)
    machine = OtherMachine(engine, folder)
    try:
        _make_network()
        _make_keys(folder)
        engine.words = _tls_words(machine.certificates)
        engine.start(say)
        machine.start_sshd()
        yield machine
    finally:
        machine.end_sshd()
        engine.stop()
        _remove_network()
        shutil.rmtree(folder, ignore_errors=True)


def _make_network() -> None:
    _remove_network()  # of a session that was killed
    _ip("netns", "add", _NAMESPACE)
    _ip("link", "add", _BRIDGE, "type", "bridge")
    _ip("addr", "add", f"{HERE}/24", "dev", _BRIDGE)
    _ip("link", "set", _BRIDGE, "up")
    _ip("link", "add", _OURS, "type", "veth", "peer", "name", _THEIRS, "netns", _NAMESPACE)
    _ip("link", "set", _OURS, "master", _BRIDGE, "up")
    for words in (
        ("addr", "add", f"{THERE}/24", "dev", _THEIRS),
        ("link", "set", _THEIRS, "up"),
        ("link", "set", "lo", "up"),
        ("route", "add", "default", "via", HERE),
    ):
        _ip("-n", _NAMESPACE, *words)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    for table, chain, *rule in _RULES:
        subprocess.run(["iptables", "-t", table, "-I", chain, *rule], check=True)


def _remove_network() -> None:
    for table, chain, *rule in _RULES:
        subprocess.run(["iptables", "-t", table, "-D", chain, *rule], check=False, capture_output=True)
    for words in (("link", "del", _OURS), ("link", "del", _BRIDGE), ("netns", "del", _NAMESPACE)):
        subprocess.run(["ip", *words], check=False, capture_output=True)


def _make_keys(folder: Path) -> None:
    for name in ("host_key", "client_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    Path("/run/sshd").mkdir(exist_ok=True)
    (folder / "sshd_config").write_text(_SSHD.format(port=SSH_PORT, there=THERE, folder=folder))
    (folder / "ssh_config").write_text(_SSH_CONFIG.format(folder=folder))
    know_host(folder, (folder / "host_key.pub").read_text())
    script = folder / "bin" / "ssh"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec {_program("ssh")} -F {folder}/ssh_config "$@"\n')
    script.chmod(0o755)


def know_host(folder: Path, public_key: str) -> None:
    """Let the client know this key as the second machine's."""
    kind, key, *_ = public_key.split()
    (folder / "known_hosts").write_text(f"[{THERE}]:{SSH_PORT} {kind} {key}\n")


def _tls_words(certificates: Path) -> Sequence[str]:
    """Make certificates as Docker's documentation names them; return what a dockerd is told of them."""
    certificates.mkdir()
    authority = trustme.CA()
    server, client = authority.issue_cert(THERE), authority.issue_cert("client@example.com")
    authority.cert_pem.write_to_path(str(certificates / "ca.pem"))
    for issued, name in ((server, "server-"), (client, "")):
        issued.private_key_pem.write_to_path(str(certificates / f"{name}key.pem"))
        issued.cert_chain_pems[0].write_to_path(str(certificates / f"{name}cert.pem"))
    words = ["--host", f"tcp://{THERE}:{TLS_PORT}", "--tlsverify", "--tlscacert", str(certificates / "ca.pem")]
    words += ["--tlscert", str(certificates / "server-cert.pem"), "--tlskey", str(certificates / "server-key.pem")]
    return words


def _until_it_listens(host: str, port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection((host, port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def _found(program: str) -> str | None:
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def _program(name: str) -> str:
    found = _found(name)
    assert found is not None
    return found


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def end(process: subprocess.Popen[bytes], number: signal.Signals = signal.SIGKILL) -> None:
    """End a process and wait for it."""
    process.send_signal(number)
    process.wait(timeout=30)
