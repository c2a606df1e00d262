"""The JSON Schema of topology files: it is the parser's own, takes every file there is, and refuses what means
nothing."""

from __future__ import annotations

import json
import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from clarifai_emulator.cli.main import cli
from clarifai_emulator.messages.yaml import YamlFile
from clarifai_emulator.topology.files import NODEPOOL_KEYS, SINGULAR, load_topology

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
BLOCKS = re.compile(r"```yaml\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return json.loads(CliRunner().invoke(cli, ["topology", "schema"]).output)


def mistakes(schema: dict[str, Any], text: str) -> list[str]:
    validator = Draft202012Validator(schema)
    return [error.message for document in yaml.safe_load_all(text) for error in validator.iter_errors(document)]


def documented() -> Iterator[tuple[str, str]]:
    """Yield each example of a topology in the documentation, after its place."""
    pages = [page for page in sorted(DOCS.glob("*.md")) if page.name != "rules.md"]  # which has models' config.yaml
    for page in (ROOT / "README.md", *pages):
        for number, block in enumerate(BLOCKS.findall(page.read_text())):
            first = next(iter(yaml.safe_load(block) or {}), "")
            if str(first).rstrip("s") in {*SINGULAR, "fault", "stand_in"} and "tokens:" not in block:
                yield f"{page.name}[{number}]", block


FILES = {
    str(path.relative_to(ROOT)): path.read_text()
    for path in sorted((ROOT / "fixtures" / "configs").rglob("*.yaml"))
}


def test_it_is_what_the_generator_writes_now() -> None:
    generator = runpy.run_path(str(DOCS / "generate_topology_schema.py"))
    assert generator["FILE"].read_text() == generator["page"](), "run `make docs`"


def test_it_is_a_schema(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)
    assert CliRunner().invoke(cli, ["topology", "schema", "--path"]).output.strip().endswith("topology.schema.json")


def test_a_name_is_described_as_what_it_is_at_its_place(schema: dict[str, Any]) -> None:
    top, deploy = schema["properties"], schema["$defs"]["model"]["properties"]["deploy"]["oneOf"][1]["properties"]
    assert top["nodepool"]["description"] == top["nodepools"]["description"]
    assert top["nodepool"]["description"].startswith("A nodepool, as the SDK's create_nodepool takes it")
    assert deploy["nodepool"]["description"].startswith("The nodepool to run it in")
    assert top["models"]["description"].startswith("A model: code of this machine (path)")
    assert schema["$defs"]["stand_ins"]["properties"]["model"]["description"].startswith(
        "The address of the hosted"
    )


@pytest.mark.parametrize(
    "text", [pytest.param(text, id=name) for name, text in {**FILES, **dict(documented())}.items()]
)
def test_it_takes_every_topology_of_the_fixtures_and_of_the_documentation(
    schema: dict[str, Any], text: str
) -> None:
    assert mistakes(schema, text) == []


def test_the_documentation_has_topologies_to_look_at() -> None:
    assert len(dict(documented())) >= 5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nodepol: {}", "'nodepol' was unexpected"),
        ("nodepool: {id: a, max_instance: 1}", "'max_instance' was unexpected"),
        ("nodepool: {id: a, compute_cluster: {id: c, regoin: x}}", "'regoin' was unexpected"),
        ("nodepool: {id: a, max_instances: many}", "'many' is not of type 'integer'"),
        ("nodepool: {id: a, backend: podman}", "'podman' is not one of"),
        ("apps: {id: a}", "is not of type 'array'"),
        ("models: [{id: m}]", "is not valid under any"),
        ("models: [{id: m, app_id: a, deploy: true}]", "'path' is a dependency of 'deploy'"),
        ("models: [{path: ., deploy: {nodepol: x}}]", "is not valid under any"),
        ("faults: [{stats: 1}]", "'stats' was unexpected"),
        ("faults: [{cold_start: maybe}]", "'maybe' is not one of"),
        ("stand_ins: [{model: a/b/models/c}]", "is not valid under any"),
        ("deployment: {id: d, visibility: {gettable: 11}}", "11 is not one of"),
    ],
)
def test_it_refuses_what_the_parser_refuses(schema: dict[str, Any], tmp_path: Path, text: str, said: str) -> None:
    assert any(said in each for each in mistakes(schema, text)), mistakes(schema, text)
    (tmp_path / "t.yaml").write_text(text)
    done = CliRunner().invoke(cli, ["topology", "check", str(tmp_path / "t.yaml")])
    assert done.exit_code == 1
    assert "t.yaml:1: " in done.output


def test_every_key_that_it_offers_is_one_that_the_parser_knows(schema: dict[str, Any], tmp_path: Path) -> None:
    for kind, message in SINGULAR.items():
        names = schema["$defs"][kind]["properties"]
        path = tmp_path / f"{kind}.yaml"
        path.write_text("".join(f"{name}: null\n" for name in names))
        file = YamlFile(path)
        (document,) = file.documents()
        file.message(document, message(), kind, besides=("path", "deploy", *NODEPOOL_KEYS))
        assert file.problems == []


def test_a_workflow_of_the_sdks_form_fits_it(schema: dict[str, Any]) -> None:
    text = """
        workflows:
          - id: w
            app_id: a
            nodes:
              - {id: one, model: {model_id: m, model_version_id: v, user_id: u, app_id: a}}
              - {id: two, model: {id: m}, node_inputs: [{node_id: one}]}
    """
    assert mistakes(schema, text) == []
    assert mistakes(schema, "workflow: {id: w}") == ["'app_id' is a required property"]
    (mistake,) = mistakes(schema, text.replace("model_id", "modell_id"))
    assert "'modell_id' was unexpected" in mistake


def test_a_file_is_counted_or_its_mistakes_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("good.yaml").write_text("users: [{id: a}, {id: b}]\n---\napp: {id: c}\n")
    done = CliRunner().invoke(cli, ["topology", "check", "good.yaml"])
    assert (done.exit_code, done.output) == (0, "good.yaml: 2 users, 1 app. Nothing is wrong.\n")
    Path("bad.yaml").write_text("app:\n  id: c\n  descripton: x\n")
    done = CliRunner().invoke(cli, ["topology", "check", "good.yaml", "bad.yaml"])
    assert done.exit_code == 1
    assert done.output.splitlines() == [
        "error: bad.yaml:3: app.descripton: is not a known name; did you mean 'description'?",
        "error: bad.yaml:2: app 'c' is named twice in the topology",
    ]
    as_json = json.loads(CliRunner().invoke(cli, ["topology", "check", "bad.yaml", "--json"]).output)
    assert as_json["problems"][0].endswith(
        "bad.yaml:3: app.descripton: is not a known name; did you mean 'description'?"
    )
    missing = CliRunner().invoke(cli, ["topology", "check", "nowhere.yaml"])
    assert (missing.exit_code, "nowhere.yaml:1: cannot be read" in missing.output) == (1, True)


def test_a_map_of_the_platforms_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text("app:\n  id: a\n  image: {hosted_image_info: {a: {}}}\n")
    with pytest.raises(Exception, match=r"t.yaml:3: app.image.hosted_image_info: is a map of the platform's"):
        load_topology([path])
