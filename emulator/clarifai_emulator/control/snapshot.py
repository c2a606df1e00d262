"""Describes the state of an emulator as one JSON object, which `status` prints."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import Deployment, ModelTypeField

from clarifai_emulator.catalogue import CLARIFAI_USER
from clarifai_emulator.control.nodepool_snapshot import describe_accelerator, describe_nodepool
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.machine.machine import Machine
from clarifai_emulator.messages.address import NodepoolKey, parse_name
from clarifai_emulator.nodepools.fleet import Fleet, ReplicaRecord
from clarifai_emulator.reload.project import Project
from clarifai_emulator.routing.candidate_deployments import served_model
from clarifai_emulator.routing.nodepool_ranking import nodepool_keys
from clarifai_emulator.store import Kind


def snapshot(emulator: Emulator) -> dict[str, Any]:
    """Return clusters, nodepools, deployments, replicas and faults as they are now."""
    parts = snapshot_parts(emulator)
    return {name: list(part) if isinstance(part, Iterator) else part for name, part in parts}


def snapshot_parts(emulator: Emulator) -> Iterator[tuple[str, Any]]:
    """Yield the parts of the same by their names. Lists that may be long are iterators: their items are as they
    are when it is their turn, and what has gone by then is left out."""
    store = emulator.store
    yield "url", emulator.url
    yield "pid", os.getpid()
    yield "user_id", emulator.config.user_id
    yield "accelerators", [str(device) for device in emulator.discovery.accelerators]
    yield "gpus", [describe_accelerator(device) for device in emulator.discovery.accelerators]
    yield "no_accelerators_because", emulator.discovery.reason
    yield "machines", [_machine(each) for each in emulator.backends.machines_elsewhere()]
    yield "nodepools", _nodepools(emulator)
    yield "deployments", _deployments(emulator)
    fleets = emulator.supervisor.fleets.items()
    yield "shared", [_fleet(fleet) for key, fleet in fleets if not key.user_id]
    yield "failures", [failure.as_dict() for failure in emulator.failures.kept]
    yield "faults", [active.as_dict() for active in emulator.faults]
    yield "dev", [_project(project) for project in emulator.reloader.projects.values()]
    yield "models", ["/".join(key) for key in sorted(store.keys(Kind.MODEL))]


def _nodepools(emulator: Emulator) -> Iterator[dict[str, Any]]:
    for key in sorted(emulator.store.keys(Kind.NODEPOOL)):
        if emulator.store.get(Kind.NODEPOOL, key) is not None:
            yield describe_nodepool(emulator, (key[0], key[1], key[2]))


def _deployments(emulator: Emulator) -> Iterator[dict[str, Any]]:
    for key in tuple(emulator.store.keys(Kind.DEPLOYMENT)):
        deployment: Any = emulator.store.get(Kind.DEPLOYMENT, key)
        if deployment is not None:
            yield describe_deployment(emulator, deployment)


def names(emulator: Emulator, model: str = "") -> dict[str, Any]:
    """Return what a command line can name. ``model``: the id, or the name in full, of the one whose methods are
    wanted."""
    store = emulator.store
    models = ["/".join(key) for key in sorted(store.keys(Kind.MODEL))]
    address = parse_name(model)
    wanted = "/".join(address.key) if address else model
    chosen = next((each for each in models if wanted and f"/{each}".endswith(f"/{wanted}")), "")
    version: Any = store.newest(Kind.MODEL_VERSION, tuple(chosen.split("/"))) if chosen else None
    fleets = emulator.supervisor.fleets.items()
    return {
        "models": models,
        "methods": {
            each.name: [
                {"name": field.name, "type": ModelTypeField.DataType.Name(field.type)}
                for field in each.input_fields
            ]
            for each in (version.method_signatures if version is not None else ())
        },
        "deployments": [
            {"id": each.id, "user_id": each.user_id, "model": served.id if (served := served_model(each)) else ""}
            for each in store.list(Kind.DEPLOYMENT)
        ],
        "nodepools": [
            {"user_id": key[0], "cluster": key[1], "id": key[2]}
            for key in sorted(store.keys(Kind.NODEPOOL))
            if key[0] != CLARIFAI_USER
        ],
        "users": sorted(key[0] for key in store.keys(Kind.USER)),
        "faults": {each.id: each.as_dict()["rule"] for each in emulator.faults},
        "replicas": {
            each.replica_id: key.deployment_id for key, fleet in fleets for each in fleet.records.values()
        },
    }


def _project(project: Project) -> dict[str, Any]:
    """Describe a directory in the dev loop: which code answers, and what the last save came to."""
    return {
        **project.names,
        "code": project.code.digest,
        "strict": project.options.strict,
        "last": project.last.as_dict() if project.last is not None else None,
    }


def _machine(machine: Machine) -> dict[str, Any]:
    """Describe a machine elsewhere, as its engine does."""
    return {
        "id": machine.id,
        "cpus": machine.cpus,
        "memory": machine.memory,
        "accelerators": [str(device) for device in machine.accelerators],
        "no_accelerators_because": machine.no_accelerators_because,
    }


def describe_deployment(emulator: Emulator, deployment: Deployment) -> dict[str, Any]:
    """Return a deployment and its versions as they are now."""
    served = served_model(deployment)
    fleets = emulator.supervisor.fleets.of_deployment(deployment.user_id, deployment.id)
    return {
        "user_id": deployment.user_id,
        "deployment_id": deployment.id,
        "model": f"{served.user_id}/{served.app_id}/{served.id}" if served is not None else None,
        "enabled": deployment.status == Deployment.ENABLED,
        "min_replicas": deployment.autoscale_config.min_replicas,
        "max_replicas": deployment.autoscale_config.max_replicas,
        "nodepools": ["/".join(key) for key in nodepool_keys(deployment)],
        "versions": [_fleet(fleet) for fleet in fleets],
    }


def _fleet(fleet: Fleet) -> dict[str, Any]:
    refusal = fleet.lane.refusal
    model = fleet.target.model
    return {
        "model": f"{model.user_id}/{model.app_id}/{model.id}",
        "version_id": fleet.target.version.id,
        "state": _state(fleet),
        "wanted": fleet.wanted,
        "in_flight": fleet.lane.in_flight,
        "queued": len(fleet.lane.waiting),
        "pending": "" if fleet.adopted else fleet.lane.pending_reason,
        "error": refusal.message if refusal is not None else "",
        "stuck": fleet.stuck.message if fleet.stuck is not None else "",
        "traceback": fleet.last_failure,
        "last_crash": _last_crash(fleet),
        "replicas": [
            *(
                {
                    "replica_id": record.replica_id,
                    "state": record.state.value,
                    "pid": record.process.pid if record.process is not None else 0,
                    "nodepool": "/".join(record.nodepool),
                    "machine": record.placement.machine,
                    "devices": list(record.devices),
                    "runner": record.runner_kind,
                    "runner_because": record.genuine_because,
                    "network": _network(record),
                }
                for record in fleet.records.values()
            ),
            *(_adopted(nodepool, replica.replica_id) for nodepool, replica in fleet.adopted),
        ],
    }


def is_at_rest(fleet: Fleet) -> bool:
    """Tell whether nothing runs, waits or has failed: what is told of such a fleet depends on its target only."""
    lane = fleet.lane
    goes_on = fleet.records or fleet.wanted or fleet.retired or fleet.target.is_user_run
    has_failed = fleet.last_failure or fleet.last_crash or fleet.stuck or lane.refusal
    return not (goes_on or has_failed or lane.waiting or lane.in_flight or lane.pending_reason)


def _network(record: ReplicaRecord) -> dict[str, str] | None:
    """Tell whose ports a replica uses; None where its backend has another wall around it, or none."""
    network = record.process.network if record.process is not None else None
    return network.as_dict() if network is not None else None


def _adopted(nodepool: NodepoolKey, replica_id: str) -> dict[str, Any]:
    """Describe a replica that its user started; nobody said which process it is."""
    return {
        "replica_id": replica_id,
        "state": "live",
        "pid": 0,
        "nodepool": "/".join(nodepool),
        "machine": "",
        "devices": [],
        "runner": "genuine",
        "runner_because": "its user started it",
        "network": None,
    }


def _last_crash(fleet: Fleet) -> dict[str, Any] | None:
    """Tell why its last replica ended that should not have; None when each ended as it was told to."""
    if fleet.last_crash is None:
        return None
    when, why = fleet.last_crash
    return {"seconds_ago": round(fleet.lane.now() - when, 1), "reason": why}


def _state(fleet: Fleet) -> str:
    if fleet.retired:
        return "draining"
    if fleet.lane.refusal is not None:
        return "failed"
    if fleet.live or fleet.adopted:
        return "ready"
    if fleet.records:
        return "starting"
    return "pending" if fleet.wanted else "scaled to zero"
