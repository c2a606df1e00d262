"""Describes workflows and their versions, and finds the models of their nodes.

A workflow holds the nodes of its newest version; whenever nodes are saved, a further version is made of them. A
node is kept with the address of its model alone, and shown with the whole of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import Model, Workflow, WorkflowNode, WorkflowVersion
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.models.versions import build_failed, is_building, newest_usable
from clarifai_emulator.resources.filters import sorted_as_asked
from clarifai_emulator.resources.identifiers import fresh_id
from clarifai_emulator.resources.model_rows import published_model
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.resources.rows import IN_APP, Draft, Match, ParentField, Problem, Resource
from clarifai_emulator.resources.workflow_graph import MAX_NODES, graph_problems, in_order
from clarifai_emulator.store import Key, Kind

# Operators that no model here stands for have their names in this app of Clarifai.
_PUBLISHED = ("clarifai", "main")
_ACTIONS = ("merge", "overwrite", "remove")
_BETWEEN_WORDS = re.compile(r"[\W_]+")


def newest_workflow_version(resources: Resources, workflow: Key, viewer: str) -> Key | None:
    """Return the key of the newest version that ``viewer`` may see."""
    keys = resources.store.keys(Kind.WORKFLOW_VERSION, workflow)
    return next((key for key in keys if resources.visible(Kind.WORKFLOW_VERSION, key, viewer)), None)


def default_workflow(resources: Resources, app: Key) -> Key | None:
    """Return the key of the workflow that an app names as its default one, whether that is there or not."""
    item = resources.store.get(Kind.APP, app)
    if item is None:
        return None
    named = item.default_workflow
    workflow_id = named.id or item.default_workflow_id
    return (named.user_id or app[0], named.app_id or app[1], workflow_id) if workflow_id else None


def node_model(resources: Resources, workflow: Key, model: Model) -> Key:
    """Return the key of a node's model: in the app of the workflow, where it names neither user nor app, and among
    Clarifai's own where it is not there."""
    user_id = workflow[0] if model.user_id in ("", "me") else model.user_id
    key = (user_id, model.app_id or workflow[1], model.id)
    if not model.user_id and not model.app_id and resources.store.get(Kind.MODEL, key) is None:
        operator = (*_PUBLISHED, model.id)
        is_operator = _operator_of_clarifai(operator) is not None
        return published_model(resources, model.id, workflow[0]) or (operator if is_operator else key)
    return key


def _operator_of_clarifai(model: Key) -> Model | None:
    """Return the operator that has this address in Clarifai's own app, though no such model is here."""
    if model[:2] != _PUBLISHED:
        return None
    from clarifai_emulator.workflows.operators.hosted_operators import hosted_operator

    return hosted_operator(*model)


def has_nodes(draft: Draft) -> bool:
    """Tell whether nodes are saved, and not only what is said of the workflow."""
    return draft.old is None or bool(draft.given.nodes) or draft.old.nodes != draft.message.nodes


def _prepare_workflow(resources: Resources, draft: Draft) -> None:
    if not has_nodes(draft):
        return
    nodes = in_order(draft.message.nodes)
    kept = [_kept(resources, draft.key, node) for node in nodes]
    draft.message.ClearField("nodes")
    draft.message.nodes.extend(kept)


def _kept(resources: Resources, workflow: Key, node: WorkflowNode) -> WorkflowNode:
    """Return a node as it is kept: of its model, the address, and the version if it names one."""
    kept = WorkflowNode()
    kept.CopyFrom(node)
    kept.ClearField("model")
    kept.model.user_id, kept.model.app_id, kept.model.id = node_model(resources, workflow, node.model)
    if node.model.model_version.id:
        kept.model.model_version.id = node.model.model_version.id
    return kept


def _validate_workflow(resources: Resources, draft: Draft) -> Iterator[Problem]:
    if not has_nodes(draft):
        return
    nodes = draft.message.nodes
    yield from graph_problems(nodes)
    for index, node in enumerate(nodes if len(nodes) <= MAX_NODES else ()):
        if node.model.id:
            yield from _model_problems(resources, draft.owner, node, f"nodes[{index}].model")


def _model_problems(resources: Resources, owner: str, node: WorkflowNode, where: str) -> Iterator[Problem]:
    key = (node.model.user_id, node.model.app_id, node.model.id)
    address = f"{key[0]}/{key[1]}/models/{key[2]}"
    version_id = node.model.model_version.id
    if not _is_seen(resources, Kind.MODEL, key, owner):
        if _operator_of_clarifai(key) is not None:
            return
        yield Problem(
            where,
            f"the model {address} of node {node.id!r} does not exist; deploy or upload it first, or have a "
            "stand-in answer in its place",
            StatusCode.MODEL_DOES_NOT_EXIST,
        )
        return
    version_keys = [(*key, version_id)] if version_id else list(resources.store.keys(Kind.MODEL_VERSION, key))
    seen = [each for each in version_keys if _is_seen(resources, Kind.MODEL_VERSION, each, owner)]
    if version_id and not seen:
        yield Problem(
            f"{where}.model_version.id",
            f"the model {address} of node {node.id!r} has no version {version_id!r}; leave it out for the newest",
            StatusCode.MODEL_DOES_NOT_EXIST,
        )
        return
    version = newest_usable(resources.stored(Kind.MODEL_VERSION, each) for each in seen)
    if version is None or is_building(version) or build_failed(version):
        state = "has no version" if version is None else f"is not built: {version.status.description}"
        yield Problem(
            where,
            f"the model {address} of node {node.id!r} {state}; upload or deploy it, and save the workflow then",
            StatusCode.WORKFLOW_REQUIRE_TRAINED_MODEL,
        )


def _is_seen(resources: Resources, kind: Kind, key: Key, viewer: str) -> bool:
    return resources.store.get(kind, key) is not None and resources.visible(kind, key, viewer)


def _save_version(resources: Resources, draft: Draft) -> None:
    """Make a version of the nodes that were saved: of every save and patch that has nodes."""
    is_the_same = draft.old is not None and not draft.is_patch and draft.old.nodes == draft.message.nodes
    if is_the_same or not has_nodes(draft):
        return
    user_id, app_id, workflow_id = draft.key
    version = WorkflowVersion(id=fresh_id(), user_id=user_id, app_id=app_id, workflow_id=workflow_id)
    version.nodes.extend(draft.message.nodes)
    version.created_at.CopyFrom(resources.now())
    version.modified_at.CopyFrom(version.created_at)
    resources.store.put(Kind.WORKFLOW_VERSION, (*draft.key, version.id), version)


def _show_workflow(resources: Resources, key: Key, workflow: Workflow, viewer: str) -> None:
    """Show the newest version that the viewer may see: its nodes, and the rest of it beside them."""
    newest = newest_workflow_version(resources, key, viewer)
    workflow.ClearField("nodes")
    if newest is not None:
        version = resources.shown(Kind.WORKFLOW_VERSION, newest, viewer)
        workflow.nodes.extend(version.nodes)
        version.ClearField("nodes")
        workflow.version.CopyFrom(version)


def _show_version(resources: Resources, key: Key, version: WorkflowVersion, viewer: str) -> None:
    if not version.visibility.gettable:
        version.visibility.CopyFrom(resources.stored(Kind.WORKFLOW, key[:-1]).visibility)
    for node in version.nodes:
        model = (node.model.user_id, node.model.app_id, node.model.id)
        pinned = (*model, node.model.model_version.id)
        is_there = _is_seen(resources, Kind.MODEL, model, viewer)
        operator = None if is_there else _operator_of_clarifai(model)
        if operator is not None:
            operator.model_version.id = pinned[-1]
            node.model.CopyFrom(operator)
            continue
        if pinned[-1] and resources.store.get(Kind.MODEL_VERSION, pinned) is None:
            version.is_deprecated = True
        if not is_there:
            continue
        node.model.CopyFrom(resources.shown(Kind.MODEL, model, viewer))
        if pinned[-1] and _is_seen(resources, Kind.MODEL_VERSION, pinned, viewer):
            node.model.model_version.CopyFrom(resources.shown(Kind.MODEL_VERSION, pinned, viewer))
        elif pinned[-1]:
            node.model.ClearField("model_version")
            node.model.model_version.id = pinned[-1]


def _before_delete_workflow(resources: Resources, key: Key) -> None:
    for version in list(resources.store.keys(Kind.WORKFLOW_VERSION, key)):
        resources.store.delete(Kind.WORKFLOW_VERSION, version)


def _before_delete_version(resources: Resources, key: Key) -> None:
    """Give the workflow the nodes of its newest version that stays."""
    workflow = key[:-1]
    kept = [each for each in resources.store.list(Kind.WORKFLOW_VERSION, workflow) if each.id != key[-1]]
    changed = Workflow()
    changed.CopyFrom(resources.stored(Kind.WORKFLOW, workflow))
    changed.ClearField("nodes")
    changed.nodes.extend(kept[0].nodes if kept else ())
    resources.store.put(Kind.WORKFLOW, workflow, changed)


def _workflow_matches(_: Resources, request: Any) -> Match:
    words = [*request.search.lower().split(), *request.search_term.lower().split()]
    query = request.query.lower().split()

    def match(key: Key, workflow: Workflow) -> bool:
        text = f"{workflow.id}\n{workflow.description}\n{workflow.notes}".lower()
        names = _BETWEEN_WORDS.split(text if request.user_app_id.user_id else f"{text}\n{key[0].lower()}")
        return (
            (not request.id or fnmatchcase(workflow.id.lower(), request.id.lower()))
            and all(each in text for each in query)
            and all(_begins(each, text, names) for each in words)
            and request.visibility.gettable in (0, workflow.visibility.gettable)
        )

    return match


def _begins(word: str, text: str, names: Iterable[str]) -> bool:
    return word in text.split() or any(name.startswith(word) for name in names)


WORKFLOW = Resource(
    kind=Kind.WORKFLOW,
    message=Workflow,
    parents=(IN_APP,),
    does_not_exist=StatusCode.CONN_DOES_NOT_EXIST,  # clarifai-nodejs's integration tests, of GetWorkflow
    read_only=("version", "is_starred", "star_count"),
    actions=_ACTIONS,
    listed_by_change=True,
    filters=("id", "query", "search", "search_term", "visibility", "sort_ascending", "sort_by_id",
             "sort_by_created_at", "sort_by_modified_at"),
    ignored_filters=("additional_fields",),
    prepare=_prepare_workflow,
    validate=_validate_workflow,
    saved=_save_version,
    show=_show_workflow,
    before_delete=_before_delete_workflow,
    matches=_workflow_matches,
    order=sorted_as_asked,
)  # fmt: skip

WORKFLOW_VERSION = Resource(
    kind=Kind.WORKFLOW_VERSION,
    message=WorkflowVersion,
    parents=(IN_APP, ParentField(Kind.WORKFLOW, "workflow_id")),
    does_not_exist=StatusCode.CONN_DOES_NOT_EXIST,
    invalid_argument=StatusCode.WORKFLOW_INVALID_ARGUMENT,
    verbs=("Get", "List", "Patch", "Delete"),
    inherits_visibility=True,
    read_only=("workflow_id", "nodes", "is_deprecated"),
    actions=_ACTIONS,
    show=_show_version,
    before_delete=_before_delete_version,
)
