"""Describes an operator: what it takes, and what it answers an input with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from clarifai_grpc.grpc.api.resources_pb2 import Data
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.errors import CallerError
from clarifai_emulator.workflows.node_data import holds, text_in
from clarifai_emulator.workflows.operators.operator_settings import OperatorSettings


@dataclass(frozen=True, slots=True)
class OperatorInput:
    """Holds what an operator is asked about. ``before``: gives what the nodes before had, the nearest first, and
    the request's own data last: some operators look there for the image. ``number``: its place in the request."""

    data: Data
    number: int
    before: Callable[[], Iterable[Data]]


@dataclass(frozen=True, slots=True)
class Operator:
    """Describes one type of operator. ``answer``: a function of its settings and the inputs. ``takes_time``: it may
    take long, and is called in a thread. ``looks_back``: it asks its inputs what was before them."""

    type_id: str
    takes: str
    gives: str
    answer: Callable[[OperatorSettings, Sequence[OperatorInput]], list[Data]]
    takes_time: bool = False
    looks_back: bool = False


def each_alone(answer: Callable[[OperatorSettings, OperatorInput], Data]) -> Callable[..., list[Data]]:
    """Return what answers several inputs, of what answers one."""

    def answers(settings: OperatorSettings, items: Sequence[OperatorInput]) -> list[Data]:
        return [answer(settings, item) for item in items]

    return answers


def require_text(item: OperatorInput) -> str:
    """Return the text of an input. Raises ``CallerError`` 30101 where it has none."""
    text = text_in(item.data)
    if text is None:
        if item.data.text.url:
            raise not_downloaded(item, "text")
        raise unsupported(item, "text")
    return text


def unsupported(item: OperatorInput, takes: str) -> CallerError:
    """Return the refusal of an input that holds nothing that the node takes."""
    return unsupported_format(f"It takes {takes}, and input {item.number} has {holds(item.data)}.")


def unsupported_format(details: str) -> CallerError:
    """Return 30101 in the platform's words (nodejs SDK, integration tests of workflows)."""
    return CallerError(
        StatusCode.INPUT_UNSUPPORTED_FORMAT,
        details,
        hint="Send an input that the node takes, or put a node before it that gives this.",
        description="Input format unsupported",
        row="workflows.unsupported-input",
    )


def not_downloaded(item: OperatorInput, what: str) -> CallerError:
    """Return the refusal of data that is only an address."""
    return CallerError(
        StatusCode.INPUT_DOWNLOAD_FAILED,
        f"Input {item.number} has its {what} by URL, and the emulator downloads nothing for an operator.",
        hint=f"Send the {what} itself (predict_by_bytes, predict_by_filepath).",
        row="workflows.input-urls",
    )
