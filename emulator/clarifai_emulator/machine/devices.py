"""Names the accelerators that one replica may use, and tells its process which they are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Devices:
    """Names the accelerators of one replica. ``ids``: as their driver names them. ``nodes``: the files under
    /dev that belong to them where the driver needs no more than these (AMD). ``simulated``: they exist in name
    only."""

    ids: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    simulated: bool = False

    @property
    def environ(self) -> dict[str, str]:
        """Return the variables that show a process its own accelerators, and hide all others."""
        listed = ",".join(self.ids)
        if self.nodes:
            return {"ROCR_VISIBLE_DEVICES": listed, "CUDA_VISIBLE_DEVICES": ""}
        return {"CUDA_VISIBLE_DEVICES": listed}


NO_DEVICES = Devices()
