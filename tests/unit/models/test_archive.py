"""Archives that somebody sent are unpacked: some files are written, everything else is refused."""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clarifai_emulator.errors import ModelError, shortened
from clarifai_emulator.models import archive
from clarifai_emulator.models.archive import ArchiveLimits, Unpacked, unpack

CONFIG = b"model: {id: m}\n"


def member(name: str, **fields: Any) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def packed(*entries: tuple[tarfile.TarInfo, bytes], zipped: bool = True) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz" if zipped else "w", format=tarfile.PAX_FORMAT) as tar:
        for info, data in entries:
            info.size = info.size or len(data)
            tar.addfile(info, io.BytesIO(data + bytes(max(0, info.size - len(data)))))
    return buffer.getvalue()


@pytest.fixture(params=["listed first", "refused while it is written"], autouse=True)
def _listed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have everything listed before it is written, and no more than the first member."""
    if request.param != "listed first":
        monkeypatch.setattr(archive, "_LISTED_BYTES", -1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def unpacked(folder: Path, data: bytes, **limits: int) -> Unpacked:
    (folder / "archive").write_bytes(data)
    return unpack(folder / "archive", folder / "model", ArchiveLimits(**{"spare_bytes": 0, **limits}))


def refused(folder: Path, data: bytes, **limits: int) -> str:
    with pytest.raises(ModelError) as caught:
        unpacked(folder, data, **limits)
    assert not (folder / "model").exists(), "nothing of a refused archive stays"
    assert sorted(each.name for each in folder.iterdir()) == ["archive"], "nothing is written beside it"
    assert caught.value.hint == "Upload the model directory with `clarifai model upload`, or make the archive anew."
    text = caught.value.summary
    return text.removeprefix("The uploaded archive cannot be used: ")


class TestWhatIsWritten:
    @pytest.mark.parametrize("zipped", [True, False])
    def test_files_and_folders_as_the_sdk_packs_them(self, folder: Path, zipped: bool) -> None:
        entries = [
            (member(".", type=tarfile.DIRTYPE), b""),
            (member("./1", type=tarfile.DIRTYPE), b""),
            (member("./1/model.py"), b"print()\n"),
            (member("./run.sh", mode=0o4755), b"#!/bin/sh\n"),
            (member("./config.yaml"), CONFIG),
        ]
        found = unpacked(folder, packed(*entries, zipped=zipped))

        assert found == Unpacked(files=4, bytes=8 + 10 + len(CONFIG))
        assert (folder / "model" / "1" / "model.py").read_bytes() == b"print()\n"
        assert (folder / "model" / "config.yaml").read_bytes() == CONFIG

    def test_of_the_mode_only_whether_its_owner_may_run_it(self, folder: Path) -> None:
        entries = [(member("run", mode=0o6755), b"x"), (member("open", mode=0o666), b"x")]
        unpacked(folder, packed(*entries))
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in (folder / "model").iterdir()}
        assert modes == {"run": 0o755, "open": 0o644}

    def test_the_last_of_two_files_of_one_name(self, folder: Path) -> None:
        unpacked(folder, packed((member("config.yaml"), b"old"), (member("./config.yaml"), CONFIG)))
        assert (folder / "model" / "config.yaml").read_bytes() == CONFIG

    def test_long_names_and_other_alphabets(self, folder: Path) -> None:
        name = "/".join(["データ" * 10] * 9)
        unpacked(folder, packed((member(name), b"x")))
        assert (folder / "model" / name).read_bytes() == b"x"


class TestNames:
    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("../outside", "'../outside' leads out of the model directory."),
            ("1/../../outside", "'1/../../outside' leads out of the model directory."),
            ("/etc/cron.d/x", "'/etc/cron.d/x' is an absolute path; paths start at the model directory."),
            ("1/\x1b[2Jx", r"the name '1/\x1b[2Jx' has characters that cannot be printed."),
            ("a\nb", r"the name 'a\nb' has characters that cannot be printed."),
            ("\u202egnp.exe", r"the name '\u202egnp.exe' has characters that cannot be printed."),
            ("x" * 256, f"the name '{'x' * 256}' is too long; 1024 characters, and 255 bytes for each part"),
            ("é" * 200, f"the name '{'é' * 200}' is too long"),
            ("x/" * 600, "is too long"),
        ],
    )
    def test_a_name_that_leads_elsewhere_or_misleads(self, folder: Path, name: str, said: str) -> None:
        assert said in refused(folder, packed((member("config.yaml"), CONFIG), (member(name), b"x")))

    def test_bytes_that_are_no_text(self, folder: Path) -> None:
        info = member("x\udcffy")
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT, errors="surrogateescape") as tar:
            tar.addfile(info, io.BytesIO())
        assert refused(folder, buffer.getvalue()) == (r"the name 'x\udcffy' has characters that cannot be printed.")

    def test_a_file_where_there_is_a_folder(self, folder: Path) -> None:
        inside, file = (member("a/b"), b"x"), (member("a"), b"x")
        assert refused(folder, packed(inside, file)) == "'a' is a file where the archive also has a folder."
        assert refused(folder, packed(file, inside)) == "'a/b' needs a folder where the archive also has a file."

    @pytest.mark.parametrize("name", [".", "./", "././."])
    def test_a_file_where_the_model_directory_itself_is(self, folder: Path, name: str) -> None:
        text = refused(folder, packed((member(name), b"x")))
        assert text == f"'{name}' is a file where the model directory itself is."


class TestTypes:
    @pytest.mark.parametrize("target", ["../../outside", "/etc/passwd", "config.yaml"])
    @pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
    def test_links(self, folder: Path, kind: bytes, target: str) -> None:
        link = member("1/link", type=kind, linkname=target)
        assert refused(folder, packed((member("config.yaml"), CONFIG), (link, b""))) == (
            "'1/link' is a link; links are not followed, put the file itself there."
        )

    def test_a_file_is_not_written_through_a_link(self, folder: Path) -> None:
        link = member("1", type=tarfile.SYMTYPE, linkname="..")
        assert "'1' is a link" in refused(folder, packed((link, b""), (member("1/outside"), b"x")))

    @pytest.mark.parametrize(
        ("kind", "said"),
        [
            (tarfile.CHRTYPE, "a device"),
            (tarfile.BLKTYPE, "a device"),
            (tarfile.FIFOTYPE, "a named pipe"),
            (b"Z", "of a type (b'Z') that nobody knows"),
        ],
    )
    def test_what_is_neither_file_nor_folder(self, folder: Path, kind: bytes, said: str) -> None:
        text = refused(folder, packed((member("zero", type=kind, devmajor=1, devminor=5), b"")))
        assert text == f"'zero' is {said}; only files and folders are unpacked."

    def test_sparse_files(self, folder: Path) -> None:
        fields = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.size": str(10**15),
                  "GNU.sparse.map": "0,0", "GNU.sparse.name": "big"}  # fmt: skip
        assert refused(folder, packed((member("big", pax_headers=fields), b"x"))) == (
            "'big' is a sparse file; only files and folders are unpacked."
        )


class TestSizes:
    def test_more_than_may_be_unpacked(self, folder: Path) -> None:
        bomb = packed((member("zeros"), bytes(5 * 1024 * 1024)))
        assert len(bomb) < 10_000
        assert refused(folder, bomb, max_bytes=4 * 1024 * 1024) == "it unpacks to more than 4.0 MiB."

    def test_many_small_files_count_together(self, folder: Path) -> None:
        entries = [(member(f"{number}"), bytes(600)) for number in range(2)]
        assert refused(folder, packed(*entries), max_bytes=1024) == "it unpacks to more than 1.0 KiB."

    def test_more_files_than_may_be(self, folder: Path) -> None:
        entries = [(member(f"{number}"), b"") for number in range(4)]
        assert refused(folder, packed(*entries), max_files=3) == "it holds more than 3 files and folders."

    def test_folders_that_are_only_in_names_count_too(self, folder: Path) -> None:
        entries = [(member(f"{number}/a/b/c/x"), b"") for number in range(4)]
        assert refused(folder, packed(*entries), max_files=12) == "it holds more than 12 files and folders."
        assert refused(folder, packed(*entries), max_files=19) == "it holds more than 19 files and folders."
        assert unpacked(folder, packed(*entries), max_files=20).files == 20

    def test_folders_without_end_are_refused_before_one_is_made(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(archive, "_LISTED_BYTES", 1024 * 1024)
        made, make = list[Path](), Path.mkdir

        def noted(path: Path, *how: Any, **more: Any) -> None:
            made.append(path)
            make(path, *how, **more)

        monkeypatch.setattr(Path, "mkdir", noted)
        entries = [(member(f"{number}/a/b/c", type=tarfile.DIRTYPE), b"") for number in range(4)]
        assert refused(folder, packed(*entries), max_files=12) == "it holds more than 12 files and folders."
        assert made == [folder / "model"]

    def test_folders_that_lie_too_deep(self, folder: Path) -> None:
        deep = "a/" * 64 + "x"
        assert (
            refused(folder, packed((member(deep), b"")))
            == f"{shortened(repr(deep))} lies more than 64 folders deep."
        )
        assert not (folder / "model").exists()

    def test_more_than_the_disk_has(self, folder: Path) -> None:
        text = refused(folder, packed((member("big"), b"x" * 2048)), spare_bytes=2**62)
        assert text == "'big' has 2.0 KiB, and only 0 bytes of the disk are left."

    def test_a_header_that_would_fill_the_memory(self, folder: Path) -> None:
        text = refused(folder, packed((member("x", pax_headers={"comment": "y" * 2 * 1024 * 1024}), b"")))
        assert text == ("it is damaged, or no tar archive: a header in it is larger than any that a name needs.")

    def test_a_size_below_zero(self, folder: Path) -> None:
        header = bytearray(packed((member("x"), b""), zipped=False)[:512])
        header[124:136] = b"\xff" * 12  # -1, as GNU tar writes large numbers
        header[148:156] = b" " * 8
        header[148:156] = f"{sum(header):06o}\0 ".encode()
        text = refused(folder, bytes(header) + bytes(1024))
        assert text == "'x' has a negative size."


class TestDamage:
    def test_what_is_no_archive(self, folder: Path) -> None:
        assert refused(folder, b"hello" * 300).startswith("it is damaged, or no tar archive: ")
        assert refused(folder, b"").startswith("it is damaged, or no tar archive: ")
        assert refused(folder, gzip.compress(b"hello" * 300)).startswith("it is damaged, or no tar archive: ")
        assert refused(folder, b"PK\3\4" + b"x" * 600) == "it is a zip archive; the platform takes tar.gz."
        assert refused(folder, packed()) == "it holds no file."

    @pytest.mark.parametrize("zipped", [True, False])
    def test_an_archive_that_breaks_off(self, folder: Path, zipped: bool) -> None:
        whole = packed((member("data"), os.urandom(50_000)), zipped=zipped)
        assert refused(folder, whole[:20_000]).startswith(
            ("it is damaged, or no tar archive: ", "it ends in the middle of 'data'")
        )

    def test_a_build_that_is_stopped(self, folder: Path) -> None:
        (folder / "archive").write_bytes(packed((member("data"), b"x")))
        stop = threading.Event()
        stop.set()
        with pytest.raises(ModelError, match="its unpacking was stopped"):
            unpack(folder / "archive", folder / "model", stop=stop)
        assert not (folder / "model").exists()

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=12), st.integers(0, 5000))
    def test_any_damage_is_a_refusal_and_never_another_error(
        self, tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]], cut: int
    ) -> None:
        names = [(member("./config.yaml"), CONFIG), (member("x" * 150), b"y" * 700), (member("d/é" * 40), b"")]
        data = bytearray(packed(*names, zipped=False))
        for position, value in changes:
            data[position % len(data)] = value
        folder = tmp_path_factory.mktemp("damage")
        try:
            unpacked(folder, bytes(data[: len(data) - cut]))
        except ModelError:
            assert not (folder / "model").exists()
        assert not (folder.parent / "outside").exists()
