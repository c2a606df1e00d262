"""Finds and reads the client files, and tells which of them imports which."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from clarifai_emulator.contracts.calls.calling_models import CallingModel
from clarifai_emulator.contracts.calls.client_kinds import (
    COMMAND_KINDS,
    FOREIGN_KINDS,
    ClientKind,
    client_kind,
    files_below,
)
from clarifai_emulator.contracts.calls.client_reading import (
    UnreadableClient,
    decode_client,
    read_client,
)
from clarifai_emulator.contracts.calls.client_source import Source
from clarifai_emulator.contracts.calls.notebook_code import Cells
from clarifai_emulator.contracts.calls.notebooks import read_cells
from clarifai_emulator.contracts.rules.shown_text import printable
from clarifai_emulator.errors import ConfigError

_IMPORT = re.compile(
    rb"""^[ \t\["]*(?:from[ \t]+(?P<base>[.\w]+)[ \t]+import[ \t]*\(?(?P<names>[^\\#\n"]*)"""
    rb"""|import[ \t]+(?P<mods>[^#\n"]+))""",
    re.MULTILINE,
)
_NAME = re.compile(rb"\w+")
# Files that are held in memory with their syntax trees at the same time, some 200 KiB each, unless more of them
# import one another.
MOST_AT_ONCE = 1000
# The command that sends requests, in files that hold commands among other things.
_SENDING = b"curl"


class File:
    """A file on the disk, read once; or one that a cell of a notebook writes (``notebook``, ``cells``)."""

    def __init__(
        self,
        path: Path,
        content: bytes,
        notebook: Path | None = None,
        cells: Cells | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.path = path
        self.environ = environ
        self.kind = client_kind(path)
        self.content = content
        self.is_written = notebook is not None
        self._notebook = notebook
        self._cells = cells
        self._source: Source | UnreadableClient | None = None

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def imports(self) -> frozenset[str]:
        """Module names that it may import, as they are written: relative ones with their dots. Too many is fine."""
        found: set[str] = set()
        content = self._code
        for match in _IMPORT.finditer(content):
            if match["mods"]:
                found.update(part.split()[0].decode() for part in match["mods"].split(b",") if part.split())
                continue
            base = match["base"].decode(errors="replace")
            found.add(base)
            # In brackets over several lines: the names are then taken from the whole bracket.
            names = match["names"]
            if b"(" in match[0] and b")" not in names:
                names += content[match.end() : content.find(b")", match.end())]
            found.update(
                f"{base}{'' if base.endswith('.') else '.'}{name.decode()}" for name in _NAME.findall(names)
            )
        return frozenset(found)

    @property
    def _code(self) -> bytes:
        """Return what may import: of a notebook its code, whose lines are no lines of the file."""
        if self.kind is not ClientKind.NOTEBOOK or b"import" not in self.content:
            return self.content
        try:
            cells = read_cells(decode_client(self.content))
        except UnreadableClient:
            return b""
        return "\n".join(each.code for each in cells).encode(errors="replace")

    @property
    def source(self) -> Source:
        """Raises ``UnreadableClient`` where it is neither text nor a notebook."""
        if self._source is None:
            try:
                self._source = Source(self._notebook or self.path, self.content, self._cells, self.environ)
            except UnreadableClient as problem:
                self._source = problem
        if isinstance(self._source, UnreadableClient):
            raise self._source.with_traceback(None)
        return self._source

    def release(self) -> None:
        """Forget the syntax tree, and all that was made of it; it is made anew for who asks again."""
        self._source = None

    def require_text(self) -> None:
        """Raise ``UnreadableClient`` for a Python file that is not text: who it concerns, cannot be seen."""
        if self.path.suffix == ".py" and not (self.content.isascii() and b"\0" not in self.content):
            decode_client(self.content)


class ClientProject:
    """The files to check, and what they import of their own repository. ``docs``: Markdown in folders, too; a file
    that is named itself is checked whatever it is. ``callers``: models whose code is checked as well."""

    def __init__(self, paths: Sequence[Path], docs: bool = False, callers: Sequence[CallingModel] = ()) -> None:
        self.given = [Path(os.path.abspath(path)) for path in paths]
        missing = [path for path in self.given if not os.path.lexists(path)]
        if missing:
            problems = [f"there is no {printable(str(path))}" for path in missing]
            raise ConfigError("These paths cannot be checked:", problems, hint="Name files or folders.")
        self.tops = [path if path.is_dir() else path.parent for path in self.given]
        self.callers = callers
        self._caller_folders = {each.folder: each for each in callers}
        self._files: dict[str, File | None] = {}
        self._imported: dict[str, list[File]] = {}
        self._located: dict[tuple[str, str], File | None] = {}
        self._listings: dict[str, frozenset[str]] = {}
        self._searched: dict[str, list[Path]] = {}
        self._problems: dict[Path, UnreadableClient] = {}
        self._written_names: dict[str, list[str]] = {}
        read = [
            file
            for path in sorted(set(files_below(self.given, self._unlisted, docs)))
            if (file := self._readable(path)) is not None
        ]
        python = [file for file in read if file.kind not in FOREIGN_KINDS]
        self.code_of = {file.path: each for each in callers for file in self._code(each)}
        named = {file.path for file in python}
        python += [
            file for path in self.code_of if path not in named and (file := self._readable(path)) is not None
        ]
        self.files = [*python, *(written for file in python for written in self._written(file))]
        # They may define workflows.
        self.definitions = [file for file in read if file.kind is ClientKind.YAML]
        self.foreign = [
            file
            for file in read
            if file.kind in FOREIGN_KINDS and (file.kind not in COMMAND_KINDS or _SENDING in file.content)
        ]

    @property
    def unread(self) -> Mapping[Path, UnreadableClient]:
        """Return the files and folders that were to be checked and cannot be read, with the reason."""
        return self._problems

    def file(self, path: Path) -> File | None:
        """Return the file; ``None`` where there is none that can be read."""
        key = str(path)
        if key not in self._files:
            try:
                self._files[key] = self._read(path) if path.is_file() else None
            except (OSError, UnreadableClient):
                self._files[key] = None
        return self._files[key]

    def _read(self, path: Path) -> File:
        caller = self._caller(path.parent)
        return File(path, read_client(path), environ=caller.environ if caller is not None else None)

    def _caller(self, folder: Path) -> CallingModel | None:
        """Return the model that code in this folder is part of."""
        if not self._caller_folders:
            return None
        above = (folder, *folder.parents)
        return next((caller for each in above if (caller := self._caller_folders.get(each))), None)

    def _code(self, model: CallingModel) -> Iterator[File]:
        """Yield the modules of a model: model.py, what it imports, and programs that it names. What lies beside it
        and is neither, such as a script that tries it, is none of its code."""
        first = self.file(model.folder / "model.py")
        waiting, beside = [first] if first is not None else [], dict.fromkeys(model.files())
        while waiting:
            file = waiting.pop()
            beside.pop(file.path, None)
            yield file
            imported = [each.path for each in self.imported(file)]
            named = [each for each in beside if each in imported or each.name.encode() in file.content]
            waiting += [
                other for each in named if beside.pop(each, 0) is None and (other := self.file(each)) is not None
            ]

    def _readable(self, path: Path) -> File | None:
        """Return a file that is to be checked; ``None`` where it cannot be read, with the reason kept."""
        if client_kind(path) in COMMAND_KINDS:
            return self.file(path)  # most of them are about something else
        try:
            file = self._files[str(path)] = self._files.get(str(path)) or self._read(path)
            file.require_text()
            return file
        except UnreadableClient as problem:
            self._problems[path] = problem
            self._files[str(path)] = None
            return None

    def _unlisted(self, error: OSError) -> None:
        self._problems[Path(error.filename)] = UnreadableClient(
            f"is a folder that cannot be listed: {error.strerror}",
            "Make it readable, or leave it out of the paths.",
        )

    def _written(self, notebook: File) -> Iterator[File]:
        """Yield the Python files that the cells of a notebook write: each has its place in the notebook's folder
        where no other file is there."""
        if notebook.kind is not ClientKind.NOTEBOOK or b"%%" not in notebook.content:
            return
        try:
            written = list(notebook.source.written())
        except UnreadableClient:
            return
        for number, (each, cells) in enumerate(written, 1):
            content = cells.text.encode(errors="replace")
            path = Path(os.path.normpath(notebook.path.parent / each.name)) if each.name else None
            if path is None or os.path.lexists(path) or self._files.get(str(path)) is not None:
                path = notebook.path.parent / f"{notebook.path.stem}.written" / f"{number}.py"
            self._written_names.setdefault(str(path.parent), []).append(path.name)
            file = self._files[str(path)] = File(path, content, notebook.path, cells)
            yield file

    @cached_property
    def roots(self) -> list[Path]:
        """Folders that modules are imported from: those that were named, and `src` in them."""
        roots = [root for top in self.tops for root in (_import_root(top), top / "src") if root.is_dir()]
        return list(dict.fromkeys([*roots, *self.tops]))

    def imported(self, file: File) -> list[File]:
        """Return the files of the repository that this one imports."""
        key = str(file.path)
        if key not in self._imported:
            found = [self.locate(name, file.path) for name in sorted(file.imports)]
            # pytest gives tests the fixtures of these.
            if file.path.name.startswith("test_") or file.path.name.endswith("_test.py"):
                found += [self.file(folder / "conftest.py") for folder in self._folders(file.path.parent)]
            self._imported[key] = [each for each in dict.fromkeys(found) if each is not None and each is not file]
        return self._imported[key]

    def locate(self, module: str, importer: Path) -> File | None:
        """Return the file of a module as it is written in an import."""
        name = module.lstrip(".")
        level = len(module) - len(name)
        parts = name.split(".") if name else []
        folders = [_up(importer.parent, level - 1)] if level else self._folders(importer.parent)
        for folder in folders:
            key = (str(folder), name)
            if key not in self._located:
                self._located[key] = self._in(folder, parts)
            if self._located[key] is not None:
                return self._located[key]
        return None

    def _in(self, folder: Path, parts: Sequence[str]) -> File | None:
        if not parts:
            return self.file(folder / "__init__.py")
        # Most imports are of other packages: one look at the folder tells.
        if not {parts[0], f"{parts[0]}.py"} & self._listing(folder):
            return None
        path = folder.joinpath(*parts)
        return self.file(path.with_suffix(".py")) or self.file(path / "__init__.py")

    def _listing(self, folder: Path) -> frozenset[str]:
        key = str(folder)
        if key not in self._listings:
            try:
                names = os.listdir(folder)
            except OSError:
                names = []
            self._listings[key] = frozenset([*names, *self._written_names.get(key, ())])
        return self._listings[key]

    def _folders(self, start: Path) -> list[Path]:
        """List the folders in which an absolute import looks: beside the file, above it up to
        a named folder, and the roots."""
        key = str(start)
        if key not in self._searched:
            tops = {*self.roots, *self._caller_folders}
            folders = [start]
            while folders[-1] not in tops and folders[-1] != folders[-1].parent:
                folders.append(folders[-1].parent)
            # What is beside a model is not on the path of its replicas.
            roots = self.roots if folders[-1] not in self._caller_folders else ()
            self._searched[key] = list(dict.fromkeys([*folders, *roots]))
        return self._searched[key]

    def with_imported(self, files: Iterable[File]) -> list[File]:
        """Return these files and all of the repository that they import, themselves or through others."""
        waiting = list(files)
        result: dict[int, File] = {}
        while waiting:
            file = waiting.pop()
            if id(file) not in result:
                result[id(file)] = file
                waiting.extend(self.imported(file))
        return list(result.values())

    def find(self, module: str, level: int, source: Source) -> Source | None:
        """Find a module for ``constants.Modules``."""
        file = self.locate("." * level + module, source.path)
        try:
            if file is None:
                return None
            _ = file.source.nodes
            return file.source
        except UnreadableClient:
            return None

    def concerned(self, marks: Sequence[bytes]) -> set[Path]:
        """Files that have to do with the SDK: they name it, or import one that does."""
        everything = self.with_imported(self.files)
        direct = self.with_importers(file for file in everything if any(mark in file.content for mark in marks))
        # What they import may be handed a model.
        files = [file for path in direct if (file := self.file(path)) is not None]
        return {*direct, *(each.path for file in files for each in self.imported(file))}

    def with_importers(self, files: Iterable[File]) -> set[Path]:
        """Return these files and all that import them, themselves or through others."""
        found = {file.path for file in files}
        waiting = list(found)
        while waiting:
            for path in self._importers.get(waiting.pop(), ()):
                if path not in found:
                    found.add(path)
                    waiting.append(path)
        return found

    @cached_property
    def _importers(self) -> Mapping[Path, Sequence[Path]]:
        importers: dict[Path, list[Path]] = {}
        for file in self.with_imported(self.files):
            for other in self.imported(file):
                importers.setdefault(other.path, []).append(file.path)
        return importers

    def foreign_with(self, marks: Sequence[bytes]) -> list[File]:
        """Return the clients in other languages that have to do with the platform: they name it."""
        return [file for file in self.foreign if any(mark in file.content for mark in marks)]

    def parse(self, mark: bytes) -> None:
        """Parse the files that are likely to be asked for first."""
        named = (file for file in self.files if mark in file.content)
        for file in itertools.islice(named, MOST_AT_ONCE):
            with contextlib.suppress(UnreadableClient):
                _ = file.source.nodes

    @cached_property
    def groups(self) -> Mapping[Path, Sequence[File]]:
        """Return for each file the files that a model may pass between it and: those that import one another,
        themselves or through others, and can give one another values."""
        groups = _Groups()
        every = self.with_imported(self.files)
        for file in every:
            for other in self.imported(file):
                if _takes_values(other, file):
                    groups.join(str(file.path), str(other.path))
        members: dict[str, list[File]] = {}
        for file in every:
            members.setdefault(groups.first(str(file.path)), []).append(file)
        return {file.path: several for several in members.values() for file in several}

    def keys(self, salt: str) -> Mapping[Path, str]:
        """Return for each file a hash of all that its findings come from: ``salt``, the files of its group, and
        what they import."""
        hashes: dict[int, str] = {}
        for files in self.groups.values():
            if id(files) not in hashes:
                digest = hashlib.sha256(salt.encode())
                for each in sorted(self.with_imported(files), key=lambda one: str(one.path)):
                    known = f"\0{sorted(each.environ.items())}" if each.environ else ""
                    digest.update(f"{each.path}\0{each.digest}{known}\n".encode(errors="surrogateescape"))
                hashes[id(files)] = digest.hexdigest()
        result = {file.path: hashes[id(self.groups[file.path])] for file in self.files}
        for file in self.foreign:
            result[file.path] = hashlib.sha256(
                f"{salt}{file.path}\0{file.digest}".encode(errors="surrogateescape")
            ).hexdigest()
        return result


def may_define(file: File) -> bool:
    """Tell whether a YAML file may define a workflow. Files of CI have some of another kind, without models."""
    return all(each in file.content for each in (b"workflow", b"nodes", b"model", b"id"))


def _takes_values(file: File, importer: File) -> bool:
    """Tell whether what imports a file can put a model into it: call a function of it, or set a name in it."""
    if b"def " in file.content or b"class " in file.content or b"lambda" in file.content:
        return True
    name = re.escape(file.path.stem).encode(errors="surrogateescape")
    return re.search(rb"\b%s(\.\w+\s*=[^=]|\[|\.\w+[.\[])" % name, importer.content) is not None


class _Groups:
    """Groups of names; two that are joined are in one."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def first(self, name: str) -> str:
        path: list[str] = []
        while (parent := self._parent.get(name, name)) != name:
            path.append(name)
            name = parent
        for each in path:
            self._parent[each] = name
        return name

    def join(self, name: str, other: str) -> None:
        self._parent[self.first(name)] = self.first(other)


def _up(folder: Path, levels: int) -> Path:
    for _ in range(levels):
        folder = folder.parent
    return folder


def _import_root(folder: Path) -> Path:
    while (folder / "__init__.py").is_file() and folder != folder.parent:
        folder = folder.parent
    return folder
