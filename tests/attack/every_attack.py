"""Lists every attack, in the order in which they are made."""

from __future__ import annotations

from attack import (
    disk_attacks,
    http1_attacks,
    http2_attacks,
    model_attacks,
    process_attacks,
    soak_attack,
    tenancy_attacks,
)
from attack.measured import ATTACKS

# Imported for what they put into the table.
MODULES = (http2_attacks, http1_attacks, tenancy_attacks, disk_attacks, process_attacks, model_attacks, soak_attack)

__all__ = ["ATTACKS", "MODULES"]
