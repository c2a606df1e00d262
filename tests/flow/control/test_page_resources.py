"""The page shows every resource as JSON, with links to what it names, and no value of a secret or key."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import App, Dataset, Model
from clarifai_grpc.grpc.api.resources_pb2 import Key as ApiKey

from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.control.page.page_mount import page_mount
from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.resources.kind_table import ROWS
from clarifai_emulator.resources.rows import IN_APP, Resource
from clarifai_emulator.store import Kind
from flow.control.test_page_site import CONTROL, PAT, SECRET, data, enter, get, serving
from flow.driver import MODELS, Client

DATASET = Resource(kind=Kind("dataset"), message=Dataset, parents=(IN_APP,))


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorThread]:
    with serving(tmp_path_factory.mktemp("run"), pats={PAT: "me"}) as thread:
        thread.deploy(MODELS / "hello")
        yield thread


def asked(emulator: Any, kind: str = "", **query: str) -> Any:
    words = "&".join(f"{name}={quote(value, safe='')}" for name, value in {"kind": kind, **query}.items() if value)
    return data(emulator, f"resources?{words}")


def test_every_kind_of_the_table_is_there_and_what_is_empty_comes_last(emulator: EmulatorThread) -> None:
    kinds = asked(emulator)["kinds"]
    assert {each["kind"] for each in kinds} == {str(row.kind) for row in ROWS}
    counts = [each["count"] > 0 for each in kinds]
    assert counts == sorted(counts, reverse=True)


def test_a_resource_links_to_what_it_names_and_to_what_lies_in_it(emulator: EmulatorThread) -> None:
    (deployment,) = asked(emulator, "deployment")["items"]
    assert deployment["key"] == "me/deploy-hello"
    told = asked(emulator, "deployment", key=deployment["key"])
    found = {".".join(map(str, each["at"])): (each["kind"], each["key"]) for each in told["links"]}
    version = told["json"]["worker"]["model"]["model_version"]["id"]
    assert found["worker.model.id"] == ("model", "me/demo/hello")
    assert found["worker.model.model_version.id"] == ("model_version", f"me/demo/hello/{version}")
    assert found["nodepools.0.id"] == ("nodepool", "me/local/cpu")
    assert found["nodepools.0.compute_cluster.id"] == ("compute_cluster", "me/local")
    for kind, key in found.values():
        assert asked(emulator, kind, key=key)["key"] == key
    app = asked(emulator, "app", key="me/demo")
    model = {"kind": "model", "key": "me/demo/hello"}
    assert {"kind": "model", "count": 1, "items": [model]} in app["holds"]
    assert app["lies_in"] == [{"kind": "user", "key": "me"}]
    source = asked(emulator, "source", key=f"me/demo/hello/{version}")
    assert {"kind": "model_version", "key": f"me/demo/hello/{version}"} in source["lies_in"]


def test_names_are_given_a_page_at_a_time_and_searched(emulator: EmulatorThread) -> None:
    def make(each: Emulator) -> None:
        for number in range(250):
            each.store.put(Kind.MODEL, ("me", "many", f"m{number:03}"), Model(id=f"m{number:03}"))

    emulator.run(make)
    first, last = asked(emulator, "model"), asked(emulator, "model", start="200")
    assert (first["count"], first["found"], len(first["items"]), len(last["items"])) == (251, 251, 100, 51)
    found = asked(emulator, "model", search="MANY m12")
    assert [each["key"] for each in found["items"]] == [f"me/many/m{number}" for number in range(129, 119, -1)]
    assert asked(emulator, "model", search="nothing")["found"] == 0
    emulator.run(lambda each: [each.store.delete(Kind.MODEL, ("me", "many", f"m{n:03}")) for n in range(250)])


def test_no_value_of_a_secret_or_key_is_sent_wherever_it_stands(emulator: EmulatorThread) -> None:
    def plant(each: Emulator) -> None:
        each.store.put(Kind.KEY, ("me", "k" * 32), ApiKey(id="k" * 32, description="of CI"))
        app = App(id="leaky", description=f"uses {SECRET} and {'k' * 32}", default_language=PAT)
        app.metadata.update({"openai_api_key": "sk-another", f"name {SECRET}": 1, "env": [f"A={SECRET}"]})
        each.store.put(Kind.APP, ("me", "leaky"), app)
        each.store.put(Kind.APP, ("me", SECRET), App(id=SECRET))

    client = Client(emulator.url, PAT)
    client.call("PostSecrets", secrets=[{"id": "mine", "value": SECRET}])
    client.close()
    emulator.run(plant)
    sent: list[Any] = [asked(emulator)]
    for kind in [each["kind"] for each in sent[0]["kinds"]]:
        listed = asked(emulator, kind)
        sent += [listed, *(asked(emulator, kind, key=each["key"]) for each in listed["items"])]
    text = json.dumps(sent)
    token = emulator.run(lambda each: each.pat)
    for value in (SECRET, PAT, "k" * 32, "sk-another", token):
        assert value not in text, text[max(0, text.index(value) - 200) :][:400]
    secret = asked(emulator, "secret", key="me/mine")["json"]
    assert (secret["id"], secret["value"]) == ("mine", "(hidden)")
    (key,) = asked(emulator, "key")["items"]
    assert asked(emulator, "key", key=key["key"])["json"]["description"] == "of CI"
    assert "missing" in asked(emulator, "key", key=f"me/{'k' * 32}")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("kind=nothing", "There is no kind 'nothing'. Kinds are app, "),
        ("kind=<script>", "There is no kind '<script>'."),
        ("kind=app&key=me/none", "There is no app 'me/none', or it was deleted."),
        ("kind=app&key=/////", "or it was deleted."),
        ("kind=key&key=hidden-000000000000", "or it was deleted."),
    ],
)
def test_what_is_not_there_is_told(emulator: EmulatorThread, query: str, said: str) -> None:
    assert said in data(emulator, f"resources?{query}")["missing"]


def test_a_question_that_makes_no_sense_is_refused(emulator: EmulatorThread) -> None:
    answer, body = get(emulator, "/_page/resources?kind=app&start=x", cookie=enter(emulator))
    assert (answer.status, "'start' is a number, not 'x'." in body) == (400, True)


async def test_a_kind_that_is_new_follows_by_itself(tmp_path: Path) -> None:
    emulator = Emulator(EmulatorConfig(port=0, run_dir=tmp_path), rows=(*ROWS, DATASET))
    emulator.mount(page_mount(emulator, CONTROL))
    async with emulator:
        emulator.store.put(Kind.APP, ("me", "demo"), App(id="demo"))
        emulator.store.put(DATASET.kind, ("me", "demo", "rows"), Dataset(id="rows", app_id="demo", user_id="me"))
        told = await asyncio.to_thread(asked, emulator, "dataset", key="me/demo/rows")
        assert told["json"]["id"] == "rows"
        assert {"at": ["app_id"], "kind": "app", "key": "me/demo"} in told["links"]
        app = await asyncio.to_thread(asked, emulator, "app", key="me/demo")
        assert [(each["kind"], each["count"]) for each in app["holds"]] == [("dataset", 1)]
