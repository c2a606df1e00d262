"""The scenarios of the SDK's tests of artifacts: `test_artifact*.py`, `cli/test_artifact*.py`.

Upstream they run against mocks; here the unmodified SDK and CLI make, list, fetch and delete real files.
"""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from clarifai.client.artifact import Artifact
from clarifai.client.artifact_version import ArtifactVersion
from clarifai.errors import UserError
from clarifai_grpc.grpc.api.resources_pb2 import UploadContentPart, Visibility
from clarifai_grpc.grpc.api.service_pb2 import PostArtifactVersionsUploadConfig, PostArtifactVersionsUploadRequest
from google.protobuf.timestamp_pb2 import Timestamp

from clarifai_emulator.api.rpc import rpc_table
from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import Client, running
from flow.upstream.commands import Commands

IN_APP = {"user_id": "me", "app_id": "files"}
PATH = "users/me/apps/files/artifacts/weights"
CONTENT = b"\x00weights\xff" * 1000


@pytest.fixture(autouse=True)
def app(client: Client) -> None:
    """Make the app of the artifacts on the shared emulator."""
    client.call("PostApps", user_app_id={"user_id": "me"}, apps=[{"id": "files"}])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.pt"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def cli(emulator: EmulatorThread, tmp_path: Path) -> Commands:
    return Commands(emulator.url, tmp_path)


def uploaded(file: Path, **given: Any) -> ArtifactVersion:
    return ArtifactVersion(artifact_id="weights", **IN_APP).upload(str(file), **given)


def test_an_artifact_is_made_shown_listed_and_deleted() -> None:
    made = Artifact().create(artifact_id="weights", **IN_APP)
    assert (made.id, made.app_id) == ("weights", "files")
    artifact = Artifact(artifact_id="weights", **IN_APP)
    shown = artifact.get()
    assert (shown.id, shown.user_id, shown.app_id) == ("weights", "me", "files")
    assert shown.created_at.seconds == shown.modified_at.seconds > 0
    assert [each.id for each in artifact.list()] == ["weights"]
    assert artifact.delete()
    assert list(artifact.list()) == []


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (lambda: Artifact().create(artifact_id="", **IN_APP), "artifact_id is required"),
        (lambda: Artifact().create(artifact_id="a", user_id="me"), "app_id is required"),
        (lambda: Artifact(**IN_APP).get(), "artifact_id is required"),
        (lambda: Artifact(**IN_APP).delete(), "artifact_id is required"),
        (lambda: ArtifactVersion(**IN_APP).get(version_id="v"), "artifact_id is required"),
        (lambda: list(ArtifactVersion(**IN_APP).list()), "artifact_id is required"),
        (lambda: ArtifactVersion(**IN_APP).upload(__file__), "artifact_id is required"),
        (lambda: ArtifactVersion(artifact_id="a", **IN_APP).delete(), "version_id is required"),
        (lambda: ArtifactVersion(artifact_id="a", **IN_APP).download(), "version_id is required"),
        (lambda: ArtifactVersion(artifact_id="a", **IN_APP).upload("/no/such/file"), "File does not exist"),
        (lambda: Artifact(artifact_id="gone", **IN_APP).get(), "Failed to get artifact: Artifact does not exist"),
        (lambda: Artifact(artifact_id="gone", **IN_APP).delete(), "Failed to delete artifact"),
    ],
)  # fmt: skip
def test_what_is_missing_is_said(act: Any, says: str) -> None:
    with pytest.raises(Exception, match=says):
        act()


def test_a_user_must_be_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLARIFAI_USER_ID")
    with pytest.raises(Exception, match="user_id"):
        Artifact().create(artifact_id="a", user_id="", app_id="files")


def test_a_file_is_uploaded_shown_listed_downloaded_and_deleted(file: Path, tmp_path: Path) -> None:
    version = uploaded(file, description="first")
    shown = version.get()
    assert re.fullmatch("[0-9a-f]{32}", shown.id), shown
    assert (shown.description, shown.visibility.gettable) == ("first", Visibility.PRIVATE)
    assert (shown.artifact.user_id, shown.artifact.app_id, shown.artifact.id) == ("me", "files", "weights")
    assert (shown.upload.content_length, shown.upload.content_name) == (len(CONTENT), f"artifact_{shown.id}")
    second = uploaded(file)
    assert [each.id for each in version.list()] == [second.id, version.id]
    assert Artifact(artifact_id="weights", **IN_APP).get().artifact_version.id == second.id
    target = tmp_path / "there"
    target.mkdir()
    path = Path(version.download(str(target)))
    assert (path.name, path.read_bytes()) == (f"artifact_{version.id}", CONTENT)
    assert second.delete()
    assert [each.id for each in version.list()] == [version.id]


@pytest.mark.parametrize(("word", "value"), [("private", 10), ("org", 30), ("public", 50)])
def test_visibility_and_expiry_are_kept(file: Path, word: str, value: int) -> None:
    shown = uploaded(file, visibility=word, expires_at=Timestamp(seconds=2_000_000_000), version_id="v1").get()
    assert (shown.id, shown.visibility.gettable, shown.expires_at.seconds) == ("v1", value, 2_000_000_000)


def test_a_download_that_broke_off_is_resumed(file: Path, tmp_path: Path) -> None:
    version = uploaded(file)
    begun = tmp_path / "begun"
    begun.write_bytes(CONTENT[:777])
    assert Path(version.download(str(begun))).read_bytes() == CONTENT


def test_a_file_of_several_parts_comes_back_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clarifai.client.artifact_version.UPLOAD_CHUNK_SIZE", 1000)
    whole = tmp_path / "large"
    whole.write_bytes(bytes(range(256)) * 100)
    version = uploaded(whole)
    assert Path(version.download(str(tmp_path / "back"))).read_bytes() == whole.read_bytes()


def answers(client: Client, parts: list[bytes], total: int, **config: Any) -> list[Any]:
    """Upload these parts by a raw call, and return every answer."""
    first = PostArtifactVersionsUploadConfig(artifact_id="weights", total_size=total, **config)
    first.user_app_id.app_id = "files"
    requests = [PostArtifactVersionsUploadRequest(upload_config=first)] + [
        PostArtifactVersionsUploadRequest(content_part=UploadContentPart(part_number=number, data=data))
        for number, data in enumerate(parts, 1)
    ]
    rpc = rpc_table()["PostArtifactVersionsUpload"]
    method = client._channel.stream_stream(
        rpc.path,
        request_serializer=rpc.request_type.SerializeToString,
        response_deserializer=rpc.response_type.FromString,
    )
    return list(method(iter(requests), metadata=[("authorization", f"Key {client._pat}")], timeout=30))


def test_the_config_is_answered_with_the_version_then_each_part(client: Client) -> None:
    Artifact().create(artifact_id="weights", **IN_APP)
    found = answers(client, [b"ab", b"cd"], 4)
    assert [(each.status.code, each.bytes_remaining) for each in found] == [(68000, 4), (68000, 2), (68001, 0)]
    assert len({each.artifact_version_id for each in found}) == 1


def test_what_cannot_be_a_whole_file_is_refused_and_leaves_nothing(client: Client) -> None:
    Artifact().create(artifact_id="weights", **IN_APP)
    for parts, total, code, says in (
        ([b"ab"], 4, 68002, "The upload ended after 2 of 4 bytes."),
        ([b"abcdef"], 4, 68002, "6 bytes came with part 1; upload_config.total_size is 4."),
        ([], 0, 26404, "upload_config.total_size: 0 bytes; a file may have 1 to"),
    ):
        last = answers(client, parts, total)[-1].status
        assert (last.code, says in last.details) == (code, True), last
    assert list(ArtifactVersion(artifact_id="weights", **IN_APP).list()) == []


def test_a_version_id_is_taken_once(file: Path, client: Client) -> None:
    uploaded(file, version_id="v1")
    last = answers(client, [b"x"], 1, artifact_version={"id": "v1"})[-1].status
    assert "upload_config.artifact_version.id: artifact version 'v1' already exists" in last.details, last


def test_a_link_is_good_for_its_own_version_only(file: Path) -> None:
    url = uploaded(file, version_id="v1").get().upload.content_url
    uploaded(file, version_id="v2")
    for odd in (url.replace("/v1?", "/v2?"), url[:-1], url.partition("?")[0], url.replace("expires=", "expires=9")):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(odd, timeout=10)
        assert refused.value.code == 403
        assert b"GetArtifactVersion gives a new one." in refused.value.read()
    ArtifactVersion(artifact_id="weights", version_id="v1", **IN_APP).delete()
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(url, timeout=10)


def put(client: Client, version_id: str, gettable: int = 10) -> None:
    """Upload a version by raw calls: the SDK's upload looks for the artifact at the address of the session."""
    client.call("PostApps", apps=[{"id": "files"}])
    client.call("PostArtifacts", user_app_id={"app_id": "files"}, artifacts=[{"id": "weights"}])
    version = {"id": version_id, "visibility": {"gettable": gettable}}
    assert answers(client, [CONTENT], len(CONTENT), artifact_version=version)[-1].status.code == 68001


def test_files_outlive_a_restart_and_go_with_their_artifact(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running(data_dir=state) as first, closing(Client(first.url)) as client:
        put(client, "v1")
    with running(data_dir=state) as second:
        where = {**IN_APP, "artifact_id": "weights", "base": second.url, "pat": "any"}
        version = ArtifactVersion(version_id="v1", **where)
        assert Path(version.download(str(tmp_path / "back"))).read_bytes() == CONTENT
        assert Artifact(**where).delete()
        assert [each for each in (state / "artifacts").rglob("*") if each.is_file()] == []


def test_another_user_reads_what_is_public_only(tmp_path: Path) -> None:
    accounts = tmp_path / "pats.yaml"
    accounts.write_text("users: [{id: ada}, {id: eve}]\ntokens: [{token: a, user: ada}, {token: e, user: eve}]\n")
    accounts.chmod(0o600)
    with running(pats_file=accounts, user_id="ada") as emulator, closing(Client(emulator.url, pat="a")) as client:
        put(client, "private")
        put(client, "public", 50)
        app = {"id": "files", "visibility": {"gettable": 50}}
        client.call("PatchApps", action="merge", user_app_id={"user_id": "ada"}, apps=[app])
        eve = {"artifact_id": "weights", "user_id": "ada", "app_id": "files", "base": emulator.url, "pat": "e"}
        shown = ArtifactVersion(version_id="public", **eve)
        assert Path(shown.download(str(tmp_path / "back"))).read_bytes() == CONTENT
        for act in (ArtifactVersion(version_id="private", **eve).get, shown.delete):
            with pytest.raises(Exception, match="artifact version"):
                act()


def test_the_cli_carries_files_both_ways(cli: Commands, file: Path, tmp_path: Path) -> None:
    said = cli.ok("artifact", "cp", file, PATH, "--description", "d", "--visibility", "org",
                  "--expires-at", "2030-12-31T23:59:59.999Z")  # fmt: skip
    version = said.rpartition("Version ID: ")[2].strip()
    assert f"Successfully uploaded {file} to {PATH}" in said
    assert cli.ok("af", "cp", file, f"{PATH}/versions/v123").rstrip().endswith("Version ID: v123")
    assert [row[:3] for row in cli.rows("af", "ls", "users/me/apps/files")] == [["weights", "v123", "PRIVATE"]]
    listed = [row[:3] for row in cli.rows("artifact", "list", PATH, "--versions")]
    assert listed == [["v123", "PRIVATE", "Never"], [version, "ORG", "2030-12-31"]]
    assert "Latest version: v123\n" in cli.ok("artifact", "get", PATH)
    shown = cli.ok("artifact", "get", f"{PATH}/versions/{version}")
    assert "Description: d\nVisibility: ORG\nExpires at: 2030-12-31 23:59:59.999000\n" in shown
    cli.ok("artifact", "cp", PATH, tmp_path / "newest")
    cli.ok("artifact", "cp", f"{PATH}/versions/{version}", tmp_path / "older")
    assert (tmp_path / "newest").read_bytes() == (tmp_path / "older").read_bytes() == CONTENT


def test_ids_may_hold_dashes_and_underscores(cli: Commands, file: Path) -> None:
    path = "users/me/apps/files/artifacts/my-model_v2/versions/v1-0_0-alpha"
    cli.ok("artifact", "cp", file, path)
    assert "v1-0_0-alpha" in cli.ok("artifact", "get", path)


def test_the_cli_asks_before_it_deletes(cli: Commands, file: Path) -> None:
    cli.ok("artifact", "cp", file, f"{PATH}/versions/v1")
    cli.run("artifact", "delete", PATH, stdin="n\n")
    assert "Artifact ID: weights" in cli.ok("artifact", "get", PATH)
    cli.ok("artifact", "rm", f"{PATH}/versions/v1", "--force")
    assert "No artifact versions found" in cli.ok("artifact", "list", PATH, "--versions")
    cli.ok("artifact", "delete", PATH, stdin="y\n")
    assert "No artifacts found" in cli.ok("artifact", "list", "users/me/apps/files")
    assert "Artifact does not exist" in cli.refused("artifact", "get", PATH)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("list", PATH), "To list artifacts, use: users/<user-id>/apps/<app-id>"),
        (("get", "users/me/apps/files"), "Path must include user_id, app_id, and artifact_id"),
        (("get", "weights"), "Invalid artifact path"),
        (("cp", "./here", "./there"), "must be an artifact path"),
        (("cp", PATH, f"{PATH}2"), "must be a local path"),
        (("cp", "./no-such-file", PATH), "Source file does not exist"),
        (("get", f"{PATH}/versions/gone"), "does not exist"),
        (("cp", PATH, "."), "does not exist"),
    ],
)
def test_the_cli_says_what_is_wrong(cli: Commands, words: tuple[str, ...], says: str) -> None:
    assert says in cli.refused("artifact", *words)


def test_an_empty_file_is_refused_by_the_sdk(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    with pytest.raises(UserError, match="File is empty"):
        uploaded(empty)
