"""The command ``doctor`` names the known failures of engines and GPUs, each with its fix."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clarifai_emulator.backends.docker.labels import INSTANCE, new_instance
from clarifai_emulator.cli.engine_checks import (
    gpu_findings,
    leftover_findings,
    snap_findings,
    torch_findings,
)
from clarifai_emulator.machine.accelerators import Accelerator
from engines_and_programs import A10G, engine, program

B200 = Accelerator(0, "GPU-b", "NVIDIA-B200", 1)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only folder on the PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_what_killed_emulators_left_is_listed_with_the_command_that_removes_it() -> None:
    host = new_instance().split("/")[0]
    mine = {INSTANCE: f"{host}/{os.getpid()}/1/aa"}  # of a process that began at another time: it is gone
    others = {INSTANCE: "elsewhere/1/1/aa"}
    api = SimpleNamespace(
        containers=lambda **_: [
            {"Id": f"{number}", "Names": [f"/clarifai-emulator-hello-{number}"], "Labels": labels}
            for number, labels in enumerate([mine, others, *[mine] * 5])
        ],
        networks=lambda **_: [{"Id": "n", "Name": "clarifai-emulator-aa", "Labels": mine}],
    )
    client: Any = SimpleNamespace(api=api)
    (found,) = leftover_findings(client)
    assert (found.name, found.level) == ("docker leftovers", "warn")
    assert found.found.startswith(
        "an emulator that was killed left container clarifai-emulator-hello-0, container "
    )
    assert found.found.endswith(" and 2 more")
    assert "hello-1" not in found.found, "an emulator on another machine counts as alive"
    assert "`clarifai-emulator down --all` removes them" in found.advice
    api.containers = api.networks = lambda **_: []
    assert list(leftover_findings(client)) == []


def test_the_toolkit_is_missing_or_the_engine_does_not_know_it_or_all_is_well(path: Path) -> None:
    (missing,) = gpu_findings(engine(), [A10G])
    assert missing.level == "fail"
    assert "toolkit is not installed" in missing.found
    assert "Install nvidia-container-toolkit" in missing.advice

    program(path, "nvidia-ctk")
    (unknown,) = gpu_findings(engine(), [A10G])
    assert "the engine does not know its runtime" in unknown.found
    assert unknown.advice.startswith("`nvidia-ctk runtime configure --runtime=docker`")

    (well,) = gpu_findings(engine(runtimes=("nvidia", "runc")), [A10G])
    assert (well.level, well.found) == ("ok", "through NVIDIA's container toolkit")


def test_an_engine_with_cdi_only_needs_a_specification(path: Path) -> None:
    (found,) = gpu_findings(engine(kind="podman"), [A10G])
    if found.level == "fail":  # a machine that has one is well
        assert found.advice == "`nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`"
    (listed,) = gpu_findings(engine(cdi=("nvidia.com/gpu=0",)), [A10G])
    assert (listed.level, listed.found) == ("ok", "as CDI devices")


def test_systemds_cgroups_and_a_snap_are_warned_of(path: Path) -> None:
    *_, cgroups = gpu_findings(engine(runtimes=("nvidia",), cgroups="cgroup v2, driver systemd"), [A10G])
    assert "daemon-reload" in cgroups.found
    (snap,) = snap_findings(engine(root="/var/snap/docker/common"))
    assert snap.advice == "`snap remove docker`, then install Docker from its own packages."
    assert list(snap_findings(engine(root="/var/lib/docker"))) == []


def test_a_gpu_newer_than_torch_is_named_with_the_version_that_knows_it() -> None:
    (found,) = torch_findings([B200], "2.6.0+cu124")
    assert found.found == (
        "torch 2.6.0+cu124 has no kernels for NVIDIA-B200: models fail with 'no kernel image is available'"
    )
    assert found.advice == "torch>=2.7.0 in requirements.txt."
    assert list(torch_findings([B200], "2.7.0")) == []
    assert list(torch_findings([A10G], "2.0.0")) == []
