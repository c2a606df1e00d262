"""Compares a requirements.txt with the packages of the current interpreter, without installing anything."""

from __future__ import annotations

import codecs
import contextlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

_MARK = "\ufeff"
_INCLUDE = re.compile(r"(?:-r|--requirement)(?:\s+|=|(?=[^\s=-]))(?P<file>.+)")
_CONSTRAINT = re.compile(r"(?:-c|--constraint)(?:\s+|=|(?=[^\s=-]))(?P<file>.+)")
_EDITABLE = re.compile(r"(?:-e|--editable)(?:\s+|=)(?P<target>.+)")
_DIRECT = re.compile(r"(?:[a-z+]+:(?://)?|\.{0,2}/|~/)|.*\.(?:whl|tar\.gz|zip)$", re.IGNORECASE)
_CLARIFAI_TARGET = re.compile(r"clarifai-python(?!-grpc)\b|egg=clarifai\b(?!-)|/clarifai-\d", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Line:
    """A requirement as it is written. ``constraint``: it limits a version but installs nothing."""

    text: str
    constraint: bool = False

    @property
    def is_direct(self) -> bool:
        """Tell whether it is a URL, a version control address, an archive or a path, which cannot be compared."""
        return bool(_EDITABLE.match(self.text) or _DIRECT.match(self.text))


class UnreadableRequirements(Exception):
    """A requirements file, or one that it includes, is missing or is no text."""


@dataclass(frozen=True, slots=True)
class Installed:
    """The packages of the current interpreter; tests give their own.

    ``version``: of a package by its canonical name, ``None`` when it is not installed. ``requires``: its
    requirement lines.
    """

    version: Callable[[str], str | None]
    requires: Callable[[str], list[str]]


def _installed_version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


CURRENT_INTERPRETER = Installed(
    version=_installed_version, requires=lambda name: list(metadata.requires(name) or ())
)


def read_lines(file: Path, *, constraint: bool = False, _seen: frozenset[Path] = frozenset()) -> Iterator[Line]:
    """Requirement lines of a file and of the files it includes, without comments and options.

    Raises ``UnreadableRequirements``.
    """
    place = Path(os.path.realpath(file))
    if place in _seen:
        return
    seen = _seen | {place}
    for text in _logical_lines(_text(file)):
        limits = _CONSTRAINT.match(text)
        include = _INCLUDE.match(text) or limits
        if include:
            name = include["file"].strip()
            if not (file.parent / name).is_file():
                raise UnreadableRequirements(f"{file.name} includes {name}, which does not exist")
            yield from read_lines(file.parent / name, constraint=constraint or bool(limits), _seen=seen)
        elif _EDITABLE.match(text) or not text.startswith("-"):
            # Options of one requirement, such as --hash, follow it on its line.
            yield Line(re.split(r"\s+--", text)[0].strip(), constraint)


def required_names(file: Path) -> set[str]:
    """Return the names that a requirements file has, normalised; none when it cannot be read, which is told
    elsewhere."""
    names: set[str] = set()
    with contextlib.suppress(UnreadableRequirements):
        for line in read_lines(file):
            name = re.match(r"[A-Za-z0-9._-]+", line.text)
            if name is not None:
                names.add(canonicalize_name(name[0]))
    return names


def unpin_unknown_sdk(file: Path) -> bool:
    """Undo what ``clarifai model upload`` does without the network: it pins ``clarifai`` to the newest version of
    the package index, and writes ``clarifai==None`` when it cannot ask. Says whether it did."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False  # reading the model directory says so
    mended = re.sub(r"^(clarifai)==None[ \t]*$", r"\1", text, flags=re.MULTILINE)
    if mended != text:
        file.write_text(mended, encoding="utf-8")
    return mended != text


def included_files(file: Path, _seen: frozenset[Path] = frozenset()) -> list[Path]:
    """Return a requirements file and every file that it, or one of those, includes. Raises
    ``UnreadableRequirements``."""
    place = Path(os.path.realpath(file))
    if place in _seen:
        return []
    found = [file]
    for text in _logical_lines(_text(file)):
        include = _INCLUDE.match(text) or _CONSTRAINT.match(text)
        if include:
            found += included_files(file.parent / include["file"].strip(), _seen | {place})
    return list(dict.fromkeys(found))


def unsatisfied_requirements(file: Path, installed: Installed = CURRENT_INTERPRETER) -> list[str]:
    """Say why the current interpreter cannot run these requirements, one sentence each; empty when it can."""
    try:
        return [reason for line in read_lines(file) for reason in _reasons(line, installed)]
    except UnreadableRequirements as error:
        return [str(error)]


def unsatisfied_lines(lines: Iterable[Line], installed: Installed = CURRENT_INTERPRETER) -> list[str]:
    """Say why these lines are not satisfied."""
    return [reason for line in lines for reason in _reasons(line, installed)]


def names_clarifai(lines: list[Line]) -> bool:
    """Tell whether the requirements install the SDK themselves, from an index or from a URL."""
    for line in lines:
        if line.constraint:
            continue
        if line.is_direct:
            if _CLARIFAI_TARGET.search(line.text):
                return True
            continue
        try:
            requirement = Requirement(line.text)
        except InvalidRequirement:
            continue
        if canonicalize_name(requirement.name) == "clarifai" and applies(requirement):
            return True
    return False


def direct_sdk_version(text: str) -> str:
    """Return the version of the SDK that a URL, path or archive names; ``any`` where it names none, empty where it
    is no SDK."""
    if not Line(text).is_direct or not _CLARIFAI_TARGET.search(text):
        return ""
    version = re.search(r"(?:@|clarifai-)v?(\d+\.\d+\.\d+)", text)
    return version[1] if version else "any"


def _text(file: Path) -> str:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise UnreadableRequirements(f"{file.name} cannot be read: {error}") from error
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        problem = _encoding_of(data) or f"cannot be read: {error}"
        raise UnreadableRequirements(f"{file.name} {problem}") from error
    begins = text.removeprefix(_MARK)
    if begins != text and not begins.startswith(("#", "\n", "\r")):
        raise UnreadableRequirements(
            f"{file.name} begins with a byte order mark, which the SDK takes for a part of the first name: save it "
            "as UTF-8 without one"
        )
    return begins.replace("\r\n", "\n").replace("\r", "\n")


def _encoding_of(data: bytes) -> str:
    """Say in which encoding a text is that is not UTF-8, where it says so itself."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return (
            "is UTF-16 text, which the SDK does not read: save it as UTF-8 (`pip freeze > …` writes UTF-16 in "
            "Windows PowerShell 5)"
        )
    return ""


def _logical_lines(text: str) -> Iterator[str]:
    joined = re.sub(r"\\\n", " ", text.replace("\r\n", "\n"))
    for line in joined.split("\n"):
        stripped = re.sub(r"(^|\s)#.*$", "", line).strip()
        if stripped:
            yield stripped


def _reasons(line: Line, installed: Installed) -> list[str]:
    if line.is_direct:
        return [f"{line.text} is a URL or a path, always installed afresh"]
    try:
        requirement = Requirement(line.text)
    except InvalidRequirement as error:
        return [f"{line.text!r} cannot be read as a requirement: {str(error).splitlines()[0]}"]
    if not applies(requirement):
        return []
    if requirement.url:
        return [f"{requirement.name} comes from a URL, always installed afresh"]
    if line.constraint and installed.version(canonicalize_name(requirement.name)) is None:
        return []
    problem = _compare(requirement, installed)
    return [problem] if problem else _missing_extras(requirement, installed)


def _compare(requirement: Requirement, installed: Installed) -> str:
    version = installed.version(canonicalize_name(requirement.name))
    if version is None:
        return f"{requirement.name} is not installed"
    if not requirement.specifier.contains(version, prereleases=True):
        return f"{requirement.name}{requirement.specifier} is required, {version} is installed"
    return ""


def _missing_extras(requirement: Requirement, installed: Installed) -> list[str]:
    """List what the extras lack, one level deep: enough to notice an extra that was never installed."""
    reasons: list[str] = []
    for extra in sorted(requirement.extras):
        for text in installed.requires(canonicalize_name(requirement.name)):
            needed = Requirement(text)
            if needed.marker is None or applies(needed) or not applies(needed, extra):
                continue
            problem = _compare(needed, installed)
            if problem:
                reasons.append(f"{problem} ({requirement.name}[{extra}] needs it)")
    return reasons


def applies(requirement: Requirement, extra: str = "") -> bool:
    """Tell whether a requirement is one for this interpreter."""
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})
