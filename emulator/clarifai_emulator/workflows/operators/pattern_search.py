"""Classifies text by a regular expression (``regex-based-classifier``), in a process that can be ended.

A pattern such as ``(a+)+$`` takes longer than anybody waits, and Python cannot interrupt one that is at work: it
would hold the whole emulator. So a child looks, with limits of time and memory, and gives back which texts match.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

from clarifai_grpc.grpc.api.resources_pb2 import Data
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.errors import CallerError
from clarifai_emulator.workflows.operators.operator import OperatorInput, require_text
from clarifai_emulator.workflows.operators.operator_settings import OperatorSettings

SECONDS = 2.0
_LONGEST_PATTERN = 10_000
_CHILD = """
import json, re, resource, sys
try:
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
except (OSError, ValueError):
    pass
pattern, texts = json.load(sys.stdin)
try:
    found = re.compile(pattern)
except (re.error, RecursionError, OverflowError) as error:
    print(json.dumps(str(error)))
else:
    print(json.dumps([found.search(each) is not None for each in texts]))
"""


def classify(settings: OperatorSettings, items: Sequence[OperatorInput]) -> list[Data]:
    """Return the concepts of the operator, each with the value 1, for inputs whose text has the pattern in it."""
    pattern, concepts = settings.text("regex"), settings.concepts()
    texts = [require_text(item) for item in items]
    answers: list[Data] = []
    for matches in search(settings, pattern, texts):
        data = Data(concepts=concepts if matches else [])
        for each in data.concepts:
            each.value = 1
        answers.append(data)
    return answers


def search(
    settings: OperatorSettings, pattern: str, texts: Sequence[str], *, seconds: float = SECONDS
) -> list[bool]:
    """Return for each text whether the pattern is in it. Raises ``CallerError`` for a pattern that is none, or that
    takes too long."""
    if len(pattern) > _LONGEST_PATTERN:
        problem = f"has {len(pattern)} characters; it may have {_LONGEST_PATTERN}"
        raise settings.refusal("output_info.params.regex", problem)
    asked = json.dumps([pattern, texts]).encode()
    command = [sys.executable, "-I", "-S", "-c", _CHILD]
    try:
        done = subprocess.run(command, input=asked, capture_output=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        raise CallerError(
            StatusCode.RPC_REQUEST_TIMEOUT,
            f"Operator {settings.type_id}: the pattern {pattern!r:.200} was still at work on the text after "
            f"{seconds:g} s.",
            hint="Nested repetition such as (a+)+ takes for ever on a text that does not match; write it without.",
            row="workflows.regex",
        ) from None
    answer: list[bool] | str = "it takes more than 1 GiB of memory"
    if not done.returncode:
        answer = json.loads(done.stdout)
    if isinstance(answer, str):
        problem = f"is no pattern that works: {answer}, got {pattern!r:.200}"
        raise settings.refusal("output_info.params.regex", problem)
    return answer
