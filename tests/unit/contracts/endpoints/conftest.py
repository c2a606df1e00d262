"""Reads fixture models once, from their source, and checks one small client with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from clarifai_emulator.contracts.calls.client_project import ClientProject
from clarifai_emulator.contracts.calls.given_models import GivenModel, KnownModel, read_models
from clarifai_emulator.contracts.endpoints.endpoint_check import EndpointCheck
from clarifai_emulator.contracts.rules.finding import Finding

FIXTURES = Path(__file__).parents[4] / "fixtures" / "models"
# A model whose code hands everything on to the client of the openai package.
PROXY = """\
from clarifai.runners.models.openai_class import OpenAIModelClass
from openai import OpenAI


class Proxy(OpenAIModelClass):
    client = OpenAI(base_url="http://127.0.0.1:8000/v1", api_key="none")
    model = "served"
"""
CONFIG = "model: {id: proxy, user_id: me, app_id: demo, model_type_id: openai}\n"
CheckRequests = Callable[..., tuple[list[Finding], int]]


@pytest.fixture(scope="session")
def known(tmp_path_factory: pytest.TempPathFactory) -> list[KnownModel]:
    proxy = tmp_path_factory.mktemp("models") / "proxy"
    (proxy / "1").mkdir(parents=True)
    (proxy / "1" / "model.py").write_text(PROXY)
    (proxy / "config.yaml").write_text(CONFIG)
    (proxy / "requirements.txt").write_text("clarifai\nopenai\n")
    folders = [*(FIXTURES / name for name in ("hello", "openai", "mcp")), proxy]
    return read_models([GivenModel(each) for each in folders], None, static=True)


@pytest.fixture
def check_requests(tmp_path: Path, known: list[KnownModel]) -> CheckRequests:
    """Return a function that gives the findings in one file, and how many of its calls were checked; more files by
    keyword, ``settings="URL = …"``."""

    def check(code: str, name: str = "client.py", **others: str) -> tuple[list[Finding], int]:
        (tmp_path / name).write_text(code)
        for module, text in others.items():
            (tmp_path / (module if "." in module else f"{module}.py")).write_text(text)
        project = ClientProject([tmp_path])
        file = project.file(tmp_path / name)
        assert file is not None
        findings, calls = EndpointCheck(known, project, project.definitions).check(file)
        return findings, sum(each.is_checked for each in calls)

    return check


def said(found: tuple[list[Finding], int]) -> list[str]:
    """Return ``rule: message`` of each finding."""
    return [f"{each.rule}: {each.message}" for each in found[0]]
