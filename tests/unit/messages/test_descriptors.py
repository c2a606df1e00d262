"""Questions about fields that protobuf's versions answer under different names."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import Model
from google.protobuf.descriptor import FieldDescriptor

from clarifai_emulator.messages.descriptors import is_repeated


def test_lists_and_maps_are_repeated_whichever_protobuf_is_installed() -> None:
    fields = Model.DESCRIPTOR.fields_by_name
    assert is_repeated(fields["toolkits"])
    assert not is_repeated(fields["id"])


def test_a_protobuf_before_6_31_is_asked_for_the_label() -> None:
    old: Any = SimpleNamespace(label=FieldDescriptor.LABEL_REPEATED)
    assert is_repeated(old)
    old.label = FieldDescriptor.LABEL_OPTIONAL
    assert not is_repeated(old)
