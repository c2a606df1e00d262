"""Two models, one of today's form and one that answers messages, and a runner of the SDK that serves one of them.

python runner_models.py CLASS RUNNER_ID
"""

# No `from __future__ import annotations`: the SDK reads the types themselves, as in any model.py.
import os
import sys
from collections.abc import Iterator

from clarifai.runners.models.model_class import ModelClass
from clarifai.runners.models.model_runner import ModelRunner
from clarifai.runners.utils.data_types import Text
from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import Output
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode


class Greets(ModelClass):
    """Adds to a text, in each of the three ways."""

    @ModelClass.method
    def predict(self, text1: Text = "") -> Text:  # type: ignore[assignment]
        return Text(f"{text1.text} world")

    @ModelClass.method
    def generate(self, text1: Text = Text("")) -> Iterator[Text]:  # noqa: B008 - as the SDK's own test has it
        for number in range(3):
            yield Text(f"{text1.text} {number}")

    @ModelClass.method
    def stream(self, texts: Iterator[Text]) -> Iterator[Text]:
        for number, each in enumerate(texts):
            yield Text(f"{each.text} {number}")


class Older(ModelClass):
    """Answers messages, as models did before there were methods."""

    def PostModelOutputs(self, request: service_pb2.PostModelOutputsRequest) -> service_pb2.MultiOutputResponse:
        params = request.model.model_version.output_info.params
        suffix = params["hello"] if "hello" in params.fields else ""
        outputs = [Output(status={"code": StatusCode.SUCCESS}) for _ in request.inputs]
        for output, given in zip(outputs, request.inputs, strict=True):
            output.data.text.raw = f"{given.data.text.raw}{given.data.image.url} world{suffix}"
        return service_pb2.MultiOutputResponse(outputs=outputs)


def main() -> None:
    """Serve until the process is ended: what a stopped runner leaves behind goes on in threads of its own."""
    kind, runner_id = sys.argv[1:]
    runner = ModelRunner(
        model={"Greets": Greets, "Older": Older}[kind](),
        runner_id=runner_id,
        user_id="me",
        compute_cluster_id="desk",
        nodepool_id="chair",
        base_url=os.environ["CLARIFAI_API_BASE"],
        pat="any-token",
        num_parallel_polls=1,
        health_check_port=None,
    )
    runner.start()


if __name__ == "__main__":
    main()
