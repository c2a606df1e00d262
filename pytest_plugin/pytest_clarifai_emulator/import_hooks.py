"""Calls back when a module is imported, before anybody else sees it: the SDK and grpc, whoever imports them.

hooks = ImportHooks() hooks.after("clarifai.client.", watch)      # every module below clarifai.client, once its
code has run hooks.around("grpc", execute_grpc)          # runs the module's code itself
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
import threading
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

Execute = Callable[[ModuleType], None]


class ImportHooks:
    """A finder at the front of ``sys.meta_path`` from ``install`` to ``remove``. Names that end with a dot stand
    for every module below."""

    def __init__(self) -> None:
        self._around: list[tuple[str, Callable[[ModuleType, Execute], None]]] = []
        self._searching = threading.local()

    def around(self, name: str, execute: Callable[[ModuleType, Execute], None]) -> None:
        """Let ``execute(module, run)`` run the code of a module that is imported from now on."""
        self._around.append((name, execute))

    def after(self, name: str, call: Callable[[ModuleType], None]) -> None:
        """Call ``call(module)`` now for modules that are there already, and later for those that come."""
        for known, module in tuple(sys.modules.items()):
            if _is_named(known, name):
                call(module)

        def execute(module: ModuleType, run: Execute) -> None:
            run(module)
            call(module)

        self.around(name, execute)

    def install(self) -> None:
        """Call back from now on."""
        sys.meta_path.insert(0, self)  # pyright: ignore[reportArgumentType] - find_spec is all that is asked of it

    def remove(self) -> None:
        """Call back no more."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)  # pyright: ignore[reportArgumentType]

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> Any:
        """Find the module as everybody else does, with the hooks around its code."""
        wanted = [execute for each, execute in self._around if _is_named(name, each)]
        if not wanted or getattr(self._searching, "now", False):
            return None
        self._searching.now = True
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self._searching.now = False
        if spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            loader: Any = spec.loader
            for execute in wanted:
                loader.exec_module = _wrapped(loader.exec_module, execute)
        return spec


def _is_named(name: str, wanted: str) -> bool:
    return name == wanted or (wanted.endswith(".") and name.startswith(wanted))


def _wrapped(run: Execute, execute: Callable[[ModuleType, Execute], None]) -> Execute:
    def exec_module(module: ModuleType) -> None:
        execute(module, run)

    return exec_module
