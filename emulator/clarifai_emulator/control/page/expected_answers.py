"""Writes what a test expects of a call: the answer that it got, in a form that compares with what the SDK gives."""

from __future__ import annotations

from functools import partial
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import ModelTypeField, RunnerMethodType
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.control.page.call_literals import CallLiterals, CannotWrite, SnippetFiles
from clarifai_emulator.control.page.call_scrubbing import scrubbed
from clarifai_emulator.control.page.call_views import OUTPUT, KeptCallView, failure_of, value_address

_TYPE = ModelTypeField.DataType
_MEDIA = (_TYPE.IMAGE, _TYPE.AUDIO, _TYPE.VIDEO)
# What the SDK gives for these is equal to another of the same content.
_COMPARE = (_TYPE.STR, _TYPE.BYTES, _TYPE.INT, _TYPE.FLOAT, _TYPE.BOOL, _TYPE.JSON_DATA, _TYPE.TEXT)
_UNARY = RunnerMethodType.UNARY_UNARY


def expected_answer(view: KeptCallView, call: str, files: SnippetFiles) -> tuple[list[str], set[str]]:
    """Return the lines of a test that make a call and look at its answer, and the names that they use."""
    responses = [each for each in view.kept.responses() if each is not None]
    failed = next(filter(None, map(failure_of, responses)), None)
    is_unary = view.signature is not None and view.signature.method_type == _UNARY
    if failed is not None or not responses:
        name = StatusCode.Name(failed.code) if failed is not None and failed.code in StatusCode.values() else ""
        matched = f", match={name!r}" if name else ""
        made = call if is_unary else f"list({call})"
        return [f"with pytest.raises(Exception{matched}):", *_inside(made)], {"pytest"}
    if not is_unary:
        return _of_stream(view, call, responses, files)
    answer, names = _answers(view, responses[0], 0, files)
    field = view.signature.output_fields[0] if view.signature is not None and view.signature.output_fields else None
    return [*_assigned("answer", call), _comparison(answer, field)], names | ({"np"} if _is_array(field) else set())


def _of_stream(
    view: KeptCallView, call: str, responses: list[Any], files: SnippetFiles
) -> tuple[list[str], set[str]]:
    signature, names, items = view.signature, set[str](), list[str]()
    field = signature.output_fields[0] if signature is not None and signature.output_fields else None
    lines = _assigned("answers", f"list({call})")
    count = len(view.kept.outputs) + view.kept.outputs_left_out
    if field is None or not _compares(field) or view.kept.outputs_left_out or len(responses) < count:
        return [*lines, f"assert len(answers) == {count}"], names
    for message, response in enumerate(responses):
        each, more = _answers(view, response, message, files)
        if len(each) != 1:
            return [*lines, f"assert len(answers) == {count}"], set()
        items.append(each[0])
        names |= more
    return [*lines, f"assert answers == [{', '.join(items)}]"], names


def _answers(view: KeptCallView, response: Any, message: int, files: SnippetFiles) -> tuple[list[str], set[str]]:
    """Return each output of a response as an expression; none where it cannot be written, or has a secret."""
    signature, names, found = view.signature, set[str](), list[str]()
    clean, was_changed = scrubbed(response, view.secrets)
    if was_changed or signature is None or len(signature.output_fields) != 1:
        return [], names
    for item, output in enumerate(clean.outputs):
        address_of = partial(value_address, view.kept.request_id, OUTPUT, message, item)
        writer = CallLiterals(files, address_of, is_compared=True)
        try:
            written = writer.arguments(output.data, signature.output_fields)
        except CannotWrite:
            return [], set()
        found += list(written.values())
        names |= writer.names
    return found, names


def _comparison(answers: list[str], field: Any | None) -> str:
    if field is None or not answers:
        return "assert answer is not None"
    if len(answers) > 1:
        return (
            f"assert answer == [{', '.join(answers)}]"
            if _compares(field)
            else f"assert len(answer) == {len(answers)}"
        )
    (expected,) = answers
    if _compares(field):
        return (
            f"assert answer is {expected}"
            if expected in ("True", "False", "None")
            else f"assert answer == {expected}"
        )
    if field.type in _MEDIA and "bytes=" in expected:
        return f"assert answer.bytes == {expected}.bytes"
    if field.type in _MEDIA:
        return f"assert answer.url == {expected}.url"
    if _is_array(field):
        return f"assert np.array_equal(answer, {expected})"
    return f"assert repr(answer) == repr({expected})"


def _compares(field: Any) -> bool:
    if field.type in (_TYPE.LIST, _TYPE.TUPLE):
        return all(_compares(each) for each in field.type_args)
    return field.type in _COMPARE


def _is_array(field: Any | None) -> bool:
    return field is not None and field.type == _TYPE.NDARRAY


def _assigned(name: str, call: str) -> list[str]:
    return f"{name} = {call}".splitlines()


def _inside(call: str) -> list[str]:
    return [f"    {line}" for line in call.splitlines()]
