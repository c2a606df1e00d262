"""Errors as data: the platform's sentence, what happened, and what to do next."""

from __future__ import annotations

import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.errors import CallerError, ConfigError, EmulatorError, ModelError, describe, shortened


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (StatusCode.SUCCESS, "Ok"),
        (StatusCode.CONN_KEY_NOT_FOUND, "API key not found"),
        (StatusCode.CONN_DOES_NOT_EXIST, "Resource does not exist"),
        (StatusCode.DEPLOYMENT_DOES_NOT_EXIST, "Deployment does not exist"),
        (StatusCode.DEPLOYMENT_INVALID_REQUEST, "Invalid deployment request"),
        (StatusCode.MODEL_INVALID_ARGUMENT, "Invalid model argument"),
        (StatusCode.MODEL_PERMISSION_DENIED, "Model permission denied"),
        (StatusCode.MODEL_PREDICTION_FAILED, "Model prediction failed"),
        (999_999, "Status 999999"),
    ],
)
def test_a_status_code_has_a_sentence(code: int, sentence: str) -> None:
    assert describe(code) == sentence


def test_a_callers_error_shows_details_and_hint_as_one_text() -> None:
    error = CallerError(StatusCode.MODEL_DEPLOYING, "No replica yet.", hint="Try again.")
    assert str(error) == error.message == "No replica yet. Try again."
    assert (error.code, error.details, error.hint) == (StatusCode.MODEL_DEPLOYING, "No replica yet.", "Try again.")
    assert error.description == "Model deploying"


def test_without_a_hint_there_is_no_trailing_space() -> None:
    assert CallerError(StatusCode.MODEL_DEPLOYING, "No replica yet.").message == "No replica yet."


def test_a_description_of_a_source_replaces_the_codes_own() -> None:
    error = CallerError(StatusCode.MODEL_DEPLOYING, "x", description="Model is deploying", stack_trace=["a", "b"])
    assert error.description == "Model is deploying"
    assert error.stack_trace == ("a", "b")


def test_a_configuration_error_lists_every_problem_then_the_hint() -> None:
    error = ConfigError("The file cannot be used:", ["line 1: a", "line 2: b"], hint="Mend it.")
    assert str(error) == "The file cannot be used:\n  - line 1: a\n  - line 2: b\nMend it."
    assert str(ConfigError("Port 1 is in use.", [])) == "Port 1 is in use."


def test_a_models_error_shows_cause_then_log_then_hint_and_leaves_out_what_is_empty() -> None:
    error = ModelError("It raises.", log="Traceback\n  boom\n\n", hint="Mend it.")
    assert str(error) == "It raises.\nTraceback\n  boom\nMend it."
    assert str(ModelError("It raises.", hint="Mend it.")) == "It raises.\nMend it."


@pytest.mark.parametrize("error", [CallerError(1, "x"), ConfigError("x", []), ModelError("x")])
def test_every_error_on_purpose_is_an_emulator_error(error: Exception) -> None:
    assert isinstance(error, EmulatorError)


def test_what_an_error_quotes_of_a_request_is_bounded() -> None:
    long = "x" * 100_000
    error = CallerError(StatusCode.CONN_DOES_NOT_EXIST, f"App {long!r} does not exist.", hint=f"Not {long}.")
    assert error.message == (
        f"App '{'x' * 299}… [100002 characters] does not exist. Not {'x' * 300}… [100001 characters]"
    )
    text = CallerError(StatusCode.CONN_DOES_NOT_EXIST, "word " * 100_000).message
    assert "… [484000 characters left out] …" in text
    assert len(text) < 16_100
    assert shortened("a word") == "a word"
