"""A container's settings: the limits and devices that were asked for, and no privilege."""

from __future__ import annotations

import tarfile
from io import BytesIO
from typing import Any

import pytest

from clarifai_emulator.backends.docker.attachment import Frames
from clarifai_emulator.backends.docker.container import (
    ContainerPlan,
    archive_of,
    cannot_keep_pat,
    create_arguments,
    host_arguments,
    model_path_of,
    secret_files,
    with_scripts,
)
from clarifai_emulator.backends.docker.engine import Engine
from clarifai_emulator.backends.docker.engine_errors import explained
from clarifai_emulator.backends.docker.labels import INSTANCE, is_left_behind, new_instance

DOCKER = Engine("unix:///s", "here", "docker", "27", cpus=4)
PODMAN = Engine("unix:///s", "here", "rootless podman", "5", cpus=4)
CDI = Engine("unix:///s", "here", "docker", "27", cdi=("nvidia.com/gpu=GPU-a",))


def plan(**parts: Any) -> ContainerPlan:
    return ContainerPlan(**{"image": "i", "name": "n", "instance": "x", "model": "m", "network": "net", **parts})


def test_no_capability_no_privilege_an_init_and_bounded_logs() -> None:
    host = host_arguments(plan(), DOCKER)
    assert host["cap_drop"] == ["ALL"]
    assert host["security_opt"] == ["no-new-privileges:true"]
    assert host["init"] is True
    assert host["pids_limit"] == 4096
    assert host["log_config"]["config"] == {"max-size": "10m", "max-file": "2"}
    assert "privileged" not in host


def test_limits_are_those_of_the_compute_info_and_no_more_than_the_engine_has() -> None:
    host = host_arguments(plan(cpu="500m", memory="1Gi"), DOCKER)
    assert (host["nano_cpus"], host["mem_limit"], host["memswap_limit"]) == (500_000_000, 1024**3, 1024**3)
    assert host_arguments(plan(cpu="32"), DOCKER)["nano_cpus"] == 4 * 10**9


@pytest.mark.parametrize(
    ("engine", "request_"),
    [
        (DOCKER, {"Driver": "", "Count": 0, "DeviceIDs": ["GPU-a"], "Capabilities": [["gpu"]], "Options": {}}),
        (PODMAN, {"Driver": "cdi", "Count": 0, "DeviceIDs": ["nvidia.com/gpu=GPU-a"]}),
        (CDI, {"Driver": "cdi", "Count": 0, "DeviceIDs": ["nvidia.com/gpu=GPU-a"]}),
    ],
)
def test_exactly_the_devices_are_asked_for_in_the_way_the_engine_has(engine: Engine, request_: object) -> None:
    assert host_arguments(plan(accelerators=["GPU-a"]), engine)["device_requests"] == [request_]


def test_amd_devices_are_passed_as_their_nodes() -> None:
    host = host_arguments(plan(device_nodes=["/dev/kfd", "/dev/dri/renderD128"], device_groups=["105"]), DOCKER)
    assert host["devices"] == ["/dev/kfd:/dev/kfd:rwm", "/dev/dri/renderD128:/dev/dri/renderD128:rwm"]
    assert host["group_add"] == ["105"]


def test_who_asks_for_no_gpu_sees_none_whatever_the_image_says() -> None:
    assert create_arguments(plan(), DOCKER, [])["environment"]["NVIDIA_VISIBLE_DEVICES"] == "void"
    given = create_arguments(plan(accelerators=["GPU-a"]), DOCKER, [])["environment"]
    assert "NVIDIA_VISIBLE_DEVICES" not in given


def test_further_arguments_come_after_the_images_own() -> None:
    made = create_arguments(plan(arguments=["--num_threads", "2"]), DOCKER, ["--model_path", "/m"])
    assert made["command"] == ["--model_path", "/m", "--num_threads", "2"]
    assert made["labels"][INSTANCE] == "x"


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (["python", "--model_path", "/a"], "/a"),
        (["python", "--model_path=/b"], "/b"),
        (["sh"], "/home/nonroot/main"),
        ([], "/home/nonroot/main"),
    ],
)
def test_the_model_is_where_the_images_command_says(command: list[str], path: str) -> None:
    assert model_path_of(command) == path


def test_secrets_are_files_of_the_replicas_user_that_nobody_else_reads() -> None:
    files = secret_files({"HF_TOKEN": "x"})
    with tarfile.open(fileobj=BytesIO(archive_of(files, mode=0o400))) as tar:
        entry = tar.getmember("etc/clarifai/secrets/HF_TOKEN/HF_TOKEN")
        assert (entry.uid, entry.mode) == (65532, 0o400)
        assert "etc" not in tar.getnames()


def frame(stream: int, printed: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(printed).to_bytes(4, "big") + printed


def test_frames_are_put_together_whatever_the_pieces_they_come_in() -> None:
    data = frame(1, b"one\nt") + frame(1, b"wo\n") + frame(2, b"three")
    frames = Frames()
    assert [line for n in range(len(data)) for line in frames.feed(data[n : n + 1])] == [b"one", b"two"]
    assert frames.end() == [b"three"]


def test_a_line_of_one_stream_is_not_cut_by_one_of_the_other() -> None:
    frames = Frames()
    assert frames.feed(frame(1, b"line 0") + frame(2, b"aside\n") + frame(1, b"\nline 1\n")) == [
        b"aside",
        b"line 0",
        b"line 1",
    ]
    assert frames.end() == []


def test_an_instance_is_left_behind_when_its_process_is_gone_or_another_has_its_number() -> None:
    mine = new_instance()
    host, pid, began, random = mine.split("/")
    assert not is_left_behind(mine)
    assert is_left_behind(f"{host}/{pid}/{int(began) - 1}/{random}")
    assert is_left_behind(f"{host}/4194305/1/{random}"), "no process has this number"
    assert not is_left_behind(f"another-{host}/4194305/1/{random}"), "of another machine nothing is known"
    assert not is_left_behind("something else")


@pytest.mark.parametrize(
    ("said", "meaning", "advice"),
    [
        (
            'could not select device driver "" with capabilities: [[gpu]]',
            "no driver for GPUs",
            "nvidia-ctk runtime",
        ),
        ('could not select device driver "cdi"', "knows no CDI device", "nvidia-ctk cdi generate"),
        ("load library failed: libnvidia-ml.so.1: cannot open", "does not find the NVIDIA driver", "nvidia-smi"),
        ("container create: container-init binary not found on the host", "no program", "Install `catatonit`"),
        ("write /x: no space left on device", "disk is full", "docker system df"),
        ("No command specified", "says nothing about what to run", 'CMD ["python", "-m", "clarifai.'),
        ("[FATAL tini (7)] exec python failed: No such file or directory", "no `python`", "install Python 3"),
        ('exec: "python": executable file not found in $PATH', "no `python`", "install Python 3"),
    ],
)
def test_known_refusals_say_what_they_mean_and_what_to_do(said: str, meaning: str, advice: str) -> None:
    error = explained(RuntimeError(said), DOCKER, plan(accelerators=["GPU-a"]))
    assert error.summary.startswith("The container of m with GPU-a cannot be started: ")
    assert meaning in error.summary
    assert advice in error.hint
    assert error.log == said


def test_an_unknown_refusal_is_passed_on() -> None:
    error = explained(RuntimeError("teapot"), DOCKER, plan())
    assert str(error) == "The container of m cannot be started by docker: teapot"


def test_mounted_folders_can_be_read_only_also_where_selinux_guards_them() -> None:
    host = host_arguments(plan(mounts={"/inside": "/outside"}), DOCKER)
    assert host["mounts"] == [{"Type": "bind", "Source": "/outside", "Target": "/inside", "ReadOnly": True}]
    assert host["security_opt"] == ["no-new-privileges:true", "label=disable"]
    assert "mounts" not in host_arguments(plan(), DOCKER)


def test_a_runner_keeps_its_own_pat_beside_its_models_and_no_command_line_shows_it() -> None:
    command = ["python", "-m", "clarifai.runners.server", "--model_path", "/home/nonroot/main"]
    kept = with_scripts(command)
    script = "/tmp/clarifai-emulator/container_server_main.py"
    assert kept == ["python", script, "--model_path", "/home/nonroot/main"]
    own = plan(command=kept, runner_pat="replica-1", environ={"CLARIFAI_PAT": "mine"})
    made = create_arguments(own, DOCKER, [])
    assert made["environment"]["CLARIFAI_PAT"] == "mine"
    assert made["environment"]["CLARIFAI_EMULATOR_PAT"] == "replica-1"
    assert "replica-1" not in str([made["entrypoint"], made["command"]])


@pytest.mark.parametrize("command", [["sh", "-c", "python -m clarifai.runners.server"], ["./serve"], []])
def test_a_pat_for_the_model_of_an_image_that_starts_something_else_is_refused(command: list[str]) -> None:
    assert with_scripts(command) == []
    assert str(cannot_keep_pat(command)) == (
        "The model is to have a CLARIFAI_PAT of its own, from a secret or from --env, and its runner needs the "
        "replica's: the emulator can give it that where the image starts `python -m clarifai.runners.server`, "
        f"and this one starts `{' '.join(command) or 'nothing'}`.\nGive the secret another name, and read that in "
        "the model; or leave the ENTRYPOINT and CMD of the Dockerfile to the SDK's."
    )


def test_hosts_that_are_refused_lead_nowhere() -> None:
    host = host_arguments(plan(refuses=["api.clarifai.com"]), DOCKER)
    assert host["extra_hosts"] == {"api.clarifai.com": "127.0.0.1"}
    assert "extra_hosts" not in host_arguments(plan(), DOCKER)
