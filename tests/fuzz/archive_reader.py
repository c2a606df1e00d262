"""Unpacks archives as an upload does: nothing is written elsewhere, nothing beyond the limits, and a refusal leaves
nothing."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from clarifai_emulator.errors import ModelError
from clarifai_emulator.models.archive import ArchiveLimits, unpack

_LIMITS = ArchiveLimits(max_bytes=256 * 1024, max_files=40, max_depth=8, max_path=200, spare_bytes=0)


@cache
def _folder() -> Path:
    in_memory = "/dev/shm"
    return Path(tempfile.mkdtemp(prefix="fuzz-archive-", dir=in_memory if os.path.isdir(in_memory) else None))


def read(data: bytes) -> None:
    """Unpack an archive, and look what has become of the folder."""
    folder = _folder()
    archive, target = folder / "archive", folder / "model"
    archive.write_bytes(data)
    try:
        found = unpack(archive, target, _LIMITS)
    except ModelError as refusal:
        _look_at_refusal(refusal.summary)
        assert not target.exists(), "a refused archive leaves something"
    else:
        _look_at(target, found.files)
        shutil.rmtree(target)
    assert sorted(os.listdir(folder)) == ["archive"], f"it wrote beside its folder: {os.listdir(folder)}"


def _look_at_refusal(text: str) -> None:
    assert text.isprintable(), f"a refusal that cannot be shown: {text!r}"
    assert len(text) < 1_000, "a refusal longer than anybody reads"


def _look_at(target: Path, files: int) -> None:
    there = list(target.rglob("*"))
    assert len(there) <= files <= _LIMITS.max_files, f"{len(there)} files, and {files} counted"
    assert not [each for each in there if each.is_symlink() or not (each.is_file() or each.is_dir())]
    assert sum(each.stat().st_size for each in there if each.is_file()) <= _LIMITS.max_bytes
    assert not [each for each in there if each.is_file() and each.stat().st_mode & 0o7022]


def _packed(kind: str, zipped: bool, *members: tuple[str, bytes, dict[str, Any]]) -> bytes:
    buffer, form = io.BytesIO(), {"pax": tarfile.PAX_FORMAT, "gnu": tarfile.GNU_FORMAT, "old": tarfile.USTAR_FORMAT}
    with tarfile.open(fileobj=buffer, mode="w:gz" if zipped else "w", format=form[kind]) as tar:
        for name, content, fields in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for field, value in fields.items():
                setattr(info, field, value)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def seeds() -> Iterator[bytes]:
    """Yield archives of every format and kind of member."""
    file, folder = ("1/model.py", b"x = 1\n", {"mode": 0o755}), ("1", b"", {"type": tarfile.DIRTYPE})
    link = ("link", b"", {"type": tarfile.SYMTYPE, "linkname": "../outside"})
    sparse = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "s", "GNU.sparse.realsize": "9"}
    for kind in ("pax", "gnu", "old"):
        yield _packed(kind, False, folder, file, ("config.yaml", b"model: {}\n", {}))
        yield _packed(kind, False, link, ("dev", b"", {"type": tarfile.CHRTYPE, "devmajor": 1}))
    yield _packed("pax", True, folder, file)
    yield _packed("gnu", False, ("long/" * 30 + "name", b"y", {}), ("../out", b"z", {}))
    yield _packed("pax", False, ("é" * 60, b"y", {}), ("big", b"", {"pax_headers": {"size": "99", "path": "p"}}))
    yield _packed("pax", False, ("s", b"1\n0\n1\n", {"pax_headers": sparse}))


def words() -> list[str]:
    """Return what headers of archives are made of."""
    return [
        "ustar\0",
        "ustar  \0",
        "../",
        "./",
        "././@LongLink",
        "27 GNU.sparse.realsize=9\n",
        "11 path=..\n",
        "12 size=-9\n",
    ]
