"""Signatures read from the source alone: the same as by an import where both can know, and said where not."""

from __future__ import annotations

from pathlib import Path

import pytest

from clarifai_emulator.contracts.signatures.read_signatures import read_many, read_signatures
from flow.driver import MODELS
from written_models import HEAD, told, write

BASES = {
    "openai": (
        "from clarifai.runners.models.openai_class import OpenAIModelClass\n",
        "OpenAIModelClass",
        "clarifai==12.5.0\n",
    ),
    "agentic": (
        "from clarifai.runners.models.agentic_class import AgenticModelClass\n",
        "AgenticModelClass",
        "clarifai==12.5.0\nfastmcp\nmcp\n",
    ),
    "mcp": ("from clarifai.runners.models.mcp_class import MCPModelClass\n", "MCPModelClass", "clarifai==12.5.0\n"),
    "detector": (
        "from clarifai.runners.models.visual_detector_class import VisualDetectorClass\n",
        "VisualDetectorClass",
        "clarifai==12.5.0\n",
    ),
    "classifier": (
        "from clarifai.runners.models.visual_classifier_class import VisualClassifierClass\n",
        "VisualClassifierClass",
        "clarifai==12.5.0\n",
    ),
}


def test_the_sample_models_have_the_same_signatures_both_ways(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Both ways in this environment: one that was built for a model has the SDK's files elsewhere.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    paths = [each for each in sorted(MODELS.iterdir()) if (each / "1").is_dir()]
    by_import, by_source = read_many(paths), read_many(paths, static=True)
    compared = 0
    for one, other in zip(by_import, by_source, strict=True):
        if one.way != "failed":
            assert other.way == "static"
            assert [each.signature for each in other.methods] == [each.signature for each in one.methods]
            assert [each.location for each in other.methods] == [each.location for each in one.methods]
            compared += len(one.methods)
    assert compared > 40


def test_the_sdks_own_base_classes_bring_their_methods(tmp_path: Path) -> None:
    models = [
        write(
            tmp_path / name,
            "@ModelClass.method\ndef own(self, a: str) -> str: ...\n",
            head=imports + HEAD.replace("Case(ModelClass)", f"Case({base})"),
            requirements=requirements,
        )
        for name, (imports, base, requirements) in BASES.items()
    ]
    for by_import, by_source in zip(read_many(models), read_many(models, static=True), strict=True):
        assert told(by_import) == [], by_import.model_id
        names = {each.signature.name for each in by_import.methods}
        assert "own" in names
        assert {each.signature.name: each.signature for each in by_source.methods} == {
            each.signature.name: each.signature for each in by_import.methods
        }, by_import.model_id
    openai = read_signatures(models[0])
    transport = openai.method("openai_transport")
    assert transport is not None
    assert transport.location is not None
    assert transport.location.path.name == "openai_class.py"


def test_aliases_constants_and_nested_containers_are_followed(tmp_path: Path) -> None:
    head = (
        "import numpy as np\nfrom clarifai.runners.utils.data_utils import Param\nTEMPERATURE = 0.7\n"
        + HEAD.replace("\n\nclass", "\nTexts = List[str]\n\nclass")
    )
    code = """
        @ModelClass.method
        def predict(
            self,
            texts: Texts,
            pairs: List[Tuple[str, List[int]]],
            at: List[NamedFields(x=int, tags=List[str])],
            options: Dict[str, float],
            array: np.ndarray,
            t: float = Param(TEMPERATURE, "how daring", 0.0, 2.0),
            *,
            tag: str = None,
        ) -> Tuple[str, Image]:
            '''Says it.

            Twice.
            '''
    """
    model = write(tmp_path / "nested", code, head=head)
    (by_import,), (by_source,) = read_many([model]), read_many([model], static=True)
    assert told(by_import) == []
    assert told(by_source) == []
    assert by_source.methods[0].signature == by_import.methods[0].signature
    assert dict(by_source.methods[0].parameters) == dict(by_import.methods[0].parameters)
