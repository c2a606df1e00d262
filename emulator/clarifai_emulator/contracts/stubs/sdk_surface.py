"""Reads from the SDK's source what its own ``Model`` and ``ModelClient`` have besides a model's methods.

Nothing is imported: the SDK takes half a second to load, and other versions have other attributes.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from functools import cache
from pathlib import Path

# What the SDK's Model passes on to the methods of the model itself.
FORWARDED = ("predict", "generate", "stream")
ASYNC_FORWARDED = tuple(f"async_{name}" for name in FORWARDED)

_MODEL_FILES = ("client/model.py", "client/lister.py", "client/base.py")
_CLIENT_FILES = ("client/model_client.py",)
_CLASSES = frozenset({"Model", "Lister", "BaseClient", "ModelClient"})


@cache
def model_attributes() -> tuple[str, ...]:
    """Names on every ``Model``, those it passes on left aside; the fields of its record are among them."""
    from clarifai_grpc.grpc.api.resources_pb2 import Model

    fields = [field.name for field in Model.DESCRIPTOR.fields]
    passed_on = {*FORWARDED, *ASYNC_FORWARDED, "client", "async_client", "from_current_context"}
    return tuple(sorted({*_names(_MODEL_FILES), *fields} - passed_on))


@cache
def client_attributes() -> tuple[str, ...]:
    """Names on every ``ModelClient``."""
    return tuple(sorted(set(_names(_CLIENT_FILES)) - {"from_local_grpc", *FORWARDED}))


@cache
def client_exports() -> tuple[tuple[str, str], ...]:
    """List what ``clarifai.client`` exports, as (module, name)."""
    tree = _tree("client/__init__.py")
    return tuple(
        (node.module, alias.asname or alias.name)
        for node in (tree.body if tree else ())
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    )


@cache
def sdk_folder() -> Path | None:
    """Return the folder of the installed SDK; ``None`` without one."""
    spec = importlib.util.find_spec("clarifai")
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    return Path(places[0]) if places else None


def _names(files: tuple[str, ...]) -> Iterator[str]:
    for file in files:
        tree = _tree(file)
        for node in tree.body if tree else ():
            if isinstance(node, ast.ClassDef) and node.name in _CLASSES:
                yield from _class_names(node)


def _class_names(definition: ast.ClassDef) -> Iterator[str]:
    for node in ast.walk(definition):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not _is_special(node.name):
            yield node.name
        elif (
            isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store)
            and isinstance(node.value, ast.Name)
            and node.value.id == "self"
        ):
            yield node.attr


def _is_special(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _tree(file: str) -> ast.Module | None:
    folder = sdk_folder()
    path = folder / file if folder is not None else None
    return ast.parse(path.read_text()) if path is not None and path.is_file() else None
