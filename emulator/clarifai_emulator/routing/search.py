"""Follows a request through the rules: what it names (or why that is refused), and what was rejected so far."""

from __future__ import annotations

from collections.abc import Sequence

from clarifai_grpc.grpc.api.resources_pb2 import Deployment, Model, ModelVersion, Nodepool, Runner
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.messages import not_found
from clarifai_emulator.messages.address import DeploymentKey, ModelKey, NodepoolKey
from clarifai_emulator.models.versions import newest_usable
from clarifai_emulator.routing.decision import (
    Ask,
    Candidate,
    Decision,
    Landscape,
    RoutingError,
    RoutingRule,
)
from clarifai_emulator.routing.nodepool_ranking import Wanted, find_nodepool, nodepool_keys
from clarifai_emulator.routing.visibility import Sight
from clarifai_emulator.spelling import did_you_mean

_LONGEST_ID = 128  # of what a message quotes
_LISTED = 5  # how many ids or rejected candidates a message shows


class Search:
    """Looks things up for one request and keeps what was rejected, with the first hint that came with it.

    ``find_*`` raise ``RoutingError`` for what does not exist or the caller may not see, in the same words: only
    the refusal's ``note`` tells these two apart.
    """

    def __init__(self, ask: Ask, landscape: Landscape) -> None:
        self.ask = ask
        self.landscape = landscape
        self.sight = Sight(ask.caller, landscape)
        self.rejected: list[Candidate] = []
        self.hint = ""

    def reject(self, deployment: Deployment, reason: str, hint: str = "") -> None:
        """Note that a deployment was considered and not taken."""
        is_hidden = bool(self.sight.hidden_deployment(deployment))
        self.rejected.append(Candidate(f"deployment {deployment.user_id}/{deployment.id}", reason, is_hidden))
        self.hint = self.hint or hint

    def hidden(self, model: ModelKey, version: ModelVersion) -> str:
        """Say why the caller may not see a version, for the event log; empty when it may."""
        why = self.sight.hidden_version(model[0], version)
        return f"Version {version.id!r} of model {quoted(model)} {why}." if why else ""

    def hidden_hint(self, model: ModelKey) -> str:
        """Return what to do where a request without a version means one that its caller may not see."""
        seen = self.sight.newest(model)
        if seen is None:
            return "Ask the model's owner to make its newest version PUBLIC."
        return (
            f"The newest version that {self.ask.caller!r} may see is {seen.id!r}: name it in the request, or ask"
            " the model's owner to make the newest PUBLIC."
        )

    def refuse(self, code: int, details: str, hint: str = "", note: str = "", *, row: str = "") -> RoutingError:
        """Make the refusal to raise. ``row``: of the fidelity table, which says why."""
        return RoutingError(code, details, ask=self.ask, hint=hint, rejected=self.rejected, note=note, row=row)

    def considered(self) -> str:
        """Return a sentence with what was rejected so far and the caller may see, to end a refusal's details;
        empty when there is nothing."""
        said = [f"{each.what} {each.reason}" for each in self.rejected if not each.is_hidden]
        return f" Considered: {_shortened(said, '; ')}." if said else ""

    def decide(self, rule: RoutingRule, key: NodepoolKey, wanted: Wanted, reason: str) -> Decision:
        """Return the decision for one nodepool without a deployment."""
        runner_id, rejected = self.ask.runner_id, tuple(self.rejected)
        return Decision(rule, None, (key,), wanted.model, wanted.version.id, runner_id, reason, rejected)

    def find_model(self, key: ModelKey) -> Model:
        """Find the model; refuse with 21200."""
        user, app, wanted = key
        if wanted and not app:
            raise self.refuse(
                StatusCode.MODEL_DOES_NOT_EXIST,
                f"The request names model {wanted[:_LONGEST_ID]!r} of no app.",
                hint="Name its app too: user_app_id.app_id, in REST /users/USER/apps/APP.",
                row="refusals.missing",
            )
        model = self.landscape.model(*key)
        note = self.sight.hidden_model(key, model) if model is not None else ""
        if model is None or note:
            known, code = self.sight.models(user, app), StatusCode.MODEL_DOES_NOT_EXIST
            raise self._missing(
                f"Model {quoted(key)}", f"App {user}/{app}", "model", wanted, known, code=code, note=note
            )
        return model

    def find_version(self, key: ModelKey, version_id: str) -> ModelVersion:
        """Find the version; refuse with 21200, or 21353 when there is none at all. An empty id means the newest,
        also where the caller may not see it: then no deployment of it is found (clarifai-python #1038)."""
        newest = newest_usable(self.landscape.versions(*key))
        if newest is not None and not version_id:
            return newest
        version = self.landscape.version(*key, version_id) if version_id else None
        note = self.sight.hidden_version(key[0], version) if version is not None else ""
        if version is not None and not note:
            return version
        seen = self.sight.newest(key)
        if seen is None:
            raise self.refuse(
                StatusCode.MODEL_NOT_DEPLOYED,
                f"Model {quoted(key)} has no version.",
                hint="Upload one: `clarifai-emulator deploy PATH_TO_THE_MODEL`.",
                note=note,
                row="refusals.not-deployed",
            )
        details = f"Model {quoted(key)} has no version {version_id!r}; its newest is {seen.id!r}."
        raise self.refuse(StatusCode.MODEL_DOES_NOT_EXIST, details, note=note, row="refusals.missing")

    def find_deployment(self, key: DeploymentKey) -> Deployment:
        """Find the deployment the request names; refuse with 11101."""
        user, wanted = key
        deployment = self.landscape.deployment(*key)
        note = self.sight.hidden_deployment(deployment) if deployment is not None else ""
        if deployment is not None and not note:
            return deployment
        hint = next(
            (
                f"User {other!r} has a deployment {wanted!r}: pass deployment_user_id={other!r}."
                for other in sorted({self.ask.model_user, self.ask.caller} - {user, ""})
                if wanted in self.sight.deployments(other)
            ),
            "",
        )
        said = not_found.DEPLOYMENT.format(id=wanted)
        raise self._missing(
            f"Deployment {quoted(key)}",
            f"User {user!r}",
            "deployment",
            wanted,
            self.sight.deployments(user),
            said=said,
            hint=hint,
            note=note,
        )

    def find_nodepool(self, key: NodepoolKey) -> Nodepool:
        """Find the nodepool the request names; refuse with 11101 when it or its cluster does not exist."""
        user, cluster_id, nodepool_id = key
        nodepool = find_nodepool(self.landscape, key)
        cluster = self.landscape.cluster(user, cluster_id)
        name = f"Compute cluster {quoted(key[:2])}"
        note = self.sight.hidden_cluster(user, cluster.visibility) if cluster is not None else ""
        if note or (nodepool is None and cluster is None):
            known, said = self.sight.clusters(user), not_found.COMPUTE_CLUSTER.format(id=cluster_id)
            raise self._missing(name, f"User {user!r}", "compute cluster", cluster_id, known, said=said, note=note)
        note = self.sight.hidden_nodepool(user, nodepool) if nodepool is not None else ""
        if nodepool is None or note:
            known, said = self.sight.nodepools(user, cluster_id), not_found.NODEPOOL
            raise self._missing(
                f"Nodepool {quoted(key)}", name, "nodepool", nodepool_id, known, said=said, note=note
            )
        return nodepool

    def find_runner(self, key: NodepoolKey, wanted: Wanted) -> Runner:
        """Find the runner the request names, in this nodepool; refuse with 25600, 25603 or 21353."""
        runner_id = self.ask.runner_id
        runner = self.landscape.runner(*key, runner_id)
        name = f"Runner {runner_id!r}"
        if runner is None:
            known, code = self.sight.runners(key), StatusCode.RUNNER_DOES_NOT_EXIST
            raise self._missing(name, f"Nodepool {quoted(key)}", "runner", runner_id, known, code=code)
        serves = runner.worker.model
        serves_key = (serves.user_id, serves.app_id, serves.id)
        if serves_key != wanted.model:
            details = f"{name} serves model {quoted(serves_key)}, not {quoted(wanted.model)}."
            raise self.refuse(StatusCode.RUNNER_INVALID_REQUEST, details, row="routing.runner-of-another")
        if serves.model_version.id not in ("", wanted.version.id):
            details = f"{name} serves version {serves.model_version.id!r}, not {wanted.version.id!r}."
            raise self.refuse(StatusCode.MODEL_NOT_DEPLOYED, details, row="routing.runner-of-another")
        return runner

    def own_runner(self, key: NodepoolKey, wanted: Wanted) -> Runner | None:
        """Find a runner that a user registered in this nodepool and that serves the version; those of another
        version are rejected."""
        is_hidden = key[0] != self.ask.caller and not self.sight.runners(key)
        found: list[Runner] = []
        for runner in self.landscape.own_runners(*key):
            serves = runner.worker.model
            if (serves.user_id, serves.app_id, serves.id) != wanted.model:
                continue
            if serves.model_version.id in ("", wanted.version.id):
                found.append(runner)
            else:
                reason = f"serves version {serves.model_version.id!r}"
                self.rejected.append(Candidate(f"runner {runner.id}", reason, is_hidden))
        return max(found, key=lambda each: bool(each.worker.model.model_version.id), default=None)

    def nodepools_named(self, deployment: Deployment, wanted: Wanted) -> Sequence[NodepoolKey]:
        """Return the deployment's nodepools that a request which names the deployment allows; empty for all."""
        ask, keys = self.ask, list(nodepool_keys(deployment))
        name = f"Deployment {quoted((deployment.user_id, deployment.id))}"
        if ask.nodepool is not None and ask.nodepool not in keys:
            raise self.refuse(
                StatusCode.DEPLOYMENT_INVALID_REQUEST,
                f"{name} is not in nodepool {quoted(ask.nodepool)}, which the request also names;"
                f" it is in {_shortened([quoted(key) for key in keys], ', ') or 'none'}.",
                hint="Name the deployment or the nodepool, not both.",
                row="routing.deployment-and-nodepool",
            )
        only = [ask.nodepool] if ask.nodepool is not None else []
        if not ask.runner_id:
            return only
        having = [key for key in only or keys if self.landscape.runner(*key, ask.runner_id) is not None]
        if not having:
            details = f"{name} has no runner {ask.runner_id!r} in its nodepools."
            raise self.refuse(StatusCode.RUNNER_DOES_NOT_EXIST, details, row="refusals.missing")
        self.find_runner(having[0], wanted)
        return having[:1]

    def _missing(
        self,
        name: str,
        parent: str,
        kind: str,
        wanted: str,
        known: Sequence[str],
        *,
        code: int = StatusCode.CONN_DOES_NOT_EXIST,
        said: str = "",
        hint: str = "",
        note: str = "",
    ) -> RoutingError:
        """Make the refusal for what does not exist, with what there is instead. ``said``: the platform's sentence,
        where it is known."""
        has = f"{parent} has {_shortened(known, ', ')}" if known else f"{parent} has no {kind}"
        if said and known and wanted not in said:
            has += f", not {wanted[:_LONGEST_ID]!r}"
        hint = hint or did_you_mean(wanted, known)
        return self.refuse(
            code,
            f"{said or f'{name} does not exist.'} {has}.",
            hint,
            f"{name} {note}." if note else "",
            row="refusals.missing",
        )


def quoted(key: Sequence[str]) -> str:
    """Write a key for people: ``'me/cluster/nodepool'``."""
    return f"'{'/'.join(key)}'"


def _shortened(items: Sequence[str], separator: str) -> str:
    shown = separator.join(items[:_LISTED])
    return f"{shown} and {len(items) - _LISTED} more" if len(items) > _LISTED else shown
