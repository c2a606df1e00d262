"""Copies generated message modules of other packages into the light distribution, without the packages around them.

clarifai-grpc brings grpcio, and googleapis-common-protos messages of all of Google's services. A few are needed.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

# Package → the distribution that it comes from, and the name of its copy.
SOURCES = {
    "clarifai_grpc": ("clarifai-grpc", "clarifai_grpc"),
    "google.api": ("googleapis-common-protos", "google_api"),
}
_PACKAGES = "|".join(re.escape(each) for each in SOURCES)
_IMPORT = re.compile(rf"^(?P<before> *from )(?P<package>{_PACKAGES})(?=[. ])", re.MULTILINE)
_IMPORTED = re.compile(rf"^ *from (?P<package>(?:{_PACKAGES})[\w.]*) import (?P<module>\w+_pb2)", re.MULTILINE)

# Generated modules end with the options of their fields, for protobuf's implementation in Python. They stand in the
# descriptors, too, where it reads them since version 4; but extensions are registered there.
_TAIL = re.compile(
    r"^if (?:not _descriptor\._USE_C_DESCRIPTORS|_descriptor\._USE_C_DESCRIPTORS == False):\n", re.MULTILINE
)


def with_messages_of(package: str, text: str) -> str:
    """Return a module's text that imports the messages from their copies in ``package``."""
    return _IMPORT.sub(lambda found: f"{found['before']}{package}.{SOURCES[found['package']][1]}", text)


def without_repeated_options(text: str) -> str:
    """Return a generated module's text without what its descriptor says, too: a third of it."""
    start = _TAIL.search(text)
    if start is None:
        return text
    kept = [each for each in text[start.end() :].splitlines() if ".RegisterExtension(" in each]
    return text[: start.start()] + (start[0] + "\n".join(kept) + "\n" if kept else "")


def message_modules(names: Iterable[str]) -> dict[str, Path]:
    """Return the files of the message modules among these modules, and of all that they import, by their names."""
    found: dict[str, Path] = {}
    waiting = [each for each in names if each.startswith(tuple(f"{package}." for package in SOURCES))]
    while waiting:
        name = waiting.pop()
        if name not in found and name.endswith("_pb2"):
            found[name] = _file_of(name)
            text = found[name].read_text(encoding="utf-8")
            waiting += [f"{each['package']}.{each['module']}" for each in _IMPORTED.finditer(text)]
    return found


def write_messages(names: Iterable[str], folder: Path, package: str, first: Path) -> None:
    """Write the copies, with their licences. ``folder``: of ``package``; ``first``: the first module of each copied
    package."""
    for name, source in sorted(message_modules(names).items()):
        root, inside = _parted(name)
        top = folder / SOURCES[root][1]
        file = top.joinpath(*inside).with_suffix(".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        text = without_repeated_options(source.read_text(encoding="utf-8"))
        file.write_text(with_messages_of(package, text), encoding="utf-8")
        for between in file.relative_to(top).parents:
            (top / between / "__init__.py").touch()
        text = first.read_text(encoding="utf-8")
        (top / "__init__.py").write_text(
            text.replace("PACKAGE_NAME", root).replace("DISTRIBUTION", SOURCES[root][0])
        )
        shutil.copyfile(_licence(SOURCES[root][0]), top / "LICENSE")


def _file_of(name: str) -> Path:
    root, inside = _parted(name)
    spec = importlib.util.find_spec(root)
    assert spec is not None
    folders = [Path(each) for each in spec.submodule_search_locations or ()]
    return next(file for each in folders if (file := each.joinpath(*inside).with_suffix(".py")).is_file())


def _parted(name: str) -> tuple[str, list[str]]:
    root = next(each for each in SOURCES if name.startswith(f"{each}."))
    return root, name.removeprefix(f"{root}.").split(".")


def _licence(distribution: str) -> Path:
    files = metadata.files(distribution) or ()
    return next(Path(str(each.locate())) for each in files if each.name == "LICENSE")
