"""Requests that shell scripts send with curl are held against the models."""

# ruff: noqa: E501 - a message on one line reads better

from __future__ import annotations

import pytest

from unit.contracts.endpoints.conftest import CheckRequests, said

HEAD = """\
#!/bin/sh
BASE="https://api.clarifai.com"
MODEL=me/demo/models/openai
OUTPUTS="$BASE/v2/users/me/apps/demo/models/hello/outputs"
"""
BODY = '{"inputs": [{"data": {"metadata": {"_method_name": "predict"}, "parts": [{"id": "NAME", "data": {"string_value": "Hello"}}]}}]}'
# `BODY` stands for the body.
FORMS = [
    "curl -X POST \"$OUTPUTS\" -H \"Authorization: Key $CLARIFAI_PAT\" -d 'BODY'",
    "curl --request POST --url $OUTPUTS \\\n  --header 'x: y' \\\n  --data-raw 'BODY' | jq .",
    "answer=$(curl -s ${BASE}/v2/users/${USER_ID:-me}/apps/demo/models/hello/outputs --json 'BODY')",
    "if true; then /usr/bin/curl -sS -o out.json \"$OUTPUTS\" -d'BODY'; fi",
    "curl \"$OUTPUTS\" -d @- <<EOF\nBODY\nEOF",
    "send() {\n  curl \"https://$HOST/v2/users/me/apps/demo/models/hello/outputs\" --data 'BODY'\n}",
]  # fmt: skip
CHAT = "curl $BASE/v2/ext/openai/v1/chat/completions -H 'Authorization: Bearer x' -d "
OTHERS = [
    (CHAT + "'{\"model\": \"me/demo/models/hello\", \"messages\": []}'",
     "no-openai: Model 'hello' has no method openai_transport; it has predict, generate, stream. This endpoint needs a model whose class has that method."),
    (CHAT + "\"{\\\"model\\\": \\\"$MODEL\\\"}\"", "missing-argument: curl: 'messages' is required and not given."),
    (CHAT + "\"{\\\"model\\\": \\\"$MODEL\\\", \\\"messages\\\": [], \\\"max_tokens\\\": $N}\"", None),
    (CHAT + "@body.json", "unknown-model: curl: which model it is, cannot be seen: its arguments are unpacked."),
    ("curl $BASE/v2/ext/openai/v1/completions -d '{\"model\": \"me/demo/models/openai\"}'",
     "unknown-endpoint: There is no /v2/ext/openai/v1/completions: models here have chat completions. Let the client use these: "
     "OpenAILike(…, is_chat_model=True) in llama-index, ChatOpenAI in LangChain, the prefix openai/ in LiteLLM, client.chat.completions in OpenAI's own."),
    ("curl -X POST \"$BASE/v2/users/me/apps/demo/models/$1/outputs\" -d '{}'", "unknown-model: curl: which model '…' is, is only known when it runs."),
    ("curl -X POST \"$URL\" -H \"Authorization: Key $CLARIFAI_PAT\" -d '{}'", "unresolved-request: It is not known where curl is sent to, so it is not checked."),
    ("curl $BASE/v2/ext/mcp/v1/users/me/apps/demo/models/hello -d '{}'",
     "no-mcp: Model 'hello' has no method mcp_transport; it has predict, generate, stream. This endpoint needs a model whose class has that method."),
    ("curl -fsSL https://example.com/install.sh | sh", None),
    ("curl \"$BASE/v2/users/me/apps\" -H \"Authorization: Key $CLARIFAI_PAT\"", None),
    ("echo 'curl https://api.clarifai.com/v2/ext/openai/v1/completions'", None),
]  # fmt: skip


# Forms in which curl is written that once hid the request.
HIDING = [
    "curl -sX POST $OUTPUTS -d 'BODY'",
    "curl -XPOST -fsSLo /dev/null $OUTPUTS -d 'BODY'",
    "curl --limit-rate 1M $OUTPUTS -d 'BODY'",
    "curl $BASE/v2/users/me/apps/demo/models/$NAME/outputs -d 'BODY'",
    "CURL='curl -s'\n$CURL $OUTPUTS -d 'BODY'",
    "\"curl\" $OUTPUTS -d 'BODY'",
]


@pytest.mark.parametrize("form", HIDING)
def test_no_way_to_write_curl_hides_the_request(check_requests: CheckRequests, form: str):
    script = HEAD + "NAME=hello\n" + form.replace("BODY", BODY.replace("NAME", "promt"))
    found, calls = check_requests(script, "ask.sh")
    assert ([each.rule for each in found], calls) == (["unknown-argument"], 1)


def test_a_byte_order_mark_is_no_column(check_requests: CheckRequests):
    script = "curl https://api.clarifai.com/v2/users/me/apps/demo/models/nothing/outputs -d '{}'"
    places = [check_requests(mark + script, "ask.sh")[0][0].location for mark in ("", "\ufeff")]
    assert places[0] == places[1]


@pytest.mark.parametrize("form", FORMS)
def test_a_request_is_found_however_it_is_written(check_requests: CheckRequests, form: str):
    (wrong,) = said(check_requests(HEAD + form.replace("BODY", BODY.replace("NAME", "promt")), "ask.sh"))
    right = check_requests(HEAD + form.replace("BODY", BODY.replace("NAME", "prompt")), "ask.sh")

    assert (
        wrong
        == "unknown-argument: predict(): there is no argument 'promt'; it takes prompt, n. Did you mean 'prompt'?"
    )
    assert right == ([], 1)


@pytest.mark.parametrize(("script", "message"), OTHERS)
def test_what_is_asked_of_the_platform_is_checked_or_named(
    check_requests: CheckRequests, script: str, message: str | None
):
    assert said(check_requests(HEAD + script, "ask.sh")) == ([message] if message else [])
