"""The names that hide methods are those of the SDK that is installed, or of the newest where that is older."""

from __future__ import annotations

import inspect
import re
from importlib import metadata

from clarifai.client import Model
from clarifai.client.model_client import ModelClient
from clarifai_grpc.grpc.api import resources_pb2
from packaging.version import Version

from clarifai_emulator.contracts.signatures.client_names import HIDDEN_METHOD_NAMES


def own_names() -> set[str]:
    """Return public attributes of the SDK's Model: of its class, set by it, and of the message it hands out."""
    names = {name for each in (Model, ModelClient, resources_pb2.Model) for name in dir(each)}
    names |= {field.name for field in resources_pb2.Model.DESCRIPTOR.fields}
    for each in Model.__mro__[:-1]:
        names |= set(re.findall(r"self\.([a-z]\w*)(?:\s*,\s*self\.\w+)*\s*=[^=]", inspect.getsource(each)))
    return {name for name in names if not name.startswith("_")}


def test_every_name_of_the_clients_model_is_known() -> None:
    handed_on = {"predict", "generate", "stream"}
    assert handed_on <= own_names()
    assert own_names() - handed_on <= HIDDEN_METHOD_NAMES
    if Version(metadata.version("clarifai")) >= Version("12.5"):
        assert own_names() - handed_on == HIDDEN_METHOD_NAMES
