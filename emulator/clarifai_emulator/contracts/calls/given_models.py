"""Reads the given models, once for each content of their directories."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import MethodSignature

from clarifai_emulator.contracts.calls.call_targets import Address, GivenModel, NotAnAddress, read_address
from clarifai_emulator.contracts.calls.notebook_models import NoWrittenModel, is_notebook, written_model
from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.client_call import ClientCall
from clarifai_emulator.contracts.rules.finding import Edit, Finding, Location
from clarifai_emulator.contracts.rules.rule import Severity
from clarifai_emulator.contracts.rules.shown_text import printable
from clarifai_emulator.contracts.signatures.method import Method
from clarifai_emulator.contracts.stubs.sdk_surface import sdk_folder
from clarifai_emulator.errors import ConfigError
from clarifai_emulator.spelling import nearest

_READ_SUFFIXES = (".py", ".yaml", ".yml", ".txt", ".toml")
NOT_READ = frozenset({"__pycache__", ".git", ".venv", "venv", "node_modules"})
_FORMAT = 2


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model that clients are checked against. ``errors``: why its methods could not be read."""

    name: str
    directory: Path
    address: Address
    methods: tuple[Method, ...]
    way: str
    errors: tuple[Finding, ...]

    def method(self, name: str) -> Method | None:
        return next((each for each in self.methods if each.signature.name == name), None)

    def fingerprint(self) -> str:
        """Write what clients are checked against as one text."""
        parts = [str(self.address), self.name, *(f"{each.location}" for each in self.methods)]
        return "\n".join(
            [*parts, *(each.signature.SerializeToString(deterministic=True).hex() for each in self.methods)]
        )


def unreadable_model(model: KnownModel) -> Finding:
    """Report a model of which nothing could be read, so that its calls are not checked."""
    message = f"No method of model '{model.name}' could be read, so calls of it are not checked."
    hint = "Mend what is found in its cells." if is_notebook(model.directory) else None
    return found("unreadable-model", message, Location(model.directory), model=model.name, hint=hint)


def read_models(given: Sequence[GivenModel], cache: Path | None, *, static: bool = False) -> list[KnownModel]:
    """Read the directories, those that changed since the last time. Raises ``ConfigError`` for addresses that are
    none, and for directories that are not there."""
    require_models(given)
    records: dict[int, dict[str, Any]] = {}
    missing: list[tuple[int, Path, str]] = []
    for index, each in enumerate(given):
        if is_notebook(each.directory):
            records[index] = _written_record(each.directory, static)
            continue
        digest = _digest(each.directory, static)
        record = _load(cache, digest)
        if record is None:
            missing.append((index, each.directory, digest))
        else:
            records[index] = record
    if missing:
        from clarifai_emulator.contracts.signatures.read_signatures import read_many

        contracts = read_many([path for _, path, _ in missing], static=static, cache_dir=cache)
        for (index, _, digest), contract in zip(missing, contracts, strict=True):
            records[index] = _record(contract)
            # Others may change outside of the directory: a package that is installed now, a module beside it.
            if contract.methods and contract.is_self_contained:
                _save(cache, digest, records[index])
    return [_known(each, records[index]) for index, each in enumerate(given)]


def _written_record(notebook: Path, static: bool) -> dict[str, Any]:
    """Read the model that a notebook writes; its methods are declared in cells."""
    from clarifai_emulator.contracts.signatures.read_signatures import read_signatures

    try:
        written = written_model(notebook)
    except NoWrittenModel as problem:
        raise _unusable([f"{notebook} {problem}"]) from None
    with written.directory() as root:
        contract = read_signatures(root, static=static)
    methods = [
        replace(
            each,
            location=written.located(each.location, root),
            parameters={
                name: place
                for name, where in each.parameters.items()
                if (place := written.located(where, root)) is not None
            },
        )
        for each in contract.methods
    ]
    findings = [written.told(each, root) for each in contract.findings]
    return _record(replace(contract, methods=tuple(methods), findings=tuple(findings)))


def _unusable(problems: Sequence[str]) -> ConfigError:
    return ConfigError("The models cannot be used:", problems, hint="Write --model DIR or --model DIR=URL.")


def require_models(given: Sequence[GivenModel]) -> None:
    """Raise ``ConfigError`` for addresses that are none, and for directories that are not there."""
    problems = [_missing(each.directory) for each in given if not _is_there(each.directory)]
    for each in given:
        if each.address:
            try:
                read_address(each.address)
            except NotAnAddress as error:
                problems.append(f"{each.directory}: {error}")
    if sum(each.address == "*" for each in given) > 1:
        problems.append("only one model can have the address '*'")
    if problems:
        raise _unusable(problems)


def _is_there(directory: Path) -> bool:
    return directory.expanduser().is_dir() or is_notebook(directory)


def _missing(directory: Path) -> str:
    """Say that there is no such directory, with the nearest that is there."""
    if directory.expanduser().exists():
        return f"{printable(str(directory))} is a file, not a model directory"
    try:
        beside = [each for each in os.listdir(directory.parent) if (directory.parent / each).is_dir()]
    except OSError:
        beside = []
    near = nearest(directory.name, beside)
    meant = f"; did you mean {printable(str(directory.parent / near))}?" if near else ""
    return f"there is no directory {printable(str(directory))}{meant}"


def _known(given: GivenModel, record: Mapping[str, Any]) -> KnownModel:
    own = Address(str(record["user_id"]), str(record["app_id"]), str(record["model_id"]))
    address = read_address(given.address) if given.address else own
    # "me" is whoever deploys it.
    if not given.address and own.user_id == "me":
        address = Address("", own.app_id, own.model_id)
    return KnownModel(
        # Clients know it by the id that stands behind "=".
        name=(address.model_id if given.address else "") or str(record["model_id"]) or given.directory.name,
        directory=given.directory,
        address=address,
        methods=tuple(_method(each) for each in record["methods"]),
        way=str(record["way"]),
        errors=tuple(_finding(each) for each in record["errors"]),
    )


def _record(contract: Any) -> dict[str, Any]:
    errors = [each for each in contract.findings if each.severity is Severity.ERROR]
    return {
        "model_id": contract.model_id,
        "user_id": contract.user_id,
        "app_id": contract.app_id,
        "way": contract.way,
        "methods": [
            {
                "signature": base64.b64encode(each.signature.SerializeToString()).decode(),
                "location": place(each.location),
                "parameters": {name: place(where) for name, where in each.parameters.items()},
                "docstring": each.docstring,
            }
            for each in contract.methods
        ],
        "errors": [finding_record(each) for each in errors] if not contract.methods else [],
    }


def _method(record: Mapping[str, Any]) -> Method:
    parameters = {name: where for name, each in record["parameters"].items() if (where := location(each))}
    return Method(
        MethodSignature.FromString(base64.b64decode(record["signature"])),
        location(record["location"]),
        parameters,
        str(record["docstring"]),
    )


def place(where: Location | None) -> list[Any] | None:
    """Return a location as JSON."""
    if where is None:
        return None
    return [str(where.path), where.line, where.column, where.end_line, where.end_column, where.cell]


def location(values: Sequence[Any] | None) -> Location | None:
    """Undo ``place``."""
    return None if values is None else Location(Path(values[0]), *values[1:])


def finding_record(finding: Finding) -> dict[str, Any]:
    """Return a finding as JSON, to be kept."""
    return {
        "rule": finding.rule,
        "severity": finding.severity.value,
        "message": finding.message,
        "hint": finding.hint,
        "location": place(finding.location),
        "declared": place(finding.declared),
        "model": finding.model,
        "method": finding.method,
        "edit": [place(finding.edit.location), finding.edit.text] if finding.edit is not None else None,
    }


def _finding(record: Mapping[str, Any]) -> Finding:
    return Finding(
        rule=record["rule"],
        severity=Severity(record["severity"]),
        message=record["message"],
        hint=record["hint"],
        location=location(record["location"]),
        declared=location(record["declared"]),
        model=record["model"],
        method=record["method"],
        edit=_edit(record["edit"]),
    )


def _edit(record: Sequence[Any] | None) -> Edit | None:
    where = location(record[0]) if record is not None else None
    return Edit(where, str(record[1])) if record is not None and where is not None else None


read_finding = _finding


def call_record(call: ClientCall) -> dict[str, Any]:
    """Return a call as JSON, to be kept."""
    findings = [finding_record(each) for each in call.findings]
    return {"location": place(call.location), "called": call.called, "model": call.model, "findings": findings}


def read_call(record: Mapping[str, Any]) -> ClientCall:
    """Undo ``call_record``."""
    where = location(record["location"])
    assert where is not None
    return ClientCall(where, record["called"], record["model"], tuple(map(_finding, record["findings"])))


def _digest(directory: Path, static: bool) -> str:
    about = f"{_FORMAT}{static}{directory.resolve()}{sys.executable}{_sdk()}"
    return hashlib.sha256(f"{about}{content_digest(directory)}".encode(errors="surrogateescape")).hexdigest()


def content_digest(directory: Path) -> str:
    """Return a hash of everything in a model directory that a contract is read from."""
    if is_notebook(directory):
        return hashlib.sha256(directory.read_bytes()).hexdigest()
    digest = hashlib.sha256()
    for path in _files(directory):
        digest.update(f"{path.relative_to(directory)}\0".encode(errors="surrogateescape"))
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


@functools.cache
def _sdk() -> str:
    """Another one makes other signatures. Its version stands in this file, and costs more to ask for."""
    folder = sdk_folder()
    if folder is None:
        return ""
    stat = (folder / "__init__.py").stat()
    return f"{folder} {stat.st_size} {stat.st_mtime_ns}"


def _files(directory: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(directory):
        names[:] = sorted(name for name in names if name not in NOT_READ)
        yield from (Path(folder, name) for name in sorted(files) if name.endswith(_READ_SUFFIXES))


def _load(cache: Path | None, digest: str) -> dict[str, Any] | None:
    if cache is None:
        return None
    try:
        return json.loads((cache / "models" / f"{digest}.json").read_text())
    except (OSError, ValueError):
        return None


def _save(cache: Path | None, digest: str, record: Mapping[str, Any]) -> None:
    if cache is not None:
        (cache / "models").mkdir(parents=True, exist_ok=True)
        (cache / "models" / f"{digest}.json").write_text(json.dumps(record))
