"""Finds requests that wait for each other, so that none of them can ever go on: pure, no clock, no state.

a request that has a slot ── needs all ──► its open inner requests
a request that waits      ── takes one ──► a slot, held by one of these requests
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

Request = TypeVar("Request", bound=Hashable)


@dataclass(frozen=True)
class Waits(Generic[Request]):
    """Says who waits for whom. ``needs``: of each request that has a slot, its open inner requests. ``takes``: of
    each that waits, those that hold the slots it could take. ``served``: of those that wait, the ones that will get
    another slot."""

    needs: Mapping[Request, Collection[Request]]
    takes: Mapping[Request, Collection[Request]]
    served: Collection[Request] = ()

    def stuck(self) -> frozenset[Request]:
        """Return the requests that can never end. Whatever is not stuck may end: a request without inner ones by
        itself, one with inner ones after all of them, one that waits after any that holds its slot."""
        open_inner = {request: len(set(inner)) for request, inner in self.needs.items()}
        waiting_for: dict[Request, list[Request]] = {}
        for request, others in (*self.needs.items(), *self.takes.items()):
            for other in set(others):
                waiting_for.setdefault(other, []).append(request)
        ending = deque([request for request, count in open_inner.items() if not count])
        ending += [request for request in self.takes if request in self.served]
        ended = set(ending)
        while ending:
            for request in waiting_for.get(ending.popleft(), ()):
                if request in open_inner:
                    open_inner[request] -= 1
                    if open_inner[request]:
                        continue
                if request not in ended:
                    ended.add(request)
                    ending.append(request)
        return frozenset((*self.needs, *self.takes)) - ended

    def circle(self, request: Request) -> list[Request]:
        """Return a shortest way from a stuck request along what it waits for back to itself; to what it meets
        twice, where none leads back to it. Empty for a request that is not stuck."""
        stuck = self.stuck()
        if request not in stuck:
            return []
        came_from: dict[Request, Request] = {}
        todo = deque([request])
        while todo:
            now = todo.popleft()
            for other in self.needs.get(now) or self.takes.get(now) or ():
                if other == request:
                    return self._way(came_from, now)
                if other in stuck and other not in came_from:
                    came_from[other] = now
                    todo.append(other)
        return self._beyond(request, stuck)

    def _way(self, came_from: Mapping[Request, Request], last: Request) -> list[Request]:
        way = [last]
        while way[-1] in came_from:
            way.append(came_from[way[-1]])
        return way[::-1]

    def _beyond(self, request: Request, stuck: Collection[Request]) -> list[Request]:
        way = [request]
        while True:
            following = self.needs.get(way[-1]) or self.takes.get(way[-1]) or ()
            other = next((each for each in following if each in stuck), None)
            if other is None:
                return way  # it waits for slots that nobody holds
            if other in way:
                return way[way.index(other) :]
            way.append(other)
