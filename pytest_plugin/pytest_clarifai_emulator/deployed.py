"""Defines what ``clarifai.deploy(DIR)`` returns: a deployed model, with its calls, routes and output."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clarifai_emulator.deploy.deploy_request import Deployed
from clarifai_emulator.messages.address import ModelAddress, ModelKey
from pytest_clarifai_emulator.called_model import CalledModel
from pytest_clarifai_emulator.serving import Serving

_POLL_SECONDS = 0.01


class DeployedModel(CalledModel):
    """A model directory, deployed. ``recorded``: the model's key when a cassette stands in for it."""

    def __init__(
        self,
        serving: Serving,
        path: Path,
        options: Mapping[str, Any],
        *,
        recorded: ModelKey | None = None,
    ) -> None:
        super().__init__(serving)
        self.path = path
        self._options = dict(options)
        self._recorded = recorded
        self._deployed: Deployed | None = None if recorded else serving.deploy(path, self._options)

    def __repr__(self) -> str:
        return f"<{'/'.join(self.key)} from {self.path}>"

    @property
    def deployed(self) -> Deployed:
        """Return what the deployment did. Raises ``RuntimeError`` when a cassette stands in for the model."""
        if self._deployed is None:
            raise RuntimeError(f"{self.path} is not deployed: a cassette stands in for it.")
        return self._deployed

    @property
    def key(self) -> ModelKey:
        """Return the model's user, app and id."""
        return self._recorded or self.deployed.model

    @property
    def version_id(self) -> str:
        """Return the id of the version that is deployed."""
        return self.deployed.version_id

    @property
    def deployment_id(self) -> str:
        """Return the id of the deployment that serves the model."""
        return self.deployed.deployment_id

    @property
    def placed(self) -> dict[str, Any]:
        """Return the options of ``Clarifai.deploy`` that say where it runs."""
        names = {"nodepool_id": "nodepool", "compute_cluster_id": "cluster", "instance": "instance"}
        given = {names[name]: value for name, value in self._options.items() if name in names and value}
        return {name: value for name, value in given.items() if "instance" not in given or name == "instance"}

    @property
    def methods(self) -> tuple[str, ...]:
        """Return the names of the model's methods."""
        return tuple(signature.name for signature in self.deployed.signatures)

    def wait_ready(self, seconds: float = 60.0) -> None:
        """Wait until a replica takes work. Raises ``TimeoutError`` with what is missing, and what the model
        printed."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            fleet = self._fleet()
            if fleet is not None and fleet["state"] == "ready":
                return
            if fleet is not None and fleet["state"] in ("failed", "scaled to zero"):
                break
            time.sleep(_POLL_SECONDS)
        fleet = self._fleet() or {"state": "gone"}
        why = fleet.get("error") or fleet.get("pending") or ""
        if fleet["state"] == "scaled to zero":
            why = "min_replicas is 0, so nothing starts before the first request"
        lines = "".join(f"\n  {line}" for line in self.logs[-10:])
        raise TimeoutError(
            f"No replica of deployment {self.deployment_id!r} is ready: it is {fleet['state']}"
            f"{f' ({why})' if why else ''}, after {seconds:g} s at most.{lines}"
        )

    def reload(self) -> None:
        """Deploy the directory again, as it is now: a changed one becomes a new version. ``model`` is made anew."""
        self._model = None
        self._deployed = self._serving.deploy(self.path, self._options)

    def undeploy(self) -> None:
        """Delete the model's deployment; its replicas have ended when this returns."""
        self._serving.undeploy(self.deployment_id)

    def assert_matches_contract(self, lock: str | Path) -> None:
        """Fail unless the model keeps what a lock file (``clarifai.contract.yaml``) says of it."""
        __tracebackhide__ = True
        from pytest_clarifai_emulator.contracts import require_contract

        require_contract(ModelAddress(*self.key).name, self.deployed.signatures, lock)

    def _fleet(self) -> dict[str, Any] | None:
        for deployment in self._serving.thread.status()["deployments"]:
            if deployment["deployment_id"] == self.deployment_id:
                versions = [each for each in deployment["versions"] if each["version_id"] == self.version_id]
                return versions[0] if versions else None
        return None
