"""Unpacks an uploaded model into a directory of its own, and trusts nothing in the archive.

    bytes ─► gunzip ─► headers (bounded) ─► each name, type and size checked ─► regular files and folders written
                                            (first, of as much as is read soon, without anything written)

Whoever has a token can send an archive, so everything in it may be hostile: names that leave the directory,
links, devices, sizes that lie, a few kilobytes that unpack to terabytes. Called by ``upload_builds``, off the event
loop.
"""

from __future__ import annotations

import gzip
import io
import os
import shutil
import tarfile
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from clarifai_emulator.errors import ModelError, shortened

_GIBIBYTE = 1024**3
_CHUNK = 1024 * 1024
# What tarfile may read to understand one header. Long names take a few kilobytes; only a hostile one takes more.
_HEADER_BYTES = 1024 * 1024
# So much of what an archive unpacks to is listed before anything is written: it is read within a second or two, and
# more entries than may be have room in it. To make and remove their folders would take far longer.
_LISTED_BYTES = 256 * 1024 * 1024
_HINT = "Upload the model directory with `clarifai model upload`, or make the archive anew."


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveLimits:
    """The limits of an unpacked archive. ``max_files`` counts folders, too; ``max_depth`` is how deep they may lie.
    ``spare_bytes`` stay free on the disk."""

    max_bytes: int = 64 * _GIBIBYTE
    max_files: int = 50_000
    max_depth: int = 64
    max_path: int = 1024
    max_name: int = 255
    spare_bytes: int = _GIBIBYTE // 2


@dataclass(frozen=True, slots=True)
class Unpacked:
    """The size of what an archive held."""

    files: int
    bytes: int


def unpack(
    archive: Path,
    target: Path,
    limits: ArchiveLimits | None = None,
    *,
    stop: threading.Event | None = None,
) -> Unpacked:
    """Write the files of a tar or tar.gz archive below ``target``, which must not exist yet.

    Raises ``ModelError`` that names what is wrong, with the member; then ``target`` does not exist. ``stop`` ends
    it early with an error, for an emulator that stops meanwhile.
    """
    target.mkdir(parents=True)
    try:
        with archive.open("rb") as packed:
            return _Unpacking(target, limits or ArchiveLimits(), stop or threading.Event()).run(packed)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise


class _Forward(io.RawIOBase):
    """The unpacked bytes, front to back only. While ``allowance`` is set, no more than that may be read: tarfile
    reads whole headers into memory, however large they say they are."""

    def __init__(self, source: io.BufferedIOBase) -> None:
        self._source = source
        self._at = 0
        self._empty_reads = 0
        self.allowance: int | None = _HEADER_BYTES

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Skip what lies before ``offset``."""
        if whence != os.SEEK_SET or offset < self._at:
            raise tarfile.ReadError("a size in it cannot be")
        while self._at < offset and self._take(min(_CHUNK, offset - self._at)):
            pass
        return self._at

    def read(self, size: int = -1) -> bytes:
        if size < 0 or (self.allowance is not None and size > self.allowance):
            raise tarfile.ReadError("a header in it is larger than any that a name needs")
        if self.allowance is not None:
            self.allowance -= size
        return self._take(size)

    def _take(self, size: int) -> bytes:
        data = self._source.read(size)
        self._at += len(data)
        self._empty_reads = 0 if data or not size else self._empty_reads + 1
        if self._empty_reads > 2:
            raise EOFError("it ends too early")  # tarfile would ask for ever
        return data


@dataclass(slots=True)
class _Checks:
    """Checks the members of an archive one after the other, and counts them."""

    target: Path
    limits: ArchiveLimits
    files: int = 0
    bytes: int = 0
    folders: set[tuple[str, ...]] = field(default_factory=set[tuple[str, ...]])

    def check(self, member: tarfile.TarInfo) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Return the parts of a member's path below the target, and the folders that it is the first to need, from
        the top; raise for a member that may not be there."""
        parts = self._parts(member.name)
        if member.issym() or member.islnk():
            raise _refusal(f"{_shown(member.name)} is a link; links are not followed, put the file itself there")
        if not member.isdir():
            self._check_file(member, parts)
        # A short archive can name very many.
        needed = [parts[:depth] for depth in range(1, len(parts) + member.isdir())]
        new = [each for each in needed if each not in self.folders]
        self.folders.update(new)
        self.files += len(new) + (not member.isdir())
        if self.files > self.limits.max_files:
            raise _refusal(f"it holds more than {self.limits.max_files} files and folders")
        return parts, new

    def _check_file(self, member: tarfile.TarInfo, parts: tuple[str, ...]) -> None:
        if member.type not in tarfile.REGULAR_TYPES or member.sparse is not None:
            raise _refusal(f"{_shown(member.name)} is {_kind(member)}; only files and folders are unpacked")
        if not parts:
            raise _refusal(f"{_shown(member.name)} is a file where the model directory itself is")
        self._require_room(member)

    def _parts(self, name: str) -> tuple[str, ...]:
        """Return the parts of a member's path below the target. Raises for a name that leads elsewhere, or that
        misleads whoever reads it in a log."""
        if name.startswith("/"):
            raise _refusal(f"{_shown(name)} is an absolute path; paths start at the model directory")
        parts = tuple(part for part in name.split("/") if part not in ("", "."))
        if ".." in parts:
            raise _refusal(f"{_shown(name)} leads out of the model directory")
        if not name.isprintable() or any("\udc80" <= letter <= "\udcff" for letter in name):
            raise _refusal(f"the name {_shown(name)} has characters that cannot be printed")
        if len(name) > self.limits.max_path or any(len(os.fsencode(part)) > self.limits.max_name for part in parts):
            raise _refusal(
                f"the name {_shown(name)} is too long; {self.limits.max_path} characters, and "
                f"{self.limits.max_name} bytes for each part of it, are the most"
            )
        if len(parts) > self.limits.max_depth:
            raise _refusal(f"{_shown(name)} lies more than {self.limits.max_depth} folders deep")
        return parts

    def _require_room(self, member: tarfile.TarInfo) -> None:
        self.bytes += max(member.size, 0)
        if member.size < 0:
            raise _refusal(f"{_shown(member.name)} has a negative size")
        if self.bytes > self.limits.max_bytes:
            raise _refusal(f"it unpacks to more than {_size(self.limits.max_bytes)}")
        free = shutil.disk_usage(self.target).free - self.limits.spare_bytes
        if member.size > free:
            left = _size(max(free, 0))
            raise _refusal(f"{_shown(member.name)} has {_size(member.size)}, and only {left} of the disk are left")


@dataclass(frozen=True, slots=True)
class _Unpacking:
    """An archive on its way to the disk."""

    target: Path
    limits: ArchiveLimits
    stop: threading.Event

    def run(self, packed: io.BufferedReader) -> Unpacked:
        try:
            self._list(packed)
            packed.seek(0)
            return self._write_all(packed)
        except (tarfile.TarError, zlib.error, gzip.BadGzipFile, EOFError, ValueError, OverflowError) as error:
            raise _refusal(f"it is damaged, or no tar archive: {error or type(error).__name__}") from None
        except OSError as error:
            raise _refusal(f"it cannot be written to the disk: {error.strerror or error}") from None

    def _list(self, packed: io.BufferedReader) -> None:
        """Check the first members: what is refused soon costs no folder."""
        listed = _Checks(self.target, self.limits)
        for member, _ in self._members(packed):
            listed.check(member)
            if member.offset_data + member.size > _LISTED_BYTES:
                break

    def _write_all(self, packed: io.BufferedReader) -> Unpacked:
        written = _Checks(self.target, self.limits)
        for member, reader in self._members(packed):
            parts, folders = written.check(member)
            for folder in folders:
                self._make_folder(self.target.joinpath(*folder), member.name)
            if not member.isdir():
                self._write(member, self.target.joinpath(*parts), reader)
        if not written.files:
            raise _refusal("it holds no file")
        return Unpacked(written.files, written.bytes)

    def _members(self, packed: io.BufferedReader) -> Iterator[tuple[tarfile.TarInfo, _Forward]]:
        """Yield each member, and the reader that stands at its content."""
        reader = _Forward(_unzipped(packed))
        with tarfile.open(fileobj=reader, mode="r:", errors="surrogateescape") as tar:
            reader.allowance = _HEADER_BYTES
            while (member := tar.next()) is not None:
                if self.stop.is_set():
                    raise _refusal("its unpacking was stopped")
                reader.allowance = None
                yield member, reader
                reader.allowance = _HEADER_BYTES

    @staticmethod
    def _make_folder(path: Path, name: str) -> None:
        try:
            path.mkdir(exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise _refusal(f"{_shown(name)} needs a folder where the archive also has a file") from None

    def _write(self, member: tarfile.TarInfo, path: Path, reader: _Forward) -> None:
        if path.is_dir():
            raise _refusal(f"{_shown(member.name)} is a file where the archive also has a folder")
        left = member.size
        with path.open("wb") as file:
            while left:
                if self.stop.is_set():
                    raise _refusal("its unpacking was stopped")
                data = reader.read(min(_CHUNK, left))
                if not data:
                    raise _refusal(f"it ends in the middle of {_shown(member.name)}")
                file.write(data)
                left -= len(data)
        path.chmod(0o755 if member.mode & 0o100 else 0o644)


def _unzipped(packed: io.BufferedReader) -> io.BufferedIOBase:
    start = packed.peek(4)[:4]
    if start[:2] == b"\x1f\x8b":
        return gzip.GzipFile(fileobj=packed)
    if start[:2] == b"PK":
        raise _refusal("it is a zip archive; the platform takes tar.gz")
    return packed


def _kind(member: tarfile.TarInfo) -> str:
    if member.ischr() or member.isblk():
        return "a device"
    if member.isfifo():
        return "a named pipe"
    return "a sparse file" if member.sparse is not None else f"of a type ({member.type!r}) that nobody knows"


def _shown(name: str) -> str:
    """Return a name from the archive as an error may show it: no control characters, no undecodable bytes, not
    endless."""
    return shortened(ascii(name) if not name.isprintable() or not _is_encodable(name) else repr(name))


def _is_encodable(name: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def _size(count: int) -> str:
    for unit, factor in (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} bytes"


def _refusal(reason: str) -> ModelError:
    return ModelError(f"The uploaded archive cannot be used: {reason}.", hint=_HINT)
