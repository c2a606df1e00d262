"""Makes the settings of a replica's container: what it runs, as whom, with how much, and what it may not. Pure."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from clarifai_emulator.backends.docker.dockerfile import HEALTH_PORT, MODEL_PATH, USER
from clarifai_emulator.backends.docker.engine import Engine
from clarifai_emulator.backends.docker.labels import INSTANCE, MODEL, REPLICA
from clarifai_emulator.config import REPLICA_PROCESSES
from clarifai_emulator.errors import ModelError
from clarifai_emulator.messages.quantities import parse_cpu, parse_memory

SECRETS_PATH = "/etc/clarifai/secrets"
SERVER_SCRIPTS = {
    f"tmp/clarifai-emulator/{name}": name for name in ("container_server_main.py", "call_chain_main.py")
}
OWN_PAT_VARIABLE = "CLARIFAI_EMULATOR_PAT"  # see ``inside/container_server_main.py``
_LOG_BYTES = "10m"
_SMALLEST_MEMORY = 6 * 1024 * 1024  # engines refuse less
_GPU = "nvidia.com/gpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerPlan:
    """A container to make. ``cpu``, ``memory``: Kubernetes quantities, empty for no limit. ``accelerators``: ids of
    real devices to pass through, as the driver names them; ``device_nodes``: files under /dev to pass instead
    (AMD), ``device_groups`` the numbers of the groups that own them. ``arguments`` come after the image's own
    command; ``command`` replaces it all. ``mounts``: folders of this machine that it may read, by where it finds
    them. ``processes``: how many processes and threads it can have. ``runner_pat``: what its runner fetches its
    work with, where its model has a CLARIFAI_PAT of its own. ``refuses``: hosts that it does not reach by name."""

    image: str
    name: str
    replica_id: str = ""
    instance: str
    model: str
    network: str
    environ: Mapping[str, str] = field(default_factory=dict[str, str])
    cpu: str = ""
    memory: str = ""
    accelerators: Sequence[str] = ()
    device_nodes: Sequence[str] = ()
    device_groups: Sequence[str] = ()
    arguments: Sequence[str] = ()
    command: Sequence[str] = ()
    publish_health: bool = False
    mounts: Mapping[str, str] = field(default_factory=dict[str, str])
    processes: int = REPLICA_PROCESSES
    runner_pat: str = field(default="", repr=False)
    refuses: Sequence[str] = ()


def create_arguments(plan: ContainerPlan, engine: Engine, image_command: Sequence[str]) -> dict[str, Any]:
    """Return the arguments of ``create_container`` of the ``docker`` package, but for ``host_config``."""
    arguments: dict[str, Any] = {
        "image": plan.image,
        "name": plan.name,
        "user": USER,
        "environment": {"PYTHONUNBUFFERED": "1", **plan.environ, **_visible_devices(plan), **_runner_pat(plan)},
        "labels": {INSTANCE: plan.instance, REPLICA: plan.replica_id, MODEL: plan.model},
    }
    if plan.command:
        arguments["entrypoint"], arguments["command"] = list(plan.command[:1]), list(plan.command[1:])
    elif plan.arguments:
        arguments["command"] = [*image_command, *plan.arguments]
    if plan.publish_health:
        arguments["ports"] = [HEALTH_PORT]
    return arguments


def host_arguments(plan: ContainerPlan, engine: Engine) -> dict[str, Any]:
    """Return the arguments of ``create_host_config`` of the ``docker`` package."""
    arguments: dict[str, Any] = {
        "network_mode": plan.network,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "init": True,
        "pids_limit": plan.processes,
        "log_config": {"type": "json-file", "config": {"max-size": _LOG_BYTES, "max-file": "2"}},
    }
    if engine.is_podman:
        del arguments["log_config"]  # it keeps logs in a way of its own
    if plan.cpu:
        # An engine refuses more CPUs than it has: a nodepool may emulate a larger machine.
        arguments["nano_cpus"] = max(10_000_000, min(parse_cpu(plan.cpu) * 1_000_000, engine.cpus * 10**9))
    if plan.memory:
        arguments["mem_limit"] = max(parse_memory(plan.memory), _SMALLEST_MEMORY)
        arguments["memswap_limit"] = arguments["mem_limit"]  # the platform's nodes do not swap
    if plan.accelerators:
        arguments["device_requests"] = [device_request(plan.accelerators, engine)]
    if plan.device_nodes:
        arguments["devices"] = [f"{node}:{node}:rwm" for node in plan.device_nodes]
        arguments["group_add"] = list(plan.device_groups)
        arguments["security_opt"] = [*arguments["security_opt"], "seccomp=unconfined"]
    if plan.mounts:
        arguments["mounts"] = [
            {"Type": "bind", "Source": source, "Target": target, "ReadOnly": True}
            for target, source in plan.mounts.items()
        ]
        # Where SELinux guards files, those of a user are no container's.
        arguments["security_opt"] = [*arguments["security_opt"], "label=disable"]
    if plan.refuses:
        arguments["extra_hosts"] = dict.fromkeys(plan.refuses, "127.0.0.1")  # where nothing listens
    if plan.publish_health:
        arguments["port_bindings"] = {HEALTH_PORT: ("127.0.0.1", None)}
    return arguments


def device_request(accelerators: Sequence[str], engine: Engine) -> dict[str, Any]:
    """Exactly these devices: by CDI where the engine has nothing else, else through NVIDIA's runtime hook."""
    if uses_cdi(engine):
        return {"Driver": "cdi", "Count": 0, "DeviceIDs": [f"{_GPU}={each}" for each in accelerators]}
    return {"Driver": "", "Count": 0, "DeviceIDs": list(accelerators), "Capabilities": [["gpu"]], "Options": {}}


def uses_cdi(engine: Engine) -> bool:
    """Podman has CDI only; Docker where it lists GPUs as CDI devices and NVIDIA's runtime is not registered."""
    listed = any(name.startswith(f"{_GPU}=") for name in engine.cdi)
    return engine.is_podman or (listed and "nvidia" not in engine.runtimes)


def _visible_devices(plan: ContainerPlan) -> dict[str, str]:
    """An image that asks for every GPU gets none where the replica asks for none."""
    if plan.accelerators or "NVIDIA_VISIBLE_DEVICES" in plan.environ:
        return {}
    return {"NVIDIA_VISIBLE_DEVICES": "void"}


def _runner_pat(plan: ContainerPlan) -> dict[str, str]:
    return {OWN_PAT_VARIABLE: plan.runner_pat} if plan.runner_pat else {}


def with_scripts(command: Sequence[str]) -> list[str]:
    """Return an image's command with the SDK's server started by the first of ``SERVER_SCRIPTS``; empty for an
    image that starts something else."""
    for start, words in enumerate(pairwise(command)):
        if words == ("-m", "clarifai.runners.server"):
            return [*command[:start], f"/{next(iter(SERVER_SCRIPTS))}", *command[start + 2 :]]
    return []


def cannot_keep_pat(command: Sequence[str]) -> ModelError:
    """Return the error of a model with a token of its own in an image that does not start the SDK's server."""
    return ModelError(
        "The model is to have a CLARIFAI_PAT of its own, from a secret or from --env, and its runner needs the "
        "replica's: the emulator can give it that where the image starts `python -m clarifai.runners.server`, and "
        f"this one starts `{' '.join(command) or 'nothing'}`.",
        hint="Give the secret another name, and read that in the model; or leave the ENTRYPOINT and CMD of the "
        "Dockerfile to the SDK's.",
    )


def model_path_of(command: Sequence[str]) -> str:
    """Return where an image's own command says that the model is."""
    for word, following in pairwise([*command, ""]):
        if word == "--model_path" and following:
            return following
        if word.startswith("--model_path="):
            return word.partition("=")[2]
    return MODEL_PATH


def archive_of(files: Mapping[str, bytes], *, mode: int = 0o444) -> bytes:
    """A tar of files (paths relative to where it is unpacked), owned by the user that replicas run as."""
    buffer = io.BytesIO()
    uid, gid = map(int, USER.split(":"))
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for folder in sorted({parent for name in files for parent in _parents(name)}):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode, entry.uid, entry.gid = tarfile.DIRTYPE, 0o755, uid, gid
            tar.addfile(entry)
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.uid, entry.gid = len(content), mode, uid, gid
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def secret_files(secrets: Mapping[str, str]) -> dict[str, bytes]:
    """Secrets as the SDK's runner reads them: a folder each, with a file of the same name that sets a variable."""
    prefix = SECRETS_PATH.lstrip("/")
    return {f"{prefix}/{name}/{name}": f"{name}={value}\n".encode() for name, value in secrets.items()}


def _parents(name: str) -> list[str]:
    parts = name.split("/")[:-1]
    # What every image has keeps its owner.
    return ["/".join(parts[:count]) for count in range(2, len(parts) + 1)]
