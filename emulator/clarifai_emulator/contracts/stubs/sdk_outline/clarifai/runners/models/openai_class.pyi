# An outline of clarifai 12.5.0, which is under the Apache License 2.0. Written by `make docs`.
from typing import Any, Dict, Iterator
import httpx
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_exponential
from clarifai.runners.models.model_class import ModelClass
class OpenAIModelClass(ModelClass):

    def __init__(self) -> None:
        self.model = ...
        self.max_seq_len = ...

    @retry(stop=stop_after_attempt(3), wait=wait_exponential(multiplier=1, min=4, max=10), retry=retry_if_exception_type(httpx.ConnectError))
    def _retry_models_list(self, **kwargs):
        ...

    @retry(stop=stop_after_attempt(3), wait=wait_exponential(multiplier=1, min=4, max=10), retry=retry_if_exception_type(httpx.ConnectError))
    def _retry_chat_completions_create(self, **kwargs):
        ...

    def _raw_sse_stream(self, completion_args: Dict[str, Any]) -> Iterator[str]:
        ...

    @retry(stop=stop_after_attempt(3), wait=wait_exponential(multiplier=1, min=4, max=10), retry=retry_if_exception_type(httpx.ConnectError))
    def _retry_images_generate(self, **kwargs):
        ...

    @retry(stop=stop_after_attempt(3), wait=wait_exponential(multiplier=1, min=4, max=10), retry=retry_if_exception_type(httpx.ConnectError))
    def _retry_embeddings_create(self, **kwargs):
        ...

    @retry(stop=stop_after_attempt(3), wait=wait_exponential(multiplier=1, min=4, max=10), retry=retry_if_exception_type(httpx.ConnectError))
    def _retry_responses_create(self, **kwargs):
        ...

    def _create_completion_args(self, params: Dict[str, Any]) -> Dict[str, Any]:
        ...

    def handle_liveness_probe(self) -> bool:
        ...

    def handle_readiness_probe(self) -> bool:
        ...

    def _set_usage(self, resp):
        ...

    def _handle_chat_completions(self, request_data: Dict[str, Any]):
        ...

    def _handle_images_generate(self, request_data: Dict[str, Any]):
        ...

    def _handle_embeddings(self, request_data: Dict[str, Any]):
        ...

    def _handle_responses(self, request_data: Dict[str, Any]):
        ...

    def _route_request(self, endpoint: str, request_data: Dict[str, Any]):
        ...

    def _update_old_fields(self, request_data: Dict[str, Any]) -> Dict[str, Any]:
        ...

    @ModelClass.method
    def openai_transport(self, msg: str) -> str:
        """Process an OpenAI-compatible request and send it to the appropriate OpenAI endpoint.

Args:
    msg: JSON string containing the request parameters including 'openai_endpoint'

Returns:
    JSON string containing the response or error"""

    @ModelClass.method
    def openai_stream_transport(self, msg: str) -> Iterator[str]:
        """Process an OpenAI-compatible request and return a streaming response iterator.
This method is used when stream=True and returns an iterator of strings directly,
without converting to a list or JSON serializing. Supports chat completions and responses endpoints.

Args:
    msg: The request as a JSON string.

Returns:
    Iterator[str]: An iterator yielding text chunks from the streaming response."""
