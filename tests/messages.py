"""Makes random messages of any protobuf type for hypothesis: well formed on the wire, and otherwise anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

from clarifai_emulator.messages.descriptors import is_repeated

_DEPTH = 4
_INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
    FieldDescriptor.CPPTYPE_ENUM: (-(2**31), 2**31 - 1),
}
_FLOATS = [0.0, 1.5, -1.0, 1e308, float("inf"), float("-inf"), float("nan")]
_BYTES = [b"", b"\x00\xff\xfe", b"x" * 10_000]
_ODD_TEXTS = [
    "", "me", "../../etc/passwd", "a\x00b", "x" * 65, "x" * 100_000, "naïve ☃ 𝒳", "*", "[", "%s{0}", "\n", "0" * 32,
    "merge", "overwrite", "remove", "runner", "builder", "Predict", "aws", "us-east-1", "t3a.medium", "1Gi", "-1",
    "personal_access_token", "1e999999999",
]  # fmt: skip


class Sample:
    """A message; shown in short when a test fails with it."""

    def __init__(self, message: Any) -> None:
        self.message = message

    def __repr__(self) -> str:
        return f"{type(self.message).__name__}({str(self.message)[:2000]})"


def samples(kind: type[Any], names: Sequence[str]) -> st.SearchStrategy[Sample]:
    """Make messages of a type. ``names``: ids that exist, which many texts are, so that requests pass the first
    checks."""
    return _Fuzz(names).messages(kind.DESCRIPTOR)


class _Fuzz:
    def __init__(self, names: Sequence[str]) -> None:
        self._texts = st.sampled_from([*names, *names, *_ODD_TEXTS])

    @st.composite
    @staticmethod
    def _message(draw: st.DrawFn, fuzz: _Fuzz, descriptor: Any, depth: int) -> Sample:
        message: Any = GetMessageClass(descriptor)()
        fields = list(descriptor.fields)
        size = min(len(fields), 6 if depth == 0 else 4)
        some = st.lists(st.sampled_from(fields), unique_by=lambda field: field.number, max_size=size)
        for field in draw(some) if fields else []:
            fuzz.fill(draw, message, field, depth)
        # Which user a request is about decides nearly everything: mostly the caller.
        if depth == 0 and "user_app_id" in descriptor.fields_by_name and draw(st.integers(0, 3)):
            message.user_app_id.user_id = "me"
        return Sample(message)

    def messages(self, descriptor: Any, depth: int = 0) -> st.SearchStrategy[Sample]:
        return self._message(self, descriptor, depth)

    def fill(self, draw: st.DrawFn, message: Any, field: Any, depth: int) -> None:
        """Give one field of a message a value, or several when it is a list."""
        if field.message_type is not None and (depth >= _DEPTH or field.message_type.GetOptions().map_entry):
            return
        if field.message_type is not None:
            for _ in range(draw(st.integers(1, 2)) if is_repeated(field) else 1):
                value = draw(self.messages(field.message_type, depth + 1)).message
                target = getattr(message, field.name)
                (target.add() if is_repeated(field) else target).CopyFrom(value)
        elif is_repeated(field):
            getattr(message, field.name).extend(draw(st.lists(self._value(field), max_size=3)))
        else:
            setattr(message, field.name, draw(self._value(field)))

    def _value(self, field: Any) -> st.SearchStrategy[Any]:
        kind = field.cpp_type
        if kind == FieldDescriptor.CPPTYPE_STRING:
            return self._texts if field.type == FieldDescriptor.TYPE_STRING else st.sampled_from(_BYTES)
        if kind in _INTEGERS:
            low, high = _INTEGERS[kind]
            return st.sampled_from([0, 1, 2, 5, 10, 50, 128, high, high - 1, low]) | st.integers(low, high)
        if kind == FieldDescriptor.CPPTYPE_BOOL:
            return st.booleans()
        return st.sampled_from(_FLOATS)
