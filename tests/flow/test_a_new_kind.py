"""A kind of resource that the emulator does not serve yet is added by one row, and nothing else."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from pathlib import Path
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import Dataset

from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.resources.kind_table import ROWS
from clarifai_emulator.resources.rows import IN_APP, Resource
from clarifai_emulator.store import Kind
from flow.driver import Client
from resource_family import ids_of, kept_and_carried, requests

DATASET = Resource(
    kind=Kind("dataset"), message=Dataset, parents=(IN_APP,), actions=("merge", "overwrite", "remove")
)
ITEM = Dataset(id="new", description="rows")


async def test_one_row_serves_datasets_to_the_sdk_over_grpc_and_rest_and_keeps_them(tmp_path: Path) -> None:
    config = EmulatorConfig(port=0, data_dir=tmp_path)
    async with Emulator(config, rows=(*ROWS, DATASET)) as emulator:
        await asyncio.to_thread(_with_the_sdk, emulator.url)
        await asyncio.to_thread(_through_every_verb, emulator.url)
    async with Emulator(config, rows=(*ROWS, DATASET)) as emulator:
        (found,) = (await asyncio.to_thread(_rest, emulator.url))["datasets"]
        assert (found["id"], found["app_id"], found["description"]) == ("kept", "demo", "changed")


def _with_the_sdk(url: str) -> None:
    from clarifai.client.user import User

    app = User(user_id="me", base_url=url, pat="any").create_app("demo")
    for name in ("kept", "gone"):
        app.create_dataset(name)
    app.patch_dataset("kept", action="overwrite", description="changed")
    app.delete_dataset("gone")
    assert [dataset.id for dataset in app.list_datasets()] == ["kept"]
    assert app.dataset("kept").dataset_info.description == "changed"


def _rest(url: str) -> Any:
    request = urllib.request.Request(f"{url}/v2/users/me/apps/demo/datasets", headers={"Authorization": "Key any"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def _through_every_verb(url: str) -> None:
    client = Client(url)
    for verb, name, request in requests(DATASET, ("me", "demo", "new"), ITEM):
        answer = client.call(name, request)
        assert answer.status.code == 10000, answer
        assert verb == "Delete" or "new" in ids_of(DATASET, answer)
    client.close()


def test_it_is_carried_by_an_export_as_the_others_are(tmp_path: Path) -> None:
    async def carried() -> list[Any]:
        items = {(DATASET.kind, ("me", "demo", "new")): ITEM}
        assert list(kept_and_carried((*ROWS, DATASET), items, tmp_path)) == [items, items]

    asyncio.run(carried())
