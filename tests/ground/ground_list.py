"""Reads the list of public files: repository, commit, path, kind and the digest of the content."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

HERE = Path(__file__).parent
LIST = HERE / "ground.yaml"
MODEL, CLIENT = "models", "clients"
# Larger files are weights and data, which nothing here reads.
LARGEST = 300_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A model directory or client file. ``path`` is ``.`` for a directory that is a whole repository."""

    repo: str
    commit: str
    path: str
    kind: str
    sha256: str

    @property
    def folder(self) -> str:
        """Return where it lies below the folder of files, without its own path."""
        return f"{self.kind}/{self.repo.replace('/', '+')}@{self.commit[:12]}"

    @property
    def name(self) -> str:
        """Return the name that results and judgements use."""
        return f"{self.repo}@{self.commit[:12]}:{self.path}"

    def place(self, root: Path) -> Path:
        """Return the file or directory below the folder of files."""
        return root / self.folder / self.path


def files_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder that holds the files: ``CLARIFAI_GROUND``, or one in the cache."""
    given = environ.get("CLARIFAI_GROUND")
    return Path(given) if given else Path.home() / ".cache" / "clarifai-emulator-tests" / "ground"


def read_list(file: Path = LIST) -> list[Entry]:
    """Return every entry of the list, in its order."""
    return list(_entries(yaml.safe_load(file.read_text())))


def _entries(told: Mapping[str, Mapping[str, Mapping[str, Mapping[str, str]]]]) -> Iterator[Entry]:
    for repo, kinds in told.items():
        for kind, commits in kinds.items():
            for commit, paths in commits.items():
                for path, digest in paths.items():
                    yield Entry(repo, commit, path, kind, digest)


def digest(content: bytes) -> str:
    """Return the sha256 of a file."""
    return hashlib.sha256(content).hexdigest()


def directory_digest(files: Mapping[str, bytes]) -> str:
    """Return one sha256 for a directory: of the names and digests of its files, in order."""
    return digest("".join(f"{name} {digest(files[name])}\n" for name in sorted(files)).encode())


def found_digest(entry: Entry, root: Path) -> str | None:
    """Return the digest of what lies in the folder of files; None where nothing does."""
    place = entry.place(root)
    if entry.kind == CLIENT:
        return digest(place.read_bytes()) if place.is_file() else None
    if not place.is_dir():
        return None
    files = [each for each in place.rglob("*") if each.is_file() and "__pycache__" not in each.parts]
    return directory_digest({each.relative_to(place).as_posix(): each.read_bytes() for each in files})
