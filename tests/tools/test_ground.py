"""The ground of public models and clients: the list, the counting of calls, the edits that make calls wrong."""

from __future__ import annotations

import ast
import json
import random
import subprocess
from collections import Counter
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from ground.call_counting import counted
from ground.call_edits import edited, mutants, probe
from ground.checkouts import Checkouts, fetch
from ground.client_checks import Client, is_proved, other_languages, outcome
from ground.ground_list import CLIENT, MODEL, Entry, digest, directory_digest, found_digest, read_list
from ground.model_readings import sdk_line
from ground.result import clients_result, compared, table
from ground.text_calls import counted_text

HERE = Path(__file__).parents[1] / "ground"


def test_the_list_is_long_and_has_each_file_once() -> None:
    entries = read_list()
    kinds = Counter(entry.kind for entry in entries)
    assert kinds[MODEL] >= 200
    assert kinds[CLIENT] >= 150
    assert len({entry.name for entry in entries}) == len(entries)


def test_the_base_can_be_shown_and_compared() -> None:
    base = json.loads((HERE / "base.json").read_text())
    assert "| all calls, with a model |" in table(base)
    without_models = {name: each for name, each in base.items() if name != "models"}
    assert "| all calls, with a model |" in table(without_models)
    assert compared(base, base) == []
    other = {**base, "silent mutants": ["somewhere"]}
    assert "+ silent mutants: somewhere" in compared(base, other)


@pytest.mark.parametrize(
    ("code", "kinds"),
    [
        ("model.predict(prompt='x')", ["sdk"]),
        ("r = Model(url='u').generate('x')", ["sdk"]),
        ("model.predict_by_url('u', input_type='image')", ["legacy"]),
        ("model.predict(inputs=[image])", ["legacy"]),
        ("model.my_own_method(1)", ["sdk"]),
        ("model.list_versions()", []),
        ("print(model.available_methods())", []),
        ("def make():\n    return Model(url='u')\nmake().predict()", ["sdk"]),
        ("class A:\n    def __init__(self): self.it = Model(url='u')\n    def go(self): self.it.ask()", ["sdk"]),
        ("those = {'a': Model(url='u')}\nthose['a'].predict()", ["sdk"]),
        ("from clarifai.client.workflow import Workflow\nWorkflow(url='u').predict_by_url('u')", ["workflow"]),
        (
            "from clarifai.client.user import User\nUser('me').app('main').model('m').predict_by_url('u')",
            ["legacy"],
        ),
        ("from openai import OpenAI\nOpenAI(base_url='clarifai').chat.completions.create(model='m')", ["openai"]),
        ("from crewai import LLM\nLLM(model='openai/clarifai/main/models/m')", ["framework"]),
        ("import litellm\nlitellm.completion(model='clarifai/m')", ["framework"]),
        ("url = 'https://api.clarifai.com/v2/ext/mcp/v1'\nclient.call_tool('add', {})", ["mcp"]),
        ("import requests\nrequests.post('https://api.clarifai.com/v2/models/m/outputs')", ["rest"]),
        ("stub.PostModelOutputs(request)", ["grpc"]),
        ("other.predict(1)", []),
    ],
)
def test_calls_are_counted_as_a_person_would(tmp_path: Path, code: str, kinds: list[str]) -> None:
    file = tmp_path / "client.py"
    file.write_text(f"from clarifai.client import Model\nmodel = Model(url='u')\n{code}\n")
    assert [each.kind for each in counted(file)] == kinds


def test_calls_in_a_notebook_are_counted_by_cell_in_spite_of_a_shell_line(tmp_path: Path) -> None:
    file = tmp_path / "client.ipynb"
    cells = [
        {"cell_type": "markdown", "source": "# Words"},
        {"cell_type": "code", "source": ["!pip install clarifai\n", "from clarifai.client import Model"]},
        {"cell_type": "code", "source": "m = Model(url='u')\nm.predict(prompt='x')"},
    ]
    file.write_text(json.dumps({"cells": cells}))
    assert [(each.kind, each.cell, each.line) for each in counted(file)] == [("sdk", 3, 2)]


def test_calls_in_typescript_are_counted_by_lines(tmp_path: Path) -> None:
    file = tmp_path / "client.ts"
    file.write_text('import { Model } from "clarifai-nodejs";\nawait model.predict({ inputs });\n')
    assert list(counted_text(file)) == [("sdk", 2, "predict")]


def test_calls_that_are_no_python_are_named_or_silent(tmp_path: Path) -> None:
    entry = Entry("ada/web", "0" * 40, "client.ts", CLIENT, "")
    file = entry.place(tmp_path)
    file.parent.mkdir(parents=True)
    file.write_text('import { Model } from "clarifai-nodejs";\nawait model.predict(\n  {});\nmodel.generate();\n')
    client = Client(entry.name, file, [])
    client.given.calls.append(listed("unchecked", "unresolved-call", 2, 15))
    became = other_languages([client], {})
    assert became == {
        "without models": {"sdk": {"silent": 2}},
        "with models": {"sdk": {"named unresolved-call": 1, "silent": 1}},
        "silent": [f"{entry.name}:2 predict", f"{entry.name}:4 generate"],
    }

    sha = digest(file.read_bytes())[:12]
    judged = {f"{sha}:{line} silent": {"judged": "elsewhere", "why": "…"} for line in (2, 4)}
    became = other_languages([client], judged)
    assert became["with models"] == {"sdk": {"elsewhere": 1, "named unresolved-call": 1}}
    assert became["silent"] == []


def listed(verdict: str, rule: str, line: int, column: int, cell: int = 0) -> dict[str, Any]:
    """Return a call as `check` lists it; line and column are where what is called ends."""
    return {"verdict": verdict, "rule": rule, "end_line": line, "end_column": column, "cell": cell}


def test_a_checked_call_is_proved_where_it_is_found_once_it_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "client.py"
    file.write_text("URL = 'https://api.clarifai.com/v2/ext/mcp/v1'\nx.list_tools()\nx.call_tool('add', {})\n")
    client = Client("c", file, counted(file))
    lists, calls = client.calls

    assert is_proved(client, lists) is None, "nothing literal of it can be made wrong"
    assert is_proved(client, calls) is False
    client.probed.calls.append(listed("checked", "", 3, 12))
    assert is_proved(client, calls) is False
    client.probed.calls[0] = listed("error", "unknown-tool", 3, 12)
    assert is_proved(client, calls) is True


def test_a_probe_makes_a_call_wrong_and_moves_no_line() -> None:
    source = "x = 1\nmodel.predict(\n    prompt='é',\n    top_p=x,\n)\ndone()"
    call = ast.parse(source).body[1].value  # pyright: ignore[reportAttributeAccessIssue]
    edit = probe(call, "sdk")
    assert edit is not None
    after = edited(source, [edit])
    assert "zzz_not_there=1" in after
    assert after.split("\n")[5] == "done()"
    ast.parse(after)


def test_mutants_of_a_call_are_the_same_each_time() -> None:
    call = ast.parse("model.predict(prompt='hello', size=3)").body[0].value  # pyright: ignore[reportAttributeAccessIssue]
    fields = [{"name": "prompt", "type": "STR", "required": True}, {"name": "size", "type": "INT"}]
    made = mutants(call, {"input_fields": fields}, random.Random(1))
    assert set(made) == {"method misspelt", "argument misspelt", "argument dropped", "argument extra", "wrong type"}
    assert made["argument dropped"].text == "model.predict(size=3)"
    assert made["wrong type"].text == "model.predict(prompt=12, size=3)"
    assert made == mutants(call, {"input_fields": fields}, random.Random(1))


def test_a_call_is_what_is_listed_at_its_place_and_silent_where_nothing_is(tmp_path: Path) -> None:
    file = tmp_path / "client.py"
    file.write_text("from clarifai.client import Model\nm = Model(url='u')\nx = 'é', m.predict()\n")
    client = Client("c", file, counted(file))
    (call,) = client.calls
    assert (call.line, call.end_column) == (3, 19)
    assert outcome(client, call, given=False) == ("silent", "")
    client.without.calls.append(listed("unchecked", "model-not-given", 3, 19))
    assert outcome(client, call, given=False) == ("named", "model-not-given")
    client.given.calls.append(listed("error", "wrong-type", 3, 5))
    assert outcome(client, call, given=True) == ("silent", ""), "it is another call of this line"
    client.given.calls[0] = listed("checked", "", 3, 19)
    assert outcome(client, call, given=True) == ("checked", "")


def test_a_call_in_a_cell_or_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    file = tmp_path / "client.ipynb"
    source = "from clarifai.client import Model\nModel(url='u').predict()"
    file.write_text(json.dumps({"cells": [{"cell_type": "code", "source": source}]}))
    client = Client("c", file, counted(file))
    (call,) = client.calls
    client.without.findings.append({"rule": "unreadable-cell", "cell": 2})
    assert outcome(client, call, given=False) == ("silent", "")
    client.without.findings.append({"rule": "unreadable-cell", "cell": 1})
    assert outcome(client, call, given=False) == ("named", "unreadable-cell")


def test_a_silent_call_that_was_judged_to_go_elsewhere_is_counted_as_that(tmp_path: Path) -> None:
    file, judgements = tmp_path / "client.py", tmp_path / "judgements.yaml"
    file.write_text("from clarifai.client import Model\nm = Model(url='u')\nm.predict()\nm.generate()\n")
    key = f"{digest(file.read_bytes())[:12]}:3 silent"
    judgements.write_text(f'"{key}": {{judged: elsewhere, why: "…"}}')
    became = clients_result([Client("c", file, counted(file))], judgements)
    assert became["calls"]["sdk"]["with models"] == {"elsewhere": 1, "silent": 1}
    assert became["silent"] == {"sdk": ["c:4 generate"]}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("clarifai==11.5.2\ntorch", "clarifai==11.5.2"),
        ("torch\nclarifai >= 11.5, < 12.0  # old", "clarifai>=11.5,<12.0"),
        ("clarifai", ""),
        ("clarifai-grpc==10.0", ""),
    ],
)
def test_the_sdk_that_a_model_names_is_found(tmp_path: Path, text: str, line: str) -> None:
    (tmp_path / "requirements.txt").write_text(text)
    assert sdk_line(tmp_path) == line


def test_files_come_out_of_a_checkout_at_their_commit_or_it_is_said_why_not(tmp_path: Path) -> None:
    checkout, root = tmp_path / "checkouts" / "ada+models", tmp_path / "files"
    (checkout / "one" / "1").mkdir(parents=True)
    (checkout / "one" / "1" / "model.py").write_text("old")
    git = ["git", "-C", str(checkout), "-c", "user.name=a", "-c", "user.email=a@example.com"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *command], check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    (checkout / "one" / "1" / "model.py").write_text("new")
    those = Checkouts([tmp_path / "checkouts"])
    model = Entry("ada/models", commit, "one", MODEL, directory_digest({"1/model.py": b"old"}))
    assert fetch(model, those, root) is None
    assert found_digest(model, root) == model.sha256
    changed = Entry("ada/models", commit, "one/1/model.py", CLIENT, digest(b"new"))
    assert f"sha256 is {digest(b'old')}, expected {digest(b'new')}" in str(fetch(changed, those, root))
    gone = Entry("bob/models", commit, "one", MODEL, "")
    assert fetch(gone, those, root) == dedent(f"""\
        bob/models: no checkout in {tmp_path / "checkouts"}. Clone it there as bob+models.""")
