"""Passes what values may be along the ways that values take, until nothing new arrives.

A place (a name, an attribute, what a function gives, the elements of a list) is a number. ``flows(a, b)`` says that
whatever may be at ``a`` may be at ``b``; ``when(a, act)`` calls ``act`` with everything that arrives at ``a``, also
later, for what depends on it: calling it, taking an attribute of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from enum import Enum, auto
from typing import Any, NamedTuple

Place = int


class Sort(Enum):
    """The sorts of values that are told apart."""

    MODEL = auto()  # of: the number of the given model, or one of the two below
    CLIENT = auto()
    ASYNC_CLIENT = auto()
    METHOD = auto()  # of: (sort, number, name)
    NONE = auto()
    OTHER = auto()  # is no model
    TOP = auto()  # nobody knows what it is
    TAINT = auto()  # made by unknown code of a model, so that it may be one, or hold one; of: see KEPT
    SDK = auto()  # of: a dotted name in the SDK
    SDK_OBJECT = auto()  # of: (dotted name, the call that made it)
    SDK_METHOD = auto()  # of: (name of the class, the call that made the object, the name of the method)
    OUTSIDE = auto()  # of: a dotted name in another package, or a builtin
    FILE = auto()  # of: a file of the project, as a module
    FUNCTION = auto()  # of: a FunctionInfo
    BOUND = auto()  # of: a FunctionInfo, called without its first parameter
    CLASS = auto()  # of: a ClassInfo
    INSTANCE = auto()
    SUPER = auto()
    BOX = auto()  # of: the node that made a container
    BOX_METHOD = auto()  # of: (the container, the name of its method)
    PARTIAL = auto()  # of: the call of functools.partial

    __hash__ = object.__hash__  # there is one of each: the hash of its name takes much longer


MODELS = (Sort.MODEL, Sort.CLIENT, Sort.ASYNC_CLIENT)
# A model that nobody knows the number of. Numbers below stand for those of which it was said where they are built.
UNKNOWN_MODEL = -1


class Held(NamedTuple):
    """A value that may be at a place. ``of`` says more, depending on the sort."""

    sort: Sort
    of: Hashable = None


NONE, OTHER, TOP, TAINT = (Held(each) for each in (Sort.NONE, Sort.OTHER, Sort.TOP, Sort.TAINT))
# The attribute or element, of an object that nobody knows, in which a model was kept.
KEPT = Held(Sort.TAINT, "kept")
Act = Callable[[Held], None]
# More values than this at one place say nothing: it takes what comes to be unknown.
_MOST = 60


class FlowGraph:
    """The places, and what may be there."""

    def __init__(self) -> None:
        self._held: list[set[Held]] = []
        self._onward: list[list[Place]] = []
        self._acts: list[list[Act]] = []
        self._named: dict[Any, Place] = {}
        self._waiting: deque[tuple[Place, Held, Act | None]] = deque()
        self._done: set[tuple[Place, Hashable]] = set()
        self._edges: set[tuple[Place, Place]] = set()

    def place(self) -> Place:
        """Return a new place."""
        self._held.append(set())
        self._onward.append([])
        self._acts.append([])
        return len(self._held) - 1

    def named(self, name: Hashable) -> Place:
        """Return the place of this name, which is made when it is first asked for. A node names what it gives."""
        place = self._named.get(name)
        if place is None:
            place = self._named[name] = self.place()
        return place

    def known(self, name: Hashable) -> Place | None:
        """Return the place of this name, if it was asked for before."""
        return self._named.get(name)

    def call_it(self, name: Hashable, place: Place) -> None:
        """Give a place one more name."""
        self._named[name] = place

    def of(self, held: Held) -> Place:
        """Return the place at which there is this value and no other."""
        place = self.named(held)
        self.put(held, place)
        return place

    def put(self, held: Held, place: Place) -> None:
        """Say that the value may be there."""
        there = self._held[place]
        if held in there:
            return
        if len(there) >= _MOST and held.sort not in (Sort.MODEL, Sort.TAINT):
            held = TOP
            if held in there:
                return
        there.add(held)
        if self._onward[place] or self._acts[place]:
            self._waiting.append((place, held, None))

    def flows(self, start: Place, end: Place) -> None:
        """Say that what may be at one place may be at the other."""
        if start == end or (start, end) in self._edges:
            return
        self._edges.add((start, end))
        self._onward[start].append(end)
        for each in tuple(self._held[start]):
            self.put(each, end)

    def when(self, place: Place, act: Act, key: Hashable) -> None:
        """Call ``act`` with each value that is there, or arrives; more than once with some. ``key`` says what it
        does: it is done once at a place, so that a value that holds itself comes to an end."""
        if (place, key) in self._done:
            return
        self._done.add((place, key))
        self._acts[place].append(act)
        self._waiting.extend((place, each, act) for each in self._held[place])

    def settle(self) -> None:
        """Pass everything on until nothing new arrives."""
        while self._waiting:
            place, held, only = self._waiting.popleft()
            if only is not None:
                only(held)
                continue
            for each in self._onward[place]:
                self.put(held, each)
            for act in tuple(self._acts[place]):
                act(held)

    def at(self, place: Place) -> frozenset[Held]:
        """Return everything that may be at the place."""
        return frozenset(self._held[place])
