"""Tests which modules the light distribution has, what it asks for, and what becomes of the names in them."""

from __future__ import annotations

import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from light_package import messages_of_light, needs_of_light, rewritten, without_words
from message_modules import kept_files, used_messages, with_messages_of
from module_graph import ModuleGraph, Needs

ROOT = Path(__file__).parents[2]
# What is imported only where it is installed, and what is copied instead of being asked for.
NOT_ASKED_FOR = {"uv", "clarifai-grpc"}


@pytest.fixture(scope="module")
def needs() -> Needs:
    return needs_of_light(ROOT)


def test_it_asks_for_what_its_modules_import_and_for_the_type_checker(needs: Needs) -> None:
    imported = {_distribution(each) for each in needs.outside} - NOT_ASKED_FOR
    asked = {each.name for each in [*_requirements("light/pyproject.toml"), *_javascript()]}
    assert asked == imported | {"pyrefly"}


def test_it_asks_for_the_versions_that_the_whole_emulator_asks_for() -> None:
    whole = {each.name: str(each) for each in _requirements("pyproject.toml")}
    asked = [*_requirements("light/pyproject.toml"), *_javascript()]
    assert [str(each) for each in asked if whole[each.name] != str(each)] == []
    assert _project("light/pyproject.toml")["version"] == _project("pyproject.toml")["version"]


def test_it_has_the_three_commands_and_what_reads_models_in_a_process_of_its_own(needs: Needs) -> None:
    assert {f"clarifai_emulator.cli.{each}" for each in ("main", "check", "contract", "stubs")} <= needs.modules
    assert "clarifai_emulator.inside.zygote_main" in needs.modules
    assert "clarifai_emulator.contracts.reports.sarif" in needs.modules


@pytest.mark.parametrize(
    "left_out",
    [
        "api",
        "control",
        "conformance",
        "deploy",
        "dispatch",
        "nodepools",
        "topology",
        "cli.contract_fuzz",
        "emulator",
    ],
)
def test_it_has_nothing_of_a_running_emulator(needs: Needs, left_out: str) -> None:
    name = f"clarifai_emulator.{left_out}"
    assert [each for each in needs.modules if each == name or each.startswith(f"{name}.")] == []


def test_a_graph_follows_imports_texts_and_scripts_but_not_what_is_left_out(tmp_path: Path) -> None:
    sources = {
        "__init__": "import elsewhere",
        "first": "import click\nfrom clarifai_emulator.second import thing\nTABLE = ['clarifai_emulator.third']",
        "second": "def later():\n    from clarifai_emulator import fourth\nSCRIPT = 'run_main.py'",
        "third": "import importlib\nimportlib.import_module(f'clarifai_emulator.many.{name}')",
        "fourth": "with of_the_whole('x'):\n    import clarifai_emulator.heavy\nimport json",
        "heavy": "import grpc",
        "inside.run_main": "import clarifai\nbeside('other_main')",
        "inside.other_main": "",
        "many.one": "if TYPE_CHECKING:\n    import docker",
    }
    for name, text in sources.items():
        file = tmp_path.joinpath("clarifai_emulator", *name.split(".")).with_suffix(".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    found = ModuleGraph(tmp_path, instead={}).needs_of(["clarifai_emulator.first"])
    names = ["first", "second", "third", "fourth", "inside.run_main", "inside.other_main", "many.one"]
    assert found.modules >= {f"clarifai_emulator.{each}" for each in names}
    assert "clarifai_emulator.heavy" not in found.modules
    assert found.outside == {"click"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("from clarifai_emulator.errors import X", "from clarifai_emulator_check.errors import X"),
        ("import clarifai_emulator.cli", "import clarifai_emulator_check.cli"),
        (
            "    from clarifai_grpc.grpc.api import service_pb2",
            "    from clarifai_emulator_check.clarifai_grpc.grpc.api import service_pb2",
        ),
        ("in ('clarifai', 'clarifai_grpc')", "in ('clarifai', 'clarifai_grpc')"),
        ("`clarifai-emulator contract rules` lists", "`clarifai-emulator-check contract rules` lists"),
        ("`clarifai-emulator up` starts one", "`clarifai-emulator up` starts one"),
        ("pip install 'clarifai-emulator[fuzz]'", "pip install 'clarifai-emulator[fuzz]'"),
        ("[tool.clarifai-emulator]", "[tool.clarifai-emulator]"),
    ],
)
def test_names_of_the_package_and_of_its_commands_are_those_of_the_light_one(before: str, after: str) -> None:
    assert rewritten(before) == after


def test_messages_come_with_what_is_in_them_and_without_the_rest() -> None:
    found = kept_files({"clarifai_grpc.grpc.api.service_pb2": ["PostModelOutputsRequest"]})
    service = found["clarifai_grpc.grpc.api.service_pb2"]
    assert [each.name for each in service.message_type] == ["PostModelOutputsRequest"]
    assert (len(service.service), "google/api/annotations.proto" in service.dependency) == (0, False)
    resources = {each.name for each in found["clarifai_grpc.grpc.api.resources_pb2"].message_type}
    assert {"UserAppIDSet", "Input", "Data", "Image", "Model", "ModelVersion"} <= resources
    assert {"Installation", "Pipeline"} & resources == set()
    with pytest.raises(ValueError, match=r"service_pb2 has no message, enum or extension Nothing\."):
        kept_files({"clarifai_grpc.grpc.api.service_pb2": ["Nothing"]})


def test_the_messages_that_the_modules_use_are_seen_in_their_source() -> None:
    used = messages_of_light(ROOT)
    assert "PostModelOutputsRequest" in used["clarifai_grpc.grpc.api.service_pb2"]
    assert used["clarifai_grpc.grpc.api.utils.extensions_pb2"] == {"cl_show_if_empty"}
    assert used["clarifai_grpc.grpc.api.status.status_code_pb2"] == {"StatusCode"}
    sizes = {name: content.ByteSize() for name, content in kept_files(used).items()}
    assert sum(sizes.values()) < 60_000, sizes


def test_what_uses_a_message_module_as_a_whole_is_refused() -> None:
    start = "from clarifai_grpc.grpc.api import resources_pb2 as messages\n"
    assert used_messages([f"{start}messages.Model(id=messages.Input.x)"]) == {
        "clarifai_grpc.grpc.api.resources_pb2": {"Model", "Input"}
    }
    with pytest.raises(ValueError, match=r"cannot be seen which messages of clarifai_grpc.grpc.api.resources_pb2"):
        used_messages([f"{start}getattr(messages, name)"])


def test_only_imports_of_messages_are_imports_of_the_copies() -> None:
    line = "from clarifai_grpc.grpc.api import resources_pb2"
    assert with_messages_of("light", line) == f"from light.{line.removeprefix('from ')}"
    assert with_messages_of("light", "from google.protobuf import x") == "from google.protobuf import x"


def test_hooks_of_the_light_distribution_install_what_it_asks_for() -> None:
    hooks = {each["id"]: each for each in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
    asked = [str(each) for each in [*_requirements("light/pyproject.toml"), *_javascript()]]
    for name in ("clarifai-check", "clarifai-contract"):
        first, second, *others = hooks[name]["additional_dependencies"]
        assert (first, second) == ("--no-deps", "./light")
        assert [str(Requirement(each)) for each in others] == asked
    assert "additional_dependencies" not in hooks["clarifai-check-with-sdk"]


def _distribution(module: str) -> str:
    """Return the distribution that brings a module, by the name that requirements use."""
    names = {"griffe": "griffelib", "yaml": "pyyaml", "google": "protobuf"}
    top = module.partition(".")[0]
    found = names.get(top) or metadata.packages_distributions()[top][0].lower()
    return found.replace("_", "-")


def _javascript() -> list[Requirement]:
    """Return what checking clients in JavaScript takes, which is an extra."""
    return [Requirement(each) for each in _project("light/pyproject.toml")["optional-dependencies"]["javascript"]]


def _project(file: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / file).read_text())["project"]


def _requirements(file: str) -> list[Requirement]:
    return [Requirement(each) for each in _project(file)["dependencies"]]


def test_what_is_for_readers_of_the_sources_is_left_out() -> None:
    text = '''"""Says one thing."""


class Model:
    """Serves,
    and more."""

    name = "x"  # as it was

    def bare(self) -> None:
        """Say nothing else."""

    # As the platform does.
    async def ask(self) -> str:
        """Return an answer."""
        return """no docstring

# no comment"""
'''
    said = without_words(text)
    assert [
        each for each in ("one thing", "Serves", "and more", "Return an answer", "platform") if each in said
    ] == []
    assert [
        each for each in ("as it was", "Say nothing else", "no docstring\n\n# no comment") if each not in said
    ] == []
    compile(said, "model.py", "exec")
