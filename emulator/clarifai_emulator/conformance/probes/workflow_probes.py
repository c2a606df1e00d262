"""Probes of running workflows: with operators, which need no deployment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clarifai_emulator.conformance import scenes
from clarifai_emulator.conformance.platform_client import PlatformClient
from clarifai_emulator.conformance.probe import probe

_PROMPTER = "prompter"
_ECHO = {"params": {"prompt_template": "<{data.text.raw}>"}}
_CONCEPTS = {"data": {"concepts": [{"id": "cat", "name": "cat", "value": 0.5}]}}


@dataclass(frozen=True, slots=True)
class _Flow:
    """A workflow in an app of its own. ``answer``: of its last run."""

    client: PlatformClient
    app: str
    id: str

    def run(self, *texts: str, inputs: Sequence[Any] = (), **fields: Any) -> Any:
        """Ask the workflow about these texts; the answer."""
        given = [*({"data": {"text": {"raw": each}}} for each in texts), *inputs]
        asked: dict[str, Any] = {"workflow_id": self.id, **fields}
        return self.client.call("PostWorkflowResults", app=self.app, inputs=given, **asked)

    def texts(self, *texts: str, **fields: Any) -> Any:
        """Return the status of a run, and the texts of its outputs."""
        answer = self.run(*texts, **fields)
        return {"status": answer, "texts": [[each.data.text.raw for each in one] for one in outputs_of(answer)]}


def outputs_of(answer: Any) -> list[list[Any]]:
    """Return the outputs of each result of an answer."""
    return [list(each.outputs) for each in answer.message.results] if answer.message is not None else []


def _operator(client: PlatformClient, app: str, type_id: str, output_info: Any) -> str:
    made = scenes.model(client, app=app, model_type_id=type_id)
    client.do("PostModelVersions", app=app, model_id=made.id, model_versions=[{"output_info": output_info}])
    return made.id


def _flow(client: PlatformClient, *nodes: tuple[str, str, Any, Sequence[str]], **fields: Any) -> _Flow:
    """Make a workflow: each node with its id, its operator, the settings of that, and its inputs."""
    app = scenes.app(client)
    made = [
        {
            "id": node,
            "model": {"id": _operator(client, app, type_id, settings)},
            "node_inputs": [{"node_id": each} for each in taken],
            **fields.get(node, {}),
        }
        for node, type_id, settings, taken in nodes
    ]
    flow = client.name("flow")
    client.do("PostWorkflows", app=app, workflows=[{"id": flow, "nodes": made}])
    return _Flow(client, app, flow)


def _echo(client: PlatformClient, **fields: Any) -> _Flow:
    return _flow(client, ("first", _PROMPTER, _ECHO, ()), ("second", _PROMPTER, _ECHO, ("first",)), **fields)


@probe("workflows.answer")
def answer(client: PlatformClient) -> Any:
    """Run two nodes for two inputs."""
    flow = _echo(client)
    found = flow.run("x", "y")
    results = list(found.message.results) if found.message is not None else []
    outputs = [each for one in results for each in one.outputs]
    return {
        "status": found,
        "workflow": found.message is not None and found.message.workflow.id == flow.id,
        "results": [each.status.code for each in results],
        "result has id, created_at": [(bool(each.id), each.HasField("created_at")) for each in results],
        "outputs": [(each.status.code, each.data.text.raw, len(each.id)) for each in outputs],
        "created_at, input": [(each.HasField("created_at"), each.HasField("input")) for each in outputs],
        "model": [(each.model.model_type_id, each.model.model_version.status.code) for each in outputs],
    }


@probe("workflows.shown-input")
def shown_input(client: PlatformClient) -> Any:
    """Send a text without an id, and one with an id."""
    found = _echo(client).run("x", inputs=[{"id": "mine", "data": {"text": {"raw": "y"}}}])
    shown = [each.input for each in found.message.results]
    return [
        (len(each.id) if each.id != "mine" else "mine", each.data.text.raw, each.data.text.url) for each in shown
    ]


@probe("workflows.failures")
def failures(client: PlatformClient) -> Any:
    """Run a node that cannot answer beside one that can."""
    broken = {"params": {"prompt_template": "no place"}}
    flow = _flow(client, ("good", _PROMPTER, _ECHO, ()), ("bad", _PROMPTER, broken, ()))
    found = flow.run("x")
    return {"status": found, "results": len(outputs_of(found)), "names the node": "bad" in found.details}


@probe("workflows.unsupported-input")
def unsupported_input(client: PlatformClient) -> Any:
    """Send an image to a node of text."""
    found = _echo(client).run(inputs=[{"data": {"image": {"base64": b"x"}}}])
    return {"status": found, "description": found.description, "results": len(outputs_of(found))}


@probe("workflows.inputs")
def inputs(client: PlatformClient) -> Any:
    """Send none, 32 and 33 inputs, one without data, and one that is an id."""
    flow = _echo(client)
    return {
        "none": flow.run(),
        "32": len(outputs_of(flow.run(*["x"] * 32))),
        "33": flow.run(*["x"] * 33),
        "without data": flow.run(inputs=[{}]),
        "an id": flow.run(inputs=[{"id": "nothing"}]),
    }


@probe("workflows.node-selectors")
def node_selectors(client: PlatformClient) -> Any:
    """Name a node that is not there."""
    selector = {"nodepool": {"id": "np", "compute_cluster": {"id": "cc", "user_id": client.user_id}}}
    return _echo(client).run("x", node_runner_selectors={"third": selector})


@probe("workflows.batches")
def batches(client: PlatformClient) -> Any:
    """Ask about several inputs, whose answers keep their places."""
    return _echo(client).texts("a", "b", "c")


@probe("workflows.merged-inputs")
def merged_inputs(client: PlatformClient) -> Any:
    """Give a node the texts of two others."""
    left, right = (
        {"params": {"prompt_template": "l{data.text.raw}"}},
        {"params": {"prompt_template": "r{data.text.raw}"}},
    )
    flow = _flow(
        client,
        ("left", _PROMPTER, left, ()),
        ("right", _PROMPTER, right, ()),
        ("end", _PROMPTER, _ECHO, ("left", "right")),
    )
    return flow.texts("x")


@probe("workflows.filtered")
def filtered(client: PlatformClient) -> Any:
    """Let a filter take away everything."""
    flow = _flow(
        client,
        ("none", "random-sample", {"params": {"keep_fraction": 0}}, ()),
        ("end", _PROMPTER, _ECHO, ("none",)),
    )
    found = flow.run("x")
    return {"status": found, "data": [[bool(each.data.ListFields()) for each in one] for one in outputs_of(found)]}


@probe("workflows.suppressed")
def suppressed(client: PlatformClient) -> Any:
    """Suppress the output of the first node."""
    return _echo(client, first={"suppress_output": True}).texts("x")


@probe("workflows.output-config")
def output_config(client: PlatformClient) -> Any:
    """Limit the concepts of an answer."""
    concepts = [{"id": each, "name": each, "value": 0} for each in ("cat", "dog")]
    settings = {"params": {"concept_threshold_type": "GREATER_THAN"}, "data": {"concepts": concepts}}
    flow = _flow(client, ("only", "concept-thresholder", settings, ()))
    given = [{"data": {"concepts": [{"id": "cat", "value": 0.9}, {"id": "dog", "value": 0.4}]}}]
    limits: dict[str, Any] = {
        "none": {},
        "min_value": {"min_value": 0.5},
        "max_concepts": {"max_concepts": 1},
        "select_concepts": {"select_concepts": [{"id": "dog"}]},
    }
    return {
        name: [[concept.id for concept in each.data.concepts] for one in outputs_of(found) for each in one]
        for name, config in limits.items()
        for found in (flow.run(inputs=given, output_config=config),)
    }


@probe("workflows.default")
def default(client: PlatformClient) -> Any:
    """Name no workflow, before and after the app has a default one."""
    flow = _echo(client)
    before = flow.run("x", workflow_id="")
    app = {"id": flow.app, "default_workflow": {"id": flow.id, "app_id": flow.app, "user_id": client.user_id}}
    client.do("PatchApps", apps=[app], action="overwrite")
    return {"without": before, "with": flow.texts("x", workflow_id="")}


@probe("workflows.state")
def state(client: PlatformClient) -> Any:
    """Begin a state, go on with it, and with one that is not there."""
    flow = _echo(client)
    begun = flow.run("x", workflow_state={"id": "init"})
    named = begun.message.workflow_state.id
    again = flow.run("x", workflow_state={"id": named})
    return {
        "begun": begun,
        "has an id": named not in ("", "init"),
        "goes on": (again.succeeded, again.message.workflow_state.id == named),
        "none": flow.run("x").message.HasField("workflow_state"),
        "another": flow.run("x", workflow_state={"id": "0" * 32}),
    }


@probe("workflows.input-urls")
def input_urls(client: PlatformClient) -> Any:
    """Send an operator a text by URL."""
    return _echo(client).run(inputs=[{"data": {"text": {"url": "https://samples.clarifai.com/nothing.txt"}}}])


@probe("workflows.operators")
def operators(client: PlatformClient) -> Any:
    """Chain operators: a prompt, a pattern, a threshold."""
    flow = _flow(
        client,
        ("ask", _PROMPTER, {"params": {"prompt_template": "a cat, {data.text.raw}"}}, ()),
        ("look", "regex-based-classifier", {"params": {"regex": "cat"}, **_CONCEPTS}, ("ask",)),
        (
            "sure",
            "concept-thresholder",
            {"params": {"concept_threshold_type": "GREATER_THAN"}, **_CONCEPTS},
            ("look",),
        ),
    )
    found = flow.run("x")
    return {
        "status": found,
        "concepts": [[concept.id for concept in each.data.concepts] for one in outputs_of(found) for each in one],
    }


@probe("workflows.refused-operators")
def refused_operators(client: PlatformClient) -> Any:
    """Run an operator that needs a search."""
    settings = {"params": {"prompt_template": "{data.hits} {data.text.raw}"}}
    return _flow(client, ("rag", "rag-prompter", settings, ())).run("x")


@probe("workflows.hosted-operators")
def hosted_operators(client: PlatformClient) -> Any:
    """Save and run a workflow with Clarifai's own cropper, which has nothing to crop."""
    app, flow = scenes.app(client), client.name("flow")
    cropper = {"id": "margin-110-image-crop", "user_id": "clarifai", "app_id": "main"}
    saved = client.call(
        "PostWorkflows", app=app, workflows=[{"id": flow, "nodes": [{"id": "crop", "model": cropper}]}]
    )
    found = _Flow(client, app, flow).run(inputs=[{"data": {"regions": [], "image": {"base64": b"x"}}}])
    return {"saved": saved, "run": found.succeeded}


@probe("workflows.prompter")
def prompter(client: PlatformClient) -> Any:
    """Fill a template with two places, and one with none."""
    twice = {"params": {"prompt_template": "{data.text.raw} and {data.text.raw}"}}
    none = {"params": {"prompt_template": "nothing"}}
    return {
        "twice": _flow(client, ("a", _PROMPTER, twice, ())).texts("x", "{data.text.raw}"),
        "none": _flow(client, ("a", _PROMPTER, none, ())).run("x").succeeded,
    }


@probe("workflows.thresholds")
def thresholds(client: PlatformClient) -> Any:
    """Compare concepts with a threshold in each way; one concept is not listed."""
    given = [
        {"data": {"concepts": [{"id": "cat", "value": each}, {"id": "dog", "value": each}]}}
        for each in (0.4, 0.5, 0.6)
    ]
    kinds = ("GREATER_THAN", "GREATER_THAN_OR_EQUAL", "LESS_THAN", "LESS_THAN_OR_EQUAL", "EQUAL")
    return {
        kind: [[concept.id for concept in each.data.concepts] for one in outputs_of(found) for each in one]
        for kind in kinds
        for settings in ({"params": {"concept_threshold_type": kind}, **_CONCEPTS},)
        for found in (_flow(client, ("only", "concept-thresholder", settings, ())).run(inputs=given),)
    }


@probe("workflows.regex")
def regex(client: PlatformClient) -> Any:
    """Look for a word in texts."""
    settings = {"params": {"regex": r"\bcat\b"}, **_CONCEPTS}
    found = _flow(client, ("only", "regex-based-classifier", settings, ())).run("a cat", "a category", "CAT")
    return [[(each.id, each.value) for each in one[0].data.concepts] for one in outputs_of(found)]


@probe("workflows.random-sample")
def random_sample(client: PlatformClient) -> Any:
    """Keep all, and none."""
    return {
        str(keep): [bool(one[0].data.ListFields()) for one in outputs_of(found)]
        for keep in (0, 1)
        for settings in ({"params": {"keep_fraction": keep}},)
        for found in (_flow(client, ("only", "random-sample", settings, ())).run("x", "y"),)
    }


@probe("workflows.operator-settings")
def operator_settings(client: PlatformClient) -> Any:
    """Give params that are no such thing."""
    wrong: dict[str, tuple[str, Any]] = {
        "no template": (_PROMPTER, {}),
        "a number": (_PROMPTER, {"params": {"prompt_template": 7}}),
        "no comparison": ("concept-thresholder", {"params": {"concept_threshold_type": "ABOVE"}, **_CONCEPTS}),
        "too much": ("random-sample", {"params": {"keep_fraction": 2}}),
    }
    given = [{"data": {"text": {"raw": "x"}, "concepts": [{"id": "cat", "value": 1}]}}]
    return {
        name: _flow(client, ("only", type_id, settings, ())).run(inputs=given)
        for name, (type_id, settings) in wrong.items()
    }
