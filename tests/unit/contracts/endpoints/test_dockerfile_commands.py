"""Requests that the instructions of a Dockerfile send are held against the models, at their place."""

from __future__ import annotations

import json

import pytest

from clarifai_emulator.contracts.rules.finding import Location
from unit.contracts.endpoints.conftest import CheckRequests, said

PARTS = '"parts": [{"id": "prompt", "data": {"string_value": "Hello"}}]'
BODY = f'{{"inputs": [{{"data": {{"metadata": {{"_method_name": "NAME"}}, {PARTS}}}}}]}}'
URL = "https://api.clarifai.com/v2/users/me/apps/demo/models/hello/outputs"
HEAD = """\
# syntax=docker/dockerfile:1
FROM debian
ARG API=https://api.clarifai.com
ENV MODEL=hello \\
    OTHER="x y"
"""
FORMS = [
    "RUN curl $API/v2/users/me/apps/demo/models/$MODEL/outputs -d 'BODY'",
    "run set -e; \\\n  # a comment in between\n\n  curl URL \\\n    -d 'BODY' && echo done",
    "RUN --mount=type=cache,target=/root \\\n    --network=host \\\n    curl URL -d 'BODY'",
    "RUN <<EOF\nset -e\ncurl URL -d 'BODY'\nEOF\nRUN true",
    "RUN <<-'EOF' bash\n\tcurl URL -d 'BODY'\n\tEOF",
    "RUN curl URL -d @- <<EOF\nBODY\nEOF\nRUN true",
    "HEALTHCHECK --interval=5m --timeout=3s \\\n  CMD curl -f URL -d 'BODY' || exit 1",
    "ONBUILD RUN curl URL -d 'BODY'",
    "ENTRYPOINT curl URL -d 'BODY'",
]
LISTS = [
    ["curl", "-f", URL, "-d", "BODY"],
    ["/bin/sh", "-ec", f"curl -f {URL} -d 'BODY'"],
]


def wrong_line(text: str) -> int:
    return 1 + next(index for index, each in enumerate(text.split("\n")) if "predct" in each)


@pytest.mark.parametrize("form", FORMS)
def test_an_instruction_is_read_as_the_shell_gets_it(check_requests: CheckRequests, form: str):
    form = form.replace("URL", URL)
    text = HEAD + form.replace("BODY", BODY.replace("NAME", "predct"))
    found, calls = check_requests(text, "Dockerfile")

    assert calls == 1
    (wrong,) = [each for each in found if each.rule == "unknown-method"]
    assert isinstance(wrong.location, Location)
    assert wrong.location.line == wrong_line(text) - ("@-" in form)
    rules = {each.rule for each in check_requests(HEAD + form.replace("BODY", BODY.replace("NAME", "predict")))[0]}
    assert "unknown-method" not in rules


@pytest.mark.parametrize("words", LISTS)
@pytest.mark.parametrize("instruction", ["RUN", "CMD", "ENTRYPOINT", "HEALTHCHECK --retries=2 CMD"])
def test_a_command_may_be_a_list_of_words(check_requests: CheckRequests, words: list[str], instruction: str):
    listed = json.dumps([each.replace("BODY", BODY.replace("NAME", "predct")) for each in words])
    text = f"{HEAD}{instruction} {listed}\n"
    found, calls = check_requests(text, "Dockerfile")

    assert ([each.rule for each in found], calls) == (["unknown-method"], 1)
    assert isinstance(found[0].location, Location)
    last = text.split("\n")[-2].rindex('"', 0, text.split("\n")[-2].index("predct") - 60)
    assert found[0].location.line == wrong_line(text)
    assert 0 < found[0].location.column <= last + 60


@pytest.mark.parametrize("name", ["Dockerfile", "dockerfile", "Dockerfile.gpu", "gpu.Dockerfile", "Containerfile"])
def test_a_dockerfile_is_known_by_its_name(check_requests: CheckRequests, name: str):
    text = f"FROM debian\nRUN curl {URL} -d '{BODY.replace('NAME', 'predct')}'\n"
    assert said(check_requests(text, name)) == [
        "unknown-method: The model has no method 'predct'; it has predict, generate, stream. "
        "Did you mean 'predict'?"
    ]


def test_other_instructions_are_no_commands(check_requests: CheckRequests):
    text = f"FROM debian\nLABEL how=\"curl {URL} -d '{{}}'\"\nCOPY curl /\n# RUN curl {URL} -d '{{}}'\n"
    assert check_requests(text, "Dockerfile") == ([], 0)
