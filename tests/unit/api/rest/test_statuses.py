"""Clarifai status codes as HTTP statuses."""

from __future__ import annotations

import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.rest.statuses import GRPC_TO_HTTP, http_status
from clarifai_emulator.errors import GRPC_CODES


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("SUCCESS", 200),
        ("MIXED_STATUS", 200),
        ("MOVED", 307),
        ("ACCEPTED", 202),
        ("CONN_KEY_INVALID", 401),
        ("CONN_KEY_NOT_FOUND", 401),
        ("CONN_INSUFFICIENT_SCOPES", 403),
        ("CONN_THROTTLED", 429),
        ("CONN_DOES_NOT_EXIST", 404),
        ("CONN_METHOD_NOT_ALLOWED", 405),
        ("CONN_BAD_REQUEST_FORMAT", 400),
        ("MODEL_DOES_NOT_EXIST", 404),
        ("MODEL_PERMISSION_DENIED", 403),
        ("MODEL_DEPLOYING", 503),
        ("MODEL_NOT_DEPLOYED", 404),
        ("DEPLOYMENT_INVALID_REQUEST", 400),
        ("DATABASE_DUPLICATE_KEY", 409),
        ("RPC_MAX_MESSAGE_SIZE_EXCEEDED", 413),
        ("RPC_REQUEST_QUEUE_FULL", 429),
        ("RPC_REQUEST_TIMEOUT", 504),
        ("RUNNER_PROCESSING_FAILED", 500),
        ("FAILURE", 400),
        ("NOT_IMPLEMENTED", 501),
        ("BILLING_MISSING_TOKENS", 402),
        ("INTERNAL_UNCATEGORIZED", 500),
    ],
)
def test_a_code_has_its_http_status(name: str, status: int) -> None:
    assert http_status(StatusCode.Value(name)) == status


def test_every_code_has_one_and_only_success_looks_like_it() -> None:
    successes = {name for name, code in StatusCode.items() if http_status(code) < 300}
    assert successes == {"SUCCESS", "MIXED_STATUS", "ACCEPTED", "UPLOAD_IN_PROGRESS", "UPLOAD_DONE"}


def test_without_a_credential_that_can_be_read_it_is_401() -> None:
    assert http_status(StatusCode.CONN_INVALID_REQUEST, authenticated=False) == 401
    assert http_status(StatusCode.CONN_INVALID_REQUEST) == 400


def test_a_code_that_nobody_knows_is_a_server_error() -> None:
    assert http_status(123_456) == 500


def test_grpc_statuses_have_an_http_status_of_their_own() -> None:
    assert set(GRPC_TO_HTTP) == set(GRPC_CODES) - {"UNKNOWN", "INTERNAL", "DATA_LOSS"}  # these are 500
