"""Whatever is given an address of the platform, and is not understood, is named."""

from __future__ import annotations

import pytest

from unit.contracts.endpoints.conftest import CheckRequests, said

BASE = "https://api.clarifai.com/v2/ext/openai/v1"
NAMED = [
    (f"from aider import Coder\nCoder(base_url='{BASE}')", f"Coder() asks of '{BASE}'"),
    (f"import other\nBASE = '{BASE}'\nother.llm.Chat('x', api_base=BASE)", f"Chat() asks of '{BASE}'"),
    ("import other\nother.ask('clarifai/me.demo.openai')", "ask() asks of 'clarifai/me.demo.openai'"),
    ("from x import Agent\nAgent(model='https://clarifai.com/me/demo/models/openai')",
     "Agent() asks of 'https://clarifai.com/me/demo/models/openai'"),
]  # fmt: skip
SILENT = [
    f"from openai import OpenAI\nshared = OpenAI(base_url='{BASE}')",
    f"import logging, streamlit as st\nlogging.info('{BASE}')\nst.write('{BASE}')\nprint('{BASE}')",
    "from clarifai.client import Model\nModel('https://clarifai.com/me/demo/models/hello')",
    "import other\nother.open('https://clarifai.com/settings/security')",
]


@pytest.mark.parametrize(("code", "what"), NAMED)
def test_a_call_that_is_not_understood_is_named(check_requests: CheckRequests, code: str, what: str):
    assert said(check_requests(code)) == [f"unresolved-request: What {what} is not known, so it is not checked."]


@pytest.mark.parametrize("code", SILENT)
def test_nothing_is_said_of_what_asks_no_model(check_requests: CheckRequests, code: str):
    assert check_requests(code) == ([], 0)
