"""Requests that commands in YAML send are held against the models, at their place: CI, compose, Kubernetes."""

from __future__ import annotations

import pytest

from clarifai_emulator.contracts.rules.finding import Location
from unit.contracts.endpoints.conftest import CheckRequests, said

PARTS = '"parts": [{"id": "prompt", "data": {"string_value": "Hello"}}]'
BODY = f'{{"inputs": [{{"data": {{"metadata": {{"_method_name": "NAME"}}, {PARTS}}}}}]}}'
ESCAPED = BODY.replace('"', '\\"')
URL = "https://api.clarifai.com/v2/users/me/apps/demo/models/hello/outputs"
FORMS = [
    f"jobs: {{a: {{steps: [{{run: \"curl {URL} -d '{ESCAPED}'\"}}]}}}}",
    f"jobs:\n  a:\n    steps:\n      - name: ask\n        run: |\n          echo 1\n          curl {URL} \\\n"
    f"            -H \"Authorization: Key ${{{{ secrets.PAT }}}}\" \\\n            -d '{BODY}'\n",
    f"jobs:\n  a:\n    steps:\n      - run: >-\n          curl {URL}\n          -d '{BODY}'\n\n      - run: echo",
    f"env:\n  API: https://api.clarifai.com\njobs:\n  a:\n    steps:\n    - run: |2+\n        curl "
    f"\"$API/v2/users/me/apps/demo/models/hello/outputs\" -d '{BODY}'\n",
    f"ask:\n  script:\n    - echo 1\n    - 'curl {URL} -d ''{BODY}'''\n",
    f"steps:\n  - run:\n      name: ask\n      command: |\n        curl {URL} -d '{BODY}'\n",
    f"services:\n  web:\n    environment: {{API: x}}\n    command: ['sh', '-c', 'curl {URL} -d ''{BODY}''']\n",
    f"services:\n  web:\n    healthcheck:\n      test:\n        - CMD\n        - curl\n        - {URL}\n"
    f"        - -d\n        - '{BODY}'\n",
    f'services:\n  web:\n    healthcheck: {{test: ["CMD-SHELL", "curl {URL} -d \'{ESCAPED}\'"]}}\n',
    f"services:\n  web:\n    entrypoint: HOST=https://api.clarifai.com; curl "
    f"$$HOST/v2/users/me/apps/demo/models/hello/outputs -d '{BODY}'\n".replace('": ', '":'),
    f"---\na: 1\n---\nspec:\n  containers:\n  - command: [curl]\n    args: ['curl {URL} -d ''{BODY}''']\n",
    f"tasks:\n  ask:\n    cmds:\n      - cmd: curl {URL} -d '{BODY}'\n".replace('": ', '":'),
]


@pytest.mark.parametrize("form", FORMS)
def test_a_command_is_read_wherever_it_stands(check_requests: CheckRequests, form: str):
    text = form.replace("NAME", "predct")
    found, calls = check_requests(text, "ci.yml")

    assert ([each.rule for each in found], calls) == (["unknown-method"], 1)
    assert isinstance(found[0].location, Location)
    assert found[0].location.line == 1 + next(
        index for index, each in enumerate(text.split("\n")) if "predct" in each
    )
    assert check_requests(form.replace("NAME", "predict"), "ci.yml")[0] == []


def test_a_column_is_one_of_the_file(check_requests: CheckRequests):
    text = FORMS[1].replace("NAME", "predct")
    location = check_requests(text, "ci.yml")[0][0].location
    assert isinstance(location, Location)
    assert text.split("\n")[location.line - 1][location.column - 1 :].startswith('\'{"inputs"')


def test_a_step_of_another_language_is_no_shell(check_requests: CheckRequests):
    text = f"steps:\n  - shell: python\n    run: |\n      print(\"curl {URL} -d '{{}}'\")\n      curl = 1\n"
    assert check_requests(text, "ci.yml") == ([], 0)


def test_an_expression_is_not_known(check_requests: CheckRequests):
    text = "steps:\n  - run: curl ${{ env.API }}/v2/users/me/apps/demo/models/${{ inputs.model }}/outputs -d '{}'\n"
    assert said(check_requests(text, "ci.yml")) == [
        "unknown-model: curl: which model '…' is, is only known when it runs."
    ]


def test_anchors_that_hold_themselves_end(check_requests: CheckRequests):
    text = f"a: &a\n  b: *a\n  run: curl {URL} -d '{{}}'\n"
    assert check_requests(text, "ci.yml")[1] == 1


def test_what_is_no_yaml_is_told_with_its_place(check_requests: CheckRequests):
    text = f'steps:\n  - run: curl {URL} -H "Authorization: Key x"\n'
    ((found,), calls) = check_requests(text, "ci.yml")
    assert (found.rule, calls) == ("unreadable-client", 0)
    assert found.message == (
        "ci.yml is no YAML: mapping values are not allowed here. The commands in it are not checked."
    )
    assert isinstance(found.location, Location)
    assert (found.location.line, found.location.column) == (2, 1 + text.split("\n")[1].index(": Key"))
