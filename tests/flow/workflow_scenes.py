"""Deploys small models, makes workflows of them, and asks these."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

from clarifai_grpc.grpc.api.service_pb2 import PostWorkflowResultsRequest, PostWorkflowsRequest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode
from google.protobuf.json_format import ParseDict
from PIL import Image

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import Client, write_model

MODEL = """
from typing import List
from clarifai.runners.models.model_class import ModelClass
from clarifai.runners.utils.data_types import Concept, Image, Region

class Made(ModelClass):
    @ModelClass.method
    {method}
"""
# By name: the method of a model.
METHODS = {
    "shout": """def predict(self, text: str) -> str:
        return text.upper()""",
    "fail": """def predict(self, text: str) -> str:
        raise ValueError(f"cannot take {text}")""",
    "slow": """def predict(self, text: str) -> str:
        import time
        time.sleep(float(text.removeprefix("sleep ")) if text.startswith("sleep") else 0.5)
        return text""",
    "detector": """def predict(self, image: Image) -> List[Region]:
        return [Region(box=[0, 0, 0.5, 1], concepts=[Concept("left", 0.9)]),
                Region(box=[0.5, 0, 1, 1], concepts=[Concept("right", 0.3)])]""",
    "measure": """def predict(self, image: Image) -> List[Concept]:
        width, height = image.to_pil().size
        return [Concept(f"{width}x{height}", 0.75), Concept("any", 0.25)]""",
}

# A model that runs the workflow `flow`.
ASKS = """
from clarifai.client.workflow import Workflow
from clarifai.runners.models.model_class import ModelClass

class Asks(ModelClass):
    @ModelClass.method
    def predict(self, text: str) -> str:
        workflow = Workflow(url="https://clarifai.com/me/demo/workflows/flow")
        answer = workflow.predict_by_bytes(text.encode(), input_type="text")
        return answer.results[0].outputs[-1].data.text.raw
"""


def deploy(emulator: EmulatorThread, folder: Path, *names: str) -> None:
    """Deploy models of ``METHODS``."""
    for name in names:
        emulator.deploy(write_model(folder, name, MODEL.replace("{method}", METHODS[name])))


def make(client: Client, *nodes: dict[str, Any], workflow: str = "flow", user: str = "me") -> None:
    """Create a workflow of nodes: ``model`` is the name of one of app ``demo``, ``of`` lists a node's inputs."""
    made = []
    for node in nodes:
        given = {key: value for key, value in node.items() if key != "of"}
        given["model"] = given["model"] if isinstance(given["model"], dict) else {"id": given["model"]}
        given["node_inputs"] = [{"node_id": each} for each in node.get("of", ())]
        made.append(given)
    asked = {"user_app_id": {"user_id": user, "app_id": "demo"}, "workflows": [{"id": workflow, "nodes": made}]}
    answer = client.call("PostWorkflows", ParseDict(asked, PostWorkflowsRequest()))
    assert answer.status.code == StatusCode.SUCCESS, answer.status


def operator(client: Client, model_id: str, type_id: str, params: dict[str, Any], **data: Any) -> str:
    """Create a model that is an operator with these settings, and return its name."""
    model = {"id": model_id, "model_type_id": type_id}
    app = {"user_id": "me", "app_id": "demo"}
    assert client.call("PostModels", user_app_id=app, models=[model]).status.code == StatusCode.SUCCESS
    version = {"output_info": {"params": params, **data}}
    answer = client.call("PostModelVersions", user_app_id=app, model_id=model_id, model_versions=[version])
    assert answer.status.code == StatusCode.SUCCESS
    return model_id


def request(*inputs: dict[str, Any], workflow: str = "flow", **fields: Any) -> PostWorkflowResultsRequest:
    """Return a request of a workflow of app ``demo``."""
    asked = {
        "user_app_id": {"user_id": "me", "app_id": "demo"},
        "workflow_id": workflow,
        "inputs": [{"data": each} for each in inputs],
        **fields,
    }
    return ParseDict(asked, PostWorkflowResultsRequest())


def run(client: Client, *inputs: dict[str, Any], **fields: Any) -> Any:
    """Return the answer of a workflow, which must succeed."""
    answer = client.call("PostWorkflowResults", request(*inputs, **fields))
    assert answer.status.code == StatusCode.SUCCESS, answer.status
    return answer


def text(raw: str) -> dict[str, Any]:
    """Return the data of a text."""
    return {"text": {"raw": raw}}


def texts(answer: Any) -> list[list[str]]:
    """Return the text of each node's output, for each input."""
    return [[output.data.text.raw for output in result.outputs] for result in answer.results]


def picture(width: int = 40, height: int = 20) -> str:
    """Return a PNG in base64."""
    written = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(written, "PNG")
    return base64.b64encode(written.getvalue()).decode()
