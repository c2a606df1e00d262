"""Talks to a running emulator's controls: JSON over gRPC, one request and a stream of answers."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any

from clarifai_emulator.control.error_forms import error_from
from clarifai_emulator.control.running import Running
from clarifai_emulator.errors import ControlError

# The same as in service.py, which would cost its imports here.
_SERVICE = "clarifai.emulator.Control"
_TOKEN_HEADER = "x-clarifai-emulator-token"
_OPTIONS = (("grpc.enable_http_proxy", 0), ("grpc.max_receive_message_length", -1))


class Client:
    """Asks for one emulator's controls. ``target``: the address to dial, where it is not the one of the URL. As a
    context manager it hangs up at the end."""

    def __init__(self, running: Running, *, target: str = "") -> None:
        import grpc

        self.running = running
        target = target or f"{running.host}:{running.port}"
        if running.url.startswith("https:"):
            self._channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(), options=_OPTIONS)
        else:
            self._channel = grpc.insecure_channel(target, options=_OPTIONS)

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
        """Give every answer as it comes, the last one too. Raises ``EmulatorError``."""
        return self.answers_to(control, request)

    def answers_to(
        self,
        control: str,
        request: Mapping[str, Any],
        pieces: Iterable[bytes] = (),
        *,
        seconds: float | None = None,
        read_error: Callable[[Mapping[str, Any]], Exception] = error_from,
    ) -> Iterator[dict[str, Any]]:
        """Give the answers to a request that ``pieces`` follow; ``seconds`` is how long all of it may take.
        ``read_error``: makes what is raised of an error that was answered."""
        import grpc

        call: Any = self._call(control, request, pieces, seconds)
        failure: Exception | None = None
        is_complete = False
        try:
            for answer in call:
                if "error" in answer:
                    failure = read_error(answer["error"])
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

    def _call(
        self, control: str, request: Mapping[str, Any], pieces: Iterable[bytes], seconds: float | None
    ) -> Any:
        method = self._channel.stream_stream(
            f"/{_SERVICE}/{control}", request_serializer=None, response_deserializer=json.loads
        )
        sent = itertools.chain([json.dumps(request).encode()], pieces)
        try:
            return method(sent, metadata=((_TOKEN_HEADER, self.running.token),), timeout=seconds)
        except ValueError:  # of a channel that is closed
            raise ControlError("Nothing more is asked of the emulator: the command ends.") from None

    def result(
        self, control: str, on_answer: Callable[[dict[str, Any]], None] = lambda answer: None, **request: Any
    ) -> dict[str, Any]:
        """Send a command and return its result; what comes before it goes to ``on_answer``. Raises
        ``EmulatorError``."""
        return self.result_of(self.answers_to(control, request), on_answer)

    def result_of(
        self, answers: Iterable[dict[str, Any]], on_answer: Callable[[dict[str, Any]], None]
    ) -> dict[str, Any]:
        """Return the result among the answers; the others go to ``on_answer``. Raises ``EmulatorError``."""
        results: list[Any] = []
        for answer in answers:
            if "result" in answer:
                results.append(answer["result"])
            else:
                on_answer(answer)
        if results:
            return results[-1]
        raise ControlError(
            f"The emulator at {self.running.url} ended its answer without a result.",
            hint="It may just have been stopped; see `clarifai-emulator status`.",
        )


def _unreachable(running: Running, error: Any) -> ControlError:
    import grpc

    if error.code() is grpc.StatusCode.PERMISSION_DENIED and not running.is_here:
        return ControlError(
            f"The emulator at {running.url} refused the token in CLARIFAI_EMULATOR_TOKEN.",
            hint="Each start makes a new one, unless `up` was given one in that variable; `clarifai-emulator env "
            "--control` prints it where the emulator runs.",
        )
    if error.code() is grpc.StatusCode.UNIMPLEMENTED:
        return ControlError(
            f"The emulator at {running.url} does not know this command.",
            hint="It is of another version than this command line: compare `clarifai-emulator --version`.",
        )
    if error.code() is grpc.StatusCode.PERMISSION_DENIED:
        return ControlError(
            f"The emulator at {running.url} did not accept the control token of its state file.",
            hint="Another emulator took over that port; stop both and start again.",
        )
    if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
        return ControlError(
            f"The emulator at {running.url} has stopped.",
            hint="Start it again with `clarifai-emulator up`.",
            reason="not running",
        )
    return ControlError(
        f"The emulator at {running.url} answered {error.code().name}: {error.details()}",
        hint="Look at the output of `clarifai-emulator up`.",
    )
