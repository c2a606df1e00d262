"""Lists every attack, in the order in which they are made."""

from __future__ import annotations

from attack import http1_attacks, http2_attacks, tenancy_attacks
from attack.measured import ATTACKS

# Imported for what they put into the table.
MODULES = (http2_attacks, http1_attacks, tenancy_attacks)

__all__ = ["ATTACKS", "MODULES"]
