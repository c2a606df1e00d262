"""Accounts for the CPUs, memory and accelerators of every nodepool's instances, and says what fits where.

A nodepool has up to ``max_instances`` nodes, each of one of its instance types; replicas are packed onto nodes
(or spread, with ``disable_packing``) by what their model version asks for. Nothing here limits a process: it
decides what the platform would place.

Nodepools of this machine itself (instance type ``local``) take CPUs and memory as requests, which may be more than
there is (``overcommits``): models run on the machine at hand. Accelerators are never more than there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from clarifai_grpc.grpc.api.resources_pb2 import ComputeInfo, InstanceType, Nodepool

from clarifai_emulator.catalogue import LOCAL_INSTANCE, fits, price_of
from clarifai_emulator.errors import NoRoom
from clarifai_emulator.machine.machine import THIS_MACHINE
from clarifai_emulator.messages.address import NodepoolKey
from clarifai_emulator.messages.quantities import parse_cpu, parse_memory

# Two replicas never have the same accelerator, unless their nodepool's metadata says that they may.
SHARE_KEY = "emulator_share_accelerators"
# Deployments that a message about a full nodepool lists.
_NAMED = 5


def shares_accelerators(nodepool: Nodepool) -> bool:
    """Tell whether replicas of the nodepool may use an accelerator together."""
    return SHARE_KEY in nodepool.metadata and nodepool.metadata[SHARE_KEY] is True


@dataclass(frozen=True, slots=True)
class Amount:
    """Counts ``cpu`` in millicores, ``memory`` in bytes and ``accelerators`` in devices."""

    cpu: int = 0
    memory: int = 0
    accelerators: int = 0

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.cpu - other.cpu, self.memory - other.memory, self.accelerators - other.accelerators)

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.cpu + other.cpu, self.memory + other.memory, self.accelerators + other.accelerators)

    @property
    def is_overdrawn(self) -> bool:
        """Tell whether more was taken than there is."""
        return self.cpu < 0 or self.memory < 0 or self.accelerators < 0


@dataclass(slots=True, eq=False)
class Node:
    """Describes one instance of a nodepool, and whose replicas it holds. ``free`` is negative where more was asked
    for than there is. ``machine``: id of the one that plays it."""

    instance_type: InstanceType
    free: Amount
    holders: Counter[str] = field(default_factory=Counter[str])
    machine: str = THIS_MACHINE

    @property
    def replicas(self) -> int:
        """Return how many replicas it holds."""
        return self.holders.total()


@dataclass(frozen=True, slots=True)
class Placement:
    """Says where a replica was placed; give it back with ``Capacity.release``."""

    nodepool: NodepoolKey
    node: Node
    amount: Amount
    holder: str = ""

    @property
    def machine(self) -> str:
        """Return the id of the machine that the replica is on."""
        return self.node.machine


@dataclass(slots=True)
class Capacity:
    """Keeps the nodes in use of every nodepool. ``overcommits``: CPUs and memory of a machine are no limit."""

    overcommits: bool = False
    _nodes: dict[NodepoolKey, list[Node]] = field(default_factory=dict[NodepoolKey, list[Node]])

    def place(
        self,
        key: NodepoolKey,
        nodepool: Nodepool,
        required: ComputeInfo,
        *,
        spread: bool = False,
        holder: str = "",
        machine: str = THIS_MACHINE,
    ) -> Placement:
        """Take room for one replica on an instance that ``machine`` plays; ``holder``: whose, for messages. Raises
        ``NoRoom`` with the reason."""
        fitting = self.fitting_types(nodepool, required)
        amount = amount_of(required)
        if shares_accelerators(nodepool):
            amount = Amount(amount.cpu, amount.memory)
        nodes = self._nodes.setdefault(key, [])
        for node in nodes:
            usable = node.machine == machine and (not spread or node.replicas == 0)
            if usable and self._has_left(node, required, amount):
                return self._take(key, node, amount, holder)
        if len(nodes) >= nodepool.max_instances:
            raise NoRoom(_full(nodepool, nodes, required), for_good=False)
        node = Node(fitting[0], amount_of(fitting[0].compute_info), machine=machine)
        nodes.append(node)
        return self._take(key, node, amount, holder)

    @contextmanager
    def without(self, placements: Sequence[Placement]) -> Generator[None]:
        """Count these as given back: for what is to take their place, and until then is there beside them."""
        for placement in placements:
            placement.node.free += placement.amount
        try:
            yield
        finally:
            for placement in placements:
                placement.node.free -= placement.amount

    def has_room(
        self,
        key: NodepoolKey,
        nodepool: Nodepool,
        required: ComputeInfo,
        *,
        spread: bool = False,
        machines: Sequence[str] = (THIS_MACHINE,),
    ) -> bool:
        """Tell whether ``place`` would succeed on one of these machines."""
        for machine in machines:
            try:
                placement = self.place(key, nodepool, required, spread=spread, machine=machine)
            except NoRoom:
                continue
            self.release(placement)
            return True
        return False

    def release(self, placement: Placement) -> None:
        """Give back the room of a replica that has ended, and a node without replicas."""
        placement.node.holders[placement.holder] -= 1
        placement.node.free += placement.amount
        nodes = self._nodes.get(placement.nodepool, [])
        if placement.node.replicas == 0 and placement.node in nodes:
            nodes.remove(placement.node)

    def nodes_in_use(self, key: NodepoolKey) -> int:
        """Return how many instances of the nodepool hold replicas."""
        return len(self._nodes.get(key, ()))

    def overdrawn(self, key: NodepoolKey) -> Amount:
        """Return how much more the replicas of a nodepool ask for than its instances have."""
        free = [node.free for node in self._nodes.get(key, ())]
        return Amount(sum(max(-each.cpu, 0) for each in free), sum(max(-each.memory, 0) for each in free))

    def taken(self, key: NodepoolKey) -> tuple[Amount, Amount]:
        """Return what the replicas of a nodepool take, and the size of the instances that they are on."""
        nodes = self._nodes.get(key, ())
        size = sum((amount_of(node.instance_type.compute_info) for node in nodes), Amount())
        return size - sum((node.free for node in nodes), Amount()), size

    def reset(self) -> None:
        """Forget every node: everything is free again."""
        self._nodes.clear()

    def forget(self, is_whose: Callable[[str], bool]) -> None:
        """Forget the nodes of these users' nodepools."""
        for key in [key for key in self._nodes if is_whose(key[0])]:
            del self._nodes[key]

    def fitting_types(self, nodepool: Nodepool, required: ComputeInfo) -> list[InstanceType]:
        """Return the instance types that can run it, cheapest first. Raises ``NoRoom`` for good where none can."""
        if nodepool.max_instances == 0:
            raise NoRoom(f"nodepool '{nodepool.id}' is switched off (max_instances is 0)", for_good=True)
        reasons = {kind.id: fits(required, kind, overcommits=self.overcommits) for kind in nodepool.instance_types}
        fitting = [kind for kind in nodepool.instance_types if not reasons[kind.id]]
        if not fitting:
            listed = "; ".join(f"{name} {reason}" for name, reason in reasons.items())
            raise NoRoom(
                f"no instance type of nodepool '{nodepool.id}' fits the model: {listed or 'it has none'}",
                for_good=True,
            )
        return sorted(fitting, key=price_of)

    def _has_left(self, node: Node, required: ComputeInfo, amount: Amount) -> bool:
        """Tell whether one more replica of this size goes onto a node that is in use."""
        if fits(required, node.instance_type, overcommits=self.overcommits):
            return False
        left = node.free - amount
        if self.overcommits and node.instance_type.id == LOCAL_INSTANCE:
            return left.accelerators >= 0
        return not left.is_overdrawn

    def _take(self, key: NodepoolKey, node: Node, amount: Amount, holder: str) -> Placement:
        node.holders[holder] += 1
        node.free -= amount
        return Placement(key, node, amount, holder)


def _full(nodepool: Nodepool, nodes: Sequence[Node], required: ComputeInfo) -> str:
    """Say that a nodepool is full, and of what."""
    holders = sum((node.holders for node in nodes), Counter[str]())
    count = holders.total()
    whose = ", ".join(f"{number} of {name}" for name, number in holders.most_common(_NAMED) if name)
    more = len(holders) - _NAMED
    named = f" ({whose}{f' and {more} more' if more > 0 else ''})" if whose else ""
    return (
        f"nodepool '{nodepool.id}' is full: its {len(nodes)} of {nodepool.max_instances} instances hold "
        f"{count} replica{'' if count == 1 else 's'}{named} and have no room for one that needs "
        f"{describe(required)}; `clarifai-emulator undeploy MODEL` makes room"
    )


def amount_of(info: ComputeInfo) -> Amount:
    """Return what a ComputeInfo stands for, in numbers."""
    cpu, memory = info.cpu_limit or info.cpu_requests, info.cpu_memory or info.cpu_memory_requests
    return Amount(parse_cpu(cpu) if cpu else 0, parse_memory(memory) if memory else 0, info.num_accelerators)


def describe(info: ComputeInfo) -> str:
    """Describe what a model needs."""
    cpu, memory = info.cpu_limit or info.cpu_requests, info.cpu_memory or info.cpu_memory_requests
    parts = [f"{cpu} CPU"] if cpu else []
    if memory:
        parts.append(f"{memory} memory")
    if info.num_accelerators:
        kinds = " or ".join(info.accelerator_type) or "accelerator"
        parts.append(f"{info.num_accelerators} × {kinds}")
    return ", ".join(parts) or "next to nothing"
