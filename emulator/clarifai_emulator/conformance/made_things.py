"""Tells what a request is about to make, and how each kind of thing is removed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from clarifai_emulator.conformance.ledger import MadeThing

# Kind → the field of its Post request, which is also that of a REST body. What stands in an app goes with the app.
_FIELDS = {
    "app": "apps",
    "compute_cluster": "compute_clusters",
    "nodepool": "nodepools",
    "deployment": "deployments",
    "runner": "runners",
    "secret": "secrets",
    "key": "keys",
}
_POSTS = {
    "PostApps": "app",
    "PostComputeClusters": "compute_cluster",
    "PostNodepools": "nodepool",
    "PostDeployments": "deployment",
    "PostRunners": "runner",
    "PostSecrets": "secret",
    "PostKeys": "key",
}
# What is posted into an app of the run. Elsewhere it would stay.
IN_APPS = frozenset(
    {"PostModels", "PostModelVersions", "PostModelVersionsUpload", "PostArtifacts", "PostArtifactVersionsUpload",
     "PostPipelines", "PostPipelineVersionRuns", "PostPipelineSteps", "PostPipelineStepVersionsUpload",
     "PostWorkflows", "PostInputs"}
)  # fmt: skip

# The last first: what stands in something else is removed before it.
ORDER = ("app", "secret", "key", "compute_cluster", "nodepool", "runner", "deployment")


def made_by_rpc(rpc: str, request: Any, who: str) -> Iterator[MadeThing]:
    """Yield what a request would make. A runner without an id gets one from the platform, and is named later."""
    kind = _POSTS.get(rpc)
    if kind is None:
        return
    cluster = getattr(request, "compute_cluster_id", "")
    nodepool = getattr(request, "nodepool_id", "")
    for item in getattr(request, _FIELDS[kind]):
        yield MadeThing(kind, item.description if kind == "key" else item.id, cluster, nodepool, who)


def made_by_answer(rpc: str, message: Any, request: Any, who: str) -> Iterator[MadeThing]:
    """Yield what the answer says was made: ids that the platform chose."""
    kind = _POSTS.get(rpc)
    if kind is None or kind == "key":
        return
    cluster = getattr(request, "compute_cluster_id", "")
    nodepool = getattr(request, "nodepool_id", "")
    for item in getattr(message, _FIELDS[kind], ()):
        yield MadeThing(kind, item.id, cluster, nodepool, who)


def made_by_rest(path: str, body: Any, who: str) -> Iterator[MadeThing]:
    """Yield what a POST over REST would make, from the names of its fields."""
    if not isinstance(body, Mapping) or "/searches" in path:
        return
    parts = path.strip("/").split("/")
    place = {name: parts[parts.index(name) + 1] for name in ("compute_clusters", "nodepools") if name in parts[:-1]}
    for kind, field in _FIELDS.items():
        items = body.get(field) if parts[-1] == field else None
        for item in items if isinstance(items, list) else []:
            if isinstance(item, Mapping) and item:
                name = str(item.get("description" if kind == "key" else "id", ""))
                yield MadeThing(kind, name, place.get("compute_clusters", ""), place.get("nodepools", ""), who)


def removal(thing: MadeThing) -> tuple[str, Mapping[str, Any]]:
    """Return the RPC that removes a thing, and its fields. A key is looked up by its description before."""
    if thing.kind == "app":
        return "DeleteApp", {"app": thing.id}
    if thing.kind == "nodepool":
        return "DeleteNodepools", {"compute_cluster_id": thing.cluster, "ids": [thing.id]}
    if thing.kind == "runner":
        place = {"compute_cluster_id": thing.cluster, "nodepool_id": thing.nodepool}
        return "DeleteRunners", {**place, "ids": [thing.id]}
    names = {"compute_cluster": "ComputeClusters", "deployment": "Deployments", "secret": "Secrets"}
    return f"Delete{names[thing.kind]}", {"ids": [thing.id]}
