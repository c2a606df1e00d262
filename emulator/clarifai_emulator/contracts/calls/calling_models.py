"""Finds the code of given models that may call other models: it is checked as clients are.

model directory ─► the folder of model.py ─► does any module name a way to the platform? ─► CallingModel
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from clarifai_emulator.contracts.calls.call_targets import GivenModel
from clarifai_emulator.contracts.calls.client_kinds import ClientKind, client_kind, files_below
from clarifai_emulator.contracts.calls.notebook_models import is_notebook
from clarifai_emulator.contracts.rules.client_call import ClientCall
from clarifai_emulator.contracts.rules.finding import Finding
from clarifai_emulator.models.config_content import CONFIG_FILE
from clarifai_emulator.models.config_file import read_config_file
from clarifai_emulator.models.image_content import model_file_of

# Ways to other models that stand in code: the SDK's clients, addresses of the platform, the credential of a
# replica. Every model imports the SDK for its own class, and many ask a server of their own through OpenAI's
# client: neither is a call of a model.
_WAYS = re.compile(
    rb"clarifai\.client|from clarifai import|import clarifai\b|clarifai_grpc\.channel|V2Stub|clarifai\.com|/v2/"
    rb"|CLARIFAI_(?:PAT|API_BASE|BASE_URL|USER_ID)"
)
_LARGEST = 2 * 1024 * 1024  # bytes of a module


@dataclass(frozen=True)
class CallingModel:
    """A given model whose code may call models. ``folder``: of its model.py, resolved."""

    directory: Path
    folder: Path

    @cached_property
    def environ(self) -> Mapping[str, str]:
        """Return the variables that every replica of it has, as far as they name something: the platform's."""
        user = read_config_file(self.directory / CONFIG_FILE).user_id
        return {"CLARIFAI_USER_ID": user or "me", "CLARIFAI_API_BASE": "https://api.clarifai.com"}

    def files(self) -> Iterator[Path]:
        """Yield the modules in its folder."""
        return _modules(self.folder)


def calling_models(given: Iterable[GivenModel]) -> list[CallingModel]:
    """Return those of the models whose code may call models, without reading anything else of the others."""
    found: dict[Path, CallingModel] = {}
    for each in given:
        if is_notebook(each.directory):
            continue
        directory = Path(os.path.abspath(each.directory.expanduser()))
        folder = model_file_of(directory).parent
        if folder not in found and any(_names_a_way(path) for path in _modules(folder)):
            found[folder] = CallingModel(directory, folder)
    return list(found.values())


class Callers:
    """Tells which model a place in code is part of."""

    def __init__(self, code_of: Mapping[Path, CallingModel], names: Mapping[Path, str]) -> None:
        """Take the files of each model that calls, and the names of given models by their directories."""
        resolved = {Path(os.path.abspath(directory.expanduser())): name for directory, name in names.items()}
        self._names = {path: resolved.get(model.directory, model.directory.name) for path, model in code_of.items()}

    def finding(self, finding: Finding) -> Finding:
        """Return the finding with the model that makes the call."""
        name = self._names.get(finding.location.path) if finding.location is not None else None
        return replace(finding, caller=name) if name else finding

    def call(self, call: ClientCall) -> ClientCall:
        """Return the call with the model that makes it."""
        name = self._names.get(call.location.path)
        return replace(call, caller=name, findings=tuple(map(self.finding, call.findings))) if name else call


def _modules(folder: Path) -> Iterator[Path]:
    for path in sorted(files_below([folder])) if folder.is_dir() else ():
        if client_kind(path) is ClientKind.PYTHON and path.is_file():
            yield path


def _names_a_way(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return _WAYS.search(file.read(_LARGEST)) is not None
    except OSError:
        return False
