"""A failed answer of a model in words: its error, and the line of the model that raised it."""

from __future__ import annotations

from clarifai_grpc.grpc.api.status.status_pb2 import Status

from clarifai_emulator.api.failed import failure_reason

TRACE = """Traceback (most recent call last):
  File "/venv/lib/python3.11/site-packages/clarifai/runners/models/model_class.py", line 193, in predict_wrapper
    output = method(**inputs)
             ^^^^^^^^^^^^^^^^
  File "/home/ada/ranker/1/model.py", line 19, in predict
    assert top > 5{message}
           ^^^^^^^
AssertionError{said}
"""


def status(details: str = "", trace: str = "") -> Status:
    return Status(code=10020, description="Failure", details=details, stack_trace=trace.splitlines())  # pyright: ignore[reportArgumentType]


def test_a_failing_assert_without_a_message_is_an_assertion_error_with_its_line() -> None:
    assert failure_reason(status(trace=TRACE.format(message="", said=""))) == (
        "AssertionError\n/home/ada/ranker/1/model.py:19 in predict: assert top > 5"
    )


def test_an_error_has_its_type_and_its_message() -> None:
    found = failure_reason(status("too small", TRACE.format(message=', "too small"', said=": too small")))
    assert found.splitlines()[0] == "AssertionError: too small"


def test_the_place_is_in_the_model_where_a_library_raised_the_error() -> None:
    deep = TRACE.format(message="", said="").replace(
        "AssertionError",
        '  File "/venv/lib/python3.11/site-packages/torch/nn.py", line 7, in forward\n    raise x\nValueError: x',
    )
    assert failure_reason(status("x", deep)) == (
        "ValueError: x\n/home/ada/ranker/1/model.py:19 in predict: assert top > 5"
    )


def test_a_status_without_a_traceback_has_its_details_else_its_description() -> None:
    assert failure_reason(status("the item was refused")) == "the item was refused"
    assert failure_reason(status()) == "Failure"
    assert failure_reason(status("gone", "no traceback at all: really")) == "gone"


def test_a_model_that_lies_below_a_folder_of_packages_has_its_line_told() -> None:
    among = TRACE.format(message="", said="").replace("/home/ada/", "/venv/lib/python3.11/site-packages/samples/")
    inside = among.replace(
        "AssertionError",
        '  File "/venv/lib/python3.11/site-packages/torch/nn.py", line 7, in forward\n    raise x\nValueError: x',
    )
    for trace, error in ((among, "AssertionError"), (inside, "ValueError: x")):
        assert failure_reason(status("x", trace)) == (
            f"{error}\n/venv/lib/python3.11/site-packages/samples/ranker/1/model.py:19 in predict: assert top > 5"
        )
