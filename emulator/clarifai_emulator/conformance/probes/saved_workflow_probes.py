"""Probes of workflows as resources: their versions, nodes and default ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clarifai_emulator.conformance import scenes
from clarifai_emulator.conformance.platform_client import PlatformClient
from clarifai_emulator.conformance.probe import probe

_PUBLIC = {"gettable": 50}


@dataclass(frozen=True, slots=True)
class _Place:
    """A model with a version, and an app in which workflows of it are made."""

    client: PlatformClient
    model: scenes.MadeModel

    @property
    def app(self) -> str:
        """Return the id of the app."""
        return self.model.app

    def node(self, name: str, *inputs: str, version: str = "", **model: Any) -> dict[str, Any]:
        """Return a node of the model."""
        named = {"id": self.model.id, "model_version": {"id": version}, **model}
        return {"id": name, "model": named, "node_inputs": [{"node_id": each} for each in inputs]}

    def post(self, *nodes: Any, workflow: str = "", **fields: Any) -> Any:
        """Make a workflow of these nodes."""
        made = [{"id": workflow or self.client.name("flow"), "nodes": nodes, **fields}]
        return self.client.call("PostWorkflows", app=self.app, workflows=made)

    def made(self, *nodes: Any, **fields: Any) -> str:
        """Make a workflow, which must succeed; its id."""
        workflow = self.client.name("flow")
        made = [{"id": workflow, "nodes": nodes or [self.node("a")], **fields}]
        self.client.do("PostWorkflows", app=self.app, workflows=made)
        return workflow

    def patch(self, workflow: str, action: str = "overwrite", **fields: Any) -> Any:
        """Change a workflow."""
        given = [{"id": workflow, **fields}]
        return self.client.call("PatchWorkflows", app=self.app, workflows=given, action=action)

    def shown(self, workflow: str) -> Any:
        """Return the workflow as it is shown."""
        return self.client.call("GetWorkflow", app=self.app, workflow_id=workflow).message.workflow

    def versions(self, workflow: str) -> list[Any]:
        """Return its versions as they are listed."""
        answer = self.client.call("ListWorkflowVersions", app=self.app, workflow_id=workflow)
        return list(answer.message.workflow_versions)


def _place(client: PlatformClient) -> _Place:
    return _Place(client, scenes.version(client))


def _ids(nodes: Any) -> list[str]:
    return [node.id for node in nodes]


@probe("saved-workflows.versions")
def versions(client: PlatformClient) -> Any:
    """Save nodes, words, and the same nodes again, and count the versions."""
    place = _place(client)
    workflow = place.made(place.node("a"))
    counts: dict[str, int] = {"posted": len(place.versions(workflow))}
    place.patch(workflow, description="words")
    counts["words"] = len(place.versions(workflow))
    place.patch(workflow, nodes=[place.node("a")])
    counts["the same nodes"] = len(place.versions(workflow))
    place.patch(workflow, nodes=[place.node("b")])
    found, shown = place.versions(workflow), place.shown(workflow)
    return {
        **counts,
        "nodes": [_ids(each.nodes) for each in found],
        "shown": (_ids(shown.nodes), [each.id for each in found].index(shown.version.id), len(shown.version.nodes)),
    }


@probe("saved-workflows.order")
def order(client: PlatformClient) -> Any:
    """Post nodes before their inputs."""
    place = _place(client)
    workflow = place.made(place.node("last", "first", "second"), place.node("second", "first"), place.node("first"))
    return _ids(place.shown(workflow).nodes)


@probe("saved-workflows.models-shown")
def models_shown(client: PlatformClient) -> Any:
    """Post a node with a version and one without, with words about the model, and make a version of it."""
    place = _place(client)
    old = place.model.version
    workflow = place.made(place.node("pinned", version=old, notes="of the node"), place.node("follows"))
    newest = scenes.version(client, place.model).version
    pinned, follows = place.shown(workflow).nodes
    return {
        "owner": [node.model.app_id == place.app for node in (pinned, follows)],
        "notes": pinned.model.notes,
        "type": pinned.model.model_type_id,
        "pinned": (pinned.model.model_version.id == old, pinned.model.model_version.status.code),
        "follows": {old: "the one of then", newest: "the newest", "": "none"}[follows.model.model_version.id],
    }


@probe("saved-workflows.graph")
def graph(client: PlatformClient) -> Any:
    """Post nodes that make no graph."""
    place = _place(client)
    asked: dict[str, list[Any]] = {
        "circle": [place.node("a", "b"), place.node("b", "a")],
        "itself": [place.node("a", "a")],
        "unknown input": [place.node("a", "b")],
        "twice the same id": [place.node("a"), place.node("a")],
        "twice the same input": [place.node("a"), place.node("b", "a", "a")],
        "no nodes": [],
        "20 nodes": [place.node(f"n{each}") for each in range(20)],
        "21 nodes": [place.node(f"n{each}") for each in range(21)],
        "no id": [place.node("")],
        "no model": [{"id": "a"}],
    }
    return {what: place.post(*nodes).status for what, nodes in asked.items()}


@probe("saved-workflows.models-required")
def models_required(client: PlatformClient) -> Any:
    """Post nodes of models that are not there, or have no version."""
    place, bare = _place(client), scenes.model(client)
    return {
        "no model": place.post(place.node("a", id=client.name("gone"))).status,
        "no version of this id": place.post(place.node("a", version="0" * 32)).status,
        "no version": place.post(place.node("a", id=bare.id)).status,
    }


@probe("saved-workflows.missing")
def missing(client: PlatformClient) -> Any:
    """Ask for, change and delete what is not there."""
    place = _place(client)
    workflow, gone = place.made(), client.name("gone")
    versions_of: dict[str, Any] = {"app": place.app, "workflow_id": workflow}
    return {
        "get": client.call("GetWorkflow", app=place.app, workflow_id=gone),
        "patch": place.patch(gone, description="d"),
        "delete": client.call("DeleteWorkflow", app=place.app, workflow_id=gone),
        "its versions": client.call("ListWorkflowVersions", app=place.app, workflow_id=gone),
        "version": client.call("GetWorkflowVersion", **versions_of, workflow_version_id="0" * 32),
    }


@probe("saved-workflows.default")
def default(client: PlatformClient) -> Any:
    """Ask for the workflow of an app that names none, one of its own, and one of another app."""
    app, place = scenes.app(client), _place(client)
    workflow = place.made()
    found: dict[str, Any] = {"none": client.call("GetWorkflow", app=app)}
    named = {"id": workflow, "app_id": place.app, "user_id": client.user_id}
    given = [{"id": app, "default_workflow": named}]
    found["changed"] = client.call("PatchApps", apps=given, action="overwrite").status
    shown = client.call("GetWorkflow", app=app)
    return {**found, "of another app": (shown.status, shown.message.workflow.id == workflow)}


@probe("saved-workflows.patch")
def patch(client: PlatformClient) -> Any:
    """Merge, overwrite and remove."""
    place = _place(client)
    workflow = place.made(place.node("a"), place.node("b"))
    image = {"url": "https://samples.clarifai.com/metro-north.jpg"}
    found: dict[str, Any] = {}
    place.patch(workflow, "merge", nodes=[place.node("c", "b"), place.node("a")], image=image)
    found["merge"] = _ids(place.shown(workflow).nodes)
    found["remove nodes"] = place.patch(workflow, "remove", nodes=[place.node("a")]).status
    found["remove image"] = place.patch(workflow, "remove", image=image).status
    found["image"] = place.shown(workflow).image.url
    place.patch(workflow, nodes=[place.node("d")])
    found["overwrite"] = _ids(place.shown(workflow).nodes)
    return found


@probe("saved-workflows.new-id")
def new_id(client: PlatformClient) -> Any:
    """Give a workflow another id."""
    place = _place(client)
    workflow, new = place.made(), client.name("new")

    def renamed(*ids: dict[str, str], action: str = "overwrite") -> Any:
        return client.call("PatchWorkflowIds", app=place.app, ids=ids, action=action).status

    pair = {"id": workflow, "new_id": new}
    return {
        "merge": renamed(pair, action="merge"),
        "none": renamed(),
        "one": renamed(pair),
        "versions": len(place.versions(new)),
        "old id": client.call("GetWorkflow", app=place.app, workflow_id=workflow).status,
    }


@probe("saved-workflows.version-changes")
def version_changes(client: PlatformClient) -> Any:
    """Change a version's words and nodes, and delete it, the only one."""
    place = _place(client)
    workflow = place.made(place.node("a"))
    where: dict[str, Any] = {"app": place.app, "workflow_id": workflow}
    version = place.versions(workflow)[0].id
    given = [{"id": version, "description": "d", "nodes": [place.node("b")]}]
    patched = client.call("PatchWorkflowVersions", **where, workflow_versions=given, action="overwrite")
    shown = place.versions(workflow)[0]
    deleted = client.call("DeleteWorkflowVersions", **where, workflow_version_ids=[version])
    return {
        "patched": patched.status,
        "shown": (shown.description, _ids(shown.nodes)),
        "deleted": deleted.status,
        "nodes": _ids(place.shown(workflow).nodes),
    }


@probe("saved-workflows.deprecated")
def deprecated(client: PlatformClient) -> Any:
    """Delete the version of a model that a workflow names."""
    place = _place(client)
    old = place.model.version
    scenes.version(client, place.model)
    workflow = place.made(place.node("a", version=old))
    before = place.versions(workflow)[0].is_deprecated
    client.call("DeleteModelVersion", **place.model.address, version_id=old)
    return {"before": before, "after": [each.is_deprecated for each in place.versions(workflow)]}


@probe("saved-workflows.who-sees")
def who_sees(client: PlatformClient) -> Any:
    """Look at a public workflow of a private model as another user."""
    app = scenes.app(client, visibility=_PUBLIC)
    place = _Place(client, scenes.version(client, scenes.model(client, app=app, notes="private")))
    workflow = place.made(place.node("a"), visibility=_PUBLIC)
    hidden = place.made(place.node("a"))
    seen = client.other.call("GetWorkflow", app=app, user=client.user_id, workflow_id=workflow)
    models = [node.model for node in seen.message.workflow.nodes]
    return {
        "public": (seen.status, [each.notes for each in models], [each.id == place.model.id for each in models]),
        "private": client.other.call("GetWorkflow", app=app, user=client.user_id, workflow_id=hidden).status,
        "its version": place.shown(workflow).version.visibility.gettable,
    }


@probe("saved-workflows.search")
def search(client: PlatformClient) -> Any:
    """Look for whole words, their beginnings, their middles and their stems."""
    place = _Place(client, scenes.version(client, scenes.model(client, app=scenes.app(client))))
    place.made(place.node("a"), description="satisfied people", notes="in Berlin")

    def listed(text: str) -> int:
        return len(client.call("ListWorkflows", app=place.app, search=text).message.workflows)

    return {text: listed(text) for text in ("satisfied", "satis", "berl peop", "tisfied", "satisfy")}
