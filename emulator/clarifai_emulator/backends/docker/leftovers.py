"""Removes what emulators made on an engine: its own things at its end, and those of emulators that are gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from clarifai_emulator.backends.docker.labels import INSTANCE, is_left_behind

if TYPE_CHECKING:
    from docker import DockerClient

# How often a network is tried again that still holds on to a container which is going away.
_NETWORK_TRIES = 100


def remove_all(client: DockerClient, instance: str) -> list[str]:
    """Remove an emulator's containers and networks; what was removed."""
    return _remove(client, lambda label: label == instance)


def left_behind(client: DockerClient) -> list[str]:
    """List what emulators that are gone left: containers, running or not, and networks."""
    containers = [f"container {name}" for _, name in _containers(client, is_left_behind)]
    return [*containers, *(f"network {name}" for _, name in _networks(client, is_left_behind))]


def remove_left_behind(client: DockerClient) -> list[str]:
    """Remove containers and networks of emulators that are gone; what was removed."""
    return _remove(client, is_left_behind)


def _remove(client: DockerClient, is_meant: Callable[[str], bool]) -> list[str]:
    removed: list[str] = []
    for container_id, name in _containers(client, is_meant):
        if remove_container(client, container_id):
            removed.append(f"container {name}")
    for network_id, name in _networks(client, is_meant):
        if _remove_network(client, network_id):
            removed.append(f"network {name}")
    return removed


def remove_container(client: DockerClient, container_id: str) -> bool:
    """End and remove a container with its anonymous volumes; whether it was there."""
    from docker.errors import APIError

    try:
        client.api.remove_container(container_id, force=True, v=True)
    except APIError as error:
        # "Already in progress" is as good as done.
        return error.status_code == 409
    return True


def _containers(client: DockerClient, is_meant: Callable[[str], bool]) -> Iterator[tuple[str, str]]:
    for each in client.api.containers(all=True, filters={"label": [INSTANCE]}):
        if is_meant(str((each.get("Labels") or {}).get(INSTANCE, ""))):
            names = each.get("Names") or [each["Id"][:12]]
            yield str(each["Id"]), str(names[0]).lstrip("/")


def _networks(client: DockerClient, is_meant: Callable[[str], bool]) -> Iterator[tuple[str, str]]:
    for each in client.api.networks(filters={"label": [INSTANCE]}):
        if is_meant(str((each.get("Labels") or {}).get(INSTANCE, ""))):
            yield str(each["Id"]), str(each["Name"])


def _remove_network(client: DockerClient, network_id: str) -> bool:
    import time

    from docker.errors import APIError, NotFound

    for _ in range(_NETWORK_TRIES):
        try:
            client.api.remove_network(network_id)
        except NotFound:
            return False
        except APIError:
            time.sleep(0.1)
        else:
            return True
    return False
