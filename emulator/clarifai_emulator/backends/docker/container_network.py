"""Manages the network of one emulator's replicas: they reach its gateway and the world, and not each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clarifai_emulator.backends.docker.labels import INSTANCE

if TYPE_CHECKING:
    from docker import DockerClient


def make_network(client: DockerClient, instance: str) -> tuple[str, str]:
    """Make it: (its name, its gateway; empty where the engine tells none). Blocks."""
    name = f"clarifai-emulator-{instance.rpartition('/')[2]}"
    client.api.create_network(
        name,
        driver="bridge",
        labels={INSTANCE: instance},
        options={"com.docker.network.bridge.enable_icc": "false"},
        check_duplicate=True,
    )
    ipam = client.api.inspect_network(name).get("IPAM") or {}
    gateways = [str(each.get("Gateway") or "") for each in ipam.get("Config") or ()]
    return name, next((each.partition("/")[0] for each in gateways if each), "")
