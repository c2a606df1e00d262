"""Finds classes, functions and values by their names without an import: the model's own and the SDK's."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import griffe

from clarifai_emulator.contracts.signatures.static_flow import Flow, flow_of, installed
from clarifai_emulator.contracts.stubs.sdk_surface import OUTLINE, outlines, sdk_root
from clarifai_emulator.models.image_content import image_content
from clarifai_emulator.python_source import parse_module

_DEEPEST = 20
# A file larger than this was generated, and takes a parser more than it tells.
LARGEST = 2 * 1024 * 1024


class TooLarge(Exception):
    """A file that is not parsed."""


class ParsedModules:
    """The modules that can be found without an import. ``directory``: of the model; ``named``: the modules that its
    requirements name; ``sdk``: the folder that has the SDK's package, None for the one beside the emulator, or
    its outline."""

    def __init__(self, directory: Path, model_file: Path, named: frozenset[str], sdk: Path | None) -> None:
        self.own_roots = [directory, model_file.parent]
        self._directory, self._image = directory, image_content(directory)
        self._named = named
        self._loaded: dict[Path, Any] = {}
        self._flows: dict[str, Flow] = {}
        self._roots = list(self.own_roots)
        self._roots.append(sdk if sdk is not None else sdk_root())

    def load(self, file: Path, name: str) -> Any:
        """Return the module in a file. Raises ``SyntaxError``, ``OSError``, ``ValueError``, ``TooLarge``."""
        if file not in self._loaded:
            if file.stat().st_size > LARGEST:
                raise TooLarge(f"{file.name} has more than {LARGEST // 1024**2} MiB")
            data = file.read_bytes()
            tree = parse_module(data, str(file))
            text = _decoded(data)
            is_own = any(file.is_relative_to(root) for root in self.own_roots)
            flow = flow_of(text, tree, self._is_there) if is_own else Flow(text)
            self._flows[name] = flow
            self._loaded[file] = griffe.visit(name, filepath=file, code=flow.source)
        return self._loaded[file]

    def _is_there(self, name: str) -> bool:
        if any((root / name).is_dir() or (root / f"{name}.py").is_file() for root in self._roots):
            return True
        return installed(name) or name.lower().replace("_", "-") in self._named

    def flow(self, module: Any) -> Flow:
        """Return how a loaded module runs."""
        return self._flows.get(module.path, Flow(""))

    def find(self, path: str) -> Any:
        """Return the class, function or value of this dotted name; None where there is none."""
        return self._find(path, 0)

    def has_module(self, path: str) -> bool:
        """Tell whether there is a module of this name; true where its package is nowhere to be looked at."""
        parts = path.split(".")
        # An outline has not all modules.
        homes = [root for root in self._roots if root != OUTLINE and (root / parts[0]).is_dir()]
        bases = [root.joinpath(*parts) for root in homes]
        return not homes or any(each.is_dir() or each.with_suffix(".py").is_file() for each in bases)

    def has_name(self, module: str, name: str) -> bool:
        """Tell whether a module has this name, or may have it."""
        bases = [root.joinpath(*module.split(".")) for root in self._roots]
        files = [
            file for base in bases for file in (base.with_suffix(".py"), base / "__init__.py") if file.is_file()
        ]
        if not files or any((base / name).is_dir() or (base / f"{name}.py").is_file() for base in bases):
            return True
        try:
            members = self.load(files[0], module).members
        except (SyntaxError, OSError, ValueError, RecursionError, TooLarge):
            return True
        is_open = "__getattr__" in members or any(each.is_alias and each.wildcard for each in members.values())
        return name in members or is_open

    def is_outside(self, path: str) -> bool:
        """Tell whether a name is of neither the model nor the SDK: of an installed package, or Python's own."""
        top = path.partition(".")[0]
        return (
            not any((root / top).is_dir() or (root / f"{top}.py").is_file() for root in self._roots) and "." in path
        )

    def _find(self, path: str, depth: int) -> Any:
        parts = path.split(".")
        if depth > _DEEPEST:
            return None
        for root in self._roots:
            if root == self._directory and not self._is_in_image(parts[0]):
                continue
            for end in range(len(parts) - 1, 0, -1):
                base = root.joinpath(*parts[:end])
                for file in (base.with_suffix(".py"), base / "__init__.py", *outlines(base)):
                    if file.is_file():
                        return self._member(file, parts[:end], parts[end:], depth)
        return None

    def _is_in_image(self, name: str) -> bool:
        return self._image.has(name) or self._image.has(f"{name}.py")

    def _member(self, file: Path, module: Sequence[str], names: Sequence[str], depth: int) -> Any:
        try:
            loaded = self.load(file, ".".join(module))
        except (SyntaxError, OSError, ValueError, RecursionError, TooLarge):
            return None
        return self._within(loaded, names, depth)

    def _within(self, holder: Any, names: Sequence[str], depth: int) -> Any:
        """Return what a module or class has by these names, through imports and other names for it."""
        if depth > _DEEPEST:
            return None
        member = holder.members.get(names[0])
        if member is None and holder.is_class:
            above = (each for each in self.bases(holder)[0] if each is not holder and names[0] in each.members)
            heir = next(above, None)
            return self._within(heir, names, depth + 1) if heir is not None else None
        if member is None:
            return self._wild(holder, names, depth)
        if member.is_alias:
            return self._find(".".join([member.target_path, *names[1:]]), depth + 1)
        if len(names) == 1:
            return member
        if member.is_class:
            return self._within(member, names[1:], depth + 1)
        return self._renamed(member, names[1:], depth)

    def _renamed(self, member: Any, names: Sequence[str], depth: int) -> Any:
        """Return what is at ``names`` of a value that is another name for something."""
        value = getattr(member, "value", None)
        path = getattr(value, "canonical_path", None)
        if path is None:
            return None
        return self.named(".".join([path, *names]), member.module, depth + 1)

    def _wild(self, holder: Any, names: Sequence[str], depth: int) -> Any:
        for each in reversed(list(holder.members.values())):
            if each.is_alias and each.wildcard:
                found = self._find(".".join([each.target_path, *names]), depth + 1)
                if found is not None:
                    return found
        return None

    def named(self, path: str, module: Any, depth: int = 0) -> Any:
        """Return what a name stands for in a module, whatever other names it has; None where it cannot be found."""
        inside = path.removeprefix(f"{module.path}.")
        found = self._within(module, inside.split("."), depth)
        if found is None and inside == path:
            found = self._find(path, depth + 1)
        value = getattr(found, "value", None) if found is not None and found.is_attribute else None
        other = getattr(value, "canonical_path", None)
        if found is not None and other is not None and depth < _DEEPEST:
            return self.named(other, found.module, depth + 1) or found
        return found

    def bases(self, class_: Any) -> tuple[list[Any], list[str]]:
        """Return the classes in the order in which Python asks them, and the bases that cannot be found."""
        missing: list[str] = []
        return self._order(class_, missing, ()), missing

    def _order(self, class_: Any, missing: list[str], above: tuple[Any, ...]) -> list[Any]:
        parents: list[Any] = []
        for base in class_.bases:
            path = base if isinstance(base, str) else getattr(base, "canonical_path", str(base))
            found = self.named(path, class_.module)
            if found is None or not found.is_class or found in above:
                if path.rpartition(".")[2] not in ("object", "ABC", "Generic"):
                    missing.append(path)
                continue
            parents.append(found)
        orders = [self._order(each, missing, (*above, class_)) for each in parents]
        return [class_, *_merged([*orders, parents])]

    def is_model(self, class_: Any) -> bool:
        """Tell whether a class inherits from the SDK's ModelClass."""
        return any(_is_model_class(each) and each is not class_ for each in self.bases(class_)[0])

    def is_method_decorator(self, decorator: Any, module: Any) -> bool | None:
        """Tell whether a decorator is ``ModelClass.method``, under whatever name; None where it cannot be found."""
        path = getattr(decorator, "canonical_path", None)
        if path is None:
            return False
        found = self.named(path, module)
        if found is None:
            return True if path.endswith("ModelClass.method") else None
        owner = found.parent
        return found.name == "method" and owner is not None and owner.is_class and _is_model_class(owner)

    def decorator_target(self, decorator: Any, module: Any) -> Any:
        """Return the function that a decorator is, or that makes it."""
        function = getattr(decorator, "function", decorator)
        path = getattr(function, "canonical_path", None)
        return self.named(path, module) if path is not None else None


def _decoded(data: bytes) -> str:
    """Decode source as Python does, which takes any bytes in a comment."""
    try:
        return importlib.util.decode_source(data)
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace").replace("\r\n", "\n")


def _is_model_class(class_: Any) -> bool:
    return class_.name == "ModelClass" and str(class_.path).startswith("clarifai.")


def _merged(orders: list[list[Any]]) -> Iterator[Any]:
    """Yield classes in Python's order (C3), and in some order where there is no such one."""
    left = [list(each) for each in orders if each]
    while left:
        heads = [each[0] for each in left]
        chosen = next((head for head in heads if not any(head in each[1:] for each in left)), heads[0])
        yield chosen
        left = [rest for each in left if (rest := [one for one in each if one is not chosen])]
