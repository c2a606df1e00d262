"""Reads the compute that a model asks for: ``inference_compute_info`` of config.yaml, or the shorter
``compute``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import ComputeInfo, InstanceType

from clarifai_emulator.catalogue import ALL, Catalogue
from clarifai_emulator.messages.quantities import parse_cpu, parse_memory
from clarifai_emulator.models.fields import parse_section, shown

_WHERE = "inference_compute_info"
_QUANTITIES: dict[str, tuple[Callable[[str], int], str]] = {
    "cpu_limit": (parse_cpu, "500m"),
    "cpu_requests": (parse_cpu, "500m"),
    "cpu_memory": (parse_memory, "2Gi"),
    "cpu_memory_requests": (parse_memory, "500Mi"),
    "accelerator_memory": (parse_memory, "16Gi"),
}

# What the SDK takes for a model that asks for "cpu" (clarifai/utils/compute_presets.py of 12.5).
_CPU_ONLY = ComputeInfo(cpu_limit="4", cpu_memory="16Gi")
_CPU_INSTANCE = "t3a.2xlarge"


@dataclass(slots=True)
class Compute:
    """The compute of a model. ``info``: what it needs. ``instance``: the instance type it named instead, else
    empty."""

    info: ComputeInfo = field(default_factory=ComputeInfo)
    instance: str = ""
    problems: list[str] = field(default_factory=list[str])
    warnings: list[str] = field(default_factory=list[str])


def read_compute(info: dict[str, Any], compute: dict[str, Any]) -> Compute:
    """Check both sections. ``inference_compute_info`` wins over ``compute``, as in the SDK."""
    read = Compute()
    if info:
        _explicit(dict(info), read)
    elif compute:
        _by_instance(compute, read)
    return read


def _explicit(section: dict[str, Any], read: Compute) -> None:
    # The SDK turns a whole number of CPUs into text, and no other number.
    if type(section.get("cpu_limit")) is int:
        section["cpu_limit"] = str(section["cpu_limit"])
    for key in _QUANTITIES:
        _quantity(section, key, read)
    read.problems += parse_section(_WHERE, section, read.info)
    _accelerators(read)


def _quantity(section: dict[str, Any], key: str, read: Compute) -> None:
    """Check one size; one that is empty or wrong is taken out, so that it is reported once."""
    parse, example = _QUANTITIES[key]
    value = section.get(key)
    if value is None or value == "":
        section.pop(key, None)
    elif not isinstance(value, str):
        read.problems.append(
            f'{_WHERE}.{key} must be text such as "{example}", got {shown(value)}; put it in quotes'
        )
        del section[key]
    else:
        try:
            parse(value)
        except ValueError as error:
            read.problems.append(f"{_WHERE}.{key}: {error}")
            del section[key]


def _accelerators(read: Compute) -> None:
    types = list(read.info.accelerator_type)
    if types and read.info.num_accelerators == 0:
        read.problems.append(
            f"{_WHERE}.accelerator_type is {types} but num_accelerators is 0;"
            ' set "num_accelerators: 1" or remove accelerator_type'
        )
    if len({name.upper().startswith("AMD") for name in types}) > 1:
        read.problems.append(
            f"{_WHERE}.accelerator_type mixes AMD and NVIDIA ({', '.join(types)});"
            " one image cannot serve both, keep one of them"
        )


def _by_instance(compute: dict[str, Any], read: Compute) -> None:
    name = compute.get("instance") or compute.get("gpu")
    if name is None:
        return
    if not isinstance(name, str):
        read.problems.append(f"compute.instance must be the name of an instance type, got {shown(name)}")
        return
    read.instance = name.strip()
    count = compute.get("num_gpus")
    if count is not None and (type(count) is not int or count < 0):
        read.problems.append(f"compute.num_gpus must be a whole number, got {shown(count)}")
        return
    found = find_instance(read.instance, cloud=str(compute.get("cloud") or ""), accelerators=count or 0)
    if found is None:
        read.warnings.append(
            f"compute.instance {name!r} is not an instance type of the catalogue; like the SDK, it is ignored and"
            " the model asks for nothing in particular"
        )
        return
    read.info.CopyFrom(found.needs)


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance type, and what a model asks for that names it."""

    kind: InstanceType
    needs: ComputeInfo


def find_instance(name: str, *, cloud: str = "", accelerators: int = 0) -> Instance | None:
    """Find an instance type by exact id, then by a part of an id or of an accelerator's name (``A10G``), as the
    SDK does: of one cloud, and with so many accelerators where there is such a one."""
    wanted = name.strip().lower()
    if not wanted:
        return None
    types = _all_instance_types()
    if wanted == "cpu":
        return Instance(next(each for each in types if each.id == _CPU_INSTANCE), _CPU_ONLY)
    of_cloud = [each for each in types if cloud in ("", each.cloud_provider.id)]
    exact = [each for each in of_cloud if accelerators in (0, each.compute_info.num_accelerators)]
    found = _find_among(exact, wanted) or (None if cloud else _find_among(types, wanted))
    return Instance(found, _needs_of(found)) if found is not None else None


def _find_among(types: Sequence[InstanceType], wanted: str) -> InstanceType | None:
    short = wanted.removeprefix("gpu-").removeprefix("nvidia-") or wanted
    names = ((each, [each.id, *each.compute_info.accelerator_type]) for each in types)
    near = (each for each, known in names if any(short in text.lower() for text in known))
    return next((each for each in types if each.id.lower() == wanted), None) or next(near, None)


def _needs_of(kind: InstanceType) -> ComputeInfo:
    needs = ComputeInfo()
    needs.CopyFrom(kind.compute_info)
    if needs.num_accelerators:
        # A model may run on any accelerator of the same maker, not only on the type that was named.
        maker = needs.accelerator_type[0].split("-")[0]
        needs.accelerator_type[:] = [f"{maker}-*"]
    return needs


def _all_instance_types() -> list[InstanceType]:
    """Return the instance types in the SDK's order: by provider, then most accelerators first, then id."""
    catalogue = Catalogue()
    found = catalogue.instance_types(ALL, ALL)
    return sorted(found, key=lambda each: (each.cloud_provider.id, -each.compute_info.num_accelerators, each.id))
