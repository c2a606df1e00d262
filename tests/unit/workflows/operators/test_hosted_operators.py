"""Operators are found by the type of a node's model, and by their name in Clarifai's app."""

from __future__ import annotations

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import MethodSignature, Model
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.errors import CallerError
from clarifai_emulator.workflows.operators.hosted_operators import hosted_operator, operator_of
from clarifai_emulator.workflows.operators.operator_table import OPERATORS, REFUSED


def test_clarifais_croppers_have_the_margin_of_their_name() -> None:
    found = hosted_operator("clarifai", "main", "margin-110-image-crop")
    assert found is not None
    assert found.model_type_id == "image-crop"
    assert found.model_version.output_info.params["margin"] == 1.1


@pytest.mark.parametrize("type_id", [*OPERATORS, *REFUSED])
def test_an_operator_may_be_named_by_its_type(type_id: str) -> None:
    found = hosted_operator("clarifai", "main", type_id)
    assert found is not None
    assert found.model_type_id == type_id


def test_other_names_and_other_apps_have_none() -> None:
    assert hosted_operator("clarifai", "main", "general-image-detection") is None
    assert hosted_operator("me", "main", "prompter") is None


def test_a_model_of_an_operators_type_is_one_unless_it_has_methods_of_its_own() -> None:
    assert operator_of(Model(model_type_id="prompter")) is OPERATORS["prompter"]
    assert operator_of(Model(model_type_id="text-to-text")) is None
    own = Model(
        model_type_id="rag-prompter", model_version={"method_signatures": [MethodSignature(name="predict")]}
    )
    assert operator_of(own) is None


def test_an_operator_that_does_not_run_here_is_refused_by_name() -> None:
    with pytest.raises(CallerError) as refused:
        operator_of(Model(model_type_id="rag-prompter"))
    assert refused.value.code == StatusCode.NOT_IMPLEMENTED
    assert refused.value.message == (
        "The emulator does not run the operator rag-prompter: it searches the inputs of an app, and the emulator "
        "keeps none. It runs concept-thresholder, image-crop, image-tiling-operator, object-counter, prompter, "
        "random-sample, regex-based-classifier, region-thresholder, text-aggregation-operator. Put a model of "
        "yours, or a stand-in, in its place."
    )


def test_no_operator_is_in_both_lists() -> None:
    assert not OPERATORS.keys() & REFUSED.keys()
