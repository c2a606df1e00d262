"""Deployments, as a browser is told of them, are what `status` says, whatever was told before."""

from __future__ import annotations

from pathlib import Path

from flow.control.test_page_site import data, serving
from flow.driver import MODELS, Client, inference_request, wait_for


def test_deployments_that_were_at_rest_are_told_anew_when_something_has_changed(tmp_path: Path) -> None:
    with serving(tmp_path) as emulator:
        emulator.deploy(MODELS / "hello", min_replicas=0, deployment_id="one")
        emulator.deploy(MODELS / "types", min_replicas=0, deployment_id="two")
        client = Client(emulator.url)

        def told() -> dict[str, dict[str, object]]:
            deployments = data(emulator, "state")["state"]["deployments"]
            assert deployments == emulator.status()["deployments"]
            return {each["deployment_id"]: each for each in deployments}

        wait_for(lambda: told()["one"]["versions"])
        before = told()
        assert told() == before
        client.call("PostModelOutputs", inference_request("hello", prompt="x"))
        assert told()["two"] == before["two"]
        assert told()["one"]["versions"][0]["replicas"][0]["state"] == "live"  # pyright: ignore[reportIndexIssue]
        changed = client.call("GetDeployment", deployment_id="two").deployment
        changed.autoscale_config.max_replicas = 3
        client.call("PatchDeployments", deployments=[changed], action="overwrite")
        assert told()["two"]["max_replicas"] == 3
        client.call("DeleteDeployments", ids=["two"])
        assert "two" not in told()
        emulator.deploy(MODELS / "hello", min_replicas=0, deployment_id="two")
        assert told()["two"]["model"] == "me/demo/hello"
        client.close()
