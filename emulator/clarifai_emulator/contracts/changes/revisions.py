"""Takes files out of a git revision, without checking it out, and names places in them as ``REVISION:PATH``."""

from __future__ import annotations

import io
import posixpath
import subprocess
import tarfile
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from clarifai_emulator.contracts.rules.finding import Finding, Location
from clarifai_emulator.contracts.signatures.method import Method
from clarifai_emulator.errors import ConfigError

_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class RevisionFolder:
    """A folder of a revision, laid out in a temporary one. ``inside``: its path in the repository, relative to the
    current folder."""

    folder: Path
    revision: str
    inside: str

    def location(self, location: Location | None) -> Location | None:
        """Return the place as one of the revision."""
        if location is None or not location.path.is_relative_to(self.folder):
            return location
        path = posixpath.normpath(posixpath.join(self.inside, location.path.relative_to(self.folder).as_posix()))
        return replace(location, path=Path(f"{self.revision}:{path}"), revision=self.revision)

    def method(self, method: Method) -> Method:
        """Return the method with all its places in the revision."""
        parameters = {name: self.location(each) or each for name, each in method.parameters.items()}
        return replace(method, location=self.location(method.location), parameters=parameters)

    def finding(self, finding: Finding) -> Finding:
        """Return the finding with its places in the revision."""
        return replace(finding, location=self.location(finding.location), declared=self.location(finding.declared))

    def text(self, location: Location | None) -> Iterator[tuple[Path, list[str]]]:
        """Yield the name of the place's file in the revision, and its lines, if it is a file of this folder."""
        named = self.location(location)
        if location is not None and named is not None and named.revision and location.path.is_file():
            content = location.path.read_text(encoding="utf-8", errors="replace")
            yield named.path, content.split("\n")


def is_file(text: str, revision: str, inside: str) -> bool:
    """Tell whether the path is a file in that revision. ``text`` is what the user wrote. Raises ``ConfigError``."""
    return _git(text, "cat-file", "-t", f"{revision}:./{inside}").decode().strip() == "blob"


def file_text(text: str, revision: str, inside: str) -> str:
    """Return the text of a file of the revision. Raises ``ConfigError``."""
    return _git(text, "show", f"{revision}:./{inside}").decode()


@contextmanager
def laid_out(text: str, revision: str, inside: str) -> Generator[RevisionFolder]:
    """Lay out a folder of the revision in a temporary one, for as long as this lasts. Raises ``ConfigError``."""
    tree = _git(text, "archive", "--format=tar", f"{revision}:./{inside}")
    with tempfile.TemporaryDirectory(prefix="clarifai-contract-") as folder:
        # Its name is the model's where config.yaml gives none.
        target = Path(folder).resolve() / (Path(inside).resolve().name or "model")
        with tarfile.open(fileobj=io.BytesIO(tree)) as archive:
            archive.extractall(target, filter="data")
        yield RevisionFolder(target, revision, inside)


def _git(text: str, *arguments: str) -> bytes:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, check=False, timeout=_SECONDS)  # noqa: S607
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"'{text}' cannot be taken from git:", [str(error)]) from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["git failed"]
        hint = "Write REVISION:PATH, with a path that is relative to this folder."
        raise ConfigError(f"'{text}' cannot be taken from git:", [said[0]], hint=hint)
    return done.stdout
