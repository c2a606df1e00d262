"""Models that call other models are checked as clients are: what the platform does to such a call in production is
said before anything is deployed, and of a right call nothing."""

# ruff: noqa: E501 - a program on one line reads better

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from clarifai_emulator.contracts.calls.calling_models import calling_models
from clarifai_emulator.contracts.calls.client_check import CallReport, GivenModel, check_calls, check_known
from clarifai_emulator.contracts.calls.client_project import ClientProject
from clarifai_emulator.contracts.calls.given_models import KnownModel, read_models
from clarifai_emulator.contracts.rules.example import examples
from clarifai_emulator.contracts.rules.rule import Severity
from flow.contracts.calls.conftest import FIXTURES

CONFIG = """\
model: {{id: {name}, user_id: {user}, app_id: demo, model_type_id: any-to-any}}
build_info: {{python_version: "3.12"}}
inference_compute_info: {{cpu_limit: "1", cpu_memory: 1Gi, num_accelerators: 0}}
"""
HEAD = """\
import asyncio, os, sys
from typing import Iterator
import requests
from openai import OpenAI
from fastmcp import Client
from clarifai.client import Model
from clarifai.client.model_client import ModelClient
from clarifai.runners.models.model_class import ModelClass

sys.path.insert(0, os.path.dirname(__file__))
HELLO = "https://clarifai.com/me/demo/models/hello"
BASE = os.environ.get("CLARIFAI_API_BASE", "https://api.clarifai.com")
"""
CLASS = HEAD + """\
class Agent(ModelClass):
    {field}
    def load_model(self):
        {load}

    @ModelClass.method
    def predict(self, text: str) -> str:
        return {call}
"""  # fmt: skip
# How the code of a model names another one: a name of a class attribute, what load_model does, and what is called.
WAYS = {
    "in the method": ("", "pass", "Model(HELLO)"),
    "by url": ("", "self.it = Model(url=HELLO)", "self.it"),
    "by ids": ("", "self.it = Model(model_id='hello', user_id='me', app_id='demo')", "self.it"),
    "by id alone": ("", "self.it = Model(model_id='hello')", "self.it"),
    "with its credential": ("", "self.it = Model(url=HELLO, pat=os.environ['CLARIFAI_PAT'])", "self.it"),
    "of its owner": ("", "self.it = Model(url=f\"https://clarifai.com/{os.environ['CLARIFAI_USER_ID']}/demo/models/hello\")", "self.it"),
    "of its owner, by ids": ("", "self.it = Model(model_id='hello', user_id=os.getenv('CLARIFAI_USER_ID'), app_id='demo')", "self.it"),
    "a default": ("", "self.it = Model(url=os.environ.get('HELLO_URL', HELLO))", "self.it"),
    "a default, named": ("", "self.it = Model(url=os.getenv('HELLO_URL', default=HELLO))", "self.it"),
    "a variable, or else": ("", "self.it = Model(url=os.environ.get('HELLO_URL') or HELLO)", "self.it"),
    "class attribute": ("URL = 'https://clarifai.com/me/demo/models/hello'", "self.it = Model(url=self.URL)", "self.it"),
    "class attribute, an id": ("NAME = 'hello'", "self.it = Model(url=f'https://clarifai.com/me/demo/models/{self.NAME}')", "self.it"),
    "the model as class attribute": ("it = Model(HELLO)", "pass", "self.it"),
    "set in load_model": ("", "self.url = HELLO; self.it = Model(url=self.url)", "self.it"),
    "annotated": ("it: Model", "self.it = Model(url=HELLO)", "self.it"),
    "several, by name": ("", "self.tools = {'hello': Model(HELLO), 'again': Model(HELLO)}", "self.tools['hello']"),
    "with a deployment": ("", "self.it = Model(url=HELLO, deployment_id='blue', deployment_user_id='me')", "self.it"),
}  # fmt: skip
CALLS = {
    "predict(prompt=text)": None,
    "predict(text, n=2)": None,
    "predict(promt=text)": "unknown-argument",
    "predict(prompt=3)": "wrong-type",
    "predict(n=2)": "missing-argument",
    "predict(text, n='2')": "wrong-type",
    "predct(text)": "unknown-method",
    "generate(prompt=text)": "wrong-result",
}
BODY = "json={'inputs': [{'data': {'parts': [{'id': 'PROMPT', 'data': {'string_value': text}}]}}]}"
OTHER = [
    # Of OpenAI's client, MCP and REST: (load_model, what is called, the rule)
    ("self.llm = OpenAI(base_url=f'{BASE}/v2/ext/openai/v1', api_key=os.environ['CLARIFAI_PAT'])",
     "self.llm.chat.completions.create(model='https://clarifai.com/me/demo/models/openai', messages=[])", None),
    ("self.llm = OpenAI(base_url=f'{BASE}/v2/ext/openai/v1', api_key=os.environ['CLARIFAI_PAT'])",
     "self.llm.chat.completions.create(model='https://clarifai.com/me/demo/models/openai', messages=[], temprature=1)", "unknown-argument"),
    ("self.llm = OpenAI(base_url=f'{BASE}/v2/ext/openai/v1', api_key=os.environ['CLARIFAI_PAT'])",
     "self.llm.chat.completions.create(model=HELLO, messages=[])", "no-openai"),
    ("self.llm = OpenAI(base_url=f'{BASE}/v2/ext/openai', api_key=os.environ['CLARIFAI_PAT'])",
     "self.llm.chat.completions.create(model='https://clarifai.com/me/demo/models/openai', messages=[])", "wrong-base-url"),
    ("self.llm = OpenAI(base_url=f'{BASE}/v2/ext/openai/v1', api_key=os.environ['CLARIFAI_PAT'])",
     "self.llm.chat.completions.create(model='https://clarifai.com/me/demo/models/agent', messages=[], extra_body={'mcp_servers': ['https://clarifai.com/me/demo/models/mcp']})", None),
    ("self.llm = OpenAI(base_url=f'{BASE}/v2/ext/openai/v1', api_key=os.environ['CLARIFAI_PAT'])",
     "self.llm.chat.completions.create(model='https://clarifai.com/me/demo/models/agent', messages=[], extra_body={'mcp_servers': [HELLO]})", "no-mcp"),
    ("self.llm = OpenAI(base_url=f'{BASE}/v2/ext/openai/v1', api_key=os.environ['CLARIFAI_PAT'])",
     "self.llm.chat.completions.create(model='https://clarifai.com/me/demo/models/agent', messages=[], extra_body={'mcp_servers': ['https://example.com/mcp']})", None),
    ("self.llm = OpenAI(base_url='http://localhost:8000/v1', api_key='x')",
     "self.llm.chat.completions.create(model='mine', messages=[], anything=1)", None),
    ("self.url = f\"{BASE}/v2/ext/mcp/v1/users/{os.environ['CLARIFAI_USER_ID']}/apps/demo/models/mcp\"",
     "asyncio.run(use(self.url, 'add', {'left': 1, 'right': 2}))", None),
    ("self.url = f\"{BASE}/v2/ext/mcp/v1/users/{os.environ['CLARIFAI_USER_ID']}/apps/demo/models/hello\"",
     "asyncio.run(use(self.url, 'add', {'left': 1, 'right': 2}))", "no-mcp"),
    ("pass", f"requests.post(f'{{BASE}}/v2/users/me/apps/demo/models/hello/outputs', {BODY.replace('PROMPT', 'prompt')}).json()", None),
    ("pass", f"requests.post(f'{{BASE}}/v2/users/me/apps/demo/models/hello/outputs', {BODY.replace('PROMPT', 'promt')}).json()", "unknown-argument"),
]  # fmt: skip
USE = "\nasync def use(url, name, arguments):\n    async with Client(url) as client:\n        return await client.call_tool(name, arguments)\n"

# Classes of the SDK that ask a model by themselves: (the class, its body, the rule).
BRAINS = [
    ("AgenticModelClass", "client = OpenAI(base_url=f'{BASE}/v2/ext/openai/v1', api_key=os.environ['CLARIFAI_PAT'])\n    model = 'https://clarifai.com/me/demo/models/openai'", None),
    ("OpenAIModelClass", "client = OpenAI(base_url=BASE + '/v2/ext/openai/v1', api_key='x')\n    model = HELLO", "no-openai"),
    ("OpenAIModelClass", "client = OpenAI(base_url=BASE + '/v2/ext/openai', api_key='x')\n    model = 'https://clarifai.com/me/demo/models/openai'", "wrong-base-url"),
    ("OpenAIModelClass", "client = OpenAI(base_url='http://localhost:8000/v1', api_key='x')\n    model = 'mine'", None),
    ("OpenAIModelClass", "client = OpenAI(base_url=os.environ['WHERE'], api_key='x')\n    model = 'mine'", None),
    ("OpenAIModelClass", "def load_model(self):\n        self.client = OpenAI(base_url=BASE + '/v2/ext/openai/v1', api_key='x')\n        self.model = HELLO", "no-openai"),
]  # fmt: skip
BRAIN = HEAD + "from clarifai.runners.models.{module} import {base}\nclass Agent({base}):\n    {body}\n"


@dataclass(frozen=True)
class Pair:
    """A model that calls another one. ``rule``: what is wrong with it, or None."""

    code: str
    rule: str | None


PAIRS = [
    *(
        Pair(CLASS.format(field=field or "pass", load=load, call=f"{it}.{call}"), rule)
        for (field, load, it), (call, rule) in itertools.product(WAYS.values(), CALLS.items())
    ),
    *(
        Pair(CLASS.format(field="pass", load=load, call=call) + USE * ("use(" in call), rule)
        for load, call, rule in OTHER
    ),
    *(
        Pair(
            BRAIN.format(module="agentic_class" if "Agentic" in base else "openai_class", base=base, body=body),
            rule,
        )
        for base, body, rule in BRAINS
    ),
]


@pytest.fixture(scope="module")
def callees() -> list[KnownModel]:
    return read_models([GivenModel(FIXTURES / name) for name in ("hello", "types", "openai", "mcp", "agent")], None)


def write_model(folder: Path, code: str, *, user: str = "me", **beside: str) -> Path:
    """Write a model directory; more modules beside model.py by keyword."""
    (folder / "1").mkdir(parents=True)
    (folder / "config.yaml").write_text(CONFIG.format(name=folder.name, user=user))
    (folder / "requirements.txt").write_text("clarifai==12.5.0\n")
    (folder / "1" / "model.py").write_text(code)
    for name, text in beside.items():
        (folder / "1" / f"{name}.py").write_text(text)
    return folder


def checked(callees: list[KnownModel], *directories: Path, clients: tuple[Path, ...] = ()) -> CallReport:
    """Check the code of these models, and clients, against the fixtures."""
    callers = calling_models([GivenModel(each) for each in directories])
    return check_known(ClientProject(clients, callers=callers), callees)


def test_of_pairs_of_models_every_wrong_call_is_found_and_nothing_is_said_of_a_right_one(
    tmp_path: Path, callees: list[KnownModel]
):
    folders = [write_model(tmp_path / f"agent{number}", pair.code) for number, pair in enumerate(PAIRS)]
    report = checked(callees, *folders)

    said = {each.name: [] for each in folders}
    for each in report.findings:
        said[each.caller].append(each)
    wrong = [pair for pair in PAIRS if pair.rule is not None]
    assert (len(PAIRS), len(wrong)) == (len(WAYS) * len(CALLS) + len(OTHER) + len(BRAINS), len(WAYS) * 6 + 9)
    for folder, pair in zip(folders, PAIRS, strict=True):
        rules = {each.rule for each in said[folder.name]}
        assert rules == ({pair.rule} if pair.rule else set()), f"{pair.code}\n{said[folder.name]}"


def test_a_finding_names_the_model_that_calls_the_place_and_the_method(tmp_path: Path, callees: list[KnownModel]):
    code = CLASS.format(field="pass", load="self.it = Model(HELLO)", call="self.it.predict(promt=text)")
    (finding,) = checked(callees, write_model(tmp_path / "agent", code)).findings

    assert (finding.rule, finding.caller, finding.model, finding.method) == (
        "unknown-argument",
        "agent",
        "hello",
        "predict",
    )
    assert finding.location is not None
    assert finding.declared is not None
    assert finding.location.path == tmp_path / "agent" / "1" / "model.py"
    assert finding.location.line == code.split("\n").index("        return self.it.predict(promt=text)") + 1
    assert finding.declared.path == FIXTURES / "hello" / "1" / "model.py"


def test_modules_beside_model_py_are_checked_each_by_its_own_model(tmp_path: Path, callees: list[KnownModel]):
    code = (
        HEAD + "from ask import ask\nclass Agent(ModelClass):\n    def load_model(self): self.it = Model(HELLO)\n"
    )
    code += "    @ModelClass.method\n    def predict(self, text: str) -> str: return ask(self.it, text)\n"
    wrong = write_model(tmp_path / "wrong", code, ask="def ask(model, text): return model.predict(promt=text)\n")
    right = write_model(tmp_path / "right", code, ask="def ask(model, text): return model.predict(prompt=text)\n")

    (finding,) = checked(callees, wrong, right).findings
    assert (finding.caller, finding.location and finding.location.path) == ("wrong", wrong / "1" / "ask.py")


def test_what_model_py_neither_imports_nor_names_is_none_of_its_code(tmp_path: Path, callees: list[KnownModel]):
    wrong = HEAD + "Model(HELLO).predict(promt='x')\n"
    code = (
        HEAD
        + "import subprocess\nsubprocess.Popen([sys.executable, 'server.py'])\nfrom inner import below\nclass A: ...\n"
    )
    agent = write_model(tmp_path / "agent", code, server=wrong, deep=wrong, try_it=wrong)
    (agent / "1" / "inner").mkdir()
    (agent / "1" / "inner" / "__init__.py").write_text("")
    (agent / "1" / "inner" / "below.py").write_text("import deep\n")

    report = checked(callees, agent)
    assert {each.location.path.name for each in report.findings if each.location} == {"server.py", "deep.py"}
    named = checked(callees, agent, clients=(agent / "1",))
    assert {(each.location.path.name, each.caller) for each in named.findings if each.location} == {
        ("server.py", "agent"), ("deep.py", "agent"), ("try_it.py", ""),
    }  # fmt: skip


def test_modules_of_a_model_are_not_those_of_clients(tmp_path: Path, callees: list[KnownModel]):
    agent = write_model(
        tmp_path / "agent",
        CLASS.format(field="pass", load="pass", call="Model(HELLO).predict(text)"),
        settings="from clarifai.client import Model\nmodel = Model('https://clarifai.com/me/demo/models/types')\n",
    )
    client = tmp_path / "app" / "client.py"
    client.parent.mkdir()
    client.write_text("import clarifai\nfrom settings import model\nmodel.predict(promt='x')\n")

    with_it = checked(callees, agent, clients=(client,))
    assert with_it.findings == checked(callees, clients=(client,)).findings


OWN = "Model(f\"https://clarifai.com/{os.environ['CLARIFAI_USER_ID']}/demo/models/hello\")"


def test_a_model_of_its_owner_is_not_that_of_somebody_else(tmp_path: Path):
    code = CLASS.format(field="pass", load=f"self.it = {OWN}", call="self.it.predict(promt=text)")
    agent = GivenModel(write_model(tmp_path / "agent", code, user="ada"))
    found: dict[str, list[str]] = {}
    for user in ("ada", "bob"):
        hello = GivenModel(FIXTURES / "hello", f"{user}/demo/models/hello")
        found[user] = [each.rule for each in check_calls([], [agent, hello], static=True).findings]
    assert found == {"ada": ["unknown-argument"], "bob": ["model-not-given"]}


def test_what_is_kept_is_looked_at_again_when_either_model_changes(tmp_path: Path):
    code = CLASS.format(field="pass", load=f"self.it = {OWN}", call="self.it.predict(prompt=text)")
    agent = write_model(tmp_path / "agent", code, user="ada")
    hello = write_model(tmp_path / "hello", (FIXTURES / "hello" / "1" / "model.py").read_text(), user="ada")

    def look() -> tuple[list[str], int]:
        report = check_calls([], [GivenModel(agent), GivenModel(hello)], static=True, cache=tmp_path / "cache")
        return [each.rule for each in report.findings], report.cached

    assert look() == ([], 0)
    assert look() == ([], 1)
    model = hello / "1" / "model.py"
    model.write_text(model.read_text().replace("prompt: str", "text: str").replace("prompt", "text"))
    assert look() == (["missing-argument", "unknown-argument"], 0)
    (agent / "config.yaml").write_text(CONFIG.format(name="agent", user="bob"))
    assert look() == (["model-not-given"], 0)


def test_a_comment_ignores_what_is_found_in_a_model(tmp_path: Path):
    write_model(tmp_path / "agent", CLASS.format(
        field="pass", load="self.it = Model(HELLO)",
        call="self.it.predict(promt=text)  # clarifai: ignore[unknown-argument] the next version takes it"))  # fmt: skip
    done = command(tmp_path, "check", "--model", "agent", "--model", str(FIXTURES / "hello"), "--show-calls")
    assert done.returncode == 0, done.stdout
    assert "ignored: predict() of hello, by agent [unknown-argument: the next version takes it]" in done.stdout


def test_models_alone_are_checked_against_each_other_and_every_report_says_who_calls(tmp_path: Path):
    write_model(
        tmp_path / "agent",
        CLASS.format(field="pass", load="self.it = Model(HELLO)", call="self.it.predict(promt=text)"),
    )
    outputs = [f"--output={each}:{each}" for each in ("json", "sarif", "junit", "github", "gitlab", "markdown")]
    done = command(tmp_path, "check", "--model", "agent", "--model", str(FIXTURES / "hello"), *outputs)

    assert done.returncode == 1
    assert "  in: model agent, which calls predict() of hello\n" in done.stdout
    document = json.loads((tmp_path / "json").read_text())
    assert [each["caller"] for each in document["findings"]] == ["agent"]
    assert [(each["caller"], each["model"]) for each in document["calls"]] == [("agent", "hello")]
    result = json.loads((tmp_path / "sarif").read_text())["runs"][0]["results"][0]
    assert result["properties"]["caller"] == "agent"
    for name in ("sarif", "junit", "github", "gitlab", "markdown"):
        said = (tmp_path / name).read_text().replace("\\\\", "").replace("\\_", "_")
        assert "In model agent, which calls predict() of hello" in said, name


def test_models_that_call_nobody_are_not_read_for_it():
    given = [GivenModel(FIXTURES / name) for name in ("hello", "types", "batch", "large", "mcp", "openai", "slow")]
    began = time.perf_counter()
    assert calling_models(given) == []
    assert time.perf_counter() - began < 0.5


def test_the_graph_of_models_workflows_and_clients(tmp_path: Path):
    write_model(tmp_path / "models" / "agent", CLASS.format(
        field="pass", load="self.it = Model(HELLO); self.other = Model(os.environ['OTHER'])",
        call="self.it.predict(prompt=text) + self.other.predict(text)"))  # fmt: skip
    write_model(tmp_path / "models" / "alone", CLASS.format(field="pass", load="pass", call="text"))
    (tmp_path / "client.py").write_text(
        "from clarifai.client import Model\nModel('https://clarifai.com/me/demo/models/agent').predict(text='x')\n"
    )
    node = "{id: first, model: {model_id: agent, user_id: me, app_id: demo}}"
    (tmp_path / "flow.yml").write_text(f"workflow: {{id: both, nodes: [{node}]}}\n")
    topology = "models:\n  - path: models/agent\n    deploy: true\n"
    (tmp_path / "topology.yaml").write_text(topology)

    everything = ("models", str(FIXTURES / "hello"), "flow.yml", "--clients", "client.py")
    done = command(tmp_path, "contract", "graph", *everything)
    assert done.returncode == 0, done.stderr
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    code = (tmp_path / "models" / "agent" / "1" / "model.py").read_text().split("\n")
    number = next(n for n, line in enumerate(code, 1) if "self.it.predict" in line)
    assert lines[:3] == [
        "model agent (models/agent)",
        f"→ hello: predict models/agent/1/model.py:{number}:16",
        f"? predict models/agent/1/model.py:{number}:47 Model(…): which model it is, cannot be seen: the variable "
        "OTHER is set where it runs. [unknown-model]",
    ]
    assert "model alone (models/alone)" in lines
    assert "→ agent: predict (first) flow.yml:1:35" in lines, lines
    assert "→ agent: predict client.py:2:1" in lines
    assert lines[-1] == "3 models, 1 workflow, 1 client, 3 calls, 1 unresolved call."

    of_topology = command(tmp_path, "contract", "graph", "topology.yaml", "--format", "json")
    assert [each["name"] for each in json.loads(of_topology.stdout)["nodes"]] == ["agent", "me/demo/models/hello"]
    assert command(tmp_path, "contract", "graph", "models", "--format=mermaid").stdout.startswith("flowchart LR\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Give at least one model directory"),
        (["nowhere"], "there is no directory nowhere"),
        (["empty"], "'empty' holds no model"),
        (["odd.yaml"], "odd.yaml"),
        (["models", "--clients", "none.py"], "there is no "),
    ],
)
def test_what_no_graph_can_be_made_of_is_exit_code_2(tmp_path: Path, arguments: list[str], message: str):
    (tmp_path / "empty").mkdir()
    (tmp_path / "odd.yaml").write_text("models: [{path: nowhere}]\n")
    write_model(tmp_path / "models" / "agent", CLASS.format(field="pass", load="pass", call="text"))
    done = command(tmp_path, "contract", "graph", *arguments)
    assert (done.returncode, done.stdout) == (2, ""), done
    assert message in done.stderr


ODD = {
    "no Python": "from clarifai.client import Model\ndef (",
    "NUL bytes": "from clarifai.client import Model\n\0",
    "deep": "from clarifai.client import Model\nx = " + "-" * 180 + "1",
    "a circle of attributes": HEAD + "class Agent(ModelClass):\n    def load_model(self):\n        self.a = self.a\n        self.b = Model(self.a)\n",
    "a variable of a variable": HEAD + "m = Model(os.environ[os.environ[os.environ['X']]])\n",
    "no name": HEAD + "m = Model(os.environ.get())\nn = Model(os.environ[1:2])\n",
    "a default that is none": HEAD + "m = Model(os.environ.get('URL', None))\nm.predict('x')\n",
}  # fmt: skip


@pytest.mark.parametrize("code", ODD.values(), ids=ODD)
def test_code_that_cannot_be_read_or_followed_is_said_not_to_be_checked(
    tmp_path: Path, callees: list[KnownModel], code: str
):
    odd = write_model(tmp_path / "odd", code)
    good = write_model(
        tmp_path / "good", CLASS.format(field="pass", load="pass", call="Model(HELLO).predict(promt=text)")
    )

    report = checked(callees, odd, good)
    assert [each.rule for each in report.findings if each.caller == "good"] == ["unknown-argument"]
    own = [each for each in report.findings if each.caller == "odd"]
    assert own
    assert {each.severity for each in own} <= {Severity.UNCHECKED, Severity.ERROR}


def test_links_that_lead_nowhere_or_in_a_circle_do_not_keep_the_check(tmp_path: Path, callees: list[KnownModel]):
    agent = write_model(
        tmp_path / "agent", CLASS.format(field="pass", load="pass", call="Model(HELLO).predict(text)")
    )
    (agent / "1" / "self.py").symlink_to(agent / "1" / "self.py")
    (agent / "1" / "gone.py").symlink_to(tmp_path / "nothing.py")
    (agent / "1" / "again").symlink_to(agent)

    assert checked(callees, agent).findings == ()


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program in a folder."""
    program = [sys.executable, "-m", "clarifai_emulator", *arguments]
    return subprocess.run(program, cwd=folder, capture_output=True, text=True, timeout=120)


def test_a_model_that_calls_itself_through_others_is_told_at_each_call_of_the_circle(tmp_path: Path):
    names = ("first", "second", "third", "apart")
    called = {"first": "second", "second": "third", "third": "first", "apart": "first"}
    folders = [
        write_model(
            tmp_path / name,
            CLASS.format(
                field="pass",
                load=f"self.it = Model('https://clarifai.com/me/demo/models/{called[name]}')",
                call="self.it.predict(text=text)",
            ),
        )
        for name in names
    ]
    given = [GivenModel(each) for each in folders]
    known = read_models(given, None, static=True)
    report = check_known(ClientProject([], callers=calling_models(given)), known)

    assert sorted(each.message for each in report.findings) == [
        "Model 'first' calls itself through others: first → second → third → first.",
        "Model 'second' calls itself through others: second → third → first → second.",
        "Model 'third' calls itself through others: third → first → second → third.",
    ]
    assert {(each.rule, each.severity) for each in report.findings} == {("model-circle", Severity.WARNING)}


@pytest.mark.parametrize("side", ["wrong", "right"])
def test_the_example_of_a_circle(tmp_path: Path, side: str):
    code = HEAD + getattr(examples()["model-circle"], side)
    given = [GivenModel(write_model(tmp_path / "assistant", code), "me/main/models/assistant")]
    known = read_models(given, None, static=True)
    report = check_known(ClientProject([], callers=calling_models(given)), known)
    assert [each.message for each in report.findings] == (
        ["Model 'assistant' calls itself: assistant → assistant."] if side == "wrong" else []
    )
