"""Makes handlers when they are first asked for: each family imports what it alone needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from clarifai_emulator.api.call import Handler

MakeFamily = Callable[[], Mapping[str, Handler]]


class HandlerFamilies(Mapping[str, Handler]):
    """The handlers by the name of their RPC. ``families``: the names of each family's RPCs, and what makes its
    handlers. A later family takes the place of earlier ones that have the same name."""

    def __init__(self, families: Iterable[tuple[Iterable[str], MakeFamily]]) -> None:
        self._family_of = {name: make for names, make in families for name in names}
        self._made: dict[str, Handler] = {}

    def __getitem__(self, name: str) -> Handler:
        handler = self._made.get(name)
        if handler is None:
            make = self._family_of[name]
            mine = {each for each, of in self._family_of.items() if of is make}
            made = make()
            if not mine <= made.keys():
                raise TypeError(f"A family of handlers lacks {', '.join(sorted(mine - made.keys()))}.")
            self._made.update((each, made[each]) for each in mine)
            handler = made[name]
        return handler

    def __contains__(self, name: object) -> bool:
        return name in self._family_of

    def __iter__(self) -> Iterator[str]:
        return iter(self._family_of)

    def __len__(self) -> int:
        return len(self._family_of)
