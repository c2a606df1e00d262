"""Talks to a running emulator's controls: JSON over gRPC, one request and a stream of answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

from clarifai_emulator.cli.interruption import held_back
from clarifai_emulator.cli.output import NOT_RUNNING, Failure, failure_of
from clarifai_emulator.cli.state import Running, find_running

# The same as in control.py, which would cost its imports here.
_SERVICE = "clarifai.emulator.Control"
_TOKEN_HEADER = "x-clarifai-emulator-token"
_OPTIONS = (("grpc.enable_http_proxy", 0), ("grpc.max_receive_message_length", -1))


class Client:
    """One emulator's controls, as a context manager."""

    def __init__(self, running: Running) -> None:
        with held_back():  # half an import of it, and another one, end the process
            import grpc

        self.running = running
        self._channel = grpc.insecure_channel(f"{running.host}:{running.port}", options=_OPTIONS)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._channel.close()

    def hang_up(self) -> None:
        """Break off what is being asked for, in whichever thread: it fails."""
        self._channel.close()

    def answers(self, control: str, **request: Any) -> Iterator[dict[str, Any]]:
        """Every answer as it comes, the last one too. Raises ``Failure``."""
        import grpc

        call: Any = self._call(control, request)
        failure: Failure | None = None
        is_complete = False
        try:
            for answer in call:
                if "error" in answer:
                    failure = failure_of(answer["error"])
                else:
                    is_complete = "result" in answer
                    yield answer
        except grpc.RpcError as error:
            # After its result an emulator that was told to stop may break off.
            failure = None if is_complete else _unreachable(self.running, error)
        finally:
            # A call that is still referred to when the interpreter ends can keep it from ending: grpc then
            # waits for a lock that one of its threads held. That is also why nothing is raised above.
            call.cancel()
            del call
        if failure is not None:
            raise failure

    def _call(self, control: str, request: dict[str, Any]) -> Any:
        method = self._channel.unary_stream(
            f"/{_SERVICE}/{control}",
            request_serializer=lambda value: json.dumps(value).encode(),
            response_deserializer=json.loads,
        )
        try:
            return method(request, metadata=((_TOKEN_HEADER, self.running.token),))
        except ValueError:  # of a channel that is closed
            raise Failure("Nothing more is asked of the emulator: the command ends.") from None

    def result(
        self, control: str, on_answer: Callable[[dict[str, Any]], None] = lambda answer: None, **request: Any
    ) -> dict[str, Any]:
        """The result; what comes before it goes to ``on_answer``."""
        result: dict[str, Any] | None = None
        for answer in self.answers(control, **request):
            if "result" in answer:
                result = answer["result"]
            else:
                on_answer(answer)
        if result is not None:
            return result
        raise Failure(
            f"The emulator at {self.running.url} ended its answer without a result.",
            hint="It may just have been stopped; see `clarifai-emulator status`.",
        )


def connect(port: int | None) -> Client:
    """The controls of the emulator that ``--port`` names. Raises ``Failure``."""
    return Client(find_running(port))


def _unreachable(running: Running, error: Any) -> Failure:
    import grpc

    if error.code() is grpc.StatusCode.PERMISSION_DENIED:
        return Failure(
            f"The emulator at {running.url} did not accept the control token of its state file.",
            hint="Another emulator took over that port; stop both and start again.",
        )
    if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
        return Failure(
            f"The emulator at {running.url} has stopped.",
            hint="Start it again with `clarifai-emulator up`.",
            code=NOT_RUNNING,
        )
    return Failure(
        f"The emulator at {running.url} answered {error.code().name}: {error.details()}",
        hint="Look at the output of `clarifai-emulator up`.",
    )
