"""Objects are given what they need when they are made: nobody puts an attribute or a callback onto another one.

Read from the source: an assignment to ``other.name``, where ``other`` is not ``self``, is refused when the name is

* private (``other._name``);
* an attribute of a class of ours that is no plain record (no dataclass), and that another module owns; or
* given a function: a lambda, a function of the module, or a method.

Messages of the platform are data, and so are the fields of dataclasses. What runs inside a model's interpreter
adapts the SDK that it finds there, and is left out.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import pytest
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.status import status_pb2

PRODUCT = Path(__file__).parents[2] / "emulator" / "clarifai_emulator"
ADAPTS_THE_SDK = ("inside/", "topology/stand_ins/templates/")

# A request on its way has one holder at a time, which says whom its cancellation concerns, and how. A call of a
# method each time would be paid by every request.
HANDED_ON = {
    "dispatch/lane.py": {"work.on_cancel", "work.sent_at"},
    "dispatch/lean.py": {"self._replica.cancel_item"},
    "api/handlers/inference.py": {"work.more"},
}
# Hooks of Python and of libraries, which there is no other way to set.
OF_LIBRARIES = {
    "backends/debugging/breakpoints.py": {"pdb.set_trace"},
    "cli/interruption.py": {"sys.unraisablehook"},
    "state/state_schema.py": {"database.text_factory"},
}
# To be made without: the controls are told about a run that has begun.
YET_TO_GO = {"cli/foreground.py: control.about", "control/thread.py: active.remove"}


@dataclass
class Names:
    """Hold what the product's classes call their attributes and methods; ``owned``: by module, of its own."""

    parts: set[str] = field(default_factory=set[str])
    records: set[str] = field(default_factory=set[str])
    functions: set[str] = field(default_factory=set[str])
    owned: dict[str, set[str]] = field(default_factory=dict[str, set[str]])


def targets(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, ast.Assign):
        found = node.targets
    elif isinstance(node, (ast.AugAssign, ast.AnnAssign)):
        found = [node.target]
    else:
        return
    for each in found:
        yield from each.elts if isinstance(each, (ast.Tuple, ast.List)) else (each,)


def is_self(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def is_record(node: ast.ClassDef) -> bool:
    return any(ast.unparse(each).startswith("dataclass") for each in node.decorator_list)


def read_names(sources: dict[str, ast.Module]) -> Names:
    names = Names()
    for module, tree in sources.items():
        owned = names.owned.setdefault(module, set())
        for node in ast.walk(tree):
            if not isinstance(node, ast.ClassDef):
                continue
            is_plain = is_record(node)
            names.functions |= {
                each.name
                for each in node.body
                if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef)) and not each.decorator_list
            }
            for inner in ast.walk(node):
                for target in targets(inner):
                    if isinstance(target, ast.Attribute) and is_self(target.value):
                        (names.records if is_plain else names.parts).add(target.attr)
                        owned.add(target.attr)
            if is_plain:
                names.records |= {
                    each.target.id
                    for each in node.body
                    if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
                }
    return names


def message_fields(module: ModuleType) -> set[str]:
    return {each.name for message in module.DESCRIPTOR.message_types_by_name.values() for each in message.fields}


def put_onto_others(sources: dict[str, ast.Module]) -> Iterator[str]:
    """Each assignment that the rule refuses, as ``module: target``."""
    names = read_names(sources)
    messages = set[str]().union(*map(message_fields, (resources_pb2, service_pb2, status_pb2)))
    data = names.records | messages
    for module, tree in sources.items():
        own_functions = {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}
        for node in ast.walk(tree):
            for target in targets(node):
                if not isinstance(target, ast.Attribute) or is_self(target.value):
                    continue
                value = getattr(node, "value", None)
                is_part = target.attr in names.parts - data - names.owned[module]
                is_function = isinstance(value, ast.Lambda) or (
                    (isinstance(value, ast.Attribute) and value.attr in names.functions - names.parts - data)
                    or (isinstance(value, ast.Name) and value.id in own_functions)
                )
                is_function = is_function and target.attr not in messages
                is_private = target.attr.startswith("_") and not target.attr.startswith("__")
                if is_part or is_function or is_private:
                    yield f"{module}: {ast.unparse(target)}"


def product() -> dict[str, ast.Module]:
    files = {str(each.relative_to(PRODUCT)): each for each in PRODUCT.rglob("*.py")}
    return {
        name: ast.parse(each.read_text(encoding="utf-8"))
        for name, each in sorted(files.items())
        if not name.startswith(ADAPTS_THE_SDK)
    }


def test_no_attribute_of_another_object_is_assigned_after_it_was_made() -> None:
    allowed = {
        f"{name}: {each}" for some in (HANDED_ON, OF_LIBRARIES) for name, them in some.items() for each in them
    }
    assert sorted(set(put_onto_others(product())) - allowed - YET_TO_GO) == []


def test_what_is_allowed_is_still_done() -> None:
    found = set(put_onto_others(product()))
    allowed = {
        f"{name}: {each}" for some in (HANDED_ON, OF_LIBRARIES) for name, them in some.items() for each in them
    }
    assert sorted(allowed - found) == []


@pytest.mark.parametrize(
    ("line", "is_refused"),
    [
        ("dispatcher.on_demand = self.look", True),
        ("dispatcher.on_demand = lambda: None", True),
        ("self.parts.dispatcher.on_demand = None", True),
        ("other._store = None", True),
        ("dispatcher.lanes, left = {}, 1", True),
        ("record.fleet = None", False),
        ("record.task = None", False),
        ("message.status.code = 1", False),
        ("self.lanes = {}", False),
    ],
)
def test_what_it_refuses(line: str, is_refused: bool) -> None:
    sources = {
        "dispatch.py": """
class Dispatcher:
    def __init__(self) -> None:
        self.on_demand = None
        self.lanes = {}
@dataclass
class Record:
    fleet: object
    task: object
""",
        "wiring.py": f"""
class Wiring:
    def look(self) -> None: ...
    def wire(self, dispatcher, record, message, other) -> None:
        {line}
""",
    }
    found = list(put_onto_others({name: ast.parse(text) for name, text in sources.items()}))
    assert bool(found) is is_refused, found
