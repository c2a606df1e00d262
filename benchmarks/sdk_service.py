"""Runs the SDK's own model server with what ``Model`` asks before it predicts: the smallest service that the SDK's
usual client can use, so that it is compared with itself and not with a lighter one.

python -m benchmarks.sdk_service --grpc --port PORT --model_path DIR
"""

from __future__ import annotations

from typing import Any

from clarifai.runners import server
from clarifai.runners.models.model_servicer import ModelServicer
from clarifai_grpc.grpc.api.resources_pb2 import Model
from clarifai_grpc.grpc.api.service_pb2 import SingleModelResponse
from clarifai_grpc.grpc.api.status.status_code_pb2 import SUCCESS
from clarifai_grpc.grpc.api.status.status_pb2 import Status


class _Service(ModelServicer):
    """Answers GetModel; the client gets the signatures from the model itself, as it does where a server has no
    GetModelVersion."""

    def GetModel(self, request: Any, context: object) -> SingleModelResponse:
        return SingleModelResponse(status=Status(code=SUCCESS), model=Model(id=request.model_id))


if __name__ == "__main__":
    server.ModelServicer = _Service
    server.main()
