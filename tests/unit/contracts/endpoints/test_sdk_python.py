"""Calls by messages, of workflows, and of older clients are named, each with its model where that is written."""

# ruff: noqa: E501 - a message on one line reads better

from __future__ import annotations

import pytest

from unit.contracts.endpoints.conftest import CheckRequests, said

GRPC = """\
from clarifai_grpc.grpc.api import resources_pb2, service_pb2, service_pb2_grpc
stub = service_pb2_grpc.V2Stub(channel)
owner = resources_pb2.UserAppIDSet(user_id="me", app_id="demo")
"""
NAMED = [
    (GRPC + "stub.PostModelOutputs(service_pb2.PostModelOutputsRequest(user_app_id=owner, model_id='hello', inputs=[]))",
     "unchecked-request: PostModelOutputs() sends inputs in the form of older clients, which are not checked."),
    (GRPC + "request = service_pb2.PostModelOutputsRequest(user_app_id=owner, model_id='helo')\nstub.PostModelOutputs(request)",
     "model-not-given: PostModelOutputs(): no --model was given for me/demo/models/helo, so it is not checked. Did you mean 'me/demo/models/hello'?"),
    (GRPC + "def ask(request): return stub.GenerateModelOutputs(request)",
     "unknown-model: GenerateModelOutputs(): which model it is, cannot be seen: its request is 'request'."),
    (GRPC + "stub.PostWorkflowResults(service_pb2.PostWorkflowResultsRequest(workflow_id='both'))",
     "workflow-not-given: The definition of the workflow is not at hand, so PostWorkflowResults() is not checked."),
    ("from clarifai.client.workflow import Workflow\nflow = Workflow('https://clarifai.com/me/demo/workflows/both')\nflow.predict_by_url('x')",
     "workflow-not-given: The definition of Workflow('https://clarifai.com/me/demo/workflows/both') is not at hand, so predict_by_url() is not checked."),
    ("from langchain_community.llms import Clarifai\nClarifai(model_url='https://clarifai.com/me/demo/models/hello')",
     "unchecked-request: Clarifai() sends inputs in the form of older clients, which are not checked."),
    ("from llama_index.llms.clarifai import Clarifai\nClarifai(user_id='me', app_id='demo', model_name='helo')",
     "model-not-given: Clarifai(): no --model was given for me/demo/models/helo, so it is not checked. Did you mean 'me/demo/models/hello'?"),
    ("from clarifai.rest import ClarifaiApp\napp = ClarifaiApp()\nmodel = app.models.get('food')\nmodel.predict_by_url(url='x')",
     "unresolved-request: predict_by_url() is a call of the SDK before version 9, which is not checked."),
    ("from clarifai.rest import ClarifaiApp\nClarifaiApp().public_models.general_model.predict_by_bytes(b'x')",
     "unresolved-request: predict_by_bytes() is a call of the SDK before version 9, which is not checked."),
]  # fmt: skip
OTHERS = [
    "from langchain.vectorstores import Clarifai\nClarifai(user_id='me', app_id='demo', pat='x')",
    "from sklearn.svm import SVC\nSVC().predict([[1]])",
]


@pytest.mark.parametrize(("code", "message"), NAMED)
def test_each_call_is_named(check_requests: CheckRequests, code: str, message: str):
    assert said(check_requests(code)) == [message]


@pytest.mark.parametrize("code", OTHERS)
def test_nothing_is_said_of_what_calls_no_model(check_requests: CheckRequests, code: str):
    assert check_requests(code) == ([], 0)


FLOW = """\
workflow:
  id: both
  nodes:
    - id: first
      model: {model_id: hello, user_id: me, app_id: demo}
    - id: second
      model:
        model_id: NAME
        user_id: me
        app_id: demo
"""


@pytest.mark.parametrize(
    "code",
    [
        "from clarifai.client.workflow import Workflow\nWorkflow('https://clarifai.com/me/demo/workflows/both').predict_by_url('x')",
        "from clarifai.client.workflow import Workflow\nWorkflow(workflow_id='both', user_id='me').predict_by_bytes(b'x')",
        GRPC + "stub.PostWorkflowResults(service_pb2.PostWorkflowResultsRequest(workflow_id='both'))",
        "import requests\nrequests.post('https://api.clarifai.com/v2/users/me/apps/demo/workflows/both/results', json={})",
    ],
)
def test_the_models_of_a_workflow_are_held_against_the_given_ones(check_requests: CheckRequests, code: str):
    findings, calls = check_requests(code, **{"flow.yml": FLOW.replace("NAME", "helo")})

    assert said((findings, calls)) == [
        "model-not-given: Workflow 'both': no --model was given for me/demo/models/helo, so it is not checked. Did you mean 'me/demo/models/hello'?"
    ]
    assert findings[0].location is not None
    assert (findings[0].location.path.name, findings[0].location.line, calls) == ("flow.yml", 8, 0)
    assert check_requests(code, **{"flow.yml": FLOW.replace("NAME", "openai")}) == ([], 1)
