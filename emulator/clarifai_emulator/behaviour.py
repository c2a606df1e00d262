"""Names the choices that whoever starts an emulator has where the platform's way is unknown, or in a test's way.

Each has a row in docs/fidelity.md, which says what is known of the platform.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Literal, get_args, get_type_hints


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """Holds what was chosen; the first value of each choice is the default.

    ``latest_version``: when a deployment that follows the newest version moves to it: once a replica of it serves,
    or at once, so that callers wait or are answered 21351 meanwhile, as on the platform. ``apps``: refuse an app
    that is named and not there, or make it. ``secret_values``: whether a secret's value is shown to its owner.
    """

    latest_version: Literal["when-ready", "at-once"] = "when-ready"
    apps: Literal["explicit", "on-mention"] = "explicit"
    secret_values: Literal["shown", "hidden"] = "shown"

    @classmethod
    def of(cls, choices: Iterable[str]) -> Behaviour:
        """Return what ``NAME=VALUE`` texts choose, the later of two. Raises ``ValueError`` that says what is wrong
        with one."""
        chosen: dict[str, str] = {}
        known = {name.replace("_", "-"): values for name, values in _values().items()}
        for choice in choices:
            name, _, value = choice.partition("=")
            if name not in known:
                raise ValueError(f"There is no behaviour {name!r} to choose; there are {', '.join(known)}.")
            if value not in known[name]:
                raise ValueError(f"{name} is one of {', '.join(known[name])}, got {value!r}.")
            chosen[name.replace("-", "_")] = value
        return cls(**chosen)  # pyright: ignore[reportArgumentType] - looked at above

    def problems(self) -> Iterable[str]:
        """Yield a sentence for each value that is none."""
        for name, values in _values().items():
            if getattr(self, name) not in values:
                yield f"behaviour {name} must be one of {', '.join(values)}, got {getattr(self, name)!r}"


def _values() -> dict[str, tuple[str, ...]]:
    hints = get_type_hints(Behaviour)
    return {field.name: get_args(hints[field.name]) for field in fields(Behaviour)}
