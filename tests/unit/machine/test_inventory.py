"""Accelerators from wherever they are listed: NVML with its slices, the kernel for AMD, or made up."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clarifai_emulator.errors import ConfigError, NoRoom
from clarifai_emulator.machine.accelerators import Accelerator, AcceleratorPool, Discovery
from clarifai_emulator.machine.amd import discover_amd
from clarifai_emulator.machine.devices import Devices
from clarifai_emulator.machine.inventory import simulated, take_inventory
from clarifai_emulator.machine.nvml import NoLibrary, discover_nvml

GIB = 1024**3


class NVMLError(Exception):
    pass


class Nvml:
    """The package's functions that are used, over GPUs given as (name, memory, slices or None)."""

    NVMLError = NVMLError

    def __init__(self, *gpus: tuple[str, int, list[int] | None], broken: str = "") -> None:
        self._gpus, self._broken, self.open = gpus, broken, 0

    def nvmlInit(self) -> None:
        if self._broken:
            raise NVMLError(self._broken)
        self.open += 1

    def nvmlShutdown(self) -> None:
        self.open -= 1

    def nvmlDeviceGetCount(self) -> int:
        return len(self._gpus)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> tuple[int, int]:
        return (index, -1)

    def nvmlDeviceGetName(self, handle: tuple[int, int]) -> bytes:
        index, part = handle
        name = self._gpus[index][0]
        return (name if part < 0 else f"{name} MIG 1g.{self._slice(handle) // GIB}gb").encode()

    def nvmlDeviceGetUUID(self, handle: tuple[int, int]) -> str:
        index, part = handle
        return f"GPU-{index}" if part < 0 else f"MIG-{index}-{part}"

    def nvmlDeviceGetMigMode(self, handle: tuple[int, int]) -> tuple[int, int]:
        slices = self._gpus[handle[0]][2]
        if slices is None:
            raise NVMLError("Not Supported")
        return (1, 1)

    def nvmlDeviceGetMaxMigDeviceCount(self, handle: tuple[int, int]) -> int:
        return 7

    def nvmlDeviceGetMigDeviceHandleByIndex(self, handle: tuple[int, int], number: int) -> tuple[int, int]:
        if number >= len(self._gpus[handle[0]][2] or ()):
            raise NVMLError("Not Found")
        return (handle[0], number)

    def nvmlDeviceGetMemoryInfo(self, handle: tuple[int, int]) -> Any:
        return SimpleNamespace(total=self._gpus[handle[0]][1] if handle[1] < 0 else self._slice(handle))

    def _slice(self, handle: tuple[int, int]) -> int:
        return (self._gpus[handle[0]][2] or [])[handle[1]]


def test_whole_gpus_and_slices_are_each_an_accelerator() -> None:
    nvml = Nvml(("NVIDIA A10G", 24 * GIB, None), ("NVIDIA H100 80GB HBM3", 80 * GIB, [10 * GIB, 20 * GIB]))
    assert discover_nvml(nvml).accelerators == (
        Accelerator(0, "GPU-0", "NVIDIA-A10G", 24 * GIB),
        Accelerator(1, "MIG-1-0", "NVIDIA-H100-MIG-1g.10gb", 10 * GIB),
        Accelerator(1, "MIG-1-1", "NVIDIA-H100-MIG-1g.20gb", 20 * GIB),
    )
    assert nvml.open == 0


def test_a_gpu_that_is_to_be_sliced_and_is_not_is_no_accelerator() -> None:
    found = discover_nvml(Nvml(("NVIDIA H100", 80 * GIB, [])))
    assert found == Discovery((), "MIG is on, and no slice was made (`nvidia-smi mig -cgi`)")


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ("Driver/library version mismatch", "restart the machine"),
        ("Unknown Error", "systemctl daemon-reload"),
        ("Driver Not Loaded", "modprobe nvidia"),
    ],
)
def test_a_driver_that_does_not_answer_is_said_with_its_cause(error: str, advice: str) -> None:
    found = discover_nvml(Nvml(broken=error))
    assert found.accelerators == ()
    assert found.reason.startswith(f"the NVIDIA driver does not answer ({error})")
    assert advice in found.reason


def test_a_slice_is_no_whole_gpu_but_fits_a_wildcard() -> None:
    found = discover_nvml(Nvml(("NVIDIA H100", 80 * GIB, [10 * GIB])))
    pool = AcceleratorPool(found.accelerators)
    with pytest.raises(NoRoom):
        pool.allocate(1, ["NVIDIA-H100"], holder="a")
    assert [each.uuid for each in pool.allocate(1, ["NVIDIA-*"], holder="a")] == ["MIG-0-0"]


def card(root: Path, number: int, vendor: str = "0x1002", product: str = "AMD Instinct MI300X OAM") -> None:
    device = root / f"sys/class/drm/card{number}/device"
    (device / f"drm/renderD{128 + number}").mkdir(parents=True)
    (device / "vendor").write_text(vendor + "\n")
    (device / "product_name").write_text(product + "\n")
    (device / "mem_info_vram_total").write_text(str(192 * GIB))


def test_amd_gpus_are_read_from_the_kernel_with_their_device_nodes(tmp_path: Path) -> None:
    card(tmp_path, 0, vendor="0x10de")
    card(tmp_path, 1)
    card(tmp_path, 2, product="")
    assert "amdgpu" in discover_amd(tmp_path).reason
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/kfd").touch()
    assert discover_amd(tmp_path).accelerators == (
        Accelerator(0, "0", "AMD-MI300X", 192 * GIB, ("/dev/kfd", "/dev/dri/renderD129")),
        Accelerator(1, "1", "AMD-GPU", 192 * GIB, ("/dev/kfd", "/dev/dri/renderD130")),
    )


def test_an_amd_process_is_told_its_devices_in_rocms_words() -> None:
    assert Devices(("1",), (1,), ("/dev/kfd",)).environ == {"ROCR_VISIBLE_DEVICES": "1", "CUDA_VISIBLE_DEVICES": ""}
    nvidia = Devices(("GPU-a", "GPU-b"), (1, 3))
    assert nvidia.environ == {"CUDA_VISIBLE_DEVICES": "1,3", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    slices = Devices(("GPU-a", "MIG-b"), (1, 3))
    assert slices.environ == {"CUDA_VISIBLE_DEVICES": "GPU-a,MIG-b"}, "CUDA takes no list of numbers and UUIDs"


def test_simulated_accelerators_have_numbers_that_no_real_one_has() -> None:
    pool = AcceleratorPool(simulated("simulated:2xNVIDIA-A10G").accelerators)
    variables = pool.devices(["GPU-simulated-1"]).environ
    assert variables == {"CUDA_VISIBLE_DEVICES": "1001", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


def without_library() -> Discovery:
    raise NoLibrary


def test_without_nvml_nvidia_smi_is_asked_and_then_the_kernel(tmp_path: Path) -> None:
    def take(output: str, amd: Discovery) -> Discovery:
        return take_inventory(nvml=without_library, run=lambda command: output, amd=lambda: amd)

    none = Discovery((), "no AMD GPU")
    assert take("0, GPU-a, NVIDIA A10G, 23028\n", none).accelerators[0].uuid == "GPU-a"
    assert take("", none).reason == "nvidia-smi lists no GPU"
    mi300 = Discovery((Accelerator(0, "0", "AMD-MI300X", 192 * GIB),))
    assert take("", mi300) == mi300


def test_simulated_accelerators_are_as_many_as_large_and_named_as_was_said() -> None:
    found = simulated("simulated:2xNVIDIA-A10G,MINE:16Gi").accelerators
    assert [(each.uuid, each.name, each.simulated) for each in found] == [
        ("GPU-simulated-0", "NVIDIA-A10G", True),
        ("GPU-simulated-1", "NVIDIA-A10G", True),
        ("GPU-simulated-2", "MINE", True),
    ]
    assert [each.memory for each in found] == [23028 * 1024**2, 23028 * 1024**2, 16 * GIB]
    assert str(found[0]).endswith("simulated)")


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("2xNVIDIA-A10G", "accelerators must begin with 'simulated:', got '2xNVIDIA-A10G'"),
        ("simulated:two", "the memory of 'two' is not known"),
        ("simulated:2x", "'2x' is no COUNTxNAME or COUNTxNAME:MEMORY"),
        ("simulated:0xNVIDIA-T4", "there may be 1 to 64 simulated accelerators, got 0"),
    ],
)
def test_a_wrong_description_is_refused_with_an_example(spec: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        simulated(spec)
    assert problem in str(caught.value)
    assert "Example: simulated:2xNVIDIA-A10G" in str(caught.value)


def test_an_accelerator_is_shared_only_among_those_that_share() -> None:
    pool = AcceleratorPool([Accelerator(0, "GPU-a", "NVIDIA-T4", GIB)])
    for holder in ("one", "two"):
        assert pool.allocate(1, holder=holder, shared=True)[0].uuid == "GPU-a"
    assert pool.holders == {"GPU-a": "one, two"}
    with pytest.raises(NoRoom, match="used by one, two"):
        pool.allocate(1, holder="alone")
    pool.release(["GPU-a"])
    assert pool.free == ()
    pool.release(["GPU-a"])
    assert pool.allocate(1, holder="alone")
    with pytest.raises(NoRoom):
        pool.allocate(1, holder="late", shared=True)
