"""Makes ids that do not come again, for what each request has several of. They are no secrets."""

from __future__ import annotations

import random

# Of its own: what a test seeds is not to make ids come again. It asks the system once, not for each.
_random = random.Random()  # noqa: S311 - no secrets


def unique_id() -> str:
    """Return 32 hexadecimal digits."""
    return f"{_random.getrandbits(128):032x}"
