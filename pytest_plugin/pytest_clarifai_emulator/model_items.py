"""Collects model directories and lock files as tests: ``pytest models/`` shows an item for each thing to check.

models/hello/config.yaml ─► config, signatures, one fuzz item for each method clarifai.contract.yaml   ─► one lock
item for each model that it names
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

CONFIG_FILE = "config.yaml"
LOCK_FILE = "clarifai.contract.yaml"


def is_asked_for(path: Path, config: pytest.Config) -> bool:
    """Tell whether the command line names this file's model directory, the folder it is in, or the lock file
    itself."""
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        return False
    named = {(config.invocation_params.dir / arg.partition("::")[0]).resolve() for arg in config.args}
    directory = path.parent.resolve()
    if path.name == LOCK_FILE:
        return path.resolve() in named or directory in named
    return bool(named & {directory, directory.parent, path.resolve()}) and (directory / "1" / "model.py").is_file()


class ModelDirectoryFile(pytest.File):
    """A model directory that pytest collects."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield the directory's items. Methods are read from the source, nothing is run."""
        yield _ConfigItem.from_parent(self, name="config")
        yield _SignaturesItem.from_parent(self, name="signatures")
        for method in _methods(self.path.parent):
            yield _FuzzItem.from_parent(self, name=f"fuzz[{method}]", method=method)


class LockFile(pytest.File):
    """A lock file that pytest collects."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield an item for each model that the file names."""
        from clarifai_emulator.contracts.changes.lock import read_lock

        for promise in read_lock(self.path):
            yield _LockItem.from_parent(self, name=f"lock[{promise.name}]", promise=promise)


class _ModelItem(pytest.Item):
    """A check of one model directory."""

    fixturenames: tuple[str, ...] = ()

    @property
    def directory(self) -> Path:
        return self.path.parent

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        """Return the message alone for errors of the emulator: their traces are of no use to people."""
        from clarifai_emulator.errors import EmulatorError

        if isinstance(excinfo.value, EmulatorError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, f"{self.directory.name}: {self.name}"


class _ConfigItem(_ModelItem):
    def runtest(self) -> None:
        from clarifai_emulator.models.directory import read_model_directory

        read_model_directory(self.directory)


class _SignaturesItem(_ModelItem):
    def runtest(self) -> None:
        from clarifai_emulator.contracts.rules.rule import Severity
        from clarifai_emulator.contracts.signatures.read_signatures import read_signatures
        from pytest_clarifai_emulator.contracts import broken_promises

        contract = read_signatures(self.directory)
        errors = [each for each in contract.findings if each.severity is Severity.ERROR]
        if errors or not contract.methods:
            told = list(broken_promises(errors)) or ["  it has no method that a client could call"]
            pytest.fail("\n".join([f"The signatures of {self.directory} cannot be built:", *told]), pytrace=False)


class _FuzzItem(_ModelItem):
    """Calls one method with values of its signature: it takes them, answers in time, and as it declares."""

    fixturenames = ("clarifai",)

    def __init__(self, *, method: str, **named: Any) -> None:
        super().__init__(**named)
        self._method = method

    def runtest(self) -> None:
        from clarifai_emulator.contracts.values.fuzz import METHOD_SECONDS, fuzz
        from pytest_clarifai_emulator.clarifai_fixture import Clarifai
        from pytest_clarifai_emulator.contracts import broken_promises
        from pytest_clarifai_emulator.model_paths import paths_of
        from pytest_clarifai_emulator.session import SETTINGS, serving_of
        from pytest_clarifai_emulator.test_environment import USER_ID

        serving = serving_of(self.config)
        close = serving.open_account()
        try:
            handle = Clarifai(serving, USER_ID, paths_of(self)).deploy(self.directory)
            signatures = [each for each in handle.deployed.signatures if each.name == self._method]
            if not signatures:
                pytest.fail(f"{self.directory} has no method {self._method!r} once it is imported.", pytrace=False)
            given = self.config.stash[SETTINGS].fuzz_seconds
            seconds = METHOD_SECONDS if given is None else given
            call, model = partial(_call, handle.model), "/".join(handle.key)
            for fuzzed in fuzz(signatures, call, model=model, method_seconds=seconds):
                if fuzzed.finding is not None:
                    told = broken_promises([fuzzed.finding])
                    calls = "1 call" if fuzzed.calls == 1 else f"{fuzzed.calls} calls"
                    pytest.fail("\n".join([f"{self.directory} after {calls}:", *told]), pytrace=False)
        finally:
            close()


class _LockItem(pytest.Item):
    """Checks that a model still keeps what clients were promised."""

    fixturenames: tuple[str, ...] = ()

    def __init__(self, *, promise: Any, **named: Any) -> None:
        super().__init__(**named)
        self._promise = promise

    def runtest(self) -> None:
        from clarifai_emulator.contracts.signatures.read_signatures import read_signatures
        from pytest_clarifai_emulator.contracts import require_contract

        directory = self._directory()
        if directory is None:
            pytest.fail(
                f"{self.path} names {self._promise.name}, and no model directory beside or below it, or below "
                f"{self.config.rootpath}, is that model.",
                pytrace=False,
            )
        contract = read_signatures(directory)
        require_contract(self._promise.name, [each.signature for each in contract.methods], self.path)

    def _directory(self) -> Path | None:
        """Return the model directory with the id that is locked."""
        wanted = self._promise.name.rpartition("/")[2]
        for folder in dict.fromkeys((self.path.parent, self.config.rootpath)):
            for file in sorted(folder.rglob(CONFIG_FILE)):
                if (file.parent / "1" / "model.py").is_file() and _model_id(file) == wanted:
                    return file.parent
        return None

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, self.name


def _call(model: Any, method: str, arguments: dict[str, Any]) -> Any:
    return getattr(model, method)(**arguments)


def _model_id(file: Path) -> str:
    from clarifai_emulator.contracts.signatures.model_files import read_model_files

    return read_model_files(file.parent).model_id


def _methods(directory: Path) -> list[str]:
    from clarifai_emulator.contracts.signatures.read_signatures import read_signatures

    return [method.signature.name for method in read_signatures(directory, static=True).methods]
