"""Signatures read by importing model.py in a child: exact, with their places; refusals with line and fix."""

from __future__ import annotations

from pathlib import Path

from clarifai_grpc.grpc.api.resources_pb2 import ModelTypeField, RunnerMethodType

from clarifai_emulator.contracts.rules.rule import Severity
from clarifai_emulator.contracts.signatures.read_signatures import read_many, read_signatures
from flow.driver import MODELS
from written_models import HEAD, PLAIN, REFUSED, method, told, write


def test_the_methods_are_the_sdks_own_messages_with_their_places_in_the_source() -> None:
    contract = read_signatures(MODELS / "hello")
    assert (contract.way, contract.model_id, contract.name) == ("import", "hello", "me/demo/models/hello")
    predict = contract.method("predict")
    assert predict is not None
    assert predict.signature.method_type == RunnerMethodType.UNARY_UNARY
    assert [(f.name, f.type, f.required, f.default) for f in predict.signature.input_fields] == [
        ("prompt", ModelTypeField.STR, True, ""),
        ("n", ModelTypeField.INT, False, "1"),
    ]
    assert predict.docstring == "One input, one output: greets `prompt`, with `n` exclamation marks."
    assert predict.location is not None
    source = (MODELS / "hello" / "1" / "model.py").read_text().splitlines()
    assert source[predict.location.line - 1][predict.location.column - 1 :].startswith("predict(self")
    where = predict.parameters["n"]
    assert source[where.line - 1][where.column - 1 : where.end_column - 1] == "n: int"


def test_methods_of_base_classes_and_helper_modules_are_placed_where_they_are_written(tmp_path: Path) -> None:
    model = write(
        tmp_path / "mixed",
        """
            @ModelClass.method
            def predict(self, text: str) -> str:
                return text
        """,
        head=HEAD.replace("class Case(ModelClass)", "import sys\nsys.path.append(__file__.rsplit('/', 1)[0])\n"
                          "from mixin import Shout\n\nclass Case(Shout, ModelClass)"),
    )  # fmt: skip
    mixin = model / "1" / "mixin.py"
    mixin.write_text(
        "from clarifai.runners.models.model_class import ModelClass\n\n"
        "class Shout:\n    @ModelClass.method\n    def shout(self, word: str) -> str:\n        return word\n"
    )
    contract = read_signatures(model)
    assert told(contract) == []
    shout = contract.method("shout")
    assert shout is not None
    assert shout.location is not None
    assert (shout.location.path, shout.location.line) == (mixin, 5)
    assert shout.parameters["word"].line == 5


def test_what_the_sdk_refuses_is_told_with_the_line_and_the_way_out(tmp_path: Path) -> None:
    models = [method(tmp_path / name, code) for name, code, *_ in REFUSED]
    for (name, _, rule, message, hint), contract in zip(REFUSED, read_many(models), strict=True):
        assert [each.rule for each in told(contract)] == [rule], name
        (finding,) = told(contract)
        assert message in (None, finding.message), name
        assert hint in (None, finding.hint), name
        assert finding.severity is Severity.ERROR
        assert finding.model == name
        assert finding.location is not None
        assert finding.location.line == 10, name
        assert finding.location.column > 4


def test_every_refused_method_is_told_not_only_the_first(tmp_path: Path) -> None:
    model = write(
        tmp_path / "many",
        """
            @ModelClass.method
            def predict(self, a: Optional[str], b: set) -> None: ...

            @ModelClass.method
            def fine(self, a: str) -> str: ...

            @ModelClass.method
            def other(self, a): ...
        """,
    )
    contract = read_signatures(model)
    assert [(each.method, each.rule) for each in told(contract)] == [
        ("predict", "optional-annotation"),
        ("predict", "unsupported-type"),
        ("predict", "none-annotation"),
        ("other", "missing-annotation"),
        ("other", "missing-return-annotation"),
    ]
    assert [each.signature.name for each in contract.methods] == ["fine"]


def test_the_future_import_is_what_is_to_be_removed(tmp_path: Path) -> None:
    model = write(
        tmp_path / "future",
        "@ModelClass.method\ndef predict(self, a: str) -> str: ...\n",
        head="from __future__ import annotations\n" + HEAD,
    )
    findings = told(read_signatures(model))
    assert {(each.rule, each.location.line if each.location else 0) for each in findings} == {
        ("future-annotations", 1)
    }
    assert findings[0].hint == "Remove that import from the file that has the method."


def test_a_model_file_needs_one_model_class(tmp_path: Path) -> None:
    two = write(tmp_path / "two", "pass\n", tail="\nclass Other(ModelClass):\n    pass\n")
    none = write(tmp_path / "none", "", head="x = 1\n")
    empty = write(tmp_path / "empty", "def predict(self, a: str) -> str: ...\n")
    findings = [told(each) for each in read_many([two, none, empty])]
    assert [[(each.rule, each.message) for each in some] for some in findings] == [
        [("model-class-count", "model.py has 2 model classes: Case, Other. The SDK takes one.")],
        [("model-class-count", "model.py has no class that inherits from ModelClass.")],
        [("no-methods", "Class Case has no method that a client could call.")],
    ]
    assert findings[0][0].location is not None
    assert findings[0][0].location.line == 11


def test_a_directory_that_fails_does_not_keep_the_next_from_being_read(tmp_path: Path) -> None:
    broken = write(tmp_path / "broken", "", head="import os\nos._exit(3)\n")
    syntax = write(tmp_path / "syntax", "", head="def broken(:\n")
    raising = write(tmp_path / "raising", "", head="x = 1\nraise ValueError('no vocabulary')\n")
    contracts = read_many([broken, tmp_path / "absent", syntax, raising, MODELS / "hello", MODELS / "hello"])
    assert [each.way for each in contracts] == ["failed", "failed", "failed", "failed", "import", "import"]
    assert [told(each)[0].message for each in contracts[:4]] == [
        "model.py ended the interpreter while it was being imported (its process exited with code 3).",
        f"{tmp_path / 'absent'} is not a directory.",
        "model.py cannot be used: SyntaxError: invalid syntax",
        "model.py cannot be used: ValueError: no vocabulary",
    ]
    location = told(contracts[3])[0].location
    assert location is not None
    assert location.line == 2


def test_modules_that_are_not_installed_are_stood_in_for_and_said(tmp_path: Path) -> None:
    model = write(
        tmp_path / "torchy",
        """
            @ModelClass.method
            @absent_torch.inference_mode()
            def predict(self, a: str, dtype: str = str(absent_torch.float16)) -> str: ...

            @absent_torch.no_grad()
            @ModelClass.method
            def other(self, a: int = 3) -> str: ...
        """,
        head="import absent_torch.nn as nn\nimport absent_torch\n"
        + HEAD.replace("Case(ModelClass)", "Case(nn.Module, ModelClass)"),
    )
    contract = read_signatures(model)
    assert contract.way == "stubbed"
    assert [each.signature.name for each in contract.methods] == ["predict", "other"]
    assert [(each.rule, each.severity.value) for each in contract.findings] == [
        ("unknown-default", "unchecked"),
        ("stubbed-module", "note"),
    ]
    assert contract.findings[0].message == (
        "The default of 'dtype' of predict() comes from absent_torch.float16, which is not installed here."
    )
    assert contract.findings[1].message == "Module 'absent_torch' is not installed here and was stood in for."


def test_a_model_below_a_folder_that_is_called_like_a_module_is_read_as_elsewhere(tmp_path: Path) -> None:
    code = "@ModelClass.method\ndef predict(self, a: str) -> str: ...\n"
    (tmp_path / "importlib").mkdir()
    model = write(tmp_path / "importlib" / "model", code, head="import absent_torch\n" + HEAD)
    assert read_signatures(model).way == "stubbed"


def test_an_import_that_may_fail_fails_unless_requirements_name_it(tmp_path: Path) -> None:
    head = "try:\n    import absent_fast as f\n    FAST = 'yes'\nexcept ImportError:\n    FAST = 'no'\n" + HEAD
    code = "@ModelClass.method\ndef predict(self, a: str = FAST) -> str: ...\n"
    plain = write(tmp_path / "plain", code, head=head)
    named = write(tmp_path / "named", code, head=head, requirements="clarifai==12.5.0\nabsent-fast\n")
    contracts = read_many([plain, named])
    assert [each.methods[0].signature.input_fields[0].default for each in contracts] == ["no", "yes"]
    assert [each.way for each in contracts] == ["import", "stubbed"]


def test_what_is_only_looked_at_reaches_no_network_and_writes_nowhere(tmp_path: Path) -> None:
    mark = tmp_path / "written"
    attempts = {
        "net": "import socket; socket.create_connection(('127.0.0.1', 9))",
        "raw_net": "import socket; socket.socket(socket.AF_INET, socket.SOCK_STREAM)",
        "write": f"open({str(mark)!r}, 'w').write('x')",
        "os_write": f"import os; os.mkdir({str(mark)!r})",
        "child": f"import subprocess; subprocess.run(['touch', {str(mark)!r}], check=True)",
    }
    models = [write(tmp_path / name, "", head=code + "\n") for name, code in attempts.items()]
    for contract in read_many(models):
        assert contract.way == "failed", contract.model_id
        assert told(contract)[0].rule == "import-failed"
    assert not mark.exists()


def test_a_scratch_folder_may_be_written_and_is_gone_afterwards(tmp_path: Path) -> None:
    model = write(
        tmp_path / "caches",
        "@ModelClass.method\ndef predict(self, a: str = WHERE) -> str: ...\n",
        head="import os, pathlib, tempfile\nWHERE = tempfile.mkdtemp()\n"
        "tempfile.TemporaryFile().write(b'x')\ntempfile.NamedTemporaryFile(delete=False).write(b'x')\n"
        "pathlib.Path.home().joinpath('.cache').mkdir()\nopen(WHERE + '/x', 'w').close()\n" + HEAD,
    )
    contract = read_signatures(model)
    assert told(contract) == []
    assert not Path(contract.methods[0].signature.input_fields[0].default).exists()


def test_an_import_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    model = write(tmp_path / "sleepy", "", head="import time; time.sleep(60)\n")
    contract = read_signatures(model, seconds=1)
    assert told(contract)[0].message == "model.py was still being imported after 1 s."
    assert told(contract)[0].hint == "Move slow work from the module's top level into load_model()."


async def test_it_works_inside_a_running_loop() -> None:
    assert read_signatures(MODELS / "hello").way == "import"


def test_requirements_are_checked_with_it(tmp_path: Path) -> None:
    cases = [
        ("torch\n", "clarifai-missing", 1),
        ("torch\nclarifai>=12\n", "clarifai-unpinned", 2),
        ("clarifai==12.5.0\n!!\n", "requirements-invalid", 2),
        ("clarifai==12.5.0\n-r absent.txt\n", "requirements-invalid", 1),
    ]
    models = [
        write(tmp_path / f"m{n}", PLAIN, requirements=requirements) for n, (requirements, *_) in enumerate(cases)
    ]
    for (requirements, rule, line), contract in zip(cases, read_many(models), strict=True):
        (finding,) = told(contract)
        assert finding.rule == rule, requirements
        assert finding.location is not None
        assert (finding.location.path.name, finding.location.line) == ("requirements.txt", line), requirements


def test_compute_that_no_nodepool_of_the_topology_has_is_told(tmp_path: Path) -> None:
    topology = tmp_path / "topology.yaml"
    topology.write_text(
        "nodepools:\n  - {id: small, compute_cluster: {id: search}, instance_types: [{id: t3a.medium}], "
        "node_capacity_type: {capacity_types: [1]}, min_instances: 0, max_instances: 1}\n"
        "compute_clusters:\n  - {id: search, cloud_provider: {id: aws}, region: us-east-1, managed_by: clarifai, "
        "cluster_type: dedicated}\n"
    )
    fitting, large = write(tmp_path / "fitting", PLAIN), write(tmp_path / "large", PLAIN)
    for path, cpus in ((fitting, 1), (large, 64)):
        (path / "config.yaml").write_text(
            f"model: {{id: m}}\ninference_compute_info:\n  cpu_limit: '{cpus}'\n  cpu_memory: 1Gi\n"
        )
    contracts = read_many([fitting, large], topology=[topology])
    assert told(contracts[0]) == []
    (finding,) = told(contracts[1])
    assert (finding.rule, finding.location.line if finding.location else 0) == ("compute-unmet", 2)
    assert finding.message.startswith("No nodepool of the topology fits the model: small (t3a.medium): ")


def test_config_yaml_is_checked_with_it(tmp_path: Path) -> None:
    compute = "compute: {instance: cpu}\n"
    cases = [
        (f"model:\n  id: a b\n{compute}", "config-invalid", 2),
        (f"model: {{id: m}}\n{compute}num_threads: 0\n", "config-invalid", 3),
        (f"model:\n  id: m\n  model_type_id: visual-classifier\n{compute}", "concepts-missing", 3),
        ("model:\n  id: m\n", "compute-missing", 1),
        (f'model: {{id: m}}\n{compute}build_info:\n  python_version: "3.9"\n', "config-doubtful", 4),
        ("model:\n\tid: m\n", "config-invalid", 2),
    ]
    models = [write(tmp_path / f"m{n}", PLAIN) for n in range(len(cases))]
    for model, (config, *_) in zip(models, cases, strict=True):
        (model / "config.yaml").write_text(config)
    for (config, rule, line), contract in zip(cases, read_many(models), strict=True):
        (finding,) = told(contract)
        assert finding.rule == rule, config
        assert finding.location is not None
        assert (finding.location.path.name, finding.location.line) == ("config.yaml", line), config


LOCAL_LLM = """\
from openai import OpenAI
from clarifai.runners.models.openai_class import OpenAIModelClass

class Wrapper(OpenAIModelClass):
    client = OpenAI(api_key="key", base_url="http://localhost:9/v1", max_retries=0)
    model = client.models.list().data[0].id

    @OpenAIModelClass.method
    def predict(self, prompt: str, top: int = 3) -> str:
        return prompt
"""


def test_a_model_whose_class_body_asks_a_server_is_read_as_the_sdks_upload_reads_it(tmp_path: Path) -> None:
    model = write(tmp_path / "wrapper", "", head=LOCAL_LLM)
    contract = read_signatures(model)
    assert contract.way == "mocked"
    names = [each.signature.name for each in contract.methods]
    assert names == ["openai_transport", "openai_stream_transport", "predict"]
    predict = contract.method("predict")
    assert predict is not None
    fields = [(each.name, each.type, each.default) for each in predict.signature.input_fields]
    assert fields == [("prompt", ModelTypeField.STR, ""), ("top", ModelTypeField.INT, "3")]
    assert predict.location is not None
    assert predict.location.line == 9
    (finding,) = told(contract)
    assert (finding.rule, finding.severity) == ("mocked-import", Severity.WARNING)
    assert finding.location is not None
    assert finding.location.line == 6
    assert "openai.APIConnectionError: Connection error. Its methods were read" in finding.message


def test_mocks_do_not_hide_what_is_wrong_with_the_model_itself(tmp_path: Path) -> None:
    broken = "LIMITS = {}\nLIMITS['most']\n"
    contract = read_signatures(write(tmp_path / "broken", "", head=LOCAL_LLM + broken))
    # The first failure is the server's; with mocks the second shows.
    assert (contract.way, told(contract)[0].rule) == ("failed", "import-failed")
    missing = read_signatures(write(tmp_path / "own", "", head=broken + LOCAL_LLM))
    location = told(missing)[0].location
    assert (missing.way, location and location.line) == ("failed", 2)
