"""The content of topology files outlives the process; content that cannot be read counts as none, with a reason."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import fields, replace
from pathlib import Path

import pytest

from clarifai_emulator.deploy.topology_kept import KeptTopology
from clarifai_emulator.resources.kind_table import TABLE
from clarifai_emulator.state.state_file import StateFile
from clarifai_emulator.state.state_schema import FILE
from clarifai_emulator.store import Store
from clarifai_emulator.topology.file_changes import changes
from clarifai_emulator.topology.files import Topology, load_topology

WRITTEN = """
users: [{id: other, first_name: Otto}]
apps: [{id: a, metadata: {any: [1, two]}}]
secrets: [{id: token, value: hidden}]
compute_clusters: [{id: c, cloud_provider: {id: aws}, region: us-east-1}]
nodepools: [{id: n, instance_types: [{id: t3a.medium}], backend: docker, max_instances: 2}]
models:
  - {id: m, app_id: a, user_id: other}
  - {path: ., deploy: {nodepool: n, deployment_id: d, min_replicas: 0}}
  - {path: ..}
deployments: [{id: by-hand, nodepools: [{id: n}], worker: {model: {id: m, app_id: a, user_id: other}}}]
workflows: [{id: w, app_id: a, nodes: [{id: only, model: {model_id: m, user_id: other}}]}]
faults: [{status: MODEL_DEPLOYING, times: 1}]
"""


@pytest.fixture
def topology(tmp_path: Path) -> Topology:
    (tmp_path / "topology.yaml").write_text(WRITTEN)
    return load_topology([tmp_path / "topology.yaml"])


def opened(folder: Path) -> StateFile:
    file = StateFile(folder / "state", Store(), TABLE)
    file.open()
    return file


async def test_every_kind_comes_back_as_it_was_but_for_faults_which_are_of_one_run(
    topology: Topology, tmp_path: Path
) -> None:
    assert all(getattr(topology, each.name) for each in fields(Topology) if each.name != "stand_ins")
    file = opened(tmp_path)
    KeptTopology(file).save(Topology())
    KeptTopology(file).save(topology)
    file.close()
    file = opened(tmp_path)
    assert not any(changes(KeptTopology(file).load(), replace(topology, faults=())).values())
    file.close()


async def test_a_reset_forgets_it(topology: Topology, tmp_path: Path) -> None:
    file = opened(tmp_path)
    KeptTopology(file).save(topology)
    file.replace()
    assert KeptTopology(file).load() == Topology()
    file.close()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Expecting property name"),
        ("{}", "'users'"),
        ('{"users": [{"message": {"colour": "red"}, "user_id": ""}]}', "no field named"),
    ],
    ids=["no JSON", "a kind is missing", "a field of a later release"],
)
async def test_what_cannot_be_read_is_said_and_then_everything_counts_as_new(
    text: str, reason: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = opened(tmp_path)
    file.note("topology", text)
    assert KeptTopology(file).load() == Topology()
    (message,) = caplog.messages
    assert message.startswith("What the topology files said at the last start cannot be read (")
    assert reason in message
    assert message.endswith(": everything that they name is made as they say.")
    file.close()


async def test_a_kind_that_earlier_releases_did_not_keep_is_empty(topology: Topology, tmp_path: Path) -> None:
    file = opened(tmp_path)
    KeptTopology(file).save(topology)
    kept = json.loads(file.noted("topology") or "")
    del kept["workflows"]
    file.note("topology", json.dumps(kept))
    assert KeptTopology(file).load().workflows == ()
    assert len(KeptTopology(file).load().apps) == 1
    file.close()


async def test_a_state_that_an_earlier_release_wrote_has_none(topology: Topology, tmp_path: Path) -> None:
    opened(tmp_path).close()
    with sqlite3.connect(tmp_path / "state" / FILE) as database:
        database.executescript(
            "DROP TABLE notes; ALTER TABLE resources DROP COLUMN checksum; "
            "ALTER TABLE log_lines DROP COLUMN checksum; PRAGMA user_version = 1"
        )
    database.close()
    file = opened(tmp_path)
    assert KeptTopology(file).load() == Topology()
    KeptTopology(file).save(topology)
    assert KeptTopology(file).load().apps == tuple(replace(each, where="") for each in topology.apps)
    file.close()
