"""Explains what an engine refuses, in words that say what to do."""

from __future__ import annotations

import re

from clarifai_emulator.backends.docker.container import ContainerPlan
from clarifai_emulator.backends.docker.engine import Engine
from clarifai_emulator.errors import ModelError

# What engines say → (what it means, what to do). The first that matches wins.
_KNOWN = (
    (
        r'could not select device driver "cdi"|CDI .*(?:not enabled|disabled)|unresolvable CDI devices',
        "the engine knows no CDI device for the accelerators of this machine",
        "Write the specification with `nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`; Docker also needs "
        '"features": {"cdi": true} in /etc/docker/daemon.json and a restart.',
    ),
    (
        r'could not select device driver ""',
        "the engine has no driver for GPUs",
        "Install NVIDIA's container toolkit, run `nvidia-ctk runtime configure --runtime=docker`, restart Docker. "
        "Docker from a snap cannot see the toolkit: install Docker from its packages.",
    ),
    (
        r"libnvidia-ml\.so|nvidia-container-cli.*(?:driver|nvml)|Auto-detected mode as 'legacy'",
        "the toolkit does not find the NVIDIA driver",
        "Install the driver of this machine (`nvidia-smi` must work), then start again.",
    ),
    (
        r"nvidia-container-cli.*(?:device|unknown)|unknown device",
        "the driver does not know this accelerator",
        "Compare `nvidia-smi -L` with `clarifai-emulator doctor`; MIG slices that are made anew have other ids.",
    ),
    (
        r"container-init binary not found",
        "Podman has no program that can be a container's init",
        "Install `catatonit` (a package of that name), then start again.",
    ),
    (
        r"no space left on device",
        "the engine's disk is full",
        "`docker system df` shows what fills it; `docker image prune` makes room.",
    ),
    (
        r"[Nn]o such image",
        "its image was removed",
        "Deploy the model again; unchanged layers are not built again.",
    ),
    (
        r"[Nn]o command specified",
        "its image says nothing about what to run",
        'End the Dockerfile with `CMD ["python", "-m", "clarifai.runners.server", "--model_path", '
        '"/home/nonroot/main"]`, the path being that of the model in the image.',
    ),
    (
        r"executable file not found|exec python failed|no such file or directory.*python",
        "the image has no `python` on its PATH",
        "In a Dockerfile of your own, install Python 3 and the requirements, and let `python` be found.",
    ),
    (
        r"Connection(?:Error|Refused| aborted| reset)|No such file or directory|Read timed out|Broken pipe|"
        r"RemoteDisconnected|FileNotFoundError",
        "the engine does not answer",
        "Start Docker again; the replica is tried again by itself.",
    ),
    (
        r"(?:all predefined address pools|could not find an available).*",
        "the engine has no address range left for a network",
        "`docker network prune` removes networks that nothing uses.",
    ),
)


def explained(error: Exception, engine: Engine, plan: ContainerPlan) -> ModelError:
    """An engine's refusal as an error for the model's owner."""
    if isinstance(error, ModelError):
        return error
    said = " ".join(str(getattr(error, "explanation", "") or error).split())
    for pattern, meaning, advice in _KNOWN:
        if re.search(pattern, f"{type(error).__name__} {said}"):
            wanted = f" with {', '.join(plan.accelerators)}" if plan.accelerators else ""
            return ModelError(
                f"The container of {plan.model}{wanted} cannot be started: {meaning}.", hint=advice, log=said
            )
    return ModelError(f"The container of {plan.model} cannot be started by {engine.kind}: {said}")
