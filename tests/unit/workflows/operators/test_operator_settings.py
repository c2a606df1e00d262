"""A node overrides single settings of its model."""

from __future__ import annotations

from clarifai_grpc.grpc.api.resources_pb2 import OutputInfo

from clarifai_emulator.workflows.operators.operator_settings import settings_with
from unit.workflows.operators.asked_operator import info_of


def test_a_node_overrides_single_params_and_all_concepts() -> None:
    own = info_of({"kept": 1, "margin": 1.0, "list": [1, {"a": None}]}, {"cat": 0.5, "dog": 0.5})
    found = settings_with(own, info_of({"margin": 1.5, "list": [2]}, {"cow": 0.9}))
    assert dict(found.params) == dict(info_of({"kept": 1, "margin": 1.5, "list": [2]}).params)
    assert [each.id for each in found.data.concepts] == ["cow"]
    assert dict(own.params)["margin"] == 1.0


def test_a_node_without_an_override_changes_nothing() -> None:
    own = info_of({"margin": 1.0}, {"cat": 0.5})
    assert settings_with(own, OutputInfo()) == own


def test_an_output_config_is_overridden_field_by_field() -> None:
    own = OutputInfo(output_config={"max_concepts": 5, "min_value": 0.5, "select_concepts": [{"id": "a"}]})
    override = OutputInfo(output_config={"max_concepts": 2, "select_concepts": [{"id": "b"}]})
    config = settings_with(own, override).output_config
    assert (config.max_concepts, config.min_value, [each.id for each in config.select_concepts]) == (2, 0.5, ["b"])
