"""Maps a Clarifai status code to an HTTP status: what is public, then a choice by its name (docs/fidelity.md)."""

from __future__ import annotations

from functools import cache

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

# The first eight are said by the proto or seen in public answers; the others are choices.
_BY_CODE: dict[int, int] = {
    StatusCode.SUCCESS: 200,
    StatusCode.MIXED_STATUS: 200,
    StatusCode.MOVED: 307,
    StatusCode.ACCEPTED: 202,
    StatusCode.CONN_KEY_INVALID: 401,
    StatusCode.CONN_KEY_NOT_FOUND: 401,
    StatusCode.CONN_TOKEN_INVALID: 401,
    StatusCode.CONN_CREDENTIALS_INVALID: 401,
    StatusCode.CONN_THROTTLED: 429,
    StatusCode.CONN_EXCEED_HOURLY_LIMIT: 429,
    StatusCode.CONN_EXCEED_MONTHLY_LIMIT: 429,
    StatusCode.CONN_EXCEEDS_LIMITS: 429,
    StatusCode.CONN_INSUFFICIENT_SCOPES: 403,
    StatusCode.CONN_METHOD_NOT_ALLOWED: 405,
    StatusCode.UPLOAD_IN_PROGRESS: 200,
    StatusCode.UPLOAD_DONE: 200,
    StatusCode.TRY_AGAIN: 503,
    StatusCode.FAILURE: 400,
    StatusCode.MODEL_DEPLOYMENT_FAILED: 500,
    StatusCode.MODEL_NOT_DEPLOYED: 404,
    StatusCode.MODEL_DEPLOYING: 503,
    StatusCode.MODEL_QUEUED_FOR_DEPLOYMENT: 503,
    StatusCode.MODEL_BUSY_PLEASE_RETRY: 503,
    StatusCode.MODEL_LOADING: 503,
    StatusCode.MODEL_PREDICTION_FAILED: 500,
    StatusCode.RUNNER_NEEDS_RETRY: 503,
    StatusCode.RUNNER_PROCESSING_FAILED: 500,
    StatusCode.DEPLOYMENT_DISABLED: 409,
    StatusCode.DATABASE_DUPLICATE_KEY: 409,
    StatusCode.RPC_REQUEST_QUEUE_FULL: 429,
    StatusCode.RPC_SERVER_UNAVAILABLE: 503,
    StatusCode.RPC_REQUEST_TIMEOUT: 504,
    StatusCode.RPC_MAX_MESSAGE_SIZE_EXCEEDED: 413,
    StatusCode.RPC_CANCELED: 499,
    StatusCode.REQUEST_CANCELED_BY_USER: 499,
    StatusCode.RPC_UNKNOWN_METHOD: 501,
    StatusCode.NOT_IMPLEMENTED: 501,
    StatusCode.BILLING_INVALID_INFO: 402,
    StatusCode.BILLING_MISSING_TOKENS: 402,
}
_BY_WORD = (
    ("DOES_NOT_EXIST", 404),
    ("NOT_FOUND", 404),
    ("PERMISSION_DENIED", 403),
    ("DUPLICATE", 409),
    ("CONFLICT", 409),
    ("INVALID", 400),
    ("BAD_REQUEST", 400),
    ("UNSUPPORTED", 400),
    ("TIMEOUT", 504),
    ("TIMED_OUT", 504),
)
# A request whose sender is not known and whose credential cannot be read.
_NO_CREDENTIAL = (StatusCode.CONN_BAD_REQUEST_FORMAT, StatusCode.CONN_INVALID_REQUEST)
_FIRST_INTERNAL = 40011

# gRPC's statuses as its own HTTP mapping has them.
GRPC_TO_HTTP: dict[str, int] = {
    "CANCELLED": 499,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "UNAUTHENTICATED": 401,
}


def http_status(code: int, *, authenticated: bool = True) -> int:
    """The HTTP status of an answer with this Clarifai status. ``authenticated``: it is known who asks."""
    if not authenticated and code in _NO_CREDENTIAL:
        return 401
    return _of_code(code)


@cache
def _of_code(code: int) -> int:
    known = _BY_CODE.get(code)
    if known is not None:
        return known
    try:
        name = StatusCode.Name(code)  # pyright: ignore[reportArgumentType]
    except ValueError:
        return 500
    for word, status in _BY_WORD:
        if word in name:
            return status
    return 500 if code >= _FIRST_INTERNAL else 400
