"""Gives each replica in the emulator's own process variables of its own: those the platform sets, its secrets.

    os.environ["CLARIFAI_PAT"] ─► in a thread of a replica, and in what that awaits: the replica's
                               ─► in threads that the model starts for a request: the same (``call_chain_main.py``)
                               ─► in any other thread: the process's

What a model sets is everybody's, but for the variables that are its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any

shown: ContextVar[dict[Any, Any] | None] = ContextVar("variables of a replica in this process", default=None)


class _Variables(dict[Any, Any]):
    """Holds the variables of this process, encoded as ``os.environ`` has them, and shows a replica its own."""

    def __getitem__(self, name: Any) -> Any:
        own = shown.get()
        if own is not None and name in own:
            return own[name]
        return super().__getitem__(name)

    def __setitem__(self, name: Any, value: Any) -> None:
        own = shown.get()
        if own is not None and name in own:
            own[name] = value
        else:
            super().__setitem__(name, value)

    def __delitem__(self, name: Any) -> None:
        own = shown.get()
        if own is not None and name in own:
            del own[name]
        else:
            super().__delitem__(name)

    def __contains__(self, name: object) -> bool:
        return name in (shown.get() or ()) or super().__contains__(name)

    def _shown(self) -> dict[Any, Any]:
        return {**dict(super().items()), **(shown.get() or {})}

    def keys(self) -> Any:
        return self._shown().keys()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._shown())

    def __len__(self) -> int:
        return len(self._shown())

    def __eq__(self, other: object) -> bool:
        return self._shown() == other

    def __ne__(self, other: object) -> bool:
        return self._shown() != other

    __hash__ = None  # pyright: ignore[reportAssignmentType]


def enter(variables: Mapping[str, str]) -> None:
    """Show the code that runs in this thread from now on these variables beside those of the process."""
    environ: Any = os.environ
    if not isinstance(environ._data, _Variables):
        variables_of_all = _Variables(environ._data)
        for each in (environ, getattr(os, "environb", None)):  # they are one
            if each is not None:
                setattr(each, "_data", variables_of_all)  # noqa: B010 - what stands for the environment in this process
    shown.set({environ.encodekey(name): environ.encodevalue(value) for name, value in variables.items()})
