"""Attacks on archives, disks and the state: hostile uploads, full disks, kill -9, copies while it is written."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import random
import shutil
import signal
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from attack.measured import Measure, NotTried, attack, count
from attack.scene import Scene
from attack.victims import EmulatorVictim, Sampled
from flow.driver import Client, free_port, wait_for
from flow.uploading import Uploader, archive_of, whole

_MIB = 1024 * 1024


def _packed(*members: tuple[str, bytes, dict[str, Any]]) -> bytes:
    """Pack members beside a model that is whole."""
    buffer = io.BytesIO(gzip.decompress(archive_of()))
    with tarfile.open(fileobj=buffer, mode="a", format=tarfile.PAX_FORMAT) as tar:
        for name, content, fields in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for each, value in fields.items():
                setattr(info, each, value)
            tar.addfile(info, io.BytesIO(content))
    return gzip.compress(buffer.getvalue())


def _bomb(size: int) -> bytes:
    """Pack a file of so many zeros, without having them all in memory."""
    head = tarfile.TarInfo("zeros")
    head.size = size
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=9) as out:
        out.write(head.tobuf())
        for _ in range(size // _MIB):
            out.write(bytes(_MIB))
    return packed.getvalue()


def _hostile(outside: Path) -> Iterator[tuple[str, bytes]]:
    link, hard, device = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE
    yield "a name that leads up", _packed((f"../../../../../../..{outside}", b"x", {}))
    yield "an absolute name", _packed((str(outside), b"x", {}))
    yield (
        "a link that leads out",
        _packed(("l", b"", {"type": link, "linkname": str(outside.parent)}), ("l/x", b"x", {})),
    )
    yield "a hard link that leads out", _packed(("l", b"", {"type": hard, "linkname": "/etc/passwd"}))
    yield "a device", _packed(("d", b"", {"type": device, "devmajor": 1, "devminor": 5}))
    yield "a pipe", _packed(("p", b"", {"type": tarfile.FIFOTYPE}))
    yield "a name with an escape", _packed(("a\x1b[2J", b"x", {}))
    yield "a name with a newline", _packed(("a\nb", b"x", {}))
    yield "a long name", _packed(("x" * 3000, b"x", {}))
    yield "a header of 2 MiB", _packed(("x", b"", {"pax_headers": {"comment": "y" * 2 * _MIB}}))
    yield (
        "folders without end",
        _packed(*((f"{at}/a/b/c/d/e/f/g", b"", {"type": tarfile.DIRTYPE}) for at in range(8_000))),
    )
    yield "folders a thousand deep", _packed(("d/" * 1000 + "x", b"x", {}))
    yield "60,000 files", _packed(*((f"f{at}", b"", {}) for at in range(60_000)))
    yield "a truncated archive", archive_of()[:-200]
    yield "no archive", b"hello" * 1000
    yield "a zip archive", b"PK\3\4" + bytes(1000)
    yield "nothing", b""


# Those that take many seconds.
_LONG = ("folders without end", "60,000 files")


@attack("archives.hostile", short=True)
def hostile_archives(scene: Scene) -> list[Measure]:
    """Archives with names, links and devices that lead elsewhere, endless folders, lies about sizes, damage."""
    outside = scene.new_folder() / "outside"
    built, left = list[str](), list[str]()
    with scene.own() as victim:
        uploader = Uploader(victim.url)
        for name, data in _hostile(outside):
            if scene.short and name in _LONG:
                continue
            _upload(
                uploader, data, then=lambda version, name=name: built.append(name) if _is_good(version) else None
            )
            if outside.exists() or (outside.parent / "x").exists():
                left.append(name)
        folders = sum(len(folders) for _, folders, _ in os.walk(victim.temporary))
        uploader.close()
        bugs = victim.bugs()
    return [
        count("built", built),
        count("written elsewhere", left),
        Measure("folders left", folders, most=200),
        Measure("bugs in its log", bugs),
    ]


def _is_good(version: Any) -> bool:
    return version.status.code == StatusCode.MODEL_TRAINED


def _upload(uploader: Uploader, data: bytes, then: Callable[[Any], Any]) -> None:
    """Upload an archive; once its version is built or refused, look at it."""
    try:
        answers = uploader.send(whole(data))
    except grpc.RpcError:
        return
    version = next((each.model_version_id for each in answers if each.model_version_id), "")
    if version:
        wait_for(lambda: uploader.version(version).status.code != StatusCode.MODEL_BUILDING, seconds=300)
        then(uploader.version(version))


@attack("archives.bomb")
def archive_bomb(scene: Scene) -> list[Measure]:
    """An archive of two megabytes that unpacks to two gigabytes, and then is no model."""
    with scene.own() as victim:
        uploader = Uploader(victim.url)
        built: list[str] = []
        before = victim.resident()
        with Sampled(victim.resident) as memory:
            _upload(
                uploader,
                _bomb(2 * 1024 * _MIB),
                lambda version: built.append("the bomb") if _is_good(version) else None,
            )
        uploader.close()
        with contextlib.suppress(AssertionError):  # a second or two after it was refused
            wait_for(lambda: _size(victim.folder) < 1, seconds=30)
        left = _size(victim.folder)
    grown = max(memory.largest - before, 0.0)
    return [
        count("built", built),
        Measure("memory", grown, "MiB", 128, 64),
        Measure("left on the disk", left, "MiB", 16),
    ]


def _size(folder: Path) -> float:
    """Return how many MiB lie below a folder."""
    found = 0
    for each in folder.rglob("*"):
        with contextlib.suppress(OSError):
            found += each.stat().st_size
    return found / _MIB


@contextmanager
def _small_disk(folder: Path, mebibytes: int) -> Generator[Path]:
    """Mount a disk of its own, in memory."""
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(disk)], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def _may_mount() -> bool:
    return os.geteuid() == 0 and subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0


@attack("disk.full", short=True)
def full_disk(scene: Scene) -> list[Measure] | NotTried:
    """A disk that is full while the state, an upload and an export are written, and has room again."""
    if not _may_mount():
        return NotTried("It needs root, to mount a small disk.")
    wrong: list[str] = []
    folder = scene.new_folder()
    with _small_disk(folder, 24) as disk, scene.own("--state", str(disk / "state"), folder=folder) as victim:
        client = victim.client()
        if _write(client, "before") != StatusCode.SUCCESS:
            wrong.append("a write before it was full")
        export, port = disk / "export.json", str(victim.port)
        victim.command("export", "--port", port, export)
        good = export.read_bytes()
        filler = disk / "filler"
        _fill(filler)
        refused = [_write(client, f"full-{number}") for number in range(4)]
        if StatusCode.INTERNAL_UNCATEGORIZED in refused:
            wrong.append("a write to the full disk is a bug of the emulator")
        if client.call("GetUser").status.code != StatusCode.SUCCESS:
            wrong.append("a read while it is full")
        if victim.command("export", "--port", port, export).returncode == 0 or export.read_bytes() != good:
            wrong.append("an export over an export")
        filler.unlink()
        if _write(client, "after") != StatusCode.SUCCESS:
            wrong.append("a write once there is room")
        there = {f"full-{at}": _is_there(client, f"full-{at}") for at in range(4)}
        for (name, found), status in zip(there.items(), refused, strict=True):
            if found != (status == StatusCode.SUCCESS):
                wrong.append(f"{name} is {'there' if found else 'gone'} and was answered {status}")
        client.close()
        victim.end(signal.SIGKILL)
        again = EmulatorVictim(scene.new_folder(), "--state", str(disk / "state"))
        with _ending(again):
            again.wait_until_it_answers()
            client = again.client()
            for name in ("before", "after"):
                if not _is_there(client, name):
                    wrong.append(f"'{name}' after a restart")
            client.close()
    return [count("wrong", wrong), Measure("bugs in its log", victim.bugs())]


@contextmanager
def _ending(victim: EmulatorVictim) -> Generator[None]:
    try:
        yield
    finally:
        victim.end(signal.SIGKILL)


def _write(client: Client, name: str) -> int:
    answer = client.call("PostSecrets", secrets=[{"id": name, "value": "v" * 200}])
    return answer.status.code


def _is_there(client: Client, name: str) -> bool:
    return client.call("GetSecret", id=name).status.code == StatusCode.SUCCESS


def _fill(file: Path) -> None:
    with contextlib.suppress(OSError), file.open("wb", buffering=0) as out:
        while True:
            out.write(bytes(4096))


@dataclass(slots=True)
class Writes:
    """The writes of a client, as they were answered. ``asked``: the one whose answer did not come."""

    made: list[str] = field(default_factory=list[str])
    deleted: list[str] = field(default_factory=list[str])
    asked: str = ""

    def expected(self) -> set[str]:
        return set(self.made) - set(self.deleted) - {self.asked}

    def gone(self) -> set[str]:
        return set(self.deleted) - {self.asked}


def _write_on(client: Client, writes: Writes, ended: Callable[[], bool], prefix: str) -> None:
    """Make and delete apps until the emulator is gone, or nobody wants more."""
    number = 0
    while not ended():
        number += 1
        name = writes.asked = f"{prefix}-{number}"
        try:
            if client.call("PostApps", apps=[{"id": name}], timeout=10).status.code != StatusCode.SUCCESS:
                continue
            writes.made.append(name)
            if number % 3 == 0:
                client.call("DeleteApp", user_app_id={"user_id": "me", "app_id": name}, timeout=10)
                writes.deleted.append(name)
        except grpc.RpcError:
            return
        writes.asked = ""


def _apps(client: Client) -> set[str]:
    found, page = set[str](), 0
    while True:
        page += 1
        apps = client.call("ListApps", user_app_id={"user_id": "me"}, page=page, per_page=1000).apps
        found |= {app.id for app in apps}
        if len(apps) < 1000:
            return found


@attack("disk.killed", short=True)
def killed(scene: Scene) -> list[Measure]:
    """SIGKILL at any moment while four clients write, and a start on the same state, again and again."""
    lost, undone, acknowledged = list[str](), list[str](), 0
    kills, draw, state = (2 if scene.short else 20), random.Random(), scene.new_folder() / "state"
    kept, port = set[str](), free_port()
    for turn in range(kills):
        victim = EmulatorVictim(scene.new_folder(), "--state", str(state), port=port)
        with _ending(victim):
            victim.wait_until_it_answers()
            all_writes = [Writes() for _ in range(4)]
            clients = [victim.client() for _ in all_writes]
            threads = [
                threading.Thread(target=_write_on, args=(client, writes, lambda: False, f"app-{turn}-{at}"))
                for at, (client, writes) in enumerate(zip(clients, all_writes, strict=True))
            ]
            for thread in threads:
                thread.start()
            wait_for(lambda: sum(len(each.made) for each in all_writes) > 20, seconds=60)  # noqa: B023
            time.sleep(draw.uniform(0, 0.3))
            victim.end(signal.SIGKILL)
            for thread in threads:
                thread.join()
            for client in clients:
                client.close()
        kept |= set().union(*(each.expected() for each in all_writes))
        gone = set().union(*(each.gone() for each in all_writes))
        acknowledged += sum(len(each.made) + len(each.deleted) for each in all_writes)
        victim = EmulatorVictim(scene.new_folder(), "--state", str(state), port=port)
        with _ending(victim):
            victim.wait_until_it_answers()
            client = victim.client()
            found = _apps(client)
            client.close()
        lost += sorted(kept - found)
        undone += sorted(gone & found)
    return [
        count("lost", lost),
        count("deleted and there again", undone),
        Measure("acknowledged", acknowledged, most=None),
        Measure("kills", kills, most=None),
    ]


@attack("disk.copied", short=True)
def copied(scene: Scene) -> list[Measure]:
    """Copies of the state's directory, made file by file while it is written; an emulator starts on each."""
    broken, lost = list[str](), list[str]()
    folder, copies = scene.new_folder(), (2 if scene.short else 12)
    writes, ended = Writes(), threading.Event()
    before: list[set[str]] = []
    with scene.own("--state", str(folder / "state")) as victim:
        client = victim.client()
        writer = threading.Thread(target=_write_on, args=(client, writes, ended.is_set, "app"))
        writer.start()
        try:
            for number in range(copies):
                wait_for(lambda: len(writes.made) > 20 * (number + 1), seconds=60)  # noqa: B023
                before.append(set(writes.made[:-1]) - set(writes.deleted))
                shutil.copytree(folder / "state", folder / f"copy-{number}")
        finally:
            ended.set()
            writer.join()
            client.close()
    for number, expected in enumerate(before):
        copy = EmulatorVictim(scene.new_folder(), "--state", str(folder / f"copy-{number}"))
        with _ending(copy):
            try:
                copy.wait_until_it_answers()
            except AssertionError as error:
                broken.append(str(error).strip().splitlines()[-1][:100])
                continue
            client = copy.client()
            # What was deleted while it was copied may be gone.
            lost += sorted(expected - set(writes.deleted) - _apps(client))
            client.close()
    return [count("that do not start", broken), count("writes from before that are not in it", lost)]


@attack("disk.damaged", short=True)
def damaged(scene: Scene) -> list[Measure]:
    """States with flipped bytes, zeroed and missing pages: an emulator starts on each, or says in words
    what is wrong with it."""
    traces, silent, draw = list[str](), list[str](), random.Random(7)
    folder = scene.new_folder()
    with scene.own("--state", str(folder / "state")) as victim:
        client = victim.client()
        for number in range(200):
            _write(client, f"secret-{number}")
        client.close()
    for number in range(4 if scene.short else 20):
        copy = folder / f"damaged-{number}"
        shutil.copytree(folder / "state", copy)
        said = _damage(next(iter(sorted(copy.glob("*.sqlite")))), draw, number)
        victim = EmulatorVictim(scene.new_folder(), "--state", str(copy))
        with _ending(victim):
            with contextlib.suppress(AssertionError):
                victim.wait_until_it_answers()
            log = victim.log.read_text(errors="replace")
            if "Traceback" in log:
                traces.append(said)
            if not victim.is_up() and str(copy) not in log:
                silent.append(said)
    return [count("tracebacks", traces), count("refusals that do not name the state", silent)]


def _damage(file: Path, draw: random.Random, number: int) -> str:
    """Damage a file, in one of four ways; return which."""
    data = bytearray(file.read_bytes())
    at = draw.randrange(len(data))
    way = ("a flipped byte", "a page of zeros", "an end that is missing", "noise in a page")[number % 4]
    if number % 4 == 0:
        data[at] ^= 0xFF
    elif number % 4 == 1:
        data[at : at + 4096] = bytes(len(data[at : at + 4096]))
    elif number % 4 == 2:
        del data[at:]
    else:
        data[at : at + 300] = draw.randbytes(len(data[at : at + 300]))
    file.write_bytes(data)
    for beside in ("-wal", "-shm"):  # what they hold would mend it
        file.with_name(file.name + beside).unlink(missing_ok=True)
    return f"{way} at {at}"


@attack("disk.read-only", short=True)
def read_only(scene: Scene) -> list[Measure] | NotTried:
    """A start on a state whose disk has become read-only: refused by name."""
    if not _may_mount():
        return NotTried("It needs root, to mount a disk and remount it.")
    wrong: list[str] = []
    folder = scene.new_folder()
    with _small_disk(folder, 24) as disk:
        with scene.own("--state", str(disk / "state"), folder=folder) as victim:
            client = victim.client()
            if _write(client, "before") != StatusCode.SUCCESS:
                wrong.append("a write before")
            client.close()
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        late = EmulatorVictim(scene.new_folder(), "--state", str(disk / "state"))
        with _ending(late):
            with contextlib.suppress(AssertionError):
                late.wait_until_it_answers()
                wrong.append("it started on a disk that it cannot write to")
            log = late.log.read_text(errors="replace")
            if "Traceback" in log or str(disk) not in log:
                wrong.append(f"its refusal: {log[-100:]}")
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    return [count("wrong", wrong)]
