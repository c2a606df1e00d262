"""Gathers what goes into a model's image: the files of the build context, the Dockerfile, and a name for all of it.

The name (``tag``) changes when anything changes that the image depends on, so an unchanged model needs no build.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from clarifai_emulator.backends.docker.build_credentials import PROXIES, left_in_history
from clarifai_emulator.backends.docker.dockerfile import (
    CA_IN_CONTEXT,
    DEFAULT_PYTHON,
    Recipe,
    dockerfile,
)
from clarifai_emulator.backends.docker.sdk_dockerfile import PLATFORMS_FILE, is_untouched
from clarifai_emulator.config import DEFAULT_BASE_IMAGE, DockerSettings
from clarifai_emulator.errors import ModelError
from clarifai_emulator.models.config_content import CONFIG_FILE
from clarifai_emulator.models.directory import ModelDirectory, part_files
from clarifai_emulator.models.environment import added_requirements, needs_of
from clarifai_emulator.models.image_content import ALWAYS
from clarifai_emulator.models.requirements import UnreadableRequirements, included_files, read_lines
from clarifai_emulator.models.sdk_needs import require_runnable

REPOSITORY = "clarifai-emulator"
_DOCKERFILE = "Dockerfile"
# Not in any model directory: the generated one stands beside a model's own files.
_GENERATED = ".clarifai-emulator-Dockerfile"
_IN_MEMORY = 8 * 1024 * 1024
# What tells pip and uv here where packages are, tells a build too.
_INDEX_SETTINGS = (
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_TRUSTED_HOST",
    "PIP_DEFAULT_TIMEOUT",
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "UV_INDEX_STRATEGY",
)
_CA_SETTINGS = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
# Dockerfile words that only BuildKit (and Podman) understand.
_NEEDS_BUILDKIT = re.compile(
    r"^\s*#\s*syntax=|^\s*(?:COPY|ADD)\s.*--link|^\s*RUN\s+--|<<-?['\"]?[A-Z]+", re.MULTILINE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildContext:
    """The input of a build: ``files`` of ``root`` (by their names in the context) and further ``texts``; which of
    them is the Dockerfile; the build arguments. ``is_own``: the Dockerfile is the model's. ``note``: what the user
    has to know about the choice of it, or empty. ``fixes_python``: the base image is the same whatever Python
    config.yaml asks for."""

    root: Path
    model: str
    files: tuple[str, ...]
    texts: Mapping[str, bytes]
    dockerfile_name: str
    dockerfile: str
    build_args: Mapping[str, str]
    follow_links: bool
    is_own: bool
    base: str
    content: str
    fixes_python: bool
    note: str = ""

    @property
    def needs_buildkit(self) -> bool:
        return bool(_NEEDS_BUILDKIT.search(self.dockerfile))

    def tag(self, base_id: str) -> str:
        """The image's name. ``base_id``: which image ``base`` is on the engine now; empty when it has none yet."""
        digest = hashlib.sha256()
        for part in (self.content, self.dockerfile, base_id, *_sorted_items(self.build_args)):
            digest.update(f"{part}\0".encode())
        for name, text in sorted(self.texts.items()):
            digest.update(f"{name}\0".encode() + text + b"\0")
        name = re.sub(r"[^a-z0-9]+", "-", self.model.lower()).strip("-") or "model"
        return f"{REPOSITORY}/{name}:{digest.hexdigest()[:20]}"

    def archive(self) -> IO[bytes]:
        """The context as a tar, from its beginning; whoever asked closes it.

        In GNU's format: the Docker CLI takes a tar for one only if its first block says so.
        """
        spool = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - given away
        with tarfile.open(fileobj=spool, mode="w", format=tarfile.GNU_FORMAT, dereference=self.follow_links) as tar:
            for name in self.files:
                tar.add(self.root / name, arcname=name, recursive=False)
            for name, text in self.texts.items():
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(text), 0o644
                tar.addfile(entry, io.BytesIO(text))
        spool.seek(0)
        return spool


def make_context(
    directory: ModelDirectory,
    settings: DockerSettings,
    *,
    is_mounted: bool = False,
    environ: Mapping[str, str] = os.environ,
) -> BuildContext:
    """Gather what to build for a model directory. ``is_mounted``: its own files come with each container, so the
    image is another only where something else has changed. Raises ``ModelError``."""
    build_args = {**environment_args(environ), **settings.build_args}
    authority = _certificates(settings, environ)
    texts = {CA_IN_CONTEXT: authority} if authority else {}
    build_info = _section(directory, "build_info")
    text, note = _own_dockerfile(directory, settings)
    is_own, image = bool(text), str(build_info.get("image") or "")
    if is_own:
        _require_unseen(directory.path / _DOCKERFILE, text, build_args)
        files = tuple(sorted(_unignored(directory.path)))
        counted = tuple(each for each in files if not (is_mounted and _comes_by_mount(each)))
        name, base, content = _DOCKERFILE, _last_base(text), content_of(directory.path, counted)
        texts = texts if CA_IN_CONTEXT in text else {}
        if PLATFORMS_FILE in text and PLATFORMS_FILE not in files:
            texts = {**texts, PLATFORMS_FILE: b""}
    else:
        base = image or settings.base_image.format(python_version=directory.python_version or DEFAULT_PYTHON)
        recipe = _recipe(directory, base, build_args, build_info, has_ca=bool(authority))
        files = tuple(_of_image(directory.path, recipe.requirement_files))
        recipe = replace(recipe, is_mounted=is_mounted)
        name, text, content = _GENERATED, dockerfile(recipe), directory.content_hash
        if is_mounted and recipe.requirement_files:
            files = tuple(recipe.requirement_files)
            content = content_of(directory.path, files)
        texts = {**texts, _GENERATED: text.encode()}
    return BuildContext(
        root=directory.path,
        model=directory.model_id,
        files=files,
        texts=texts,
        dockerfile_name=name,
        dockerfile=text,
        build_args=build_args,
        follow_links=bool(build_info.get("dereference_symlinks")),
        is_own=is_own,
        base=base,
        content=content,
        fixes_python=is_own or bool(image) or "{python_version}" not in settings.base_image,
        note=note,
    )


def _require_unseen(path: Path, text: str, build_args: Mapping[str, str]) -> None:
    """Raise ``ModelError`` where the image's history would have a credential."""
    names = left_in_history(text, build_args)
    if names:
        named = ", ".join(names)
        raise ModelError(
            f"The history of the image would have the value of {named}, which looks like a credential: {path} "
            "declares it in the last stage (ARG).",
            hint=f"Declare it in a stage before (`FROM … AS packages`, `ARG {names[0]}`), and copy what that stage "
            "makes: `COPY --from=packages …`. Of such a stage neither the image nor its history has anything else.",
        )


def _of_image(root: Path, requirement_files: Sequence[str]) -> Iterator[str]:
    """Yield the files that an image of the platform has, and those that it installs requirements from: all,
    where these are not known."""
    for each in sorted(part_files(root)):
        if not requirement_files or each.parts[0] in ALWAYS or each.as_posix() in requirement_files:
            yield each.as_posix()


def _comes_by_mount(name: str) -> bool:
    """Tell whether a container reads this file where it is mounted, whatever a Dockerfile did with it."""
    return name.endswith(".py") or name == CONFIG_FILE


def environment_args(environ: Mapping[str, str]) -> dict[str, str]:
    """Build arguments that come from the user's environment: proxies, and indexes that a container can reach."""
    found = {name: environ[name] for name in (*PROXIES, *_INDEX_SETTINGS) if environ.get(name)}
    for name in _INDEX_SETTINGS:
        # Folders of this machine are not there in a container.
        words = [word for word in found.get(name, "").split() if not word.startswith(("file:", "/"))]
        if name in found:
            found[name] = " ".join(words)
    return {name: value for name, value in found.items() if value}


def content_of(root: Path, files: tuple[str, ...]) -> str:
    """Return the sha256 over the names and contents of files."""
    digest = hashlib.sha256()
    for name in files:
        path = root / name
        digest.update(f"{name}\0".encode(errors="surrogateescape"))
        if path.is_symlink():
            digest.update(os.fsencode(os.readlink(path)))
        elif path.is_file():
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _recipe(
    directory: ModelDirectory,
    base: str,
    build_args: Mapping[str, str],
    build_info: Mapping[str, object],
    *,
    has_ca: bool,
) -> Recipe:
    try:
        lines = list(read_lines(directory.requirements_file))
        included = included_files(directory.requirements_file)
    except UnreadableRequirements as error:
        raise ModelError(f"The requirements of {directory.path} cannot be read: {error}.") from error
    names: list[str] = []
    for file in included:
        relative = (
            Path(os.path.normpath(file)).relative_to(directory.path) if _below(file, directory.path) else None
        )
        if relative is None:
            raise ModelError(
                f"requirements.txt includes {file}, which is outside the model directory.",
                hint="A container has the files of the model directory only: move it there.",
            )
        names.append(relative.as_posix())
    needs = needs_of(lines)
    require_runnable(needs)
    needs_all = any(line.is_direct and "://" not in line.text for line in lines)
    return Recipe(
        base=base,
        requirement_files=() if needs_all else tuple(names),
        pins=tuple(added_requirements(lines, directory.path)),
        # An image has the newest patch of its Python: what is about one patch alone is left out.
        replaced=[each for each in needs.replaced if "python_full_version" not in each],
        follows_api_base=needs.follows_api_base,
        build_args=build_args,
        has_ca=has_ca,
        build_info=build_info,
        checkpoints=_section(directory, "checkpoints"),
    )


def _below(file: Path, root: Path) -> bool:
    return Path(os.path.normpath(file)).is_relative_to(root)


def _certificates(settings: DockerSettings, environ: Mapping[str, str]) -> bytes:
    """Certificates to trust: the configured file, else the one that pip here was told of."""
    named = [settings.ca_file] if settings.ca_file else [Path(environ[n]) for n in _CA_SETTINGS if environ.get(n)]
    for path in named:
        try:
            return path.read_bytes()
        except OSError:
            continue
    return b""


def _section(directory: ModelDirectory, name: str) -> dict[str, object]:
    value = directory.config.get(name)
    return dict(value) if isinstance(value, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def _own_dockerfile(directory: ModelDirectory, settings: DockerSettings) -> tuple[str, str]:
    """The model's Dockerfile, empty where there is none that counts; and why one that is there does not."""
    path = directory.path / _DOCKERFILE
    if not path.is_file():
        return "", ""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{path} cannot be read: {error}.") from None
    if settings.base_image == DEFAULT_BASE_IMAGE or not is_untouched(text):
        return text, ""
    return "", (
        f"the Dockerfile is the SDK's own, unchanged, and begins with {_last_base(text)}; --docker-base-image "
        "names another image, so this one is made from config.yaml and requirements.txt (a Dockerfile that you "
        "have changed is used as it is)"
    )


def _last_base(text: str) -> str:
    """The image that the last stage begins with, as far as it is said plainly."""
    found = re.findall(r"^\s*FROM\s+(?:--\S+\s+)*(\S+)", text, re.MULTILINE | re.IGNORECASE)
    return found[-1] if found and "$" not in found[-1] else ""


def _unignored(root: Path) -> Iterator[str]:
    """Every file below the model directory that its .dockerignore leaves in."""
    from docker.utils.build import exclude_paths

    ignore = root / ".dockerignore"
    patterns = ignore.read_text(encoding="utf-8").splitlines() if ignore.is_file() else []
    patterns = [line.strip() for line in patterns if line.strip() and not line.startswith("#")]
    for name in exclude_paths(str(root), [*patterns, "**/__pycache__", ".git"], dockerfile=_DOCKERFILE):
        yield Path(name).as_posix()


def _sorted_items(values: Mapping[str, str]) -> Iterator[str]:
    # How a build reached its packages is not what it is made of: a proxy that changes rebuilds nothing.
    return (f"{name}={value}" for name, value in sorted(values.items()) if name not in (*PROXIES, *_INDEX_SETTINGS))
