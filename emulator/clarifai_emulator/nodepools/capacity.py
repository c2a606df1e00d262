"""What fits where: accounts cpu, memory and accelerators of every nodepool's instances.

A nodepool has up to ``max_instances`` nodes, each of one of its instance types; replicas are packed onto nodes
(or spread, with ``disable_packing``) by what their model version asks for. Nothing here limits a process: it
decides what the platform would place.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from clarifai_grpc.grpc.api.resources_pb2 import ComputeInfo, InstanceType, Nodepool

from clarifai_emulator.catalogue import fits, price_of
from clarifai_emulator.errors import EmulatorError
from clarifai_emulator.quantities import parse_cpu, parse_memory

NodepoolKey = tuple[str, str, str]

# Two replicas never have the same accelerator, unless their nodepool's metadata says that they may.
SHARE_KEY = "emulator_share_accelerators"


class NoRoom(EmulatorError):
    """A replica cannot be placed now; ``for_good`` when no amount of waiting helps."""

    def __init__(self, reason: str, *, for_good: bool) -> None:
        super().__init__(reason)
        self.for_good = for_good


def shares_accelerators(nodepool: Nodepool) -> bool:
    """Whether replicas of the nodepool may use an accelerator together."""
    return SHARE_KEY in nodepool.metadata and nodepool.metadata[SHARE_KEY] is True


@dataclass(frozen=True, slots=True)
class Amount:
    """cpu in millicores, memory in bytes, accelerators by count."""

    cpu: int = 0
    memory: int = 0
    accelerators: int = 0

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.cpu - other.cpu, self.memory - other.memory, self.accelerators - other.accelerators)

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.cpu + other.cpu, self.memory + other.memory, self.accelerators + other.accelerators)

    @property
    def is_overdrawn(self) -> bool:
        """Whether more was taken than there is."""
        return self.cpu < 0 or self.memory < 0 or self.accelerators < 0


@dataclass(slots=True, eq=False)
class Node:
    """One instance of a nodepool, and how many replicas it holds."""

    instance_type: InstanceType
    free: Amount
    replicas: int = 0


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a replica was placed; give it back with ``Capacity.release``."""

    nodepool: NodepoolKey
    node: Node
    amount: Amount


@dataclass(slots=True)
class Capacity:
    """The nodes in use of every nodepool."""

    _nodes: dict[NodepoolKey, list[Node]] = field(default_factory=dict[NodepoolKey, list[Node]])

    def place(
        self, key: NodepoolKey, nodepool: Nodepool, required: ComputeInfo, *, spread: bool = False
    ) -> Placement:
        """Take room for one replica. Raises ``NoRoom`` with the reason."""
        fitting = self._fitting_types(nodepool, required)
        amount = amount_of(required)
        if shares_accelerators(nodepool):
            amount = Amount(amount.cpu, amount.memory)
        nodes = self._nodes.setdefault(key, [])
        for node in nodes:
            usable = not spread or node.replicas == 0
            if usable and not fits(required, node.instance_type) and not (node.free - amount).is_overdrawn:
                return self._take(key, node, amount)
        if len(nodes) >= nodepool.max_instances:
            count = sum(node.replicas for node in nodes)
            raise NoRoom(
                f"nodepool '{nodepool.id}' is full: its {len(nodes)} of {nodepool.max_instances} instances hold "
                f"{count} replicas and have no room for one that needs {describe(required)}",
                for_good=False,
            )
        node = Node(fitting[0], amount_of(fitting[0].compute_info))
        nodes.append(node)
        return self._take(key, node, amount)

    @contextmanager
    def without(self, placements: Sequence[Placement]) -> Generator[None]:
        """As if these were given back: for what is to take their place, and until then is there beside them."""
        for placement in placements:
            placement.node.free += placement.amount
        try:
            yield
        finally:
            for placement in placements:
                placement.node.free -= placement.amount

    def has_room(
        self, key: NodepoolKey, nodepool: Nodepool, required: ComputeInfo, *, spread: bool = False
    ) -> bool:
        """Whether ``place`` would succeed."""
        try:
            placement = self.place(key, nodepool, required, spread=spread)
        except NoRoom:
            return False
        self.release(placement)
        return True

    def release(self, placement: Placement) -> None:
        """The replica has ended; a node without replicas is given back."""
        placement.node.replicas -= 1
        placement.node.free += placement.amount
        nodes = self._nodes.get(placement.nodepool, [])
        if placement.node.replicas == 0 and placement.node in nodes:
            nodes.remove(placement.node)

    def nodes_in_use(self, key: NodepoolKey) -> int:
        """How many instances of the nodepool hold replicas."""
        return len(self._nodes.get(key, ()))

    def reset(self) -> None:
        """Everything is free again."""
        self._nodes.clear()

    def forget(self, is_whose: Callable[[str], bool]) -> None:
        """The nodepools of these users are free again."""
        for key in [key for key in self._nodes if is_whose(key[0])]:
            del self._nodes[key]

    def _take(self, key: NodepoolKey, node: Node, amount: Amount) -> Placement:
        node.replicas += 1
        node.free -= amount
        return Placement(key, node, amount)

    def _fitting_types(self, nodepool: Nodepool, required: ComputeInfo) -> list[InstanceType]:
        """Instance types that can run it, cheapest first."""
        if nodepool.max_instances == 0:
            raise NoRoom(f"nodepool '{nodepool.id}' is switched off (max_instances is 0)", for_good=True)
        reasons = {kind.id: fits(required, kind) for kind in nodepool.instance_types}
        fitting = [kind for kind in nodepool.instance_types if not reasons[kind.id]]
        if not fitting:
            listed = "; ".join(f"{name} {reason}" for name, reason in reasons.items())
            raise NoRoom(
                f"no instance type of nodepool '{nodepool.id}' fits the model: {listed or 'it has none'}",
                for_good=True,
            )
        return sorted(fitting, key=price_of)


def amount_of(info: ComputeInfo) -> Amount:
    """What a ComputeInfo stands for, in numbers."""
    cpu, memory = info.cpu_limit or info.cpu_requests, info.cpu_memory or info.cpu_memory_requests
    return Amount(parse_cpu(cpu) if cpu else 0, parse_memory(memory) if memory else 0, info.num_accelerators)


def describe(info: ComputeInfo) -> str:
    """What a model needs, in words."""
    cpu, memory = info.cpu_limit or info.cpu_requests, info.cpu_memory or info.cpu_memory_requests
    parts = [f"{cpu} CPU"] if cpu else []
    if memory:
        parts.append(f"{memory} memory")
    if info.num_accelerators:
        kinds = " or ".join(info.accelerator_type) or "accelerator"
        parts.append(f"{info.num_accelerators} × {kinds}")
    return ", ".join(parts) or "next to nothing"
