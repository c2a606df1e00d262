"""Checks definitions of workflows: whether their nodes make a graph, and what a node gives fits the next."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from clarifai_grpc.grpc.api.resources_pb2 import Model, NodeInput, WorkflowNode

from clarifai_emulator.contracts.endpoints.known_endpoints import EndpointModel, EndpointModels
from clarifai_emulator.contracts.endpoints.named_model import NamedModel, named_models
from clarifai_emulator.contracts.endpoints.workflow_files import DefinedNode, WorkflowFile
from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.finding import Finding, Location
from clarifai_emulator.contracts.workflow_edges import KINDS, METHOD, EdgeProblem, NodeModel, edge_problems
from clarifai_emulator.resources.workflow_graph import graph_problems

_HOW_TO_NAME = "a node names its model by model_id, user_id and app_id."
_FIELD = re.compile(r"nodes\[(?P<index>\d+)\]\.(?P<field>.+)")


def workflow_findings(workflows: Iterable[WorkflowFile], models: EndpointModels) -> list[Finding]:
    """Return what is wrong with these workflows. Nothing is said of one that asks none of the given models: it is
    about others."""
    return [each for workflow in workflows for each in _findings(workflow, models)]


def _findings(workflow: WorkflowFile, models: EndpointModels) -> Iterator[Finding]:
    known: dict[str, EndpointModel] = {}
    unknown: list[Finding] = []
    for node in workflow.nodes:
        if node.model is None:
            continue
        named = NamedModel(f"Workflow '{workflow.workflow_id}'", node.model, node.model.texts, _HOW_TO_NAME)
        for each in named_models(named, models):
            if isinstance(each, Finding):
                # What the platform's own operators and model types do is known by their type.
                unknown += [each] if node.type_id not in KINDS else []
            else:
                known[node.node_id] = each
    if not known:
        return
    nodes = [_message(each) for each in workflow.nodes]
    yield from (_graph_finding(workflow, each.where, each.text) for each in graph_problems(nodes))
    yield from unknown
    by_id = {each.node_id: each for each in workflow.nodes}
    types = {each.node_id: NodeModel(each.model_id, (), each.type_id) for each in workflow.nodes if each.type_id}
    read = {name: _node_model(each) for name, each in known.items() if each.is_readable}
    for problem in edge_problems(nodes, {**types, **read}):
        yield _edge_finding(workflow, by_id[problem.node], problem, known.get(problem.node))


def _message(node: DefinedNode) -> WorkflowNode:
    inputs = [NodeInput(node_id=each) for each in node.inputs]
    return WorkflowNode(id=node.node_id, model=Model(id=node.model_id), node_inputs=inputs)


def _node_model(model: EndpointModel) -> NodeModel:
    return NodeModel(model.name, [each.signature for each in model.known.methods])


def _graph_finding(workflow: WorkflowFile, where: str, text: str) -> Finding:
    match = _FIELD.fullmatch(where)
    if match is None:
        return found("workflow-graph", f"Workflow '{workflow.workflow_id}': {text}.", workflow.location)
    node = workflow.nodes[int(match["index"])]
    message = f"Workflow '{workflow.workflow_id}', node '{node.node_id}', {match['field']}: {text}."
    return found("workflow-graph", message, node.fields.get(match["field"], node.location))


def _edge_finding(
    workflow: WorkflowFile, node: DefinedNode, problem: EdgeProblem, model: EndpointModel | None
) -> Finding:
    method = model.known.method(METHOD) if model is not None else None
    return found(
        "workflow-edge" if problem.is_certain else "unchecked-edge",
        f"Workflow '{workflow.workflow_id}', node '{node.node_id}': {problem.text}",
        _edge_place(node, problem),
        hint=problem.hint,
        model=model.name if model is not None else "",
        method=METHOD if method is not None else "",
        declared=method.parameters.get(problem.argument, method.location) if method is not None else None,
    )


def _edge_place(node: DefinedNode, problem: EdgeProblem) -> Location:
    """Return the place of the input where there is one alone, else that of the node."""
    return node.fields["node_inputs[0].node_id"] if len(problem.before) == 1 == len(node.inputs) else node.location
