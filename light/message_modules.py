"""Writes those message types of clarifai-grpc that the light distribution uses, and what is in them.

clarifai-grpc brings grpcio, and messages of every RPC of the platform; a tenth of them is used.

    modules' sources ─► used_messages ─► kept_files: descriptors without what nobody uses ─► write_messages
"""

from __future__ import annotations

import ast
import importlib
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorProto

# The package, and the distribution that it comes from; its copy has the same name.
SOURCE = "clarifai_grpc"
DISTRIBUTION = "clarifai-grpc"
_IMPORT = re.compile(rf"^(?P<before> *from )(?={SOURCE}[. ])", re.MULTILINE)
_MODULE = '''\
"""Message types of {distribution}, of its file {file}: those that this package uses."""

from google.protobuf import descriptor_pool
from google.protobuf.internal import builder
{imports}
DESCRIPTOR = descriptor_pool.Default().AddSerializedFile({content!r})
builder.BuildMessageAndEnumDescriptors(DESCRIPTOR, globals())
builder.BuildTopDescriptorsAndMessages(DESCRIPTOR, {name!r}, globals())
'''


def with_messages_of(package: str, text: str) -> str:
    """Return a module's text that imports the messages from their copies in ``package``."""
    return _IMPORT.sub(lambda found: f"{found['before']}{package}.", text)


def used_messages(texts: Iterable[str]) -> dict[str, set[str]]:
    """Return what modules with these texts use of the message modules: names of messages, enums and extensions by
    module. Raises ``ValueError`` where a message module is used as a whole, so that nobody can tell what of it."""
    used: dict[str, set[str]] = {}
    for text in texts:
        tree = ast.parse(text)
        whole = dict(_modules_in(tree))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and _is_message_module(node.module or ""):
                used.setdefault(str(node.module), set()).update(each.name for each in node.names)
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in whole:
                used.setdefault(whole[node.value.id], set()).add(node.attr)
        named = [each for each in ast.walk(tree) if isinstance(each, ast.Name) and each.id in whole]
        inside = [each.value for each in ast.walk(tree) if isinstance(each, ast.Attribute)]
        if any(each not in inside for each in named):
            raise ValueError(f"It cannot be seen which messages of {', '.join(whole.values())} are used.")
    return used


def _modules_in(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield the names that message modules are bound to, with the modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == SOURCE:
            for each in node.names:
                module = f"{node.module}.{each.name}"
                if _is_message_module(module):
                    yield each.asname or each.name, module


def _is_message_module(name: str) -> bool:
    return name.startswith(f"{SOURCE}.") and name.endswith("_pb2")


def kept_files(used: Mapping[str, Iterable[str]]) -> dict[str, FileDescriptorProto]:
    """Return the files of messages, by module: with what is used, with what stands in it, and with no more."""
    kept: dict[str, set[str]] = {}
    files: dict[str, Any] = {}
    for module, names in used.items():
        file = importlib.import_module(module).DESCRIPTOR
        files[file.name] = file
        kept.setdefault(file.name, set())
        for name in names:
            found = file.message_types_by_name.get(name) or file.enum_types_by_name.get(name)
            if found is not None:
                _keep(found, kept, files)
            elif name not in file.extensions_by_name:
                raise ValueError(f"{module} has no message, enum or extension {name}.")
    return {_module_of(name): _without(files[name], kept) for name in sorted(kept)}


def _keep(found: Any, kept: dict[str, set[str]], files: dict[str, Any]) -> None:
    """Note a message or an enum, and all that may stand in it. Messages inside of others are kept with those."""
    waiting = [found]
    while waiting:
        outer = waiting.pop()
        while outer.containing_type is not None:
            outer = outer.containing_type
        names = kept.setdefault(outer.file.name, set())
        if outer.name not in names:
            files[outer.file.name] = outer.file
            names.add(outer.name)
            waiting += [each for each in _types_in(outer) if not each.file.name.startswith("google/protobuf/")]


def _types_in(outer: Any) -> Iterator[Any]:
    if not hasattr(outer, "fields"):  # an enum
        return
    for field in outer.fields:
        yield from (each for each in (field.message_type, field.enum_type) if each is not None)
    for inner in outer.nested_types:
        yield from _types_in(inner)


def _without(file: Any, kept: Mapping[str, set[str]]) -> FileDescriptorProto:
    """Return a file with what is kept of it. Options whose extensions are in no kept file stay, unread."""
    content = FileDescriptorProto()
    file.CopyToProto(content)
    names = kept[file.name]
    messages = [each for each in content.message_type if each.name in names]
    enums = [each for each in content.enum_type if each.name in names]
    dependencies = [each for each in content.dependency if each in kept or each.startswith("google/protobuf/")]
    for field in ("message_type", "enum_type", "service", "dependency", "public_dependency", "weak_dependency"):
        content.ClearField(field)  # pyright: ignore[reportArgumentType] - names of fields are not all literals
    content.message_type.extend(messages)
    content.enum_type.extend(enums)
    content.dependency.extend(dependencies)
    return content


def write_messages(used: Mapping[str, Iterable[str]], folder: Path, package: str, first: Path) -> None:
    """Write modules of the messages, with their licence. ``folder``: of ``package``; ``first``: the first module of
    the copied package."""
    top = folder / SOURCE
    for module, content in kept_files(used).items():
        file = folder.joinpath(*module.split(".")).with_suffix(".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        imports = "".join(f"import {_imported(package, each)}\n" for each in content.dependency)
        text = _MODULE.format(
            distribution=DISTRIBUTION,
            file=content.name,
            imports=f"\n{imports}" if imports else "",
            content=content.SerializeToString(deterministic=True),
            name=f"{content.name.removesuffix('.proto').replace('/', '.')}_pb2",
        )
        file.write_text(text, encoding="utf-8")
    (top / "__init__.py").write_text(first.read_text(encoding="utf-8"))
    shutil.copyfile(_licence(), top / "LICENSE")


def _module_of(file: str) -> str:
    """Return the module of a file: ``proto/clarifai/api/x.proto`` is in ``clarifai_grpc.grpc.api.x_pb2``."""
    inside = file.removeprefix("proto/clarifai/").removesuffix(".proto").replace("/", ".")
    return f"{SOURCE}.grpc.{inside}_pb2"


def _imported(package: str, file: str) -> str:
    if file.startswith("google/protobuf/"):
        return f"{file.removesuffix('.proto').replace('/', '.')}_pb2"
    return f"{package}.{_module_of(file)}"


def _licence() -> Path:
    files = metadata.files(DISTRIBUTION) or ()
    return next(Path(str(each.locate())) for each in files if each.name == "LICENSE")
