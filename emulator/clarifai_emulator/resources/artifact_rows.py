"""Describes artifacts, the files of an app, and their versions. A version is made by an upload only
(``api/handlers/artifacts.py``), which also keeps its content."""

from __future__ import annotations

from clarifai_grpc.grpc.api.resources_pb2 import Artifact, ArtifactVersion

from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.resources.rows import IN_APP, ParentField, Resource
from clarifai_emulator.store import Key, Kind


def _show_artifact(resources: Resources, key: Key, artifact: Artifact, viewer: str) -> None:
    """Show the newest version with it: the CLI prints that one's id, and downloads it where none is named."""
    keys = resources.store.keys(Kind.ARTIFACT_VERSION, key)
    newest = next((each for each in keys if resources.visible(Kind.ARTIFACT_VERSION, each, viewer)), None)
    if newest is not None:
        artifact.artifact_version.CopyFrom(resources.stored(Kind.ARTIFACT_VERSION, newest))


def _show_version(_: Resources, key: Key, version: ArtifactVersion, _viewer: str) -> None:
    version.artifact.user_id, version.artifact.app_id, version.artifact.id = key[:3]


ARTIFACT = Resource(
    kind=Kind.ARTIFACT,
    message=Artifact,
    parents=(IN_APP,),
    read_only=("artifact_version", "deleted_at"),
    show=_show_artifact,
)

ARTIFACT_VERSION = Resource(
    kind=Kind.ARTIFACT_VERSION,
    message=ArtifactVersion,
    parents=(IN_APP, ParentField(Kind.ARTIFACT, "artifact_id")),
    verbs=("Get", "List", "Delete"),
    assigns_id=True,
    read_only=("artifact", "deleted_at"),
    show=_show_version,
)
