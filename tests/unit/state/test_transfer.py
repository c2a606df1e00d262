"""The exported document: everything goes out and comes back; what is none is refused whole."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import App, Deployment, Model, Secret

from clarifai_emulator.errors import ConfigError
from clarifai_emulator.models.version_source import ModelSource, WantedSecret
from clarifai_emulator.resources.kind_table import TABLE
from clarifai_emulator.state.records import from_bytes, from_json, to_bytes
from clarifai_emulator.state.transfer import Imported, export_state, import_state
from clarifai_emulator.store import Kind, Store


def filled(tmp_path: Path) -> Store:
    store = Store()
    store.put(Kind.APP, ("me", "one"), App(id="one", description="d"))
    store.put(Kind.APP, ("me", "two"), App(id="two"))
    store.put(Kind.SECRET, ("me", "s"), Secret(id="s", value="v"))
    store.put(Kind.DEPLOYMENT, ("me", "d"), Deployment(id="d", scheduling_choice=Deployment.PERFORMANCE))
    here = ModelSource(tmp_path, Path(sys.executable), "hash", "here")
    store.put(Kind.SOURCE, ("me", "app", "m", "a" * 32), here)
    return store


def test_a_number_that_json_does_not_have_keeps_nothing_from_going_out() -> None:
    store = Store()
    model = Model(id="m")
    model.metadata.update({"threshold": math.inf})
    store.put(Kind.MODEL, ("me", "app", "m"), model)
    found = Store()
    import_state(found, TABLE, json.loads(json.dumps(export_state(store, TABLE), allow_nan=False)))
    came = found.get(Kind.MODEL, ("me", "app", "m"))
    assert came is not None
    assert came.metadata["threshold"] == "Infinity"


def test_everything_comes_back_in_its_order(tmp_path: Path) -> None:
    store = filled(tmp_path)
    document = json.loads(json.dumps(export_state(store, TABLE)))
    found = Store()
    assert import_state(found, TABLE, document) == Imported(added=5)
    assert import_state(found, TABLE, document) == Imported(unchanged=5)
    found.put(Kind.APP, ("me", "one"), App(id="one", description="another"))
    assert import_state(found, TABLE, document) == Imported(replaced=1, unchanged=4)
    for kind in store.kinds:
        assert list(found.keys(kind)) == list(store.keys(kind))
        assert list(found.list(kind)) == list(store.list(kind))


def test_a_version_keeps_all_that_its_replicas_need(tmp_path: Path) -> None:
    wanted = (WantedSecret("token", "HUB_TOKEN", "default"),)
    source = ModelSource(tmp_path, Path(), "hash", "the image i:1", "docker", "i:1", secrets=wanted)
    key = ("me", "app", "m", "a" * 32)
    store, found = Store(), Store()
    store.put(Kind.SOURCE, key, source)
    assert import_state(found, TABLE, json.loads(json.dumps(export_state(store, TABLE)))) == Imported(added=1)
    assert found.get(Kind.SOURCE, key) == source
    assert from_bytes(TABLE[Kind.SOURCE], to_bytes(source)) == source


def test_a_version_that_an_earlier_release_wrote_is_prepared_anew(tmp_path: Path) -> None:
    content = {"path": str(tmp_path), "python": sys.executable, "content_hash": "h", "environment": "e"}
    source = from_json(TABLE[Kind.SOURCE], content)
    assert source == ModelSource(tmp_path, Path(sys.executable), "h", "e", backend="")


def test_what_has_the_same_id_is_replaced_and_the_rest_stays(tmp_path: Path) -> None:
    found = Store()
    found.put(Kind.APP, ("me", "one"), App(id="one", description="other"))
    found.put(Kind.APP, ("me", "mine"), App(id="mine"))
    import_state(found, TABLE, export_state(filled(tmp_path), TABLE))
    assert found.get(Kind.APP, ("me", "one")) == App(id="one", description="d")
    assert found.get(Kind.APP, ("me", "mine")) is not None


def test_a_version_whose_code_is_not_here_is_told(tmp_path: Path) -> None:
    store = Store()
    store.put(
        Kind.SOURCE, ("me", "app", "m", "a" * 32), ModelSource(tmp_path / "gone", Path(sys.executable), "h", "e")
    )
    store.put(Kind.SOURCE, ("me", "app", "m", "b" * 32), ModelSource(tmp_path, tmp_path / "python", "h", "e"))
    contained = ModelSource(tmp_path, Path(), "h", "the image i", backend="docker", image="i")
    store.put(Kind.SOURCE, ("me", "app", "m", "c" * 32), contained)
    warnings = list(import_state(Store(), TABLE, export_state(store, TABLE)).warnings)
    gone = tmp_path / "gone"
    assert warnings == [
        f"Version aaaaaaaa of model me/app/m cannot run: its directory {gone} is gone. Deploy it again.",
        f"Version bbbbbbbb of model me/app/m cannot run: its Python environment {tmp_path / 'python'} is gone. "
        "Deploy it again.",
    ]


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (None, "This is no state that an emulator exported."),
        ({"resources": []}, "This is no state that an emulator exported."),
        (
            {"document": "clarifai-emulator state", "format": 7},
            "has format 7; this emulator reads format 1.\nA newer release wrote it: import it there.",
        ),
        (
            {"document": "clarifai-emulator state", "format": 0},
            "The exported state has format 0; this emulator reads format 1.\nExport it again with this release.",
        ),
        (
            {"document": "clarifai-emulator state", "format": 1, "resources": {}},
            "`resources` must be an array",
        ),
    ],
)
def test_another_document_is_refused(document: Any, says: str) -> None:
    with pytest.raises(ConfigError) as raised:
        import_state(Store(), TABLE, document)
    assert says in str(raised.value)


def test_every_resource_that_cannot_be_read_is_named_and_nothing_is_changed(tmp_path: Path) -> None:
    document = export_state(filled(tmp_path), TABLE)
    document["resources"][1]["content"] = {"idd": "x"}
    document["resources"][2]["kind"] = "planet"
    document["resources"][3]["key"] = ["me", ""]
    store = Store()
    with pytest.raises(ConfigError) as raised:
        import_state(store, TABLE, document)
    assert [problem.partition(":")[0] for problem in raised.value.problems] == [
        "resource 2",
        "resource 3",
        "resource 4",
    ]
    assert "this version does not know the kind 'planet'" in str(raised.value)
    assert "its `key` must be an array of ids" in str(raised.value)
    assert all(store.count(kind) == 0 for kind in store.kinds)
