"""Takes files at a commit out of local checkouts of repositories, with git."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from ground.ground_list import CLIENT, LARGEST, Entry, digest, directory_digest

_NOT_FILES = ("120000", "160000")  # symbolic links, submodules


class NotInCheckout(Exception):
    """A repository, commit or path that the checkouts do not have."""


class Checkouts:
    """The checkouts below some folders: ``OWNER/NAME`` or ``OWNER+NAME``, bare or not, or in a folder ``repo``."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders

    def file(self, repo: str, commit: str, path: str) -> bytes:
        """Return the content of one file."""
        return self._git(repo, "show", f"{commit}:{path}")

    def directory(self, repo: str, commit: str, path: str) -> dict[str, bytes]:
        """Return the files of a directory that are small enough to be source, by their path in it."""
        root = PurePosixPath(path)
        listed = self._git(
            repo, "ls-tree", "-r", "-l", "-z", "--full-tree", commit, "--", *([path] if root.parts else [])
        )
        files: dict[str, bytes] = {}
        for line in filter(None, listed.decode(errors="surrogateescape").split("\0")):
            about, _, name = line.partition("\t")
            mode, _, oid, size = about.split()
            if mode in _NOT_FILES or not size.isdigit() or int(size) > LARGEST:
                continue
            inner = PurePosixPath(name).relative_to(root)
            if "__pycache__" not in inner.parts:
                files[inner.as_posix()] = self._git(repo, "cat-file", "blob", oid)
        return files

    def _git(self, repo: str, *arguments: str) -> bytes:
        command = ["git", f"--git-dir={self._git_folder(repo)}", *arguments]
        done = subprocess.run(command, capture_output=True)
        if done.returncode:
            raise NotInCheckout(f"{repo}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout

    def _git_folder(self, repo: str) -> Path:
        for folder in self._folders:
            for name in (repo, repo.replace("/", "+")):
                for place in (folder / name, folder / name / "repo"):
                    for git in (place / ".git", place):
                        if (git / "HEAD").is_file():
                            return git
        tried = ", ".join(map(str, self._folders)) or "no folder"
        raise NotInCheckout(f"{repo}: no checkout in {tried}. Clone it there as {repo.replace('/', '+')}.")


def fetch(entry: Entry, checkouts: Checkouts, root: Path) -> str | None:
    """Write one entry below the folder of files; return why not, where it is not there or is another content."""
    try:
        files = (
            {"": checkouts.file(entry.repo, entry.commit, entry.path)}
            if entry.kind == CLIENT
            else checkouts.directory(entry.repo, entry.commit, entry.path)
        )
    except NotInCheckout as error:
        return str(error)
    found = digest(files[""]) if entry.kind == CLIENT else directory_digest(files)
    if found != entry.sha256:
        return f"{entry.name}: the content's sha256 is {found}, expected {entry.sha256}."
    for name, content in files.items():
        place = entry.place(root) / name if name else entry.place(root)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return None
