"""Reads the methods of model directories as the platform's ``MethodSignature`` messages, and what is wrong with
them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clarifai_emulator.contracts.rules.finding import Finding
from clarifai_emulator.contracts.signatures.compute_fit import offers_of
from clarifai_emulator.contracts.signatures.imported import SECONDS, Reading, read_by_import
from clarifai_emulator.contracts.signatures.method import Method
from clarifai_emulator.contracts.signatures.model_files import ModelFiles, read_model_files
from clarifai_emulator.contracts.signatures.upload_verdict import as_uploaded
from clarifai_emulator.messages.address import ModelAddress
from clarifai_emulator.models.image_content import model_file_of
from clarifai_emulator.models.progress import Progress, aloud
from clarifai_emulator.models.sdk_environment import installed_sdk

__all__ = ["Method", "ModelContract", "read_many", "read_signatures"]


@dataclass(frozen=True, slots=True)
class ModelContract:
    """The promise of one model directory to its clients.

    ``model_id`` is empty when config.yaml does not say. ``way``: how the methods were read: ``import`` (exact),
    ``stubbed`` (modules that are not installed were stood in for), ``mocked`` (all third-party modules were, as the
    import failed), ``static`` (nothing was run; less exact), or ``failed``. ``user_id`` and ``app_id`` are empty
    and ``main`` when config.yaml does not say. ``is_self_contained``: it stays as it is while the directory and the
    SDK do. ``sdk``: the version of the SDK that read it, where one did.
    """

    directory: Path
    model_id: str
    methods: tuple[Method, ...]
    findings: tuple[Finding, ...]
    way: str
    user_id: str = ""
    app_id: str = "main"
    is_self_contained: bool = False
    sdk: str = ""

    def method(self, name: str) -> Method | None:
        """Return the method of this name."""
        return next((each for each in self.methods if each.signature.name == name), None)

    @property
    def name(self) -> str:
        """Return ``USER/APP/models/ID``, as far as config.yaml says."""
        return ModelAddress(self.user_id or "me", self.app_id, self.model_id or self.directory.name).name


def read_signatures(
    directory: Path,
    *,
    static: bool = False,
    seconds: float = SECONDS,
    topology: Sequence[Path] = (),
    upload: bool = False,
) -> ModelContract:
    """Read the contract of one model directory. Never raises for what is in it: look at ``findings``."""
    return read_many([directory], static=static, seconds=seconds, topology=topology, upload=upload)[0]


def read_many(
    directories: Sequence[Path],
    *,
    static: bool = False,
    seconds: float = SECONDS,
    topology: Sequence[Path] = (),
    cache_dir: Path | None = None,
    progress: Progress = aloud,
    upload: bool = False,
) -> list[ModelContract]:
    """Read the contracts of several, in order; one Python is started for all of them. ``seconds`` is for each;
    ``topology``: files with the nodepools that the models are for. Raises ``ConfigError`` for these alone.
    ``cache_dir``: where to keep what was read, so that an unchanged model is not run again. ``progress`` hears of
    an SDK that is installed, as a model names another one than is here: stderr, where nothing else is given.
    ``upload``: whatever the SDK's upload of these directories refuses is an error."""
    offers = offers_of(topology)
    paths = [Path(os.path.realpath(Path(directory).expanduser())) for directory in directories]
    files = [read_model_files(path, offers, upload=upload) for path in paths]
    readable = [path for path in dict.fromkeys(paths) if model_file_of(path).is_file()]
    readings = dict(zip(readable, _read(readable, static, seconds, cache_dir, progress, upload), strict=True))
    return [_contract(each, readings.get(each.path)) for each in files]


def _read(
    directories: Sequence[Path],
    static: bool,
    seconds: float,
    cache_dir: Path | None,
    progress: Progress,
    upload: bool,
) -> Sequence[Reading]:
    if not directories:
        return ()
    if static:
        from clarifai_emulator.contracts.signatures.static import read_by_source

        return [read_by_source(each) for each in directories]
    if not installed_sdk():
        from clarifai_emulator.contracts.signatures.without_sdk import read_without_sdk

        return read_without_sdk(directories, seconds=seconds, cache_dir=cache_dir, progress=progress, upload=upload)
    return read_by_import(directories, seconds=seconds, cache_dir=cache_dir, progress=progress, upload=upload)


def _contract(files: ModelFiles, reading: Reading | None) -> ModelContract:
    reading = reading or Reading("failed")
    findings = as_uploaded(
        (*files.findings, *files.about_classes(reading.bases), *reading.findings), reading, files.path
    )
    return ModelContract(
        files.path,
        files.model_id,
        reading.methods,
        tuple(replace(each, model=files.model_id) for each in findings),
        reading.way,
        files.user_id,
        files.app_id,
        reading.is_self_contained,
        reading.sdk,
    )
