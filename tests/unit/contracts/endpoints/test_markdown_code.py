"""Requests that blocks of Markdown send are held against the models, at their place."""

from __future__ import annotations

import pytest

from clarifai_emulator.contracts.rules.finding import Location
from unit.contracts.endpoints.conftest import CheckRequests, said

PARTS = '"parts": [{"id": "prompt", "data": {"string_value": "Hello"}}]'
BODY = f'{{"inputs": [{{"data": {{"metadata": {{"_method_name": "NAME"}}, {PARTS}}}}}]}}'
URL = "https://api.clarifai.com/v2/users/me/apps/demo/models/hello/outputs"
BLOCKS = [
    f"```sh\ncurl {URL} -d '{BODY}'\n```",
    f"1. Ask:\n\n   ~~~~ bash\n   curl {URL} \\\n     -d '{BODY}'\n   ~~~~\n",
    f"> ```console\n> $ curl {URL} -d '{BODY}'\n> {{\"status\": 1}}\n> it's\n> ```",
    "```console\nada@box:~$ curl URL -d '".replace("URL", URL)
    + BODY.replace(" {", "\n {")
    + "'\n{status: it's}\n```",
    "```bash title=first\nexport API=https://api.clarifai.com\n```\n\ntext\n\n```bash\n"
    f"curl $API/v2/users/me/apps/demo/models/hello/outputs -d '{BODY}'\n```",
    f"```{{.shell .numbers}}\ncurl {URL} -d '{BODY}'",
    f"```js\nawait fetch('{URL}', {{method: 'POST', body: JSON.stringify({BODY})}})\n```",
    f"```ts\nconst url: string = '{URL}'\nawait fetch(url, {{method: 'POST', body: JSON.stringify({BODY})}})\n```",
]
# What readers put something in for.
OPEN = [
    "curl https://api.clarifai.com/v2/users/<USER_ID>/apps/<APP_ID>/models/<MODEL_ID>/outputs -d '{}'",
    "curl https://api.clarifai.com/v2/users/{user_id}/apps/{app_id}/models/{model_id}/outputs -d '{}'",
    "curl https://api.clarifai.com/v2/users/YOUR_ID/apps/YOUR_APP/models/YOUR_MODEL/outputs -d '{}'",
    "curl https://api.clarifai.com/v2/users/…/apps/…/models/…/outputs -d '{}'",
]


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_is_read_wherever_it_stands(check_requests: CheckRequests, block: str):
    text = f"# Title\n\n{block.replace('NAME', 'predct')}\n\nEnd\n"
    found, calls = check_requests(text, "README.md")

    assert ([each.rule for each in found], calls) == (["unknown-method"], 1)
    assert isinstance(found[0].location, Location)
    line = 1 + next(index for index, each in enumerate(text.split("\n")) if "predct" in each)
    assert found[0].location.line <= line <= (found[0].location.end_line or line)
    assert check_requests(block.replace("NAME", "predict"), "README.md")[0] == []


@pytest.mark.parametrize("command", OPEN)
def test_what_readers_fill_in_is_not_known(check_requests: CheckRequests, command: str):
    assert said(check_requests(f"```sh\n{command}\n```\n", "README.md")) == [
        "unknown-model: curl: which model '…' is, is only known when it runs."
    ]


def test_what_readers_fill_into_a_body_is_no_mistake(check_requests: CheckRequests):
    body = '{"inputs": [{"data": {"parts": [{"id": "prompt", "data": {"string_value": "<TEXT>"}}, '
    body += '{"id": "n", "data": {"int_value": <NUMBER>}}]}}]}'
    assert check_requests(f"```sh\ncurl {URL} -d '{body}'\n```\n", "README.md") == ([], 1)


@pytest.mark.parametrize(
    ("language", "code", "name"),
    [
        ("sh", "if curl clarifai; then (((", "shell commands"),
        ("js", "const clarifai = (((", "JavaScript"),
        ("ts", "const clarifai = (((", "TypeScript"),
    ],
)
def test_a_block_that_cannot_be_parsed_is_named_once(
    check_requests: CheckRequests, language: str, code: str, name: str
):
    other = f"```sh\ncurl {URL} -d '{BODY.replace('NAME', 'predct')}'\n```\n"
    found, calls = check_requests(f"{other}\n```{language}\n{code}\n```\n", "README.md")
    assert ([each.rule for each in found], calls) == (["unknown-method", "unreadable-cell"], 1)
    assert found[1].message == (
        f"The code in line 6 of README.md cannot be parsed as {name}. "
        "Nothing in it is checked; the rest of the file is."
    )
    assert found[1].hint == "Mend it, or leave it out: in Markdown, by naming another language behind the fence."


def test_blocks_of_other_languages_are_not_read(check_requests: CheckRequests):
    for language in ("", "text", "json", "yaml", "diff"):
        text = f"```{language}\ncurl {URL} -d '{BODY.replace('NAME', 'predct')}'\n```\n"
        assert check_requests(text, "README.md") == ([], 0)


def test_requests_in_python_are_checked_at_their_place(check_requests: CheckRequests):
    code = f"import requests\n\nrequests.post('{URL}', json={BODY.replace('NAME', 'predct')})"
    indented = "\n".join(f"  {each}" for each in code.split("\n"))
    found, calls = check_requests(f"* list\n\n  ```python\n{indented}\n  ```\n", "README.md")
    assert ([each.rule for each in found], calls) == (["unknown-method"], 1)
    assert isinstance(found[0].location, Location)
    assert (found[0].location.line, found[0].location.column > 80) == (6, True)
