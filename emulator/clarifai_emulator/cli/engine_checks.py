"""Runs the checks of ``doctor`` that concern containers and their GPUs: what was found, and what mends it."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from clarifai_emulator.backends.docker.container import uses_cdi
from clarifai_emulator.backends.docker.engine import Engine, NoEngine, connect
from clarifai_emulator.backends.docker.leftovers import left_behind
from clarifai_emulator.machine.accelerators import Accelerator

if TYPE_CHECKING:
    from docker import DockerClient

_LISTED = 5
_TOOLKIT = "nvidia-container-runtime-hook"
# The compute capability of an architecture → the first torch that has kernels for it.
_FIRST_TORCH = {(9, 0): (2, 0, 1), (10, 0): (2, 7, 0), (12, 0): (2, 7, 0)}
_ARCHITECTURES = {"H100": (9, 0), "H200": (9, 0), "GH200": (9, 0), "B200": (10, 0), "RTX-PRO-6000": (12, 0)}


@dataclass(frozen=True, slots=True)
class EngineFinding:
    """The result of one check: ``level`` ok, warn or fail; ``advice`` what to do."""

    name: str
    level: Literal["ok", "warn", "fail"]
    found: str
    advice: str = ""


def engine_findings(accelerators: Sequence[Accelerator], environ: Mapping[str, str]) -> Iterator[EngineFinding]:
    """Check which engine there is, and whether GPUs of this machine reach its containers."""
    try:
        client, engine = connect(environ=environ)
    except NoEngine as error:
        first, *rest = str(error).splitlines()
        tried = "; ".join(line.strip(" -") for line in rest[:-1])
        yield EngineFinding(
            "docker", "ok", f"{first.removesuffix(' Looked at:')} ({tried})", "Needed for --backend docker only."
        )
        return
    with contextlib.closing(client):
        leftovers = list(leftover_findings(client))
    yield EngineFinding("docker", "ok", f"{engine}, {engine.cgroups}")
    yield from leftovers
    yield from snap_findings(engine)
    if any(not each.simulated for each in accelerators):
        yield from gpu_findings(engine, accelerators)


def leftover_findings(client: DockerClient) -> Iterator[EngineFinding]:
    """Report what killed emulators left on the engine."""
    try:
        found = left_behind(client)
    except Exception as error:  # an engine that is going away
        yield EngineFinding("docker leftovers", "warn", f"the engine cannot be asked: {error}")
        return
    if found:
        more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
        yield EngineFinding(
            "docker leftovers",
            "warn",
            f"an emulator that was killed left {', '.join(found[:_LISTED])}{more}",
            "`clarifai-emulator down --all` removes them; so does the next emulator that uses containers.",
        )


def snap_findings(engine: Engine) -> Iterator[EngineFinding]:
    """Report a Docker from a snap, which sees neither most folders nor NVIDIA's toolkit."""
    if engine.root.startswith("/var/snap/") or (shutil.which("docker") or "").startswith("/snap/"):
        yield EngineFinding(
            "docker snap",
            "warn",
            "Docker is installed from a snap: it cannot use NVIDIA's toolkit of this machine",
            "`snap remove docker`, then install Docker from its own packages.",
        )


def gpu_findings(engine: Engine, accelerators: Sequence[Accelerator]) -> Iterator[EngineFinding]:
    """Check whether the engine can pass this machine's GPUs through."""
    if any(each.nodes for each in accelerators):
        missing = [node for each in accelerators for node in each.nodes if not Path(node).exists()]
        found = f"device nodes are missing: {', '.join(missing)}" if missing else "by their device nodes"
        yield EngineFinding("docker gpus", "fail" if missing else "ok", found)
        return
    if uses_cdi(engine):
        yield _cdi(engine)
        return
    if "nvidia" in engine.runtimes or shutil.which(_TOOLKIT):
        yield EngineFinding("docker gpus", "ok", "through NVIDIA's container toolkit")
    elif shutil.which("nvidia-ctk"):
        yield EngineFinding(
            "docker gpus",
            "fail",
            "NVIDIA's container toolkit is installed, but the engine does not know its runtime",
            "`nvidia-ctk runtime configure --runtime=docker`, then restart Docker.",
        )
    else:
        yield EngineFinding(
            "docker gpus",
            "fail",
            "NVIDIA's container toolkit is not installed: containers get no GPU of this machine",
            "Install nvidia-container-toolkit, `nvidia-ctk runtime configure --runtime=docker`, restart Docker.",
        )
    if "systemd" in engine.cgroups:
        yield EngineFinding(
            "docker cgroups",
            "warn",
            "the engine's cgroups are systemd's: `systemctl daemon-reload` takes GPUs away from running containers",
            'Use CDI, or "exec-opts": ["native.cgroupdriver=cgroupfs"] in /etc/docker/daemon.json.',
        )


def _cdi(engine: Engine) -> EngineFinding:
    listed = any(name.startswith("nvidia.com/gpu=") for name in engine.cdi)
    written = any(list(Path(folder).glob("nvidia*")) for folder in ("/etc/cdi", "/var/run/cdi"))
    if listed or written:
        return EngineFinding("docker gpus", "ok", "as CDI devices")
    return EngineFinding(
        "docker gpus",
        "fail",
        f"{engine.kind} passes GPUs through as CDI devices, and there is no specification of them",
        "`nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`",
    )


def torch_findings(accelerators: Sequence[Accelerator], torch: str) -> Iterator[EngineFinding]:
    """Report GPUs that are newer than a version of torch ("no kernel image is available for execution")."""
    have = tuple(int(part) for part in re.findall(r"\d+", torch)[:3])
    for each in accelerators:
        name = each.name.removeprefix("NVIDIA-").partition("-MIG-")[0]
        needed = _FIRST_TORCH.get(_ARCHITECTURES.get(name, (0, 0)))
        if needed and have and have < needed:
            first = ".".join(map(str, needed))
            yield EngineFinding(
                "torch",
                "warn",
                f"torch {torch} has no kernels for {each.name}: models fail with 'no kernel image is available'",
                f"torch>={first} in requirements.txt.",
            )
            return


def driver_findings() -> Iterator[EngineFinding]:
    """Report a GPU in the machine without a driver that answers."""
    lspci = shutil.which("lspci")
    if lspci is None or shutil.which("nvidia-smi"):
        return
    listed = subprocess.run([lspci], capture_output=True, text=True, check=False).stdout
    cards = [line for line in listed.splitlines() if "NVIDIA" in line and re.search(r"VGA|3D|Display", line)]
    if cards:
        yield EngineFinding(
            "driver",
            "warn",
            f"{cards[0].partition(': ')[2]} is in this machine, and its driver is not installed",
            "Install NVIDIA's driver; `nvidia-smi` must work.",
        )
