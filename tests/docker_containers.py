"""Helps container tests: with models that look around in their container, and containers by their replicas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from clarifai_emulator.backends.docker.labels import REPLICA
from clarifai_emulator.control.thread import EmulatorThread
from docker import DockerClient
from flow.driver import Client, inference_request, live_replicas, logged, text_of, write_model

# Answers what a Python expression gives, evaluated in its container.
LOOKS = """
import json, os, socket, sys
from pathlib import Path
from clarifai.runners.models.model_class import ModelClass

class Looks(ModelClass):
    @ModelClass.method
    def predict(self, expression: str) -> str:
        return json.dumps(eval(expression))
"""


def write_looks(folder: Path, model_id: str = "looks", config: str = "", *, gpus: int = 0) -> Path:
    """Write the directory of a model that looks around in its container; ``config`` is added to its config.yaml."""
    directory = write_model(folder, model_id, LOOKS)
    file = directory / "config.yaml"
    text = file.read_text()
    if gpus:
        text = text.replace("num_accelerators: 0", f'num_accelerators: {gpus}\n  accelerator_type: ["NVIDIA-*"]')
    file.write_text(text + config)
    return directory


def look(client: Client, expression: str, model_id: str = "looks") -> Any:
    """Return the value of the expression in the model's container."""
    response = client.call("PostModelOutputs", inference_request(model_id, expression=expression))
    assert response.status.code == 10000, response.status
    return json.loads(text_of(response))


def containers(docker: DockerClient) -> list[Any]:
    """List every replica's container on the engine."""
    return [each for each in docker.containers.list(all=True, ignore_removed=True) if each.labels.get(REPLICA)]


def container_of(docker: DockerClient, emulator: EmulatorThread, deployment: str = "deploy-looks") -> Any:
    """Return the container of a deployment's only replica."""
    (replica,) = live_replicas(emulator, deployment)
    (found,) = [each for each in containers(docker) if each.labels[REPLICA] == replica["replica_id"]]
    return found


def log(emulator: EmulatorThread, log_type: str = "runner") -> str:
    """Return everything of one type of log as one text."""
    return "\n".join(logged(emulator, log_type))
