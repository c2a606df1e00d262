"""Names the accelerators that one replica may use, and tells its process which they are."""

from __future__ import annotations

from dataclasses import dataclass

_SLICE = "MIG-"
# Simulated ones have numbers from here on, which no machine has: a real device is never meant.
_NO_DEVICE = 1000


@dataclass(frozen=True, slots=True)
class Devices:
    """Names the accelerators of one replica. ``ids``: as their driver names them. ``indexes``: their numbers in the
    order of the PCI bus, which is NVML's. ``nodes``: the files under /dev that belong to them where the driver
    needs no more than these (AMD). ``simulated``: they exist in name only."""

    ids: tuple[str, ...] = ()
    indexes: tuple[int, ...] = ()
    nodes: tuple[str, ...] = ()
    simulated: bool = False

    @property
    def environ(self) -> dict[str, str]:
        """Return the variables that show a process its own accelerators, and hide all others.

        Numbers, since vLLM and others read nothing else (vllm-project/vllm#32569); a slice of a GPU has none, and
        CUDA takes no list of both."""
        listed = ",".join(self.ids)
        if self.nodes:
            return {"ROCR_VISIBLE_DEVICES": listed, "CUDA_VISIBLE_DEVICES": ""}
        if not self.indexes or any(each.startswith(_SLICE) for each in self.ids):
            return {"CUDA_VISIBLE_DEVICES": listed}
        first = _NO_DEVICE if self.simulated else 0
        numbers = ",".join(str(first + index) for index in self.indexes)
        return {"CUDA_VISIBLE_DEVICES": numbers, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


NO_DEVICES = Devices()
