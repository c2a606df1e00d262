"""Reads a model directory: config.yaml, requirements.txt and 1/model.py, checked before anything runs it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from stat import S_ISDIR, S_ISREG
from typing import Any

from clarifai_grpc.grpc.api import resources_pb2

from clarifai_emulator.errors import ModelError
from clarifai_emulator.models.config_content import CONFIG_FILE, ConfigFile
from clarifai_emulator.models.config_file import read_config_file
from clarifai_emulator.models.gpu_use import only_names_a_gpu
from clarifai_emulator.models.image_content import image_content, model_file_of
from clarifai_emulator.models.version_source import WantedSecret

REQUIREMENTS_FILE = "requirements.txt"

# A file this large is a checkpoint: its size and time stand for its contents in the hash.
HASH_CONTENT_BELOW = 16 * 1024 * 1024
NOT_CODE_DIRS = frozenset({"__pycache__", "node_modules", "venv"})
_NOT_CODE_FILES = frozenset({"Dockerfile", "config.yaml.bak"})
_NOT_CODE_SUFFIXES = (".pyc", ".pyo", ".swp", ".tmp", "~")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDirectory:
    """A model directory that passed every check.

    ``path`` and ``model_file`` are absolute. ``user_id`` and ``python_version`` are empty when the files do
    not say; ``app_id`` and ``model_type_id`` then have the platform's defaults. ``num_threads`` is ``None``
    when not given. ``compute_info`` is what ``inference_compute_info`` says, or what the instance type of
    ``compute.instance`` has, which ``instance`` then names. ``requirements`` are the lines of
    requirements.txt without comments and blank lines. ``config`` is config.yaml as it is. ``content_hash``
    changes when a file that the model can see changes. ``only_names_a_gpu``: that instance type is all that asks
    for a GPU. ``warnings``: what works here and not on the platform.
    """

    path: Path
    user_id: str
    app_id: str
    model_id: str
    model_type_id: str
    compute_info: resources_pb2.ComputeInfo
    instance: str
    python_version: str
    num_threads: int | None
    requirements: tuple[str, ...]
    model_file: Path
    config: dict[str, Any]
    concepts: tuple[resources_pb2.Concept, ...]
    content_hash: str
    only_names_a_gpu: bool
    warnings: tuple[str, ...]

    @property
    def requirements_file(self) -> Path:
        return self.path / REQUIREMENTS_FILE

    @property
    def secrets(self) -> tuple[WantedSecret, ...]:
        """Return the secrets that config.yaml asks for."""
        return tuple(
            WantedSecret(str(each["id"]), str(each["env_var"]), str(each.get("value") or ""))
            for each in self.config.get("secrets") or ()
        )


def read_model_directory(path: Path) -> ModelDirectory:
    """Read and check a model directory.

    Raises ``ModelError`` that lists every problem: the file, what was expected and the fix.
    """
    directory = Path(os.path.abspath(path.expanduser())).resolve()
    require_directory(directory)
    config = _config(directory)
    problems = list(config.problems)
    requirements = _requirements(directory, problems)
    model_file = _model_file(directory, problems, config.warnings)
    if problems:
        raise _refusal(directory, problems)
    return ModelDirectory(
        path=directory,
        user_id=config.user_id,
        app_id=config.app_id,
        model_id=config.model_id,
        model_type_id=config.model_type_id,
        compute_info=config.compute_info,
        instance=config.instance,
        python_version=config.python_version,
        num_threads=config.num_threads,
        requirements=requirements,
        model_file=model_file,
        config=config.values,
        concepts=config.concepts,
        content_hash=content_hash(directory),
        only_names_a_gpu=only_names_a_gpu(directory, config, model_file, directory / REQUIREMENTS_FILE),
        warnings=(*config.warnings, *config.refused, *_beside(directory)),
    )


def content_hash(directory: Path) -> str:
    """Return the sha256 (hex) over the names and contents of the files the model can see.

    Caches, hidden files, virtual environments and Dockerfiles do not count. Large files count by size and
    modification time, so that a checkpoint of many GiB costs nothing.
    """
    return digest_of({relative.as_posix(): _content(directory / relative) for relative in part_files(directory)})


def digest_of(contents: Mapping[str, str]) -> str:
    """Return the sha256 (hex) over files, each by its name and what stands for its contents."""
    digest = hashlib.sha256()
    for name in sorted(contents):
        digest.update(f"{name}\0{contents[name]}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _content(file: Path) -> str:
    try:
        stat = file.stat()
        if stat.st_size < HASH_CONTENT_BELOW:
            return hashlib.sha256(file.read_bytes()).hexdigest()
        return f"{stat.st_size} {stat.st_mtime_ns}"
    except OSError:
        return "unreadable"


def is_special(stat: os.stat_result) -> bool:
    """Tell whether a file is a pipe, a socket or a device: it may be read for ever, and is no part of a model."""
    return not (S_ISREG(stat.st_mode) or S_ISDIR(stat.st_mode))


def _is_special_file(file: Path) -> bool:
    try:
        return is_special(file.stat())
    except OSError:
        return False


def is_part_of_model(relative: PurePath) -> bool:
    """Tell whether a file (path relative to the model directory) belongs to the model: code, config, data."""
    *folders, name = relative.parts
    if any(folder in NOT_CODE_DIRS or folder.startswith(".") for folder in folders):
        return False
    if name.startswith(".") and not name.startswith(".env"):
        return False
    return not (name in _NOT_CODE_FILES or name.endswith(_NOT_CODE_SUFFIXES))


def part_files(directory: Path) -> Iterator[PurePath]:
    """Files that belong to the model, relative to its directory; links are followed to files, not to folders."""
    for folder, folders, names in os.walk(directory):
        folders[:] = [name for name in folders if name not in NOT_CODE_DIRS and not name.startswith(".")]
        base = PurePath(folder).relative_to(directory)
        files = (base / name for name in names if is_part_of_model(base / name))
        yield from (each for each in files if not _is_special_file(directory / each))


def require_directory(directory: Path) -> None:
    """Raise ``ModelError`` for what is not a directory."""
    if directory.is_dir():
        return
    if not directory.exists():
        raise ModelError(
            f"The model directory {directory} does not exist.",
            hint="Check the path; a model directory holds config.yaml, requirements.txt and 1/model.py.",
        )
    owner = next((p for p in directory.parents if (p / CONFIG_FILE).is_file()), directory.parent)
    raise ModelError(
        f"{directory} is a file, not a model directory.", hint=f"Give the directory that holds it: {owner}"
    )


def _config(directory: Path) -> ConfigFile:
    file = directory / CONFIG_FILE
    if file.is_file():
        return read_config_file(file)
    if (directory.parent / CONFIG_FILE).is_file():
        raise ModelError(
            f"{directory} is a part of a model directory: {CONFIG_FILE} is one level up.",
            hint=f"Give the directory that holds it: {directory.parent}",
        )
    config = ConfigFile()
    if (directory / "config.yml").is_file():
        fix = f"there is a config.yml; rename it to {CONFIG_FILE}"
    else:
        fix = 'create it with a "model:" section that has an "id:"'
    config.problems.append(f"{CONFIG_FILE} is missing; {fix}")
    return config


def _requirements(directory: Path, problems: list[str]) -> tuple[str, ...]:
    file = directory / REQUIREMENTS_FILE
    if not file.is_file():
        problems.append(f'{REQUIREMENTS_FILE} is missing; create it with at least the line "clarifai"')
        return ()
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{REQUIREMENTS_FILE} cannot be read: {error}")
        return ()
    stripped = (line.strip() for line in lines)
    return tuple(line for line in stripped if line and not line.startswith("#"))


def _model_file(directory: Path, problems: list[str], warnings: list[str]) -> Path:
    """Return the file that is the model."""
    usual = directory / "1" / "model.py"
    beside = directory / "model.py"
    has_folder = usual.parent.is_dir()
    if beside.is_file() and not has_folder:
        problems.append('1/model.py is missing, but there is a model.py; move it into the folder "1"')
    elif not usual.is_file() and not beside.is_file():
        problems.append("1/model.py is missing; create it with a class that inherits from ModelClass")
    elif model_file_of(directory) == beside:
        warnings.append(
            "model.py beside config.yaml is what runs"
            + (", not 1/model.py; remove one of them" if usual.is_file() else "; the platform needs 1/model.py")
        )
        return beside
    elif not usual.is_file():
        problems.append("1/model.py is missing, and model.py beside config.yaml does not come into the image")
    return usual


def _beside(directory: Path) -> Iterator[str]:
    """Say which files a replica does not see, as they are not in the platform's image."""
    names = image_content(directory).beside
    if names:
        shown = ", ".join(names[:6]) + (", …" if len(names) > 6 else "")
        yield (
            f"not in the platform's image, and not there when the model runs: {shown}; move it into the folder 1, "
            "or write a Dockerfile that copies it"
        )


def _refusal(directory: Path, problems: list[str]) -> ModelError:
    if len(problems) == 1:
        return ModelError(f"The model directory {directory} cannot be used: {problems[0]}")
    listed = "\n".join(f"  - {problem}" for problem in problems)
    return ModelError(f"The model directory {directory} cannot be used, {len(problems)} problems:\n{listed}")
