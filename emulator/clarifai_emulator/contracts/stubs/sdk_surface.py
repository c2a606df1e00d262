"""Reads from the SDK's source what its own ``Model`` and ``ModelClient`` have besides a model's methods.

Nothing is imported: the SDK takes half a second to load, and other versions have other attributes. Where the
clients' environment has no SDK, the table of published versions (``sdk_versions.py``) takes its place.
"""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from clarifai_emulator.python_source import parse_module

# What the SDK's Model passes on to the methods of the model itself.
FORWARDED = ("predict", "generate", "stream")
ASYNC_FORWARDED = tuple(f"async_{name}" for name in FORWARDED)
# What puts one input of an older client into a message and calls predict, generate or stream with it.
OF_ONE_INPUT = tuple(f"{method}_by_{way}" for method in FORWARDED for way in ("url", "bytes", "filepath"))

# Where no SDK is installed: its classes, without their code. Written by ``docs/generate_sdk_outline.py``.
OUTLINE = Path(__file__).with_name("sdk_outline")

_MODEL_FILES = ("client/model.py", "client/lister.py", "client/base.py")
_CLIENT_FILES = ("client/model_client.py",)
_CLASSES = frozenset({"Model", "Lister", "BaseClient", "ModelClient"})
_VERSION = re.compile(r"""__version__\s*=\s*['"]([\w.]+)""")


@dataclass(frozen=True, slots=True)
class SdkParameter:
    """A parameter of a function of the SDK. ``star``: ``*`` or ``**`` where it takes what has no name of its
    own."""

    name: str
    required: bool
    star: str = ""


@dataclass(frozen=True, slots=True)
class SdkSurface:
    """The public names of one version's ``Model`` and ``ModelClient``; functions with their parameters, without
    ``self``. ``__init__`` stands among the functions. ``version`` is empty where the SDK does not say it."""

    version: str
    model: Mapping[str, tuple[SdkParameter, ...]] = field(default_factory=dict[str, tuple[SdkParameter, ...]])
    client: Mapping[str, tuple[SdkParameter, ...]] = field(default_factory=dict[str, tuple[SdkParameter, ...]])
    model_values: frozenset[str] = frozenset()
    client_values: frozenset[str] = frozenset()

    @property
    def model_attributes(self) -> tuple[str, ...]:
        """Names on every ``Model``, those it passes on left aside. Its record's fields are among them, and what it
        takes from its ``ModelClient``."""
        passed_on = {*FORWARDED, *ASYNC_FORWARDED, "client", "async_client", "from_current_context", "__init__"}
        return tuple(
            sorted({*self.model, *self.model_values, *_record_names(), *self.client_attributes} - passed_on)
        )

    @property
    def client_attributes(self) -> tuple[str, ...]:
        """Names on every ``ModelClient``."""
        own = {*self.client, *self.client_values}
        return tuple(sorted(own - {"from_local_grpc", "__init__", *FORWARDED}))

    def fingerprint(self) -> str:
        """Write all of it as one text, which is the same in every process: the order of a set is not."""
        values = sorted(self.model_values), sorted(self.client_values)
        return repr((self.version, dict(self.model), dict(self.client), *values))

    def of_version(self, version: str) -> SdkSurface:
        """Return the same, of this version."""
        return replace(self, version=version)

    def function(self, name: str) -> tuple[SdkParameter, ...] | None:
        """Return the parameters of a function that can be called on a ``Model``; ``None`` where it is none."""
        return self.model.get(name, self.client.get(name))


def surface_of(folder: Path) -> SdkSurface | None:
    """Read the SDK in this folder (``…/site-packages/clarifai``); ``None`` where its ``Model`` cannot be read."""
    model, model_values = _names(folder, _MODEL_FILES)
    client, client_values = _names(folder, _CLIENT_FILES)
    if not model:
        return None
    return SdkSurface(_version(folder), model, client, frozenset(model_values), frozenset(client_values))


def surface_for(packages: Sequence[Path]) -> SdkSurface:
    """Return the surface of the SDK that clients with these package folders use: of theirs, else of the one that is
    installed here, else of the newest version in the table."""
    for folder in [*(each / "clarifai" for each in packages), *filter(None, [sdk_folder()])]:
        found = _cached_surface(folder)
        if found is not None:
            return found
    from clarifai_emulator.contracts.stubs.sdk_versions import newest_surface

    return newest_surface()


@cache
def client_exports() -> tuple[tuple[str, str], ...]:
    """List what ``clarifai.client`` exports, as (module, name)."""
    tree = _tree(sdk_file("client/__init__.py"))
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


def sdk_root() -> Path:
    """Return the folder that holds the SDK's package: the installed one, else the outline of one."""
    folder = sdk_folder()
    return folder.parent if folder is not None else OUTLINE


def outline_version() -> str:
    """Return the version of the SDK that the outline is of."""
    return re.findall(
        r"clarifai ([\w.]+),", (OUTLINE / "clarifai/client/__init__.pyi").read_text(encoding="utf-8")
    )[0]


def outlines(module: Path) -> tuple[Path, Path]:
    """Return the files of the outline that may hold a module; ``module``: its file, without a suffix."""
    return module.with_suffix(".pyi"), module / "__init__.pyi"


def sdk_file(name: str) -> Path:
    """Return a source file of the SDK, which may not be there: the installed one, else its outline. ``name``: such
    as ``client/__init__.py``."""
    folder = sdk_folder()
    return folder / name if folder is not None else (OUTLINE / "clarifai" / name).with_suffix(".pyi")


@cache
def _cached_surface(folder: Path) -> SdkSurface | None:
    return surface_of(folder) if folder.is_dir() else None


@cache
def _record_names() -> frozenset[str]:
    """Return the fields of the platform's record of a model, and what every message has: a ``Model`` gives them
    out."""
    from clarifai_grpc.grpc.api.resources_pb2 import Model

    return frozenset(
        [
            *(each.name for each in Model.DESCRIPTOR.fields),
            *(each for each in dir(Model) if not each.startswith("_")),
        ]
    )


def _names(folder: Path, files: Iterable[str]) -> tuple[dict[str, tuple[SdkParameter, ...]], set[str]]:
    """Return the public functions of the classes in these files, and the names of their other attributes."""
    functions: dict[str, tuple[SdkParameter, ...]] = {}
    values: set[str] = set()
    for file in files:
        tree = _tree(folder / file)
        for node in tree.body if tree else ():
            if isinstance(node, ast.ClassDef) and node.name in _CLASSES:
                for each in node.body:
                    _member(each, functions, values, primary=node.name in ("Model", "ModelClient"))
                values.update(_set_on_self(node))
    return functions, values - functions.keys()


def _member(
    node: ast.stmt, functions: dict[str, tuple[SdkParameter, ...]], values: set[str], *, primary: bool
) -> None:
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return
    if node.name.startswith("_") and not (node.name == "__init__" and primary):
        return
    decorators = [each.id for each in node.decorator_list if isinstance(each, ast.Name)]
    if "property" in decorators:
        values.add(node.name)
    else:
        functions.setdefault(node.name, parameters_of(node.args, bound="staticmethod" not in decorators))


def parameters_of(given: ast.arguments, *, bound: bool = True) -> tuple[SdkParameter, ...]:
    """Return the parameters of a function; ``bound``: without the first one, ``self``."""
    plain = [*given.posonlyargs, *given.args]
    without_default = len(plain) - len(given.defaults)
    found = [SdkParameter(each.arg, position < without_default) for position, each in enumerate(plain)]
    found = found[1:] if bound else found
    if given.vararg is not None:
        found.append(SdkParameter(given.vararg.arg, False, "*"))
    found += [
        SdkParameter(each.arg, default is None)
        for each, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)
    ]
    if given.kwarg is not None:
        found.append(SdkParameter(given.kwarg.arg, False, "**"))
    return tuple(found)


def _set_on_self(definition: ast.ClassDef) -> Iterator[str]:
    for node in ast.walk(definition):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store)
            and isinstance(node.value, ast.Name)
            and node.value.id == "self"
            and not node.attr.startswith("_")
        ):
            yield node.attr


def _version(folder: Path) -> str:
    try:
        found = _VERSION.search((folder / "__init__.py").read_text(encoding="utf-8"))
    except OSError:
        return ""
    return found[1] if found else ""


def _tree(path: Path) -> ast.Module | None:
    return parse_module(path.read_text(encoding="utf-8")) if path.is_file() else None
