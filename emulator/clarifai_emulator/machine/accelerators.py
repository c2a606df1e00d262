"""Tells which accelerators this machine has, and which replica holds which of them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from clarifai_grpc.grpc.api.resources_pb2 import ComputeInfo

from clarifai_emulator.errors import NoRoom
from clarifai_emulator.machine.devices import Devices
from clarifai_emulator.messages.quantities import format_memory, parse_memory

NVIDIA_SMI = ("nvidia-smi", "--query-gpu=index,uuid,name,memory.total", "--format=csv,noheader,nounits")
_QUERY_SECONDS = 15.0
_MEBIBYTE = 1024 * 1024

# The platform's names that are shorter than the driver's (docs, "Supported Cloud Instances").
_PLATFORM_NAMES = ("RTX-PRO-6000", "GH200")
# Where the driver's name begins to tell the form and not the kind: A100-SXM4-80GB, H100 80GB HBM3.
_FORM = re.compile(r"(SXM\d*|PCIE|PCI|NVL|HBM\w*|\d+GB?|\d+MIB)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Accelerator:
    """A GPU, or a slice of one. ``uuid``: as its driver names it. ``name``: the platform's type name
    (``NVIDIA-A10G``). ``memory``: bytes, 0 when not known. ``nodes``: files under /dev that belong to it, where a
    container needs no more than these. ``simulated``: it exists in name only."""

    index: int
    uuid: str
    name: str
    memory: int
    nodes: tuple[str, ...] = ()
    simulated: bool = False

    def __str__(self) -> str:
        size = format_memory(self.memory) if self.memory else "memory unknown"
        return f"#{self.index} {self.name} ({size}{', simulated' if self.simulated else ''})"


@dataclass(frozen=True, slots=True)
class Discovery:
    """The ``accelerators`` of this machine; ``reason`` says why there are none, and is empty when there are."""

    accelerators: tuple[Accelerator, ...]
    reason: str = ""


def run_nvidia_smi(command: Sequence[str]) -> str:
    """Standard output of the command. Raises ``OSError`` and ``subprocess.SubprocessError``."""
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_QUERY_SECONDS)
    return done.stdout


def discover(*, run: Callable[[Sequence[str]], str] = run_nvidia_smi, visible: str | None = None) -> Discovery:
    """The NVIDIA GPUs of this machine, by index. Blocks for as long as ``nvidia-smi`` takes, 15 s at most.

    ``visible``: the ``CUDA_VISIBLE_DEVICES`` the emulator was started with; GPUs it hides are left alone.
    """
    try:
        output = run(NVIDIA_SMI)
    except FileNotFoundError:
        return Discovery((), "there is no nvidia-smi on the PATH")
    except subprocess.TimeoutExpired as error:
        return Discovery((), f"nvidia-smi did not answer within {error.timeout:g} s")
    except subprocess.CalledProcessError as error:
        said = " ".join(f"{error.stdout or ''} {error.stderr or ''}".split())
        return Discovery((), f"nvidia-smi failed with exit status {error.returncode}: {said or 'no output'}")
    except OSError as error:
        return Discovery((), f"nvidia-smi cannot be run: {error}")
    found, unread = _parse(output)
    if not found:
        return Discovery((), f"nvidia-smi answered {unread[0]!r}" if unread else "nvidia-smi lists no GPU")
    return shown(Discovery(found), visible)


def shown(found: Discovery, visible: str | None) -> Discovery:
    """Return what ``CUDA_VISIBLE_DEVICES`` leaves of the accelerators."""
    left = tuple(each for each in found.accelerators if _is_visible(each, visible))
    if left or not found.accelerators:
        return Discovery(left, found.reason)
    return Discovery((), f"CUDA_VISIBLE_DEVICES={visible!r} hides every GPU")


def platform_name(driver_name: str) -> str:
    """The platform's type name for a driver's: ``NVIDIA A100-SXM4-80GB`` → ``NVIDIA-A100``."""
    words = driver_name.replace("-", " ").split()
    if words and words[0].upper() in ("NVIDIA", "TESLA"):
        words = words[1:]
    joined = "-".join(words)
    for known in _PLATFORM_NAMES:
        if joined.upper().startswith(known):
            return f"NVIDIA-{known}"
    kind = words[:1]
    for word in words[1:]:
        if _FORM.fullmatch(word):
            break
        kind.append(word)
    return "-".join(["NVIDIA", *kind])


class AcceleratorPool:
    """Hands out accelerators, each to one holder at a time. ``reason``: why the machine has none. ``where``: which
    machine that is, for messages."""

    def __init__(
        self, accelerators: Iterable[Accelerator], *, reason: str = "", where: str = "this machine"
    ) -> None:
        self._where = where
        self._all = self._machine = tuple(accelerators)
        self._reason = reason
        self._holders: dict[str, list[str]] = {}
        self._shared: set[str] = set()  # of those: who holds them shares them

    def restrict(self, uuids: Collection[str] | None) -> None:
        """Hand out these only, because others use the rest; None: all of the machine again."""
        self._all = tuple(each for each in self._machine if uuids is None or each.uuid in uuids)

    @property
    def free(self) -> tuple[Accelerator, ...]:
        return tuple(each for each in self._all if each.uuid not in self._holders)

    @property
    def holders(self) -> dict[str, str]:
        """UUID → who holds it, as a copy."""
        return {uuid: ", ".join(holders) for uuid, holders in self._holders.items()}

    def allocate_for(self, required: ComputeInfo, *, holder: str, shared: bool = False) -> tuple[str, ...]:
        """UUIDs of what ``required`` asks for.

        Raises ``NoRoom`` as ``allocate`` does, and ``ValueError`` for an amount of memory that is none.
        """
        memory = parse_memory(required.accelerator_memory) if required.accelerator_memory else 0
        kinds = tuple(required.accelerator_type)
        taken = self.allocate(required.num_accelerators, kinds, memory, holder=holder, shared=shared)
        return tuple(each.uuid for each in taken)

    def allocate(
        self, count: int, types: Sequence[str] = (), memory: int = 0, *, holder: str, shared: bool = False
    ) -> tuple[Accelerator, ...]:
        """Take ``count`` accelerators for ``holder``, the smallest that fit.

        ``types``: alternatives, each a name or a wildcard (``NVIDIA-*``); empty takes any. ``memory``: bytes
        that each must have. ``shared``: beside others that share, too. Raises ``NoRoom`` and takes none;
        ``for_good`` when not even a free machine would do.
        """
        fitting = self._fitting(types, memory)
        free = [each for each in fitting if not self._holders.get(each.uuid) or self._may_share(each, shared)]
        chosen = sorted(free, key=lambda each: (len(self._of(each)), each.memory, each.index))[:count]
        if len(chosen) < count:
            asked = _asked(count, types, memory)
            reason, for_good = self._refusal(asked, fitting), len(fitting) < count
            hint = "" if for_good else "\n`clarifai-emulator undeploy MODEL` frees what a model holds."
            raise NoRoom(reason + hint, for_good=for_good)
        for each in chosen:
            self._holders.setdefault(each.uuid, []).append(holder)
            if shared:
                self._shared.add(each.uuid)
        return tuple(sorted(chosen, key=lambda e: e.index))

    def join(self, uuids: Iterable[str], *, holder: str) -> tuple[str, ...]:
        """Take these beside who has them."""
        joined = tuple(uuids)
        for uuid in joined:
            self._holders.setdefault(uuid, []).append(holder)
        return joined

    def why_never(self, required: ComputeInfo) -> str:
        """Why not even a free machine has what ``required`` asks for, whatever its type; empty when it has. Raises
        ``ValueError`` for an amount of memory that is none."""
        memory = parse_memory(required.accelerator_memory) if required.accelerator_memory else 0
        fitting = self._fitting((), memory)
        if len(fitting) >= required.num_accelerators:
            return ""
        return self._refusal(_asked(required.num_accelerators, tuple(required.accelerator_type), memory), fitting)

    def devices(self, uuids: Iterable[str]) -> Devices:
        """Accelerators by their UUIDs, as a backend passes them on."""
        wanted = set(uuids)
        found = [each for each in self._all if each.uuid in wanted]
        return Devices(
            ids=tuple(each.uuid for each in found),
            indexes=tuple(each.index for each in found),
            nodes=tuple(dict.fromkeys(node for each in found for node in each.nodes)),
            simulated=any(each.simulated for each in found),
        )

    def release(self, uuids: Iterable[str]) -> None:
        """Give accelerators back, once for each that took them. Those that nobody holds are passed over."""
        for uuid in uuids:
            holders = self._holders.get(uuid)
            if holders:
                holders.pop()
            if not holders:
                self._holders.pop(uuid, None)
                self._shared.discard(uuid)

    def _fitting(self, types: Sequence[str], memory: int) -> list[Accelerator]:
        return [each for each in self._all if _matches(each, types) and each.memory >= memory]

    def _of(self, accelerator: Accelerator) -> list[str]:
        return self._holders.get(accelerator.uuid, [])

    def _may_share(self, accelerator: Accelerator, shared: bool) -> bool:
        return shared and accelerator.uuid in self._shared

    def _refusal(self, asked: str, fitting: list[Accelerator]) -> str:
        if not self._all:
            why = f": {self._reason}" if self._reason else ""
            return f"{asked} wanted, but {self._where} has none{why}."
        lines = [f"{asked} wanted. {self._where[:1].upper()}{self._where[1:]} has:"]
        for each in self._all:
            holders = self._of(each)
            state = f"used by {', '.join(holders)}" if holders else "free"
            lines.append(f"  - {each}, {state}{'' if each in fitting else ', does not fit'}")
        return "\n".join(lines)


def _matches(accelerator: Accelerator, types: Sequence[str]) -> bool:
    """Older configs write a wildcard as ``[NVIDIA*]``, hence the brackets."""
    name = accelerator.name.upper()
    return not types or any(fnmatchcase(name, wanted.strip("[] ").upper()) for wanted in types)


def _asked(count: int, types: Sequence[str], memory: int) -> str:
    kind = f" of type {' or '.join(types)}" if types else ""
    size = f" with {format_memory(memory)}{' each' if count > 1 else ''}" if memory else ""
    return f"{count} accelerator{'' if count == 1 else 's'}{kind}{size}"


def _parse(output: str) -> tuple[tuple[Accelerator, ...], list[str]]:
    """GPUs, and the lines that describe none."""
    found: list[Accelerator] = []
    unread: list[str] = []
    for line in filter(None, map(str.strip, output.splitlines())):
        columns = [column.strip() for column in line.split(",")]
        if len(columns) != 4 or not columns[0].isdecimal():
            unread.append(line)
            continue
        index, uuid, name, memory = columns
        # A GPU that shares the machine's memory answers "[N/A]".
        size = int(memory) * _MEBIBYTE if memory.isdecimal() else 0
        found.append(Accelerator(int(index), uuid, platform_name(name), size))
    return tuple(sorted(found, key=lambda each: each.index)), unread


def _is_visible(accelerator: Accelerator, visible: str | None) -> bool:
    """CUDA takes indexes and beginnings of UUIDs, and stops at the first entry it cannot read."""
    if visible is None:
        return True
    for entry in map(str.strip, visible.split(",")):
        if entry.isdecimal():
            if int(entry) == accelerator.index:
                return True
        elif not entry.upper().startswith(("GPU-", "MIG-")):
            return False
        elif accelerator.uuid.startswith(entry):
            return True
    return False
