"""Tells whether what the nodes of a workflow give fits what the nodes behind them take. Pure.

    node ─► what its model's predict gives, as fields of Data ─┐
    node ─► …                                                  ┴─► together ─► what predict of the next one needs

Between nodes goes ``Data`` without parts: the runner makes the arguments of it by their types (``DataConverter`` of
clarifai 12.5.0, ``runners/utils/data_utils.py``), each field once, and takes nothing by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from clarifai_grpc.grpc.api.resources_pb2 import MethodSignature, ModelTypeField, WorkflowNode

from clarifai_emulator.contracts.signatures.shapes import NAMES

METHOD = "predict"
_Type = ModelTypeField.DataType
# By the type of an argument: the fields that the runner makes it of, in the order in which it looks for them.
_MADE_OF: Mapping[int, tuple[str, ...]] = {
    _Type.STR: ("text", "string_value"),
    _Type.TEXT: ("text",),
    _Type.IMAGE: ("image",),
    _Type.VIDEO: ("video",),
    _Type.AUDIO: ("audio",),
    _Type.BOOL: ("bool_value",),
    _Type.INT: ("int_value",),
    _Type.FLOAT: ("float_value",),
    _Type.BYTES: ("bytes_value",),
    _Type.NDARRAY: ("ndarray",),
    _Type.CONCEPT: ("concepts",),
    _Type.REGION: ("regions",),
    _Type.FRAME: ("frames",),
    _Type.JSON_DATA: ("struct_value", "string_value"),
}
# By the type of a result: the fields that it fills.
_GIVES: Mapping[int, tuple[str, ...]] = {
    **_MADE_OF,
    # A text that is a JSON document is read as one: what a str holds is only known when it comes.
    _Type.STR: ("text", "string_value", "struct_value"),
    _Type.JSON_DATA: ("struct_value",),
}
_IN_LISTS = frozenset({_Type.CONCEPT, _Type.REGION, _Type.FRAME})
# What models without signatures, and the platform's operators, take and give, by their type: any of the first, all
# of the second. Of other types nothing is known. (Clarifai/docs, portal guide, model types and operators.)
KINDS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "visual-classifier": (("image", "video"), ("concepts", "frames")),
    "visual-detector": (("image", "video"), ("regions", "frames")),
    "visual-segmenter": (("image", "video"), ("regions", "frames")),
    "visual-keypointer": (("image", "video"), ("regions", "frames")),
    "visual-embedder": (("image", "video"), ("embeddings", "frames")),
    "image-to-text": (("image",), ("text",)),
    "text-classifier": (("text",), ("concepts",)),
    "text-embedder": (("text",), ("embeddings",)),
    "text-to-text": (("text",), ("text",)),
    "text-to-image": (("text",), ("image",)),
    "text-to-audio": (("text",), ("audio",)),
    "audio-to-text": (("audio",), ("text",)),
    "prompter": (("text",), ("text",)),
    "regex-based-classifier": (("text",), ("concepts",)),
    "concept-thresholder": (("concepts", "regions"), ("concepts", "regions")),
    "region-thresholder": (("regions",), ("regions",)),
    "image-crop": (("regions",), ("regions", "image")),
}


@dataclass(frozen=True, slots=True)
class NodeModel:
    """The model of a node, as far as it is known. ``methods``: the signatures of its version, none where it has
    none; ``type_id``: its model type, which says what it does where there are no signatures."""

    name: str
    methods: Sequence[MethodSignature] = ()
    type_id: str = ""

    @property
    def predict(self) -> MethodSignature | None:
        """Return the method that a workflow calls."""
        return next((each for each in self.methods if each.name == METHOD), None)


@dataclass(frozen=True, slots=True)
class EdgeProblem:
    """A node that cannot work with what it is given. ``node``: its id; ``before``: the ids of the nodes that it
    takes from, none where it lacks a method; ``argument``: of its model. ``text``: what is wrong, without the name
    of the node; ``hint``: what to do. ``is_certain``: else nobody can say before it runs."""

    node: str
    before: tuple[str, ...]
    argument: str
    text: str
    hint: str
    is_certain: bool = True


def edge_problems(nodes: Sequence[WorkflowNode], models: Mapping[str, NodeModel]) -> Iterator[EdgeProblem]:
    """Yield what does not fit. ``models``: by the id of the node; of a node that is not in it, or whose model is
    not known, nothing is said. Nodes that are there twice, or take from nodes that are not there, are passed over:
    those are problems of the graph."""
    given = {node.id: _gives(models.get(node.id)) for node in nodes}
    for node in nodes:
        model = models.get(node.id)
        if model is None:
            continue
        if model.methods and model.predict is None:
            yield _without_predict(node, model)
            continue
        before = tuple(dict.fromkeys(each.node_id for each in node.node_inputs if each.node_id in given))
        fields = [given[each] for each in before]
        known = [each for each in fields if each is not None]
        if before and len(known) == len(fields):
            yield from _misfits(node, model, before, frozenset().union(*known))


def _without_predict(node: WorkflowNode, model: NodeModel) -> EdgeProblem:
    names = ", ".join(each.name for each in model.methods)
    text = f"a workflow calls {METHOD}, and model '{model.name}' has no such method; it has {names}."
    return EdgeProblem(node.id, (), "", text, f"Name its method {METHOD}, or take another model.")


def _gives(model: NodeModel | None) -> frozenset[str] | None:
    """Return the fields of ``Data`` that a node may fill; None where that is not known."""
    if model is None:
        return None
    if model.methods:
        results = model.predict.output_fields if model.predict is not None else ()
        several = [_given_by(each) for each in results]
        known = [each for each in several if each is not None]
        return frozenset().union(*known) if several and len(known) == len(several) else None
    kind = KINDS.get(model.type_id)
    return frozenset(kind[1]) if kind is not None else None


def _given_by(result: ModelTypeField) -> frozenset[str] | None:
    if result.type == _Type.LIST and result.type_args and result.type_args[0].type in _IN_LISTS:
        return frozenset(_GIVES[result.type_args[0].type])
    fields = _GIVES.get(result.type)
    return frozenset(fields) if fields is not None else None


def _misfits(
    node: WorkflowNode, model: NodeModel, before: tuple[str, ...], fields: frozenset[str]
) -> Iterator[EdgeProblem]:
    if model.predict is not None:
        yield from _arguments(node, model.predict, before, fields)
        return
    kind = KINDS.get(model.type_id)
    if kind is not None and not fields & {*kind[0]}:
        wanted = _either(kind[0])
        text = f"a {model.type_id} takes {wanted}, and {_said(before)} {_listed(fields)}."
        yield EdgeProblem(node.id, before, "", text, _hint(wanted), _is_certain(kind[0], fields))


def _arguments(
    node: WorkflowNode, method: MethodSignature, before: tuple[str, ...], fields: frozenset[str]
) -> Iterator[EdgeProblem]:
    left = set(fields)
    for argument in method.input_fields:
        made_of = _MADE_OF.get(argument.type)
        if made_of is None:
            if argument.required:
                yield _not_convertible(node, argument, before)
            continue
        taken = next((each for each in made_of if each in left), None)
        if taken is not None:
            left.discard(taken)
        elif argument.required:
            type_ = NAMES[argument.type]
            again = f", and {_other(method, argument)} takes that" if fields & {*made_of} else ""
            given = f"{_said(before)} {_listed(fields)}{again}"
            text = f"its argument '{argument.name}' ({type_}) takes {made_of[0]}; {given}."
            certain = _is_certain(made_of, fields)
            yield EdgeProblem(node.id, before, argument.name, text, _hint(made_of[0]), certain)


def _other(method: MethodSignature, argument: ModelTypeField) -> str:
    same = {*_MADE_OF[argument.type]}
    names = [each.name for each in method.input_fields if same & {*_MADE_OF.get(each.type, ())}]
    return f"'{names[0]}'"


def _not_convertible(node: WorkflowNode, argument: ModelTypeField, before: tuple[str, ...]) -> EdgeProblem:
    text = (
        f"its argument '{argument.name}' is required and of a type that the SDK's runner makes of nothing that "
        "goes from node to node."
    )
    hint = "Give it a default, or take one of str, Image, Video, Audio, Text, a number, bytes or JSON."
    return EdgeProblem(node.id, before, argument.name, text, hint, is_certain=False)


def _is_certain(wanted: Sequence[str], fields: frozenset[str]) -> bool:
    """Tell whether nothing of what is given can hold what is wanted: regions and frames may hold an image each, and
    then the model is asked about each of them; older versions of the SDK sent JSON as a text."""
    if "image" in wanted:
        return not fields & {"regions", "frames"}
    return "text" not in wanted or "struct_value" not in fields


def _said(before: tuple[str, ...]) -> str:
    names = " and ".join(f"'{each}'" for each in before)
    return f"{names} {'gives' if len(before) == 1 else 'give'}"


def _listed(fields: frozenset[str]) -> str:
    shown = fields - {"struct_value"} if "string_value" in fields else fields
    shown = shown - {"string_value"} if "text" in shown else shown
    return " and ".join(sorted(shown)) or "nothing"


def _either(fields: Sequence[str]) -> str:
    return " or ".join(fields)


def _hint(wanted: str) -> str:
    return f"Put a node between them that gives {wanted}, or take the input of another node."
