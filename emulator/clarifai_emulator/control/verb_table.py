"""Lists the verbs: the one table of which both doors are made."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from clarifai_emulator.control.codec import Codec
from clarifai_emulator.control.verbs import Verbs

_PROGRESS = "progress"


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb. ``is_for_accounts``: whoever has the credential of one account may use it, for that account."""

    call: Callable[..., Any]
    is_for_accounts: bool = True

    @property
    def name(self) -> str:
        """The verb's name, ``deploy``."""
        return self.call.__name__

    @property
    def tells_progress(self) -> bool:
        """Tell whether the verb says what it is doing while it does it."""
        return _PROGRESS in inspect.signature(self.call).parameters

    def bound(self, args: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments by name. Raises ``TypeError`` for what the verb does not take."""
        try:
            given = inspect.signature(self.call).bind(None, *args, **named).arguments
        except TypeError as error:
            raise TypeError(f"{self.name}: {error}") from None
        return {name: value for name, value in given.items() if name != "self"}

    def annotations(self) -> list[Any]:
        """Return the types of its arguments and of its result."""
        return list(typing.get_type_hints(self.call).values())


VERBS: dict[str, Verb] = {
    verb.name: verb
    for verb in (
        Verb(Verbs.add_fault),
        Verb(Verbs.apply),
        Verb(Verbs.calls),
        Verb(Verbs.cassette_problems),
        Verb(Verbs.checkpoint),
        Verb(Verbs.clear_faults),
        Verb(Verbs.config),
        Verb(Verbs.deploy),
        Verb(Verbs.dev, is_for_accounts=False),
        Verb(Verbs.drop_fault),
        Verb(Verbs.eject),
        Verb(Verbs.events),
        Verb(Verbs.fault),
        Verb(Verbs.faults),
        Verb(Verbs.insert),
        Verb(Verbs.log_lines),
        Verb(Verbs.look),
        Verb(Verbs.models),
        Verb(Verbs.reload, is_for_accounts=False),
        Verb(Verbs.reload_topology, is_for_accounts=False),
        Verb(Verbs.remove_faults),
        Verb(Verbs.require_own),
        Verb(Verbs.reset),
        Verb(Verbs.restore),
        Verb(Verbs.route),
        Verb(Verbs.run),
        Verb(Verbs.status),
        Verb(Verbs.record_of_test),
        Verb(Verbs.undeploy),
        Verb(Verbs.unknown_names),
    )
}


def verb_named(name: str) -> Verb:
    """Return the verb with this name. Raises ``TypeError`` when there is none."""
    verb = VERBS.get(name)
    if verb is None:
        raise TypeError(f"There is no verb {name!r}.")
    return verb


@functools.cache
def codec(*further: Any) -> Codec:
    """Return the codec of all verbs, and of ``further`` types that functions for ``Verbs.run`` give; every door of
    a process shares it."""
    return Codec([*(each for verb in VERBS.values() for each in verb.annotations()), *further])
