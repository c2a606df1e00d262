"""Makes what probes need before they can ask: apps, models, versions, clusters, nodepools and deployments.

Each function makes a new thing; ``client.shared(scenes.app)`` gives the same one to every probe that only looks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clarifai_emulator.conformance.platform_client import PlatformClient


@dataclass(frozen=True, slots=True)
class MadeModel:
    """A model of the run, and its newest version, if it has one. ``address``: fields of a request that names it."""

    app: str
    id: str
    version: str = ""

    @property
    def address(self) -> dict[str, Any]:
        """Return the fields that name the model."""
        return {"app": self.app, "model_id": self.id}

    @property
    def address_of_version(self) -> dict[str, Any]:
        """Return the fields that name the version, too."""
        return {**self.address, "version_id": self.version}


@dataclass(frozen=True, slots=True)
class MadeNodepool:
    """A nodepool of the run."""

    cluster: str
    id: str

    @property
    def place(self) -> dict[str, Any]:
        """Return the fields of a request that is about it."""
        return {"compute_cluster_id": self.cluster, "nodepool_id": self.id}

    def message(self, client: PlatformClient) -> dict[str, Any]:
        """Return it as a ``Nodepool`` that deployments and selectors name."""
        cluster = {"id": self.cluster, "user_id": client.user_id}
        return {"id": self.id, "compute_cluster": cluster}

    def selector(self, client: PlatformClient) -> dict[str, Any]:
        """Return the ``runner_selector`` of a request that names it."""
        return {"nodepool": self.message(client)}


def app(client: PlatformClient, **fields: Any) -> str:
    """Make an app; its id."""
    made: dict[str, Any] = {"id": client.name("app"), **fields}
    client.do("PostApps", apps=[made])
    return made["id"]


def model(client: PlatformClient, **fields: Any) -> MadeModel:
    """Make a model without a version, in an app that every probe uses, or in ``app``."""
    place = fields.pop("app", "") or client.shared(app)
    made: dict[str, Any] = {"id": client.name("model"), "model_type_id": "any-to-any", **fields}
    client.do("PostModels", app=place, models=[made])
    return MadeModel(place, made["id"])


def version(client: PlatformClient, of: MadeModel | None = None, **fields: Any) -> MadeModel:
    """Make a version of a model, which a runner of its user serves; the model, with the version."""
    of = of or model(client)
    made: dict[str, Any] = {"pretrained_model_config": {"local_dev": True}, **fields}
    answer = client.do("PostModelVersions", app=of.app, model_id=of.id, model_versions=[made])
    return MadeModel(of.app, of.id, answer.message.model.model_version.id)


def cluster(client: PlatformClient, **fields: Any) -> str:
    """Make an empty cluster whose runners its user runs, which costs nothing; its id."""
    made: dict[str, Any] = {
        "id": client.name("cluster"),
        "cloud_provider": {"id": "local"},
        "region": "local",
        "managed_by": "user",
        "cluster_type": "local-dev",
        "key": {"id": client.account.pat},
        **fields,
    }
    client.do("PostComputeClusters", compute_clusters=[made])
    return made["id"]


def nodepool(client: PlatformClient, **fields: Any) -> MadeNodepool:
    """Make a nodepool without instances, in a cluster that every probe uses, or in ``cluster``."""
    place = fields.pop("cluster", "") or client.shared(cluster)
    made: dict[str, Any] = {
        "id": client.name("nodepool"),
        "instance_types": [{"id": "local"}],
        "node_capacity_type": {"capacity_types": [1]},
        "min_instances": 0,
        "max_instances": 1,
        **fields,
    }
    client.do("PostNodepools", compute_cluster_id=place, nodepools=[made])
    return MadeNodepool(place, made["id"])


def deployment(client: PlatformClient, of: MadeModel, *places: MadeNodepool, **fields: Any) -> str:
    """Make a deployment of the model, at its version if it has one, in the nodepools; its id."""
    served: dict[str, Any] = {"id": of.id, "app_id": of.app, "user_id": client.user_id}
    if of.version:
        served["model_version"] = {"id": of.version}
    made: dict[str, Any] = {
        "id": client.name("deployment"),
        "worker": {"model": served},
        "nodepools": [each.message(client) for each in places],
        "autoscale_config": {"min_replicas": 0, "max_replicas": 1},
        **fields,
    }
    client.do("PostDeployments", deployments=[made])
    return made["id"]


def said(text: str) -> dict[str, Any]:
    """Return an input of one text, for the method ``predict``."""
    part = {"id": "prompt", "data": {"string_value": text}}
    return {"data": {"parts": [part], "metadata": {"_method_name": "predict"}}}


def heard(answer: Any) -> str:
    """Return the text of the first output of an answer."""
    outputs = answer.message.outputs if answer.message is not None else ()
    if not outputs:
        return ""
    return text_of(outputs[0].data)


def text_of(data: Any) -> str:
    """Return the text in data, wherever it stands: models of the old form have it at the top, others in parts."""
    return data.text.raw or data.string_value or "".join(text_of(part.data) for part in data.parts)
