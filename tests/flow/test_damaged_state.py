"""An emulator whose state is damaged does not start and names the way out; after the repair it serves again."""

from __future__ import annotations

import signal
import sqlite3
from pathlib import Path

import pytest

from clarifai_emulator.state.state_schema import FILE
from flow.driver import free_port, inference_request, text_of, wait_for
from flow.processes import command, emulator_process

pytestmark = [pytest.mark.slow]


def test_a_damaged_state_is_refused_checked_and_repaired_and_the_model_serves_again(tmp_path: Path) -> None:
    kept, port = tmp_path / "kept", free_port()
    options = ["--state", str(kept)]
    with emulator_process(tmp_path, "hello", port=port, options=options) as emulator:
        client = emulator.client()
        client.call("PostApps", user_app_id={"user_id": "me"}, apps=[{"id": "spoilt"}])
        client.close()
        for verb in ("check", "repair"):
            refused = command(tmp_path, "state", verb, str(kept))
            assert refused.returncode == 1
            assert f"The state in {kept} is in use by an emulator." in refused.stderr
        emulator.end(signal.SIGTERM)
    with sqlite3.connect(kept / FILE) as database:
        database.execute("UPDATE resources SET content = x'0aff' WHERE key = 'me\x1fspoilt'")
    database.close()

    refused = command(tmp_path, "up", "--port", "0", *options)
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
    assert f"`clarifai-emulator state repair {kept}`" in " ".join(refused.stderr.split())
    checked = command(tmp_path, "state", "check", str(kept))
    assert checked.returncode == 1
    assert "app me/spoilt: it is not what was written" in checked.stdout
    repaired = command(tmp_path, "state", "repair", str(kept))
    assert repaired.returncode == 0, repaired.stderr
    assert "app me/spoilt" in repaired.stdout

    with emulator_process(tmp_path, "hello", port=port, options=options) as emulator:
        client = emulator.client()
        assert "spoilt" not in {app.id for app in client.call("ListApps", user_app_id={"user_id": "me"}).apps}
        asked = inference_request("hello", prompt="x")
        assert wait_for(lambda: text_of(client.call("PostModelOutputs", asked)), seconds=30) == "Hello, x!"
        client.close()
