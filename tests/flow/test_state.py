"""An emulator with `up --state` keeps what it answered over kill -9, runs deployments again, and is carried by
`export`."""

from __future__ import annotations

import json
import random
import re
import signal
import threading
from pathlib import Path
from typing import Any

import grpc
import pytest

from flow.driver import Client, free_port, inference_request, text_of, wait_for
from flow.processes import EmulatorProcess, command, emulator_process

pytestmark = [pytest.mark.slow]


def served(client: Client, model: str = "hello") -> str:
    def answer() -> str:
        try:
            return text_of(client.call("PostModelOutputs", inference_request(model, prompt="x"), timeout=5))
        except (grpc.RpcError, IndexError):
            return ""

    return wait_for(answer, seconds=30)


def lines_that_name(client: Client, request_id: str) -> list[str]:
    entries = client.call("ListLogEntries", log_type="runner", page=1, per_page=1000).log_entries
    return [entry.message for entry in entries if request_id in entry.message]


def test_after_kill_9_deployments_run_again_and_logs_are_there(tmp_path: Path) -> None:
    port, options = free_port(), ["--state", str(tmp_path / "kept")]
    with emulator_process(tmp_path, "hello", port=port, options=options) as emulator:
        client = emulator.client()
        assert served(client) == "Hello, x!"
        request_id = client.call("PostModelOutputs", inference_request("hello", prompt="x")).status.req_id
        wait_for(lambda: lines_that_name(client, request_id))
        version = client.call(
            "GetModelVersion", user_app_id={"user_id": "me", "app_id": "demo"}, model_id="hello"
        ).model_version.id
        entry = {"log_type": "builder", "message": "a client's own", "meta": {"model_id": "hello"}}
        client.call("PostLogEntries", log_entries=[entry])
        client.close()
        emulator.end(signal.SIGKILL)
    with emulator_process(tmp_path, "hello", port=port, options=options) as emulator:
        client = emulator.client()
        assert served(client) == "Hello, x!"
        again = client.call("GetModelVersion", user_app_id={"user_id": "me", "app_id": "demo"}, model_id="hello")
        assert again.model_version.id == version
        assert lines_that_name(client, request_id)
        built = client.call("ListLogEntries", log_type="builder", page=1, per_page=1000).log_entries
        assert built[-1].message == "a client's own"
        events = client.call("ListLogEntries", log_type="runner.events", page=1, per_page=1000).log_entries
        assert len([entry for entry in events if entry.message.startswith("replica.live")]) == 2  # of either run
        assert "The topology is what was applied to the state in" in (tmp_path / "emulator.log").read_text()
        client.close()


@pytest.mark.parametrize("seed", range(3))
def test_kill_9_at_any_moment_loses_nothing_that_was_answered(tmp_path: Path, seed: int) -> None:
    port, options = free_port(), ["--state", str(tmp_path / "kept")]
    made: list[str] = []
    deleted: list[str] = []
    with emulator_process(tmp_path, port=port, options=options) as emulator:
        client = emulator.client()
        killer = threading.Timer(random.Random(seed).uniform(0.1, 0.6), emulator.process.kill)
        killer.start()
        asked = _write_until_it_is_gone(client, made, deleted)
        killer.join()
        emulator.process.wait(timeout=15)
        client.close()
    assert len(made) > 2
    with emulator_process(tmp_path, port=port, options=options) as emulator:
        client = emulator.client()
        found = {app.id for app in client.call("ListApps", user_app_id={"user_id": "me"}, per_page=1000).apps}
        client.close()
    assert set(made) - set(deleted) - {asked} <= found
    assert not found & (set(deleted) - {asked})


def _write_until_it_is_gone(client: Client, made: list[str], deleted: list[str]) -> str:
    """Create and delete apps, and note what was answered; return the app whose answer did not come."""
    number = 0
    while True:
        number += 1
        name = f"app-{number}"
        try:
            response = client.call("PostApps", user_app_id={"user_id": "me"}, apps=[{"id": name}], timeout=5)
            assert response.status.code == 10000
            made.append(name)
            if number % 3 == 0:
                client.call("DeleteApp", user_app_id={"user_id": "me", "app_id": name}, timeout=5)
                deleted.append(name)
        except grpc.RpcError:
            return name


def test_a_state_that_is_in_use_is_refused_by_name(tmp_path: Path) -> None:
    options = ["--state", str(tmp_path / "kept")]
    with emulator_process(tmp_path, options=options) as emulator:
        emulator.client().close()
        second = command(tmp_path, "up", "--port", "0", *options)
    assert second.returncode == 1
    assert f"The state in {tmp_path / 'kept'} is in use by another emulator." in second.stderr


def test_export_and_import_carry_everything_to_another_emulator(tmp_path: Path) -> None:
    file = tmp_path / "platform.json"
    with emulator_process(tmp_path, "hello") as first:
        client = first.client()
        client.call("PostApps", user_app_id={"user_id": "me"}, apps=[{"id": "carried"}])
        wait_for(lambda: command(tmp_path, "status", "--port", str(first.port)).returncode == 0)
        exported = command(tmp_path, "export", "--port", str(first.port), str(file))
        assert exported.returncode == 0, exported.stderr
        assert exported.stdout.endswith("It holds keys and secrets in clear text.\n")
        client.close()
        first.end(signal.SIGTERM)
    assert file.stat().st_mode & 0o777 == 0o600
    assert {"app", "deployment", "model_version"} <= {
        each["kind"] for each in json.loads(file.read_text())["resources"]
    }
    other = tmp_path / "other"
    other.mkdir()
    with emulator_process(other, options=["--state", str(other / "kept")]) as second:
        _import(other, second, file)
        client = second.client() if _deployments(second) == 0 else Client(second.url)
        assert served(client) == "Hello, x!"
        assert "carried" in {app.id for app in client.call("ListApps", user_app_id={"user_id": "me"}).apps}
        client.close()


def _deployments(emulator: EmulatorProcess) -> int:
    client = Client(emulator.url)
    count = len(client.call("ListDeployments").deployments)
    client.close()
    return count


def _import(folder: Path, emulator: EmulatorProcess, file: Path) -> None:
    emulator.client().close()
    wait_for(lambda: command(folder, "status", "--port", str(emulator.port)).returncode == 0)
    imported: Any = command(folder, "import", "--port", str(emulator.port), str(file))
    assert imported.returncode == 0, imported.stderr
    assert re.fullmatch(r"Added \d+ resources, replaced \d+(; \d+ were there as they are)?\.\n", imported.stdout)
    again: Any = command(folder, "import", "--port", str(emulator.port), str(file))
    assert re.fullmatch(r"Added 0 resources, replaced 0; \d+ were there as they are\.\n", again.stdout)
    nothing = command(folder, "import", "--port", str(emulator.port), str(folder / "topology.yaml"))
    assert nothing.returncode == 1
    assert "is no JSON" in nothing.stderr
