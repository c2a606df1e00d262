"""Assembles what brings the code of models into nodepools: deploys, the dev loop, uploads, topology files.

An emulator makes it when the first of them is asked for: until then it costs the start nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from clarifai_emulator.backends.made import Backends
from clarifai_emulator.catalogue import Catalogue
from clarifai_emulator.clock import Clock
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.deploy.deployer import Deployer, DeployerParts
from clarifai_emulator.deploy.provision import Provisioner
from clarifai_emulator.deploy.topology_edits import TopologyEdits
from clarifai_emulator.deploy.undeployer import Undeployer
from clarifai_emulator.deploy.upload_builds import UploadBuilds
from clarifai_emulator.events import EventBus
from clarifai_emulator.faults import Faults
from clarifai_emulator.logbook import LogBook
from clarifai_emulator.messages.address import ModelKey
from clarifai_emulator.models.uploaded import UploadedFiles
from clarifai_emulator.models.written import WrittenFiles
from clarifai_emulator.nodepools.nodepools import Nodepools
from clarifai_emulator.reload.reloader import Reloader
from clarifai_emulator.resources.resource import Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployingParts:
    """Gather what it is made of and shares with the rest of an emulator. ``hosted``: the models that shared compute
    runs as if Clarifai had uploaded them. ``uploaded``: the files of uploads. ``written``: what models write into
    their directories. ``commit``: makes lasting what has changed, or raises ``CallerError``."""

    config: EmulatorConfig
    resources: Resources
    nodepools: Nodepools
    backends: Backends
    catalogue: Catalogue
    events: EventBus
    logbook: LogBook
    clock: Clock
    faults: Faults
    written: WrittenFiles
    uploaded: UploadedFiles
    hosted: set[ModelKey]
    commit: Callable[[], None]


class Deploying:
    """Holds the parts of one emulator that bring code into nodepools, and take it out again."""

    def __init__(self, parts: DeployingParts) -> None:
        resources, supervisor = parts.resources, parts.nodepools.supervisor
        self.deployer = Deployer(
            DeployerParts(
                config=parts.config,
                resources=resources,
                supervisor=supervisor,
                catalogue=parts.catalogue,
                backends=parts.backends,
                events=parts.events,
                logbook=parts.logbook,
                clock=parts.clock,
                debuggers=parts.nodepools.debuggers,
                written=parts.written,
            )
        )
        self.reloader = Reloader(
            store=resources.store,
            supervisor=supervisor,
            deployer=self.deployer,
            events=parts.events,
            logbook=parts.logbook,
            clock=parts.clock,
            written=parts.written,
        )
        self.undeployer = Undeployer(
            store=resources.store,
            resources=resources,
            supervisor=supervisor,
            forget=self.reloader.forget,
            user_id=parts.config.user_id,
        )
        self.uploads = UploadBuilds(
            files=parts.uploaded,
            resources=resources,
            code=self.deployer.code,
            needs=self.deployer.needs,
            workflows=self.deployer.versions.workflows,
            events=parts.events,
            is_run=supervisor.runs_version,
            commit=parts.commit,
        )
        self.provisioner = Provisioner(
            user_id=parts.config.user_id,
            store=resources.store,
            resources=resources,
            deployer=self.deployer,
            cache_dir=parts.config.cache_dir,
            hosted=parts.hosted,
        )
        self.topology = TopologyEdits(
            provisioner=self.provisioner,
            resources=resources,
            deployer=self.deployer,
            store=resources.store,
            faults=parts.faults,
            events=parts.events,
            is_kept=parts.config.data_dir is not None,
        )
