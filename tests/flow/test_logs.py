"""The log of a replica tells who wrote each line, on every backend, and keeps no noise of a stopped runner."""

from __future__ import annotations

from pathlib import Path

from clarifai_emulator.backends.printed import LogOrigin
from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.logbook import LogLine
from flow.driver import RUNNER, Client, inference_request, live_replicas, text_of, wait_for, write_model

SOURCE = """
from clarifai.runners.models.model_class import ModelClass
from clarifai.utils.logging import logger


class Says(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        print("was asked for", prompt)
        logger.info("logged for %s", prompt)
        return prompt
"""


def lines(emulator: EmulatorThread, *origins: LogOrigin) -> list[LogLine]:
    kept = emulator.run(lambda each: list(each.logbook.lines("runner")))
    return [line for line in kept if not origins or line.origin in origins]


def test_the_models_lines_are_its_own_and_all_have_time_deployment_and_replica(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    emulator.deploy(write_model(tmp_path, "says", SOURCE))
    (replica,) = live_replicas(emulator, "deploy-says")
    assert text_of(client.call("PostModelOutputs", inference_request("says", prompt="you"))) == "you"
    wait_for(lambda: any("logged for you" in line.message for line in lines(emulator, LogOrigin.MODEL)))
    if RUNNER.get("backend") != "inprocess":  # what a test prints there is the test's
        wait_for(lambda: any(line.message == "was asked for you" for line in lines(emulator, LogOrigin.MODEL)))
    wait_for(lambda: any("model_predict | 200 OK" in line.message for line in lines(emulator, LogOrigin.RUNNER)))
    assert not any("model_predict |" in line.message for line in lines(emulator, LogOrigin.MODEL))
    assert {(line.deployment_id, line.replica_id) for line in lines(emulator)} == {
        ("deploy-says", replica["replica_id"])
    }
    assert all(line.time > 1.7e9 for line in lines(emulator))


def test_a_replica_that_was_replaced_leaves_no_traceback(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    """The genuine runner logs the end of each of its streams as an error."""
    directory = write_model(tmp_path, "says", SOURCE)
    emulator.deploy(directory)
    (first,) = live_replicas(emulator, "deploy-says")
    client.call("PostModelOutputs", inference_request("says", prompt="you"))
    (directory / "1" / "model.py").write_text(SOURCE.replace("return prompt", "return prompt * 2"))
    emulator.deploy(directory)
    wait_for(lambda: any(e.fields["replica_id"] == first["replica_id"] for e in emulator.events("replica.stopped")))
    told = [line.message for line in lines(emulator, LogOrigin.MODEL, LogOrigin.RUNNER)]
    assert not any("Traceback" in each or "gRPC error" in each for each in told), told
