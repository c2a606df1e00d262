"""Lists the compute there is to ask for: cloud providers, regions, instance types, and Clarifai's shared nodepools.

Sizes and prices of AWS are those of the documentation's sample answer of ListInstanceTypes; the others are from its
table "Supported Cloud Instances", which prices by the hour. The wire's ``price`` has no stated unit, but the eleven
AWS types that stand in both agree: hourly dollars are the wire's number × 0.036, rounded to the cent (thousandths
of a cent per second). The emulator uses prices only to order instance types by cost.
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

from clarifai_emulator.messages.quantities import parse_cpu, parse_memory

CLARIFAI_USER = "clarifai"
SHARED_CLUSTER = "shared"
LOCAL_PROVIDER = "local"
LOCAL_REGION = "na"  # what the SDK's `model serve` gives its own cluster
# The type of clusters whose user starts the runners; the platform places nothing there.
USER_RUN = "local-dev"
LOCAL_INSTANCE = "local"

# us-east-1 and us-central1 are named in Clarifai's documentation and SDK; azure, vultr and oracle are guesses.
_REGIONS = {
    "aws": "us-east-1",
    "gcp": "us-central1",
    "azure": "eastus",
    "vultr": "ewr",
    "oracle": "us-ashburn-1",
    LOCAL_PROVIDER: LOCAL_REGION,
}

# Slowest first, with the memory of one. TPUs expose no memory.
_ACCELERATORS = {
    "NVIDIA-T4": "15360Mi",
    "NVIDIA-A16": "16Gi",
    "NVIDIA-L4": "23034Mi",
    "NVIDIA-A10G": "23028Mi",
    "NVIDIA-L40S": "46068Mi",
    "GOOGLE-TPU-v5e": "",
    "NVIDIA-A100": "80Gi",
    "NVIDIA-RTX-PRO-6000": "96Gi",
    "GOOGLE-TPU-v5p": "",
    "GOOGLE-TPU-v6e": "",
    "NVIDIA-H100": "79.65Gi",
    "NVIDIA-GH200": "95.58Gi",
    "AMD-MI300X": "127.82Gi",
    "GOOGLE-TPU-v7": "",
    "NVIDIA-B200": "179.06Gi",
}
_SPEED = {name: rank for rank, name in enumerate(_ACCELERATORS, start=1)}

# id, CPUs, memory, accelerators, their type, price ("" where the platform says "Contact us").
_Row = tuple[str, str, str, int, str, str]
_INSTANCE_TYPES: dict[str, tuple[_Row, ...]] = {
    "aws": (
        ("t3a.medium", "1545m", "2962Mi", 0, "", "2"),
        ("t3a.large", "1545m", "6553Mi", 0, "", "3"),
        ("t3a.xlarge", "3535m", "13878Mi", 0, "", "5"),
        ("t3a.2xlarge", "7525m", "29033Mi", 0, "", "10"),
        ("t4g.medium", "1.5", "2.89Gi", 0, "", ""),
        ("t4g.large", "1.5", "6.4Gi", 0, "", ""),
        ("t4g.xlarge", "3.5", "13.55Gi", 0, "", ""),
        ("g4dn.xlarge", "3535m", "14197Mi", 1, "NVIDIA-T4", "18"),
        ("g5.xlarge", "3535m", "13878Mi", 1, "NVIDIA-A10G", "35"),
        ("g5.2xlarge", "7525m", "29033Mi", 1, "NVIDIA-A10G", "42"),
        ("g6.xlarge", "3535m", "13878Mi", 1, "NVIDIA-L4", "28"),
        ("g6.2xlarge", "7525m", "29033Mi", 1, "NVIDIA-L4", "34"),
        ("g6e.xlarge", "3535m", "29033Mi", 1, "NVIDIA-L40S", "65"),
        ("g6e.2xlarge", "7525m", "59343Mi", 1, "NVIDIA-L40S", "78"),
        ("g6e.12xlarge", "47425m", "359873Mi", 4, "NVIDIA-L40S", "364"),
        ("g7e.4xlarge", "15.5", "112.34Gi", 1, "NVIDIA-RTX-PRO-6000", "139"),
        ("g7e.8xlarge", "31.5", "230.74Gi", 1, "NVIDIA-RTX-PRO-6000", "146"),
        ("g7e.12xlarge", "47.4", "466.19Gi", 2, "NVIDIA-RTX-PRO-6000", "288"),
        ("g7e.24xlarge", "95.3", "939.79Gi", 4, "NVIDIA-RTX-PRO-6000", "459"),
        ("g7e.48xlarge", "191.1", "1887.96Gi", 8, "NVIDIA-RTX-PRO-6000", "921"),
    ),
    "gcp": (
        ("n2-standard-2", "1.4", "5.42Gi", 0, "", "4"),
        ("n2-standard-4", "3.4", "12.63Gi", 0, "", "8"),
        ("n2-standard-8", "7.3", "27.67Gi", 0, "", "15"),
        ("n2-standard-16", "15.3", "57.75Gi", 0, "", "30"),
        ("g2-standard-4", "3.4", "12.63Gi", 1, "NVIDIA-L4", "25"),
        ("g2-standard-8", "7.3", "27.67Gi", 1, "NVIDIA-L4", "30"),
        ("g2-standard-12", "11.3", "42.71Gi", 1, "NVIDIA-L4", "35"),
        ("g2-standard-16", "15.3", "57.75Gi", 1, "NVIDIA-L4", "40"),
        ("g2-standard-32", "31.3", "118.07Gi", 1, "NVIDIA-L4", "60"),
        ("g4-standard-48", "47.2", "169.03Gi", 1, "NVIDIA-RTX-PRO-6000", "157"),
        ("g4-standard-96", "95.1", "345.43Gi", 2, "NVIDIA-RTX-PRO-6000", "313"),
        ("g4-standard-192", "190.9", "698.23Gi", 4, "NVIDIA-RTX-PRO-6000", "625"),
        ("g4-standard-384", "382.4", "1403.83Gi", 8, "NVIDIA-RTX-PRO-6000", "1250"),
        ("a2-ultragpu-1g", "11.3", "159.23Gi", 1, "NVIDIA-A100", "198"),
        ("a3-highgpu-1g", "25.3", "221.95Gi", 1, "NVIDIA-H100", "384"),
        ("a3-highgpu-8g", "206.8", "1827.19Gi", 8, "NVIDIA-H100", "3073"),
        ("ct5lp-hightpu-1t", "23.3", "42.71Gi", 1, "GOOGLE-TPU-v5e", ""),
        ("ct5lp-hightpu-4t", "111.1", "180.79Gi", 4, "GOOGLE-TPU-v5e", ""),
        ("ct5p-hightpu-4t", "206.8", "431.67Gi", 4, "GOOGLE-TPU-v5p", ""),
        ("ct6e-standard-1t", "43.3", "165.11Gi", 1, "GOOGLE-TPU-v6e", ""),
        ("ct6e-standard-4t", "178.9", "698.23Gi", 4, "GOOGLE-TPU-v6e", ""),
        ("tpu7x-standard-1t", "55.2", "227.83Gi", 1, "GOOGLE-TPU-v7", ""),
        ("tpu7x-standard-4t", "222.8", "933.43Gi", 4, "GOOGLE-TPU-v7", ""),
    ),
    "vultr": (
        ("vc2-2c-4gb", "1.4", "3.54Gi", 0, "", "1"),
        ("vc2-4c-8gb", "3.4", "7.34Gi", 0, "", "2"),
        ("vc2-6c-16gb", "5.4", "14.94Gi", 0, "", "4"),
        ("vc2-8c-32gb", "7.4", "30.14Gi", 0, "", "8"),
        ("vc2-16c-64gb", "15.4", "60.54Gi", 0, "", "15"),
        ("vc2-24c-96gb", "23.4", "90.94Gi", 0, "", "30"),
        ("vcg-a16-6c-64g-16vram", "5.4", "60.54Gi", 1, "NVIDIA-A16", "16"),
        ("vcg-l40s-16c-180g-48vram", "15.4", "170.74Gi", 1, "NVIDIA-L40S", "58"),
        ("vcg-a100-12c-120g-80vram", "11.4", "113.74Gi", 1, "NVIDIA-A100", "83"),
        ("vcg-b200-248c-2826g-1536vram", "255.4", "1945.34Gi", 8, "NVIDIA-B200", "2220"),
        ("vbm-72c-480gb-gh200-gpu", "71.4", "455.74Gi", 1, "NVIDIA-GH200", "83"),
        ("vbm-256c-2048gb-8-mi300x-gpu", "255.4", "1945.34Gi", 8, "AMD-MI300X", "1109"),
    ),
    "oracle": (
        ("VM.Standard.E6.Flex", "0.8", "14.61Gi", 0, "", ""),
        ("VM.GPU.A10.1", "14.8", "227.41Gi", 1, "NVIDIA-A10G", ""),
        ("BM.GPU.A10.4", "14.8", "227.41Gi", 4, "NVIDIA-A10G", ""),
        ("BM.GPU.MI300X.8", "111.5", "1945.01Gi", 8, "AMD-MI300X", ""),
    ),
}
_ARM64 = ("t4g.", "vbm-72c-480gb-gh200")

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
    return list(_ACCELERATORS)


def accelerator_memory(name: str) -> str:
    """Return the memory of one accelerator of this name, as a Kubernetes quantity; empty when it is not known."""
    return next((memory for known, memory in _ACCELERATORS.items() if known.upper() == name.upper()), "")


class Catalogue:
    """The cloud providers, regions and instance types that a cluster or nodepool may name.

    ``local`` is this machine (see ``local_instance_type``); without it the provider ``local`` has no instance
    type. Messages it hands out are shared: copy before changing one.
    """

    def __init__(self, local: InstanceType | None = None) -> None:
        self._of_provider = {provider: _cloud_instance_types(provider) for provider in _REGIONS}
        if local is not None:
            self._of_provider[LOCAL_PROVIDER] = [local]
        self._by_id = {each.id: each for types in self._of_provider.values() for each in types}

    def providers(self) -> list[CloudProvider]:
        """Return the cloud providers, in the platform's order; ``local`` last."""
        return [_provider(each) for each in _REGIONS]

    def regions(self, provider_id: str) -> list[str]:
        """Return the region ids of a provider; empty for an unknown one."""
        return [_REGIONS[provider_id]] if provider_id in _REGIONS else []

    def instance_types(self, provider_id: str, region: str) -> list[InstanceType]:
        """Return the instance types of a provider in a region; empty when either is unknown."""
        return list(self._of_provider[provider_id]) if region in self.regions(provider_id) else []

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
    return _instance_type(LOCAL_INSTANCE, "This machine", LOCAL_PROVIDER, info, "0")


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
        region=_REGIONS["aws"],
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
    return [_from_row(provider_id, row) for row in _INSTANCE_TYPES.get(provider_id, ())]


def _from_row(provider_id: str, row: _Row) -> InstanceType:
    instance_type_id, cpu, memory, count, accelerator, price = row
    info = ComputeInfo(cpu_limit=cpu, cpu_memory=memory)
    if count:
        info.num_accelerators = count
        info.accelerator_memory = _ACCELERATORS[accelerator]
        info.accelerator_type.append(accelerator)
    return _instance_type(instance_type_id, instance_type_id, provider_id, info, price)


def _instance_type(id: str, description: str, provider_id: str, info: ComputeInfo, price: str) -> InstanceType:
    return InstanceType(
        id=id,
        description=description,
        compute_info=info,
        price=f"{Decimal(price):.6f}" if price else "",
        cloud_provider=_provider(provider_id),
        region=_REGIONS[provider_id],
        architecture="linux/arm64" if id.startswith(_ARM64) else "",
    )
