"""Finds a running emulator for commands: by a file that it writes when it answers and removes when it stops, or by
the address that they are given."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from clarifai_emulator.config import ANY_TOKEN, DEFAULT_PORT, default_run_dir
from clarifai_emulator.control.places import is_here, is_over, this_place
from clarifai_emulator.errors import ControlError
from clarifai_emulator.machine.processes import is_there
from clarifai_emulator.whole_file import write_whole

if TYPE_CHECKING:
    from clarifai_emulator.control.network import Open

TOKEN_VARIABLE = "CLARIFAI_EMULATOR_TOKEN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """Describes a running emulator. ``token`` opens its controls, so the file is for its user only; ``pat`` is a
    token that its API accepts; ``started`` is seconds since the epoch. ``place``: where its process has this
    ``pid``; ``run``: what its health check calls this run of it. ``page``: whether it has its page."""

    url: str
    pid: int
    token: str
    user_id: str
    port: int
    started: float
    pat: str = ANY_TOKEN
    place: str = field(default_factory=this_place)
    run: str = ""
    page: bool = False

    @property
    def is_here(self) -> bool:
        """Tell whether ``pid`` is a process of this machine, as this command sees it."""
        return is_here(self.place)

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or "127.0.0.1"


def has_token_characters(token: str) -> bool:
    """Tell whether a text consists of characters that the token of the controls may have."""
    return token.isascii() and token.isprintable() and " " not in token


def run_dir() -> Path:
    """Return the folder of this user's state files."""
    return default_run_dir()


def state_file(folder: Path, port: int) -> Path:
    return folder / f"emulator-{port}.json"


def write_state(folder: Path, running: Running) -> Path:
    """Write the state file, whole or not at all, readable by its user only."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = state_file(folder, running.port)
    before = _read(path)
    if before is not None and not before.is_here:  # another machine's, or container's, with the same home
        import hashlib

        path = folder / f"emulator-{running.port}-{hashlib.sha256(running.place.encode()).hexdigest()[:8]}.json"
    write_whole(path, json.dumps(asdict(running)), is_private=True)
    return path


def remove_state(folder: Path, port: int, pid: int) -> None:
    """Remove the state file, if it is still that process's."""
    for path in [state_file(folder, port), *folder.glob(f"emulator-{port}-*.json")]:
        found = _read(path)
        if found is not None and found.is_here and found.pid == pid:
            path.unlink(missing_ok=True)


def running_emulators(folder: Path) -> list[Running]:
    """Return the emulators that run now, by port. Removes the files of those that ended without doing so; those of
    another machine or container with the same home are for it to remove."""
    found: list[Running] = []
    for path in sorted(folder.glob("emulator-*.json")):
        running = _read(path)
        if running is None:
            continue
        if not running.is_here:
            if is_over(running.place):
                path.unlink(missing_ok=True)
            elif _is_reached_from_here(running):
                found.append(running)
        elif not is_there(running.pid):
            path.unlink(missing_ok=True)
        elif is_listening(running.host, running.port):  # the process id may be another process's since
            found.append(running)
    return sorted(found, key=lambda each: each.port)


def find_running(port: int | None, url: str = "", *, open_client: Open | None = None) -> Running:
    """Return the emulator to talk to: the one at ``url`` if that is given, else the one on this machine.
    ``open_client``: opens the client that asks an emulator elsewhere about itself. Raises ``ControlError`` when
    there is none, or when it could be several."""
    found = running_emulators(run_dir())
    if url:
        return _at(url, found, open_client)
    if port:
        chosen = [each for each in found if each.port == port] or list(_elsewhere(port, open_client))
        if chosen:
            return chosen[0]
        others = f" Running: {_listed(found)}." if found else ""
        raise ControlError(
            f"No emulator is running on port {port}.{others}",
            hint=f"Start one with `clarifai-emulator up --port {port}`.",
            reason="not running",
        )
    if not found:
        found = list(_elsewhere(DEFAULT_PORT, open_client))
    if not found:
        raise ControlError(
            "No emulator is running.",
            hint="Start one with `clarifai-emulator up` in another terminal, or `clarifai-emulator up --detach`.",
            reason="not running",
        )
    if len(found) > 1:
        raise ControlError(
            f"{len(found)} emulators are running: {_listed(found)}.",
            hint="Choose one with --port, or set CLARIFAI_EMULATOR_PORT.",
            reason="usage",
            data={"running": [{"url": each.url, "port": each.port, "pid": each.pid} for each in found]},
        )
    return found[0]


def _at(url: str, found: list[Running], open_client: Open | None) -> Running:
    """Return the emulator at an address; one that runs here needs no token."""
    from clarifai_emulator.control.network import is_same_address, reach

    ours = [each for each in found if is_same_address(url, each.url)]
    return ours[0] if ours else reach(url, open_client=open_client)


def _elsewhere(port: int, open_client: Open | None) -> Iterator[Running]:
    """Give the emulator that answers on this port of this machine and has no file here: in a container, say."""
    if not is_listening("127.0.0.1", port):
        return
    from clarifai_emulator.control.network import answering_on_this_machine

    running = answering_on_this_machine(port, open_client=open_client)
    if running is not None:
        yield running


def _is_reached_from_here(running: Running) -> bool:
    """Tell whether this very emulator answers at its address: the same address may be another machine's."""
    if not running.run or not is_listening(running.host, running.port):
        return False
    from clarifai_emulator.control.network import health

    return (health(running.url) or {}).get("run") == running.run


def _listed(found: list[Running]) -> str:
    return ", ".join(f"{each.url} (process {each.pid})" for each in found)


def _read(path: Path) -> Running | None:
    """Return the file's contents; None when it is gone or not one of ours."""
    try:
        return Running(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def is_listening(host: str, port: int) -> bool:
    """Tell whether something listens at this address."""
    try:
        with socket.create_connection((host, port), timeout=2.0):
            return True
    except OSError:
        return False
