"""Requests that the recipes of a Makefile send are held against the models, at their place."""

from __future__ import annotations

import pytest

from clarifai_emulator.contracts.rules.finding import Location
from unit.contracts.endpoints.conftest import CheckRequests, said

PARTS = '"parts": [{"id": "prompt", "data": {"string_value": "Hello"}}]'
BODY = f'{{"inputs": [{{"data": {{"metadata": {{"_method_name": "NAME"}}, {PARTS}}}}}]}}'
HEAD = """\
# curl of the platform
API ?= https://api.clarifai.com
export OUTPUTS := $(API)/v2/users/me/apps/demo/models/hello/outputs  # where
CURL = curl -sS
VERSION = $(shell git describe)
.PHONY: ask
"""
FORMS = [
    "ask:\n\tcurl $(OUTPUTS) -d 'BODY'",
    'ask: build\n\t@echo "it\'s"; $(CURL) "$(OUTPUTS)" \\\n\t  -d \'BODY\'',
    "ask:\n\t-@for n in 1 2; do \\\n\t  curl -sX POST ${OUTPUTS} -d'BODY'; \\\n\tdone",
    "ask: build ; @curl $(OUTPUTS) -d 'BODY'",
    "ask:\n\tHOST=$(API); curl \"$$HOST/v2/users/me/apps/demo/models/hello/outputs\" -d 'BODY'",
    "ask:\n\techo \"not closed\n\tcurl $(OUTPUTS) -d 'BODY'",
]


@pytest.mark.parametrize("form", FORMS)
def test_a_recipe_is_read_as_make_runs_it(check_requests: CheckRequests, form: str):
    text = HEAD + form.replace("BODY", BODY.replace("NAME", "predct"))
    found, calls = check_requests(text, "Makefile")

    assert calls == 1
    (wrong,) = [each for each in found if each.rule == "unknown-method"]
    line = 1 + next(index for index, each in enumerate(text.split("\n")) if "predct" in each)
    column = 1 + text.split("\n")[line - 1].index("'{")
    assert isinstance(wrong.location, Location)
    assert wrong.location.line == line
    assert column - 2 <= wrong.location.column <= column  # "-d'…'" is one word
    rules = {each.rule for each in check_requests(HEAD + form.replace("BODY", BODY.replace("NAME", "predict")))[0]}
    assert "unknown-method" not in rules


@pytest.mark.parametrize("name", ["Makefile", "makefile", "GNUmakefile", "api.mk"])
def test_a_makefile_is_known_by_its_name(check_requests: CheckRequests, name: str):
    (found,) = said(check_requests(HEAD + FORMS[0].replace("BODY", BODY.replace("NAME", "predct")), name))
    assert found.startswith("unknown-method: The model has no method 'predct'")


def test_what_make_computes_is_not_known(check_requests: CheckRequests):
    recipe = "ask:\n\tcurl $(API)/v2/users/me/apps/demo/models/$(shell cat model)/outputs -d '{}'"
    assert said(check_requests(HEAD + recipe, "Makefile")) == [
        "unknown-model: curl: which model '…' is, is only known when it runs."
    ]


def test_what_is_no_recipe_is_no_command(check_requests: CheckRequests):
    text = HEAD + f"define NOTES\ncurl $(OUTPUTS) -d '{BODY}'\nendef\nifeq (curl,$(X))\nendif\n"
    assert check_requests(text, "Makefile") == ([], 0)
