"""Uploads of model versions over the wire are built once they arrive whole; one that is broken off goes on."""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.models.uploaded import UploadedFiles
from flow.driver import MODELS, Client, inference_request, running, text_of, wait_for
from flow.uploading import NODEPOOL, Request, Uploader, archive_of, config, parts, whole


@pytest.fixture(autouse=True)
def _own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def uploaded_files() -> list[str]:
    return [str(path) for path in Path(tempfile.gettempdir()).glob("clarifai-emulator-uploads-*/*/*")]


@pytest.fixture
def emulator() -> Iterator[EmulatorThread]:
    with running() as emulator:
        yield emulator


@pytest.fixture
def uploader(emulator: EmulatorThread) -> Iterator[Uploader]:
    uploader = Uploader(emulator.url)
    yield uploader
    uploader.close()


def refusal(uploader: Uploader, requests: Any, pat: str = "any-token") -> tuple[int, str]:
    """Return code and text of the last answer; nothing may have been created, or be left on the disk."""
    last = uploader.send(requests, pat)[-1].status
    expect_nothing(uploader)
    return last.code, last.details


def resumed(uploader: Uploader, size: int, version_id: str) -> Any:
    """Return the first answer to an upload of a version that was broken off; this one is broken off too."""
    return uploader.send([config(size, id=version_id)])[0]


def expect_nothing(uploader: Uploader) -> None:
    assert uploader.versions() == []
    assert uploaded_files() == []


class TestAnUpload:
    def test_is_built_from_its_archive_and_serves(self, uploader: Uploader) -> None:
        answers = uploader.send(whole(archive_of(), count=3))

        in_progress, done = StatusCode.UPLOAD_IN_PROGRESS, StatusCode.UPLOAD_DONE
        codes = [each.status.code for each in answers]
        assert codes == [in_progress, in_progress, in_progress, done, StatusCode.MODEL_BUILDING]
        assert [each.status.percent_completed for each in answers] == [0, 33, 66, 0, 0]
        assert answers[0].bytes_remaining > answers[1].bytes_remaining > answers[2].bytes_remaining > 0
        assert len({each.model_version_id for each in answers}) == 1
        last = answers[-1]
        version = uploader.built(last.model_version_id)
        assert version.status.code == StatusCode.MODEL_TRAINED, version.status
        assert [each.name for each in version.method_signatures] == ["predict", "generate", "stream"]
        assert version.inference_compute_info.cpu_memory == "256Mi"
        log = uploader.build_log(version.id)
        assert log[0] == "unpacking the archive"
        assert log[-1] == f"version {version.id[:8]} is built: predict, generate, stream"

        uploader.deploy(version.id)
        answer = uploader.client.call("PostModelOutputs", inference_request("hello", prompt="you"))
        assert text_of(answer) == "Hello, you!"

    def test_of_one_part_is_answered_as_the_platform_was_seen_to(self, uploader: Uploader) -> None:
        answers = uploader.send(whole(archive_of(), id="f" * 32))
        said = [(each.status.code, each.status.description, each.status.details) for each in answers]
        assert said == [
            (68000, "Upload in progress", "Starting upload."),
            (68001, "Upload done", "Completed upload of files, initiating model version image build."),
            (21107, "Model image is currently being built.", "Model version image is being built."),
        ]
        assert [each.status.percent_completed for each in answers] == [0, 0, 0]
        assert {each.model_version_id for each in answers} == {"f" * 32}

    @pytest.mark.of_processes("about replicas without an image; with one: tests/docker/test_image.py")
    def test_a_dockerfile_in_the_archive_is_not_looked_at(self, uploader: Uploader) -> None:
        answers = uploader.send(whole(archive_of(Dockerfile=b"FROM nowhere\n")))
        version = uploader.built(answers[-1].model_version_id)
        assert version.status.code == StatusCode.MODEL_TRAINED, version.status

    def test_what_the_archive_says_counts_and_not_what_the_client_says_of_it(self, uploader: Uploader) -> None:
        said = {"method_signatures": [{"name": "made_up"}], "status": {"code": StatusCode.MODEL_TRAINED}}
        answers = uploader.send(whole(archive_of(), inference_compute_info={"cpu_memory": "300Mi"}, **said))  # pyright: ignore[reportArgumentType]
        assert uploader.version(answers[-1].model_version_id).status.code != StatusCode.ZERO
        version = uploader.built(answers[-1].model_version_id)
        assert [each.name for each in version.method_signatures] == ["predict", "generate", "stream"]
        assert version.inference_compute_info.cpu_memory == "300Mi"

    def test_a_deployment_of_a_version_that_is_being_built_waits_for_it(self, uploader: Uploader) -> None:
        slow = b"import time\ntime.sleep(1)\n" + (MODELS / "hello" / "1" / "model.py").read_bytes()
        version_id = uploader.send(whole(archive_of(**{"1__model.py": slow})))[-1].model_version_id
        uploader.deploy(version_id)
        answer = uploader.client.call("PostModelOutputs", inference_request("hello", prompt="you"))
        assert text_of(answer) == "Hello, you!"

    def test_takes_the_place_of_nothing_before_it_is_built(self, uploader: Uploader) -> None:
        first = uploader.built(uploader.send(whole(archive_of()))[-1].model_version_id)
        worker = {"model": {"id": "hello", "app_id": "demo"}}
        given = {"id": "up", "worker": worker, "nodepools": [NODEPOOL], "deploy_latest_version": True}
        uploader.client.call("PostDeployments", user_app_id={"user_id": "me"}, deployments=[given])
        broken = uploader.send(whole(archive_of(**{"1__model.py": b"import nothing_here\n"})))[-1].model_version_id
        for _ in range(2):
            answer = uploader.client.call("PostModelOutputs", inference_request("hello", prompt="you"))
            assert text_of(answer) == "Hello, you!"
            assert uploader.built(broken).status.code == StatusCode.MODEL_BUILDING_FAILED
        newest = uploader.client.call("GetModelVersion", **uploader.app, model_id="hello").model_version
        assert newest.id == first.id

    def test_the_files_of_a_version_go_with_it(self, uploader: Uploader) -> None:
        version = uploader.built(uploader.send(whole(archive_of()))[-1].model_version_id)
        uploader.deploy(version.id)
        uploader.client.call("PostModelOutputs", inference_request("hello", prompt="you"))
        assert uploaded_files() != []
        uploader.client.call("DeleteModelVersion", **uploader.app, model_id="hello", version_id=version.id)
        wait_for(lambda: uploaded_files() == [])

    def test_an_emulator_that_ends_or_is_reset_leaves_none(self) -> None:
        with running() as emulator:
            uploader = Uploader(emulator.url)
            uploader.built(uploader.send(whole(archive_of()))[-1].model_version_id)
            assert uploaded_files() != []
            emulator.reset()
            assert uploaded_files() == []
            uploader.client.call("PostApps", user_app_id={"user_id": "me"}, apps=[{"id": "demo"}])
            uploader.client.call("PostModels", **uploader.app, models=[{"id": "hello"}])
            uploader.built(uploader.send(whole(archive_of()))[-1].model_version_id)
            assert uploaded_files() != []
            uploader.close()
        assert uploaded_files() == []


class TestABuildThatFails:
    @pytest.mark.parametrize(
        ("files", "says"),
        [
            ({"1__model.py": b"import nothing_here\n"}, "ModuleNotFoundError"),
            ({"config.yaml": b"model: [\n"}, "config.yaml, line"),
            ({"requirements.txt": b"clarifai ==\n"}, "requirements.txt"),
        ],
    )
    def test_says_why_in_the_status_and_in_the_log(
        self, uploader: Uploader, files: dict[str, bytes], says: str
    ) -> None:
        version_id = uploader.send(whole(archive_of(**files)))[-1].model_version_id
        version = uploader.built(version_id)
        assert version.status.code == StatusCode.MODEL_BUILDING_FAILED
        assert says in "\n".join([version.status.description, *uploader.build_log(version_id)])
        assert "clarifai-emulator-uploads" not in version.status.description
        refused = uploader.deploy(version_id).status
        assert refused.code == StatusCode.MODEL_INVALID_REQUEST
        assert f"version '{version_id}' of model 'hello' was not built: " in refused.details

    @pytest.mark.parametrize("data", [archive_of(**{"1__model.py": b"import nothing_here\n"}), b"no archive"])
    def test_leaves_nothing_on_the_disk_and_stays_readable_until_it_is_deleted(
        self, uploader: Uploader, data: bytes
    ) -> None:
        version = uploader.built(uploader.send(whole(data))[-1].model_version_id)
        wait_for(lambda: uploaded_files() == [])
        assert uploader.version(version.id).status == version.status
        assert uploader.build_log(version.id) != []
        deleted = uploader.client.call(
            "DeleteModelVersion", **uploader.app, model_id="hello", version_id=version.id
        )
        assert deleted.status.code == StatusCode.SUCCESS
        again = uploader.built(uploader.send(whole(archive_of(), id=version.id))[-1].model_version_id)
        assert (again.id, again.status.code) == (version.id, StatusCode.MODEL_TRAINED)

    def test_an_archive_that_escapes(self, uploader: Uploader, tmp_path: Path) -> None:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            tar.addfile(tarfile.TarInfo("../../../escaped"), io.BytesIO())
        version = uploader.built(uploader.send(whole(buffer.getvalue()))[-1].model_version_id)
        assert version.status.description == (
            "The uploaded archive cannot be used: '../../../escaped' leads out of the model directory."
        )
        assert not list(tmp_path.rglob("escaped"))

    def test_without_the_network_the_clients_pin_is_undone(self, uploader: Uploader) -> None:
        data = archive_of(**{"requirements.txt": b"clarifai==None\n"})
        version = uploader.built(uploader.send(whole(data))[-1].model_version_id)
        assert version.status.code == StatusCode.MODEL_TRAINED, version.status
        assert (
            "clarifai==None in requirements.txt is taken as clarifai: the uploading client found no version"
            in uploader.build_log(version.id)
        )


class TestRefusals:
    def test_an_upload_that_ends_too_early(self, uploader: Uploader) -> None:
        data = archive_of()
        last = uploader.send([config(len(data) + 1, id="a" * 32), *parts(data)])[-1].status
        assert (last.code, last.details) == (
            StatusCode.MODEL_UPLOADING_FAILED,
            f"The upload ended after {len(data)} of {len(data) + 1} bytes. Send upload_config again with "
            f"model_version.id '{'a' * 32}' to go on after part 1, or upload the archive again, whole.",
        )
        last = uploader.send([config(10, id="b" * 32)])[-1].status
        assert last.details == (
            f"The upload ended after 0 of 10 bytes. Send upload_config again with model_version.id '{'b' * 32}' to "
            "go on from part 1, or upload the archive again, whole."
        )
        assert uploader.versions() == []

    @pytest.mark.parametrize("size", [1000, 40_000_000])
    def test_more_bytes_than_were_announced(self, uploader: Uploader, size: int) -> None:
        assert refusal(uploader, [config(size - 1), *parts(bytes(size))]) == (
            StatusCode.MODEL_UPLOADING_FAILED,
            f"{size} bytes came with part 1; upload_config.total_size is {size - 1}. "
            "Say the archive's real size in total_size.",
        )
        assert uploader.built(uploader.send(whole(archive_of()))[-1].model_version_id)  # the connection goes on

    @pytest.mark.parametrize("order", [(1, 3), (2,), (1, 1), (0,)])
    def test_parts_that_are_missing_or_twice(self, uploader: Uploader, order: tuple[int, ...]) -> None:
        sent = [Request(content_part={"part_number": each, "data": b"x"}) for each in order]
        code, text = refusal(uploader, [config(10), *sent])
        assert code == StatusCode.MODEL_UPLOADING_FAILED
        assert text == (
            f"content_part.part_number: {order[-1]} came, {len(order)} was expected; parts are numbered from 1 and "
            "sent in order. Upload it again, whole."
        )

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
    def test_a_disk_that_is_full(self, uploader: Uploader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        full = tmp_path / "full"
        full.symlink_to("/dev/full")
        monkeypatch.setattr(UploadedFiles, "incoming", lambda _: full)  # pyright: ignore[reportUnknownLambdaType]
        assert refusal(uploader, whole(bytes(2_000_000))) == (
            StatusCode.MODEL_UPLOADING_FAILED,
            "The emulator cannot write the archive to its disk: No space left on device. "
            "Make room there, and upload it again.",
        )

    @pytest.mark.parametrize("size", [0, 2**62])
    def test_a_size_that_cannot_be(self, uploader: Uploader, size: int) -> None:
        code, text = refusal(uploader, [config(size)])
        assert code == StatusCode.MODEL_INVALID_ARGUMENT
        assert text == (
            f"upload_config.total_size: {size} bytes; an archive may have 1 to 17179869184. Leave checkpoints out "
            "of the archive: `checkpoints.when: runtime` in config.yaml."
        )

    def test_messages_in_the_wrong_order(self, uploader: Uploader) -> None:
        first = "The first message of an upload must be upload_config: the model, the version and total_size."
        for requests in ([], [Request()], list(parts(b"x"))):
            assert refusal(uploader, requests) == (
                StatusCode.CONN_INVALID_REQUEST,
                f"{first} Send the archive's parts after it.",
            )
        assert refusal(uploader, [config(5), config(5)])[1] == (
            "After upload_config, each message of an upload must be a content_part. Send upload_config once."
        )

    def test_a_model_or_version_that_cannot_be(self, uploader: Uploader) -> None:
        data = archive_of()
        assert refusal(uploader, [config(len(data), "nobody")])[0] == StatusCode.MODEL_DOES_NOT_EXIST
        code, text = refusal(uploader, whole(data, id="not an id"))
        assert code == StatusCode.MODEL_INVALID_ARGUMENT
        assert text.startswith("upload_config.model_version.id: 'not an id' is not a valid id: ")

    def test_somebody_elses_model(self) -> None:
        with running(pats={"ada-token": "ada", "bob-token": "bob"}, user_id="ada") as emulator:
            client = Client(emulator.url, "ada-token")
            app = {"user_app_id": {"user_id": "ada", "app_id": "demo"}}
            client.call("PostApps", user_app_id={"user_id": "ada"}, apps=[{"id": "demo"}])
            client.call("PostModels", **app, models=[{"id": "hello", "visibility": {"gettable": 50}}])  # pyright: ignore[reportArgumentType]
            uploader = Uploader.__new__(Uploader)
            uploader.channel = grpc.insecure_channel(emulator.url.removeprefix("http://"))
            request = config(10)
            request.upload_config.user_app_id.user_id = "ada"
            status = uploader.send([request], "bob-token")[-1].status
            assert status.code == StatusCode.CONN_INSUFFICIENT_SCOPES
            assert status.details.startswith("User 'bob' may not change resources of user 'ada'.")
            assert uploader.send([config(10)], "nobodys-token")[-1].status.code == StatusCode.CONN_KEY_NOT_FOUND
            uploader.channel.close()
            client.close()


class TestGivenUpHalfWay:
    def test_a_client_that_cancels(self, uploader: Uploader) -> None:
        begun, go_on = threading.Event(), threading.Event()

        def requests() -> Iterator[Request]:
            yield config(4_000_000)
            yield Request(content_part={"part_number": 1, "data": bytes(1_000_000)})
            begun.set()
            go_on.wait(20)

        call = uploader.stream(requests())
        version_id = next(call).model_version_id
        begun.wait(10)
        assert next(call).status.code == StatusCode.UPLOAD_IN_PROGRESS
        call.cancel()
        wait_for(lambda: resumed(uploader, 4_000_000, version_id).status.details == "Resuming upload after part 1.")
        go_on.set()
        assert uploader.versions() == []

    def test_a_connection_that_breaks(self, uploader: Uploader) -> None:
        go_on = threading.Event()

        def requests() -> Iterator[Request]:
            yield config(4_000_000)
            yield Request(content_part={"part_number": 1, "data": bytes(1_000_000)})
            go_on.wait(20)

        call = uploader.stream(requests())
        version_id = next(call).model_version_id
        next(call)
        uploader.channel.close()
        again = Uploader(uploader.url)
        wait_for(lambda: resumed(again, 4_000_000, version_id).bytes_remaining == 3_000_000)
        go_on.set()
        assert again.versions() == []
        again.close()

    def test_the_rest_completes_it(self, uploader: Uploader) -> None:
        data = archive_of()
        first, second, third = parts(data, 3)
        version_id = uploader.send([config(len(data)), first, second])[0].model_version_id
        answers = uploader.send([config(len(data), id=version_id), third])
        assert answers[0].status.details == "Resuming upload after part 2."
        assert [each.status.code for each in answers] == [68000, 68001, 21107]
        assert {each.model_version_id for each in answers} == {version_id}
        assert uploader.built(version_id).status.code == StatusCode.MODEL_TRAINED

    def test_what_came_may_come_again_from_the_first_part(self, uploader: Uploader) -> None:
        data = archive_of()
        version_id = uploader.send([config(len(data)), *list(parts(data, 3))[:2]])[0].model_version_id
        uploader.send([config(len(data), id=version_id), *parts(data, 2)])
        assert uploader.built(version_id).status.code == StatusCode.MODEL_TRAINED

    def test_another_archive_is_not_its_rest(self, uploader: Uploader) -> None:
        version_id = uploader.send([config(10, id="a" * 32), *list(parts(bytes(10), 2))[:1]])[0].model_version_id
        last = uploader.send([config(11, id=version_id)])[-1].status
        assert (last.code, last.details) == (
            StatusCode.MODEL_UPLOADING_FAILED,
            f"upload_config.total_size: 11 bytes; the upload of version '{version_id}' that was broken off has 10. "
            "Go on with the same archive, or leave the id out to upload another version.",
        )
        assert resumed(uploader, 10, version_id).status.details == "Resuming upload after part 1."

    def test_two_at_once_are_not_one(self, uploader: Uploader) -> None:
        go_on = threading.Event()

        def requests() -> Iterator[Request]:
            yield config(10, id="a" * 32)
            go_on.wait(20)

        call = uploader.stream(requests())
        next(call)
        last = uploader.send([config(10, id="a" * 32)])[-1].status
        assert (last.code, last.details) == (
            StatusCode.MODEL_UPLOADING,
            f"upload_config.model_version.id: version '{'a' * 32}' is being uploaded just now. Wait for the end of "
            "that upload, or leave the id out to upload another version.",
        )
        go_on.set()
        list(call)

    def test_only_the_last_eight_are_kept(self, uploader: Uploader) -> None:
        for number in range(10):
            uploader.send([config(10, id=f"{number:032}"), *list(parts(bytes(10), 2))[:1]])
        assert len(uploaded_files()) == 8
        assert resumed(uploader, 10, f"{0:032}").status.details == "Starting upload."
        assert resumed(uploader, 10, f"{9:032}").status.details == "Resuming upload after part 1."

    def test_an_emulator_that_stops_meanwhile(self) -> None:
        go_on = threading.Event()
        with running() as emulator:
            uploader = Uploader(emulator.url)

            def requests() -> Iterator[Request]:
                yield config(4_000_000)
                yield Request(content_part={"part_number": 1, "data": bytes(1_000_000)})
                go_on.wait(20)

            call = uploader.stream(requests())
            next(call)
        assert uploaded_files() == []
        with pytest.raises(grpc.RpcError):
            list(call)
        go_on.set()
        uploader.close()

    def test_a_version_that_is_deleted_while_it_is_built(self, uploader: Uploader) -> None:
        slow = b"import time\ntime.sleep(3)\n" + (MODELS / "hello" / "1" / "model.py").read_bytes()
        version_id = uploader.send(whole(archive_of(**{"1__model.py": slow})))[-1].model_version_id
        wait_for(lambda: "reading the method signatures of model.py" in uploader.build_log(version_id))
        uploader.client.call("DeleteModelVersion", **uploader.app, model_id="hello", version_id=version_id)
        wait_for(lambda: uploaded_files() == [])
        expect_nothing(uploader)

    def test_one_that_is_deleted_while_it_is_unpacked_stops_no_other(self, uploader: Uploader) -> None:
        many = {f"1__data__{number}.txt": b"x" for number in range(20_000)}
        deleted = uploader.send(whole(archive_of(**many)))[-1].model_version_id
        wait_for(lambda: "unpacking the archive" in uploader.build_log(deleted))
        kept = uploader.send(whole(archive_of()))[-1].model_version_id
        uploader.client.call("DeleteModelVersion", **uploader.app, model_id="hello", version_id=deleted)
        assert uploader.built(kept).status.code == StatusCode.MODEL_TRAINED
        later = uploader.send(whole(archive_of()))[-1].model_version_id
        assert uploader.built(later).status.code == StatusCode.MODEL_TRAINED


def test_other_requests_are_answered_while_a_large_archive_comes(
    emulator: EmulatorThread, uploader: Uploader
) -> None:
    data = os.urandom(48 * 1024 * 1024)
    waits: list[float] = []
    done = threading.Event()

    def ask() -> None:
        with_own = Client(emulator.url)
        while not done.is_set():
            started = time.monotonic()
            with_own.call("GetUser", user_app_id={"user_id": "me"})
            waits.append(time.monotonic() - started)
        with_own.close()

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        answers = uploader.send(whole(data, count=2))
    finally:
        done.set()
        asking.join()
    assert answers[-1].status.code == StatusCode.MODEL_BUILDING
    assert max(waits) < 1, f"longest wait {max(waits):.2f} s"
    version = uploader.built(answers[-1].model_version_id)
    assert version.status.description.startswith("The uploaded archive cannot be used: it is damaged")
