"""Measures how fast an archive is uploaded over the loopback, beside copying the same file to the disk with fsync.

The archive is random bytes, sent as the SDK sends one: parts of 127 MiB, read from a file. The timed part ends with
the answer that the version is being built; nothing builds from it, because it is no archive. The processor time,
which a busy machine changes less than the rate, is the emulator's, beside the client's own.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from benchmarks.figures import Figure, alone, compared
from benchmarks.peers import emulator, free_port, processor_seconds
from clarifai_emulator.api.rpc import rpc_table

_MEBIBYTE = 1024 * 1024
_PART = 127 * _MEBIBYTE
_APP = {"user_id": "me", "app_id": "bench"}
_METADATA = [("authorization", "Key benchmark-token")]


def measure(*, quick: bool = False) -> list[Figure]:
    """Return the figures, in MiB/s."""
    size, rounds = (32 * _MEBIBYTE, 3) if quick else (200 * _MEBIBYTE, 9)
    port = free_port()
    with tempfile.TemporaryDirectory() as folder, emulator(port) as serving:
        archive = Path(folder) / "archive.tar.gz"
        archive.write_bytes(os.urandom(size))
        options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
        with grpc.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
            _call(channel, "PostApps", apps=[{"id": _APP["app_id"]}])
            _call(channel, "PostModels", user_app_id=_APP, models=[{"id": "model"}])
            uploads: list[float] = []
            copies: list[float] = []
            ours: list[float] = []
            clients: list[float] = []
            _upload(channel, archive)
            for _ in range(rounds):
                began = processor_seconds(serving.pid), time.process_time()
                uploads.append(_rate(size, lambda: _upload(channel, archive)))
                ours.append(processor_seconds(serving.pid) - began[0])
                clients.append(time.process_time() - began[1])
                copies.append(_rate(size, lambda: _copy(archive, Path(folder) / "copy")))
    name = f"upload of {size // _MEBIBYTE} MiB"
    return [
        alone(name, uploads, unit="MiB/s", target=150, at_least=True),
        compared(f"{name}, beside a copy with fsync", uploads, copies, unit="MiB/s", target=0.7, at_least=True),
        compared(f"{name}, processor time, beside the client's", ours, clients, unit="s", target=None),
    ]


def _rate(size: int, work: Any) -> float:
    started = time.perf_counter()
    work()
    return size / _MEBIBYTE / (time.perf_counter() - started)


def _upload(channel: grpc.Channel, archive: Path) -> None:
    rpc = rpc_table()["PostModelVersionsUpload"]
    method = channel.stream_stream(
        rpc.path,
        request_serializer=rpc.request_type.SerializeToString,
        response_deserializer=rpc.response_type.FromString,
    )
    last = list(method(_requests(archive), metadata=_METADATA))[-1]  # pyright: ignore[reportArgumentType]
    if last.status.code != StatusCode.MODEL_BUILDING:
        raise RuntimeError(f"the upload was refused: {last.status.code} {last.status.details}")
    named = {"user_app_id": _APP, "model_id": "model", "version_id": last.model_version_id}
    _call(channel, "DeleteModelVersion", **named)


def _call(channel: grpc.Channel, name: str, **fields: Any) -> None:
    rpc = rpc_table()[name]
    method = channel.unary_unary(
        rpc.path,
        request_serializer=rpc.request_type.SerializeToString,
        response_deserializer=rpc.response_type.FromString,
    )
    method(rpc.request_type(**fields), metadata=_METADATA)  # pyright: ignore[reportArgumentType]


def _requests(archive: Path) -> Iterator[Any]:
    config = {"user_app_id": _APP, "model_id": "model", "total_size": archive.stat().st_size}
    yield service_pb2.PostModelVersionsUploadRequest(upload_config=config)  # pyright: ignore[reportArgumentType]
    with archive.open("rb") as file:
        number = 0
        while data := file.read(_PART):
            number += 1
            part = {"part_number": number, "range_start": file.tell(), "data": data}
            yield service_pb2.PostModelVersionsUploadRequest(content_part=part)


def _copy(archive: Path, target: Path) -> None:
    with archive.open("rb") as source, target.open("wb") as copy:
        while data := source.read(_MEBIBYTE):
            copy.write(data)
        copy.flush()
        os.fsync(copy.fileno())
    target.unlink()
