"""The methods of a model are a table where the terminal is wide enough, and one below the other where it is not."""

from __future__ import annotations

from pathlib import Path

from clarifai_grpc.grpc.api.resources_pb2 import MethodSignature, ModelTypeField

from clarifai_emulator.cli.contract_show import method_lines
from clarifai_emulator.contracts.rules.finding import Location
from clarifai_emulator.contracts.signatures.method import Method
from clarifai_emulator.contracts.signatures.read_signatures import ModelContract

Type = ModelTypeField.DataType
FIELDS = [
    ModelTypeField(name="prompt", type=Type.STR, required=True),
    ModelTypeField(name="style", type=Type.STR),
]
SIGNATURE = MethodSignature(
    name="predict", input_fields=FIELDS, output_fields=[ModelTypeField(name="return", type=Type.STR)]
)
METHOD = Method(SIGNATURE, Location(Path("main:hello/1/model.py"), 8, 9))
CONTRACT = ModelContract(Path("hello"), "hello", (METHOD,), (), "static")
TOLD, PLACE = "predict(prompt: str, style: str = '') -> str", "main:hello/1/model.py:8:9"


def test_a_pipe_and_a_wide_terminal_get_a_line_for_each_method():
    assert method_lines(CONTRACT, None) == method_lines(CONTRACT, 100) == [f"  {TOLD}  {PLACE}"]


def test_a_narrow_terminal_gets_the_place_below_the_method():
    assert method_lines(CONTRACT, 50) == [f"  {TOLD}", f"    {PLACE}"]


def test_a_signature_that_is_too_long_goes_on_below_itself():
    lines = method_lines(CONTRACT, 30)

    assert lines == ["  predict(prompt: str, style:", "    str = '') -> str", f"    {PLACE}"]
