"""Changes faults as plain JSON asks for it, and lists them: what the command line and the page have of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clarifai_emulator.control.verbs import FaultState, Verbs
from clarifai_emulator.faults.fault import NAMES, Fault, InvalidFault


async def change_faults(verbs: Verbs, request: Mapping[str, Any]) -> dict[str, Any]:
    """Add the fault ``add``, remove those with the ids of ``remove``, or ``clear`` them; then list all. Raises
    ``ConfigError``."""
    changed, warnings = list[FaultState](), list[str]()
    if "add" in request:
        changed = [await verbs.add_fault(fault_of(request["add"]))]
        warnings = await verbs.unknown_names(changed[0].fault)
    elif "remove" in request:
        changed = await verbs.remove_faults(tuple(request["remove"]))
    elif request.get("clear"):
        changed = await verbs.clear_faults()
    listed = {"faults": await verbs.faults(), "changed": changed}
    told = {name: [each.as_dict() for each in states] for name, states in listed.items()}
    return {**told, "warnings": warnings}


def fault_of(given: Mapping[str, Any]) -> Fault:
    """Return the fault with these fields. Raises ``InvalidFault`` with every problem."""
    unknown = [name for name in given if name not in NAMES]
    if unknown:
        raise InvalidFault([(name, f"is no field of a fault; there are {', '.join(NAMES)}") for name in unknown])
    return Fault(**given)
