"""Reads contracts from their origins: a lock file, model directories, a git revision of either, or a control plane.

clarifai.contract.yaml      my-model/      models/          (all model directories below) main:my-model
HEAD~1:clarifai.contract.yaml https://clarifai.com/USER/APP/models/ID[/versions/VERSION]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from clarifai_emulator.contracts.changes import revisions
from clarifai_emulator.contracts.changes.lock import LOCK_FILE, Promise, parse_lock, read_lock
from clarifai_emulator.contracts.rules.finding import Finding
from clarifai_emulator.errors import ConfigError
from clarifai_emulator.left_out import of_the_whole
from clarifai_emulator.messages.address import ModelAddress, parse_address

_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """The API that is asked for models. ``base_url``: of the API, not of the web site."""

    base_url: str
    pat: str


@dataclass(frozen=True, slots=True)
class Origin:
    """The contracts of one origin. ``findings``: why a model directory of it could not be read, and what is
    doubtful. ``is_one``: the origin names one model, and says nothing of others. ``texts``: the lines of its
    files, where they are those of a revision."""

    text: str
    promises: tuple[Promise, ...]
    findings: tuple[Finding, ...] = ()
    is_one: bool = False
    texts: Mapping[Path, Sequence[str]] = field(default_factory=dict[Path, Sequence[str]])


def resolve(text: str, *, static: bool = False, control_plane: ControlPlane | None = None) -> Origin:
    """Read the origin that this argument of a command means. Raises ``ConfigError``."""
    path = Path(text).expanduser()
    if path.is_file():
        return Origin(text, tuple(read_lock(path)))
    if path.is_dir():
        return _directories(text, path, static)
    address = parse_address(text)
    if address is not None:
        return Origin(text, (_remote(text, address, control_plane),), is_one=True)
    revision, _, inside = text.partition(":")
    if inside and not revision.startswith(("http", "-")):
        return _revision(text, revision, inside, static)
    raise ConfigError(
        f"'{text}' names no contract:",
        ["it is neither a file, a directory, REVISION:PATH nor a model URL"],
        hint="Give a lock file, a model directory, a git revision such as main:my-model, or a model URL.",
    )


def model_directories(path: Path) -> list[Path]:
    """Return the directory itself, or every model directory below it."""
    if (path / "config.yaml").is_file() or (path / "1" / "model.py").is_file():
        return [path]
    found = (each.parent for each in sorted(path.rglob("config.yaml")))
    return [each for each in found if (each / "1").is_dir() and not _is_hidden(each.relative_to(path))]


def lock_files(folder: Path) -> list[Path]:
    """Return the lock files in a folder and below it; none of installed packages, or of hidden folders."""
    return [each for each in sorted(folder.rglob(LOCK_FILE)) if not _is_hidden(each.relative_to(folder))]


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") or part in ("node_modules", "venv") for part in path.parts)


def _directories(text: str, path: Path, static: bool) -> Origin:
    directories = model_directories(path)
    if not directories and (path / LOCK_FILE).is_file():
        return Origin(text, tuple(read_lock(path / LOCK_FILE)))
    if not directories:
        raise ConfigError(
            f"'{text}' holds no contract:",
            [f"there is neither a model directory in it nor a {LOCK_FILE}"],
            hint="A model directory holds config.yaml, requirements.txt and 1/model.py.",
        )
    from clarifai_emulator.contracts.signatures.read_signatures import read_many

    contracts = read_many(directories, static=static)
    promises = tuple(Promise(each.name, each.methods) for each in contracts if each.way != "failed")
    findings = tuple(finding for each in contracts for finding in each.findings)
    return Origin(text, promises, findings, is_one=directories == [path])


def _revision(text: str, revision: str, inside: str, static: bool) -> Origin:
    """Read a path as it was in a git revision; nothing is checked out."""
    inside = inside.rstrip("/") or "."
    if revisions.is_file(text, revision, inside):
        content = revisions.file_text(text, revision, inside)
        file = Path(f"{revision}:{inside}")
        return Origin(text, tuple(parse_lock(content, file, revision)), texts={file: content.split("\n")})
    with revisions.laid_out(text, revision, inside) as folder:
        found = _directories(text, folder.folder, static)
        places = [
            *(method.location for promise in found.promises for method in promise.methods),
            *(each.location for each in found.findings),
        ]
        return replace(
            found,
            promises=tuple(Promise(each.name, tuple(map(folder.method, each.methods))) for each in found.promises),
            findings=tuple(map(folder.finding, found.findings)),
            texts=dict(named for place in dict.fromkeys(places) for named in folder.text(place)),
        )


def _remote(text: str, address: ModelAddress, control_plane: ControlPlane | None) -> Promise:
    if control_plane is None:
        raise ConfigError(
            f"'{text}' is on a control plane, and none was named:",
            ["neither a running emulator nor CLARIFAI_PAT was found"],
            hint="Start the emulator, or set CLARIFAI_PAT to ask the platform itself.",
        )
    from clarifai_emulator.contracts.signatures.method import Method

    version = _ask(text, address, control_plane)
    name = ModelAddress(*address.key).name
    methods = tuple(Method(each, None, {}, each.description) for each in version.method_signatures)
    if not methods:
        raise ConfigError(
            f"The model {name} has no method signatures:",
            ["it was made before models had them, or has no version yet"],
        )
    return Promise(name, methods)


def _ask(text: str, address: ModelAddress, control_plane: ControlPlane) -> Any:
    with of_the_whole("asking a control plane for a model URL"):
        import grpc
    from clarifai_grpc.grpc.api import service_pb2
    from clarifai_grpc.grpc.api.resources_pb2 import UserAppIDSet
    from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

    request = service_pb2.GetModelRequest(
        user_app_id=UserAppIDSet(user_id=address.user_id, app_id=address.app_id),
        model_id=address.model_id,
        version_id=address.version_id,
    )
    with _channel(control_plane.base_url) as channel:
        call = channel.unary_unary(
            "/clarifai.api.V2/GetModel",
            request_serializer=service_pb2.GetModelRequest.SerializeToString,
            response_deserializer=service_pb2.SingleModelResponse.FromString,
        )
        where = f"{control_plane.base_url} cannot be asked for {text}:"
        try:
            answer = call(request, metadata=[("authorization", f"Key {control_plane.pat}")], timeout=_SECONDS)
        except grpc.RpcError as error:
            raise ConfigError(where, [_said(error)], hint=_way_out(error)) from None
    if answer.status.code != StatusCode.SUCCESS:
        said = f"{answer.status.code} {answer.status.description}: {answer.status.details}"
        raise ConfigError(where, [said], hint="Check the model URL, and what the token may see.")
    return answer.model.model_version


def _channel(base_url: str) -> Any:
    with of_the_whole("asking a control plane for a model URL"):
        import grpc

    scheme, _, address = base_url.rstrip("/").rpartition("://")
    if scheme == "http":
        return grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)])
    target = address if ":" in address else f"{address}:443"
    return grpc.secure_channel(target, grpc.ssl_channel_credentials())


def _said(error: Any) -> str:
    return f"{error.code().name}: {error.details()}"


def _way_out(error: Any) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in error.details():
        return (
            "Its certificate is signed by no authority that gRPC knows. Where that is as it should be, name the "
            "file with the authority's certificate in GRPC_DEFAULT_SSL_ROOTS_FILE_PATH."
        )
    return "Is it running, and is its address right?"


def pairs(old: Origin, new: Origin) -> Iterator[tuple[Promise | None, Promise | None]]:
    """Yield each old model with its new one: by name; a single model on each side is the same one, whatever its
    name. If a side names one model, further models of the other do not matter."""
    before, after = old.promises, {each.name: each for each in new.promises}
    if len(before) == len(after) == 1:
        yield before[0], new.promises[0]
        return
    shared = {each.name for each in before} & after.keys()
    if shared and (old.is_one or new.is_one):
        before = tuple(each for each in before if each.name in shared)
        after = {name: each for name, each in after.items() if name in shared}
    for each in before:
        yield each, after.pop(each.name, None)
    for each in after.values():
        yield None, each
