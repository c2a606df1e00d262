"""Lists the compute there is to ask for: cloud providers, regions, instance types, and Clarifai's shared nodepools.

The clouds' are data (``cloud_instances.py``), with their sources. Prices are thousandths of a US cent per second:
the dollars of an hour are the price × 0.036 (Clarifai/skills ``clarifai-pricing``: "millicents"). The emulator uses
them only to order instance types by cost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase

from clarifai_grpc.grpc.api.resources_pb2 import (
    CloudProvider,
    ComputeCluster,
    ComputeInfo,
    InstanceType,
    NodeCapacityType,
    Nodepool,
    Visibility,
)

from clarifai_emulator.cloud_instances import (
    ACCELERATORS,
    ARM64,
    GROUPS,
    INSTANCE_TYPES,
    LIKE_THE_FIRST,
    REGIONS,
    SPOT_ONLY,
    TOPOLOGIES,
    InstanceRow,
)
from clarifai_emulator.messages.quantities import parse_cpu, parse_memory

CLARIFAI_USER = "clarifai"
SHARED_CLUSTER = "shared"
LOCAL_PROVIDER = "local"
LOCAL_REGION = "na"  # what the SDK's `model serve` gives its own cluster
# The type of clusters whose user starts the runners; the platform places nothing there.
USER_RUN = "local-dev"
LOCAL_INSTANCE = "local"

ALL = "all"  # stands for every provider, and for every region, in ListInstanceTypes
_SPEED = {name: rank for rank, name in enumerate(ACCELERATORS, start=1)}

# Nodepool id → its instance type. Which nodepools Clarifai really runs is not public.
_SHARED_NODEPOOLS = {
    "shared-cpu": "t3a.2xlarge",
    "shared-t4": "g4dn.xlarge",
    "shared-l4": "g6.2xlarge",
    "shared-a10g": "g5.2xlarge",
    "shared-l40s": "g6e.2xlarge",
    "shared-4xl40s": "g6e.12xlarge",
    "shared-a100": "a2-ultragpu-1g",
    "shared-h100": "a3-highgpu-1g",
    "shared-8xh100": "a3-highgpu-8g",
}


def accelerator_names() -> list[str]:
    """Return the platform's names of accelerators, slowest first."""
    return list(ACCELERATORS)


def accelerator_memory(name: str) -> str:
    """Return the memory of one accelerator of this name, as a Kubernetes quantity; empty when it is not known."""
    return next((memory for known, memory in ACCELERATORS.items() if known.upper() == name.upper()), "")


class Catalogue:
    """The cloud providers, regions and instance types that a cluster or nodepool may name.

    ``local`` is this machine (see ``local_instance_type``); without it the provider ``local`` has no instance
    type. Messages it hands out are shared: copy before changing one.
    """

    def __init__(self, local: InstanceType | None = None) -> None:
        self._of_provider = {provider: _cloud_instance_types(provider) for provider in REGIONS}
        self._of_provider[LOCAL_PROVIDER] = [local] if local is not None else []
        self._regions = {**REGIONS, LOCAL_PROVIDER: (LOCAL_REGION,)}
        self._by_id = {each.id: each for types in self._of_provider.values() for each in types}

    def providers(self) -> list[CloudProvider]:
        """Return the cloud providers, in the platform's order; ``local`` last."""
        return [_provider(each) for each in self._regions]

    def regions(self, provider_id: str) -> list[str]:
        """Return the region ids of a provider, or of all; empty for an unknown one."""
        if provider_id == ALL:
            return list(dict.fromkeys(region for regions in self._regions.values() for region in regions))
        return list(self._regions.get(provider_id, ()))

    def instance_types(self, provider_id: str, region: str) -> list[InstanceType]:
        """Return the instance types of a provider, or of all by name, in a region, or in all; empty when either is
        unknown."""
        if provider_id == ALL:
            found = (self.instance_types(provider, region) for provider in sorted(self._of_provider))
            return [each for types in found for each in types]
        types = self._of_provider.get(provider_id, [])
        if region == ALL or (provider_id, region) == (LOCAL_PROVIDER, LOCAL_REGION):
            return list(types)
        if (provider_id, region) in LIKE_THE_FIRST:
            return [_in_region(each, region) for each in types]
        return [each for each in types if each.region == region]

    def instance_type_ids(self) -> list[str]:
        """Return the ids of all instance types, by provider."""
        return list(self._by_id)

    def find(self, instance_type_id: str) -> InstanceType | None:
        """Return the instance type with this id, whatever its provider, or None."""
        return self._by_id.get(instance_type_id)

    def resolve(self, instance: InstanceType) -> InstanceType:
        """Return a copy of the catalogue's instance type with the given one's id; of the given one if there is
        none.

        The platform's answers show its own sizes and prices even where a client sent others with the id.
        """
        resolved = InstanceType()
        resolved.CopyFrom(self._by_id.get(instance.id, instance))
        return resolved


def local_instance_type(cpus: float, memory: int, accelerators: Sequence[tuple[str, int]] = ()) -> InstanceType:
    """This machine as the instance type ``local``: it costs nothing.

    ``memory``: bytes. ``accelerators``: type (``NVIDIA-L4``) and memory in bytes of each. An instance type
    holds one size for all its accelerators, so with unequal ones it is the smallest.
    """
    info = ComputeInfo(cpu_limit=f"{round(cpus * 1000)}m", cpu_memory=f"{memory // 1024**2}Mi")
    if accelerators:
        info.num_accelerators = len(accelerators)
        info.accelerator_memory = f"{min(size for _, size in accelerators) // 1024**2}Mi"
        info.accelerator_type.extend(dict.fromkeys(name for name, _ in accelerators))
    return InstanceType(
        id=LOCAL_INSTANCE,
        description="local runner",
        compute_info=info,
        price=_price("0"),
        cloud_provider=_provider(LOCAL_PROVIDER),
        feature_flag_group="ComputeResourceLocal",
    )


def price_of(instance: InstanceType) -> Decimal:
    """Return the price of an instance type, in the platform's unit; infinity without a readable one, so it sorts
    last."""
    try:
        price = Decimal(instance.price)
    except InvalidOperation:
        return Decimal("Infinity")
    return price if price.is_finite() else Decimal("Infinity")


def speed_of(instance: InstanceType, *, accelerated: bool) -> tuple[int, ...]:
    """Return a key that sorts instance types from slow to fast; ``accelerated``: for a model that uses
    accelerators.

    Sorts by the accelerator's kind, then how many, then CPUs. No benchmark is behind it: "fastest known" is all the
    platform says.
    """
    info = instance.compute_info
    cpu = parse_cpu(info.cpu_limit) if info.cpu_limit else 0
    if not accelerated:
        return (cpu,)
    kind = max((_SPEED.get(name, 0) for name in info.accelerator_type), default=0)
    return (kind, info.num_accelerators, cpu)


def without_accelerators(required: ComputeInfo) -> ComputeInfo:
    """Return the CPUs and memory of what a model needs."""
    sizes = ComputeInfo()
    sizes.CopyFrom(required)
    for name in ("num_accelerators", "accelerator_type", "accelerator_memory"):
        sizes.ClearField(name)
    return sizes


def fits(required: ComputeInfo, instance: InstanceType, *, overcommits: bool = False) -> str:
    """Say why an instance cannot run what needs ``required``; empty when it can. ``overcommits``: the CPUs and the
    memory of this machine (the instance type ``local``) are no limit; accelerators always are.

    ComputeInfo is the least a model needs (proto comment). Accelerator memory is per accelerator. A list of
    accelerator types holds alternatives, each a name or a wildcard (``NVIDIA-*``, older ``[NVIDIA*]``); an empty
    list takes any. A model that wants no accelerator may use an instance that has some.
    """
    has = instance.compute_info
    try:
        if overcommits and instance.id == LOCAL_INSTANCE:
            return _lacks_accelerators(required, has)
        return (
            _lacks("CPUs", required.cpu_limit or required.cpu_requests, has.cpu_limit, parse_cpu)
            or _lacks(
                "of memory", required.cpu_memory or required.cpu_memory_requests, has.cpu_memory, parse_memory
            )
            or _lacks_accelerators(required, has)
        )
    except ValueError as error:
        return f"a size cannot be read: {error}"


def shared_cluster() -> ComputeCluster:
    """Return Clarifai's own cluster, which routing falls back to for models that Clarifai owns."""
    return ComputeCluster(
        id=SHARED_CLUSTER,
        description="Clarifai's shared compute",
        cloud_provider=_provider("aws"),
        region=REGIONS["aws"][0],
        user_id=CLARIFAI_USER,
        cluster_type="shared",
        managed_by="clarifai",
        visibility=Visibility(gettable=Visibility.PUBLIC),
    )


def shared_nodepools(catalogue: Catalogue) -> list[Nodepool]:
    """Return the nodepools of the shared cluster, one per instance type."""
    return [
        Nodepool(
            id=nodepool_id,
            description=f"Clarifai's shared {instance_type_id}",
            compute_cluster=shared_cluster(),
            node_capacity_type=NodeCapacityType(capacity_types=[NodeCapacityType.ON_DEMAND_TYPE]),
            instance_types=[catalogue.resolve(InstanceType(id=instance_type_id))],
            max_instances=100,
            visibility=Visibility(gettable=Visibility.PUBLIC),
        )
        for nodepool_id, instance_type_id in _SHARED_NODEPOOLS.items()
    ]


def _lacks(what: str, needed: str, has: str, parse: Callable[[str], int]) -> str:
    if not needed or parse(needed) == 0:
        return ""
    if not has:
        return f"needs {needed} {what}, and it does not say how much it has"
    return "" if parse(needed) <= parse(has) else f"needs {needed} {what}, it has {has}"


def _lacks_accelerators(required: ComputeInfo, has: ComputeInfo) -> str:
    wanted = required.accelerator_type
    count = required.num_accelerators
    if not count:
        # The proto comment says that types without a count "will cause an error".
        return f"asks for {_any_of(wanted)} with num_accelerators 0" if wanted else ""
    if count > has.num_accelerators:
        return f"needs {count} accelerator{'s' if count > 1 else ''}, it has {has.num_accelerators or 'none'}"
    if wanted and not any(names_accelerator(pattern, name) for name in has.accelerator_type for pattern in wanted):
        return f"needs {_any_of(wanted)}, it has {_any_of(has.accelerator_type) or 'an unnamed accelerator'}"
    return _lacks("of memory per accelerator", required.accelerator_memory, has.accelerator_memory, parse_memory)


def names_accelerator(pattern: str, name: str) -> bool:
    """Tell whether a type that a model asks for (``NVIDIA-*``, older ``[NVIDIA*]``) is this accelerator."""
    return fnmatchcase(name.upper(), pattern.strip("[] ").upper())


def _any_of(names: Iterable[str]) -> str:
    return " or ".join(names)


def _provider(provider_id: str) -> CloudProvider:
    return CloudProvider(id=provider_id, name=provider_id)


def _cloud_instance_types(provider_id: str) -> list[InstanceType]:
    return [_from_row(provider_id, row) for row in INSTANCE_TYPES.get(provider_id, ())]


def _from_row(provider_id: str, row: InstanceRow) -> InstanceType:
    info = ComputeInfo(cpu_limit=row.cpu, cpu_memory=row.memory)
    if row.accelerators:
        info.num_accelerators = row.accelerators
        info.accelerator_memory = ACCELERATORS[row.accelerator]
        info.accelerator_type.append(row.accelerator)
    if row.id in TOPOLOGIES:
        info.accelerator_topology.append(TOPOLOGIES[row.id])
    instance = InstanceType(
        id=row.id,
        description=row.id,
        compute_info=info,
        price=_price(row.price),
        cloud_provider=_provider(provider_id),
        region=row.region,
        feature_flag_group=GROUPS[row.group],
        architecture="linux/arm64" if row.id.startswith(ARM64) else "",
    )
    if row.id in SPOT_ONLY:
        instance.allowed_capacity_types.capacity_types.append(NodeCapacityType.SPOT_TYPE)
    return instance


def _in_region(instance: InstanceType, region: str) -> InstanceType:
    moved = InstanceType()
    moved.CopyFrom(instance)
    moved.region = region
    return moved


def _price(price: str) -> str:
    return f"{Decimal(price):.6f}"
