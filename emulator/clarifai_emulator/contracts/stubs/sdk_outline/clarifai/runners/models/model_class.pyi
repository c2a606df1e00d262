# An outline of clarifai 12.5.0, which is under the Apache License 2.0. Written by `make docs`.
from abc import ABC
from typing import Any, Dict, Iterator, List
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
class ModelClass(ABC):

    def __init__(self):
        self._thread_local = ...

    @staticmethod
    def method(func):
        ...

    def set_output_context(self, prompt_tokens=None, completion_tokens=None, cached_tokens=None):
        ...

    def load_model(self):
        ...

    def _handle_get_signatures_request(self) -> service_pb2.MultiOutputResponse:
        ...

    def _batch_predict(self, method, inputs: List[Dict[str, Any]]) -> List[Any]:
        ...

    def _batch_generate(self, method, inputs: List[Dict[str, Any]]) -> Iterator[List[Any]]:
        ...

    def predict_wrapper(self, request: service_pb2.PostModelOutputsRequest) -> service_pb2.MultiOutputResponse:
        ...

    def generate_wrapper(self, request: service_pb2.PostModelOutputsRequest) -> Iterator[service_pb2.MultiOutputResponse]:
        ...

    def stream_wrapper(self, request_iterator: Iterator[service_pb2.PostModelOutputsRequest]) -> Iterator[service_pb2.MultiOutputResponse]:
        ...

    def _convert_input_protos_to_python(self, inputs: List[resources_pb2.Input], variables_signature: List[resources_pb2.ModelTypeField], cast_types: Dict[str, Any]) -> List[Dict[str, Any]]:
        ...

    def _convert_output_to_proto(self, output: Any, variables_signature: List[resources_pb2.ModelTypeField], proto=None, convert_old_format=False) -> resources_pb2.Output:
        ...

    @classmethod
    def _register_model_methods(cls):
        ...

    @classmethod
    def _get_method_infos(cls, func_name=None):
        ...
