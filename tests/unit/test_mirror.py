"""Tests that unit tests stand where the module stands that they are about."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
EMULATOR = ROOT / "emulator/clarifai_emulator"
PLUGIN = ROOT / "pytest_plugin/pytest_clarifai_emulator"

# Tests that are about no single module, and why.
OTHERS = {
    "api/handlers/test_round_trip.py": "every field of every kind of resource comes back",
    "api/transport/test_http1_connection.py": "connections of HTTP/1.1 beside one another, in several modules",
    "api/transport/test_http2_connection.py": "connections of HTTP/2 beside one another, in several modules",
    "cli/test_predict_of_messages.py": "what `predict` says of models that answer messages",
    "cli/test_missed_lines.py": "what `events` and `logs` say of lines they could not show",
    "contracts/endpoints/test_documented_clients.py": "the snippets of the documentation, as clients",
    "nodepools/test_official_sizes.py": "the sizes of Clarifai's own examples, on small machines",
    "resources/test_every_kind.py": "every kind of resource, row by row",
    "routing/test_properties.py": "what holds for every request over every topology",
    "test_acts.py": "what unit tests must not do",
    "test_assembly.py": "how objects are put together, in the source of the whole package",
    "test_distinct_names.py": "names of classes and files of both packages",
    "test_language.py": "docstrings of the whole project",
    "test_public_names.py": "what both packages export",
    "test_mirror.py": "where unit tests stand",
}
# Published documents that tests compare with.
DATA = {"contracts/reports/published"}


def test_each_folder_is_one_of_the_package() -> None:
    strays = [
        folder
        for folder in sorted(each for each in HERE.rglob("*") if each.is_dir() and each.name != "__pycache__")
        if not _place(folder).is_dir() and folder.relative_to(HERE).as_posix() not in DATA
    ]
    assert not strays, "No such folder in the package; tests of the project's own tools stand in tests/tools"


def test_each_file_is_about_a_module_of_its_folder() -> None:
    strays = [
        file.relative_to(HERE).as_posix()
        for file in sorted(HERE.rglob("test_*.py"))
        if not _is_about_its_folder(file) and file.relative_to(HERE).as_posix() not in OTHERS
    ]
    assert not strays, "Name each after a module of its folder, or list it above with the reason"


def test_what_is_listed_is_there() -> None:
    assert [each for each in (*OTHERS, *DATA) if not (HERE / each).exists()] == []


def _place(folder: Path) -> Path:
    """Return the folder of the package that this one mirrors."""
    parts = folder.relative_to(HERE).parts
    if parts[:1] == ("pytest_plugin",):
        return PLUGIN.joinpath(*parts[1:])
    return EMULATOR.joinpath(*parts)


def _is_about_its_folder(file: Path) -> bool:
    """Tell whether it is named after a module or folder there, or after the folder itself."""
    name, folder = file.stem.removeprefix("test_"), _place(file.parent)
    return name == folder.name or (folder / f"{name}.py").is_file() or (folder / name).is_dir()
