"""The inventory says which accelerators and how much of everything else this machine has; a pool, who gets them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import ComputeInfo

from clarifai_emulator.errors import NoRoom
from clarifai_emulator.machine.accelerators import (
    NVIDIA_SMI,
    Accelerator,
    AcceleratorPool,
    discover,
    platform_name,
)
from clarifai_emulator.machine.machine import Machine, measure_machine

GIB = 1024**3
A10G_0 = Accelerator(0, "GPU-a", "NVIDIA-A10G", 23028 * 1024**2)
A10G_1 = Accelerator(1, "GPU-b", "NVIDIA-A10G", 23028 * 1024**2)
H100 = Accelerator(2, "GPU-c", "NVIDIA-H100", 80 * GIB)

TWO_GPUS = """\
0, GPU-a, NVIDIA A10G, 23028
1, GPU-b, NVIDIA A10G, 23028
"""


def answering(output: str | BaseException) -> Callable[[Sequence[str]], str]:
    def run(command: Sequence[str]) -> str:
        assert command == NVIDIA_SMI
        if isinstance(output, BaseException):
            raise output
        return output

    return run


class TestDiscovery:
    def test_reads_what_nvidia_smi_lists(self) -> None:
        found = discover(run=answering(TWO_GPUS))
        assert found.accelerators == (A10G_0, A10G_1)
        assert found.reason == ""

    def test_takes_memory_that_is_not_said_as_unknown(self) -> None:
        (only,) = discover(run=answering("0, GPU-a, NVIDIA GB10, [N/A]\n")).accelerators
        assert only.memory == 0
        assert str(only) == "#0 NVIDIA-GB10 (memory unknown)"

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            (FileNotFoundError(), "there is no nvidia-smi on the PATH"),
            (PermissionError("denied"), "nvidia-smi cannot be run: denied"),
            (subprocess.TimeoutExpired(NVIDIA_SMI, 15), "nvidia-smi did not answer within 15 s"),
            (
                subprocess.CalledProcessError(9, NVIDIA_SMI, "couldn't communicate\nwith the driver", ""),
                "nvidia-smi failed with exit status 9: couldn't communicate with the driver",
            ),
            ("No devices were found\n", "nvidia-smi answered 'No devices were found'"),
            ("", "nvidia-smi lists no GPU"),
        ],
    )
    def test_finds_none_and_says_why(self, answer: str | BaseException, reason: str) -> None:
        found = discover(run=answering(answer))
        assert found.accelerators == ()
        assert found.reason == reason

    @pytest.mark.parametrize(
        ("visible", "indexes"),
        [(None, [0, 1]), ("0,1", [0, 1]), ("1", [1]), ("GPU-b", [1]), ("1,-1,0", [1]), ("GPU-b,7", [1])],
    )
    def test_leaves_alone_what_the_user_hid(self, visible: str | None, indexes: list[int]) -> None:
        found = discover(run=answering(TWO_GPUS), visible=visible)
        assert [each.index for each in found.accelerators] == indexes

    @pytest.mark.parametrize("visible", ["", "-1"])
    def test_says_when_the_user_hid_all(self, visible: str) -> None:
        found = discover(run=answering(TWO_GPUS), visible=visible)
        assert found.reason == f"CUDA_VISIBLE_DEVICES='{visible}' hides every GPU"

    @pytest.mark.parametrize(
        ("driver_name", "name"),
        [
            ("NVIDIA A10G", "NVIDIA-A10G"),
            ("Tesla T4", "NVIDIA-T4"),
            ("NVIDIA A100-SXM4-80GB", "NVIDIA-A100"),
            ("NVIDIA A100 80GB PCIe", "NVIDIA-A100"),
            ("NVIDIA H100 80GB HBM3", "NVIDIA-H100"),
            ("NVIDIA H200", "NVIDIA-H200"),
            ("NVIDIA GH200 480GB", "NVIDIA-GH200"),
            ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "NVIDIA-RTX-PRO-6000"),
            ("NVIDIA GeForce RTX 4090", "NVIDIA-GeForce-RTX-4090"),
        ],
    )
    def test_names_them_as_the_platform_does(self, driver_name: str, name: str) -> None:
        assert platform_name(driver_name) == name


class TestPool:
    @pytest.fixture
    def pool(self) -> AcceleratorPool:
        return AcceleratorPool([A10G_0, A10G_1, H100])

    def test_gives_the_smallest_that_fits(self, pool: AcceleratorPool) -> None:
        assert pool.allocate(1, holder="a") == (A10G_0,)
        assert pool.allocate(1, memory=40 * GIB, holder="b") == (H100,)
        assert pool.free == (A10G_1,)
        assert pool.holders == {"GPU-a": "a", "GPU-c": "b"}

    @pytest.mark.parametrize(
        ("types", "given"),
        [
            ([], A10G_0),
            (["NVIDIA-*"], A10G_0),
            (["[NVIDIA*]"], A10G_0),
            (["nvidia-h100"], H100),
            (["NVIDIA-L4", "NVIDIA-H100"], H100),
        ],
    )
    def test_takes_types_as_alternatives_and_wildcards(
        self, pool: AcceleratorPool, types: list[str], given: Accelerator
    ) -> None:
        assert pool.allocate(1, types, holder="a") == (given,)

    def test_reads_what_a_model_asks_for_and_answers_with_uuids(self, pool: AcceleratorPool) -> None:
        required = ComputeInfo(num_accelerators=1, accelerator_type=["NVIDIA-*"], accelerator_memory="40Gi")
        assert pool.allocate_for(required, holder="a") == ("GPU-c",)
        assert pool.allocate_for(ComputeInfo(cpu_limit="1"), holder="b") == ()
        with pytest.raises(NoRoom, match="1 accelerator of type NVIDIA-\\* with 40Gi wanted"):
            pool.allocate_for(required, holder="c")

    def test_none_asked_is_none_given(self, pool: AcceleratorPool) -> None:
        assert pool.allocate(0, holder="a") == ()

    def test_gives_what_was_released_again(self, pool: AcceleratorPool) -> None:
        taken = pool.allocate(3, holder="a")
        pool.release(["GPU-a", "GPU-b", "GPU-c"])
        pool.release(["GPU-a"])
        assert pool.allocate(3, holder="b") == taken

    def test_says_who_uses_what_when_there_are_not_enough(self, pool: AcceleratorPool) -> None:
        pool.allocate(1, holder="deployment d1, replica 0")
        with pytest.raises(NoRoom) as caught:
            pool.allocate(2, ["NVIDIA-A10G"], 16 * GIB, holder="d2")
        assert str(caught.value).splitlines() == [
            "2 accelerators of type NVIDIA-A10G with 16Gi each wanted. This machine has:",
            "  - #0 NVIDIA-A10G (22.49Gi), used by deployment d1, replica 0",
            "  - #1 NVIDIA-A10G (22.49Gi), free",
            "  - #2 NVIDIA-H100 (80Gi), free, does not fit",
            "`clarifai-emulator undeploy MODEL` frees what a model holds.",
        ]
        assert not caught.value.for_good, "it would fit once d1 ends"
        assert pool.free == (A10G_1, H100), "a refusal takes nothing"

    def test_says_when_waiting_cannot_help(self, pool: AcceleratorPool) -> None:
        with pytest.raises(NoRoom, match="1 accelerator of type AMD-\\* wanted") as caught:
            pool.allocate(1, ["AMD-*"], holder="d")
        assert caught.value.for_good

    def test_says_why_the_machine_has_none(self) -> None:
        pool = AcceleratorPool([], reason="there is no nvidia-smi on the PATH")
        with pytest.raises(NoRoom) as caught:
            pool.allocate(1, ["NVIDIA-*"], holder="d")
        assert str(caught.value) == (
            "1 accelerator of type NVIDIA-* wanted, but this machine has none: there is no nvidia-smi on the PATH."
        )

    def test_unknown_memory_fits_no_demand_for_memory(self) -> None:
        pool = AcceleratorPool([Accelerator(0, "GPU-a", "NVIDIA-GB10", 0)])
        with pytest.raises(NoRoom, match=r"memory unknown\), free, does not fit"):
            pool.allocate(1, memory=GIB, holder="d")


class TestMachine:
    def measure(self, root: Path, files: dict[str, str]) -> Machine:
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        return measure_machine(root=root, usable_cpus=8, physical_memory=32 * GIB)

    def test_without_cgroups_is_what_is_built_in(self, tmp_path: Path) -> None:
        assert self.measure(tmp_path, {}) == Machine(8.0, 32 * GIB)

    def test_is_cut_down_by_cgroups_of_version_2_at_any_level(self, tmp_path: Path) -> None:
        machine = self.measure(
            tmp_path,
            {
                "proc/self/cgroup": "0::/user/job\n",
                "sys/fs/cgroup/user/cpu.max": "150000 100000\n",
                "sys/fs/cgroup/user/job/cpu.max": "max 100000\n",
                "sys/fs/cgroup/user/job/memory.max": f"{4 * GIB}\n",
            },
        )
        assert machine == Machine(1.5, 4 * GIB)

    def test_is_cut_down_by_cgroups_of_version_1(self, tmp_path: Path) -> None:
        machine = self.measure(
            tmp_path,
            {
                "proc/self/cgroup": "4:memory:/host/path\n3:cpu,cpuacct:/\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "200000",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": str(2 * GIB),
            },
        )
        assert machine == Machine(2.0, 2 * GIB)

    def test_of_this_test_is_real(self) -> None:
        machine = measure_machine()
        assert machine.cpus > 0
        assert machine.memory > 100 * 1024**2
