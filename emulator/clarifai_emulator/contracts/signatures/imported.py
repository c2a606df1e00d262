"""Reads models by importing them in a child of the process backend; makes its answer methods and findings.

Called by ``signatures.py``; the child's side is ``inside/inspect_main.py``.
"""

from __future__ import annotations

import asyncio
import base64
import sys
import tempfile
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from clarifai_grpc.grpc.api.resources_pb2 import MethodSignature

from clarifai_emulator.backends.model_errors import OTHER_SDK
from clarifai_emulator.backends.process.parent import NOWHERE
from clarifai_emulator.backends.process.process_backend import ProcessBackend
from clarifai_emulator.config import default_cache_dir
from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.finding import Finding, Location
from clarifai_emulator.contracts.rules.rule import Severity
from clarifai_emulator.contracts.signatures.answer_cache import Answers, is_own
from clarifai_emulator.contracts.signatures.beside_files import imported_names
from clarifai_emulator.contracts.signatures.client_names import HIDDEN_METHOD_NAMES
from clarifai_emulator.contracts.signatures.method import Method
from clarifai_emulator.contracts.signatures.model_source import place_of
from clarifai_emulator.contracts.signatures.refusals import failed_import, mocked_import, refusal
from clarifai_emulator.contracts.signatures.sdk_reader import Reader, built_reader, known_reader
from clarifai_emulator.errors import ModelError
from clarifai_emulator.inside.stub_main import MARK
from clarifai_emulator.messages.json import as_dict
from clarifai_emulator.models.config_content import CONFIG_FILE
from clarifai_emulator.models.config_file import read_config_file
from clarifai_emulator.models.environment import find_environment
from clarifai_emulator.models.image_content import image_content, model_file_of
from clarifai_emulator.models.progress import Progress
from clarifai_emulator.models.requirements import required_names

IMPORTED, STUBBED, MOCKED, FAILED = "import", "stubbed", "mocked", "failed"
SECONDS = 30.0
# A model that is only looked at has no network, and is read where its author would upload it.
_EVERYTHING = ("*",)
# Two at a time: an import is work for a processor, and the others are somebody else's.
_AT_ONCE = 2

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Reading:
    """The content of one model's code. ``way``: how it was read. ``bases``: the classes it inherits from.
    ``is_self_contained``: it stays as it is while the model's directory and the SDK do. ``sdk``: its version.
    ``upload``: what the SDK's upload says against the directory; empty where it would send it, None where it was
    not asked."""

    way: str
    methods: tuple[Method, ...] = ()
    findings: tuple[Finding, ...] = ()
    bases: tuple[str, ...] = ()
    is_self_contained: bool = False
    sdk: str = ""
    upload: str | None = None


def read_by_import(
    directories: Sequence[Path],
    *,
    seconds: float,
    cache_dir: Path | None = None,
    progress: Progress = lambda line: None,
    upload: bool = False,
) -> list[Reading]:
    """Read each directory, in order, by importing its model, with the SDK that it names. A directory that fails
    does not keep the next from being read. ``cache_dir`` keeps what was read, see ``answer_cache.py``;
    ``progress`` hears of an SDK that is installed for it. ``upload``: the SDK's upload is asked, too, and nothing
    that was kept is used."""
    own, answers = Path(sys.executable), Answers(cache_dir if not upload else None)
    readers = {path: known_reader(path, own) for path in directories}
    known: dict[Path, Reading] = {}
    for path, reader in readers.items():
        if reader is not None and reader.python is None and reader.problem is not None:
            known[path] = Reading(FAILED, findings=(reader.problem,))
        elif reader is not None and reader.python is not None:
            answer = answers.get(path, reader.python)
            if answer is not None:
                known[path] = reading_of(answer, path)
    unknown = {path: reader for path, reader in readers.items() if path not in known}
    if unknown:
        known |= dict(
            zip(unknown, _finish(_read_all(unknown, own, seconds, answers, progress, upload)), strict=True)
        )
    return [known[path] for path in directories]


def _finish(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Run it to its end, also where a loop runs already (a notebook, an asynchronous test)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


async def _read_all(
    readers: Mapping[Path, Reader | None],
    own: Path,
    seconds: float,
    answers: Answers,
    progress: Progress,
    upload: bool,
) -> list[Reading]:
    backend = ProcessBackend(api_base=lambda: NOWHERE, start_method="auto", wanted=_EVERYTHING)
    turn = asyncio.Semaphore(_AT_ONCE)

    async def read(directory: Path, reader: Reader | None) -> Reading:
        async with turn:
            reader = reader or await built_reader(directory, own, progress)
            return await _read(backend, directory, reader, seconds, answers, upload)

    try:
        return list(await asyncio.gather(*(read(directory, reader) for directory, reader in readers.items())))
    finally:
        await backend.close()


async def _read(
    backend: ProcessBackend, directory: Path, reader: Reader, seconds: float, answers: Answers, upload: bool
) -> Reading:
    assert reader.python is not None
    model_file, python = model_file_of(directory), reader.python
    with tempfile.TemporaryDirectory(prefix="clarifai-contract-", ignore_cleanup_errors=True) as scratch:
        how = {
            "strict": False,
            "scratch": scratch,
            "requirements": sorted(required_names(directory / "requirements.txt")),
            "upload": _upload(directory, seconds / 2) if upload else None,
        }
        try:
            answer = await backend.examine(directory, python, seconds=seconds, how=how)
            if answer.get("stubs") or "error" in answer or "mocked" in answer:
                own = find_environment(directory, default_cache_dir())
                again = {**how, "upload": None}
                anew = await backend.examine(directory, own, seconds=seconds, how=again) if own else answer
                answer = {**anew, "refused": answer.get("refused")}
        except ModelError as error:
            why = found("import-failed", error.summary, Location(model_file, 1, 1), hint=error.hint or None)
            return Reading(FAILED, findings=(why,))
    if reader.problem is None:
        answers.put(directory, python, answer)
        return reading_of(answer, directory)
    if answer.get("kind") == OTHER_SDK:  # of which it has not the one that the code is written for
        return Reading(FAILED, findings=(reader.problem,))
    if "error" in answer:  # what fails with another SDK than the model's says nothing about the model
        said = str(answer["error"]).splitlines()[-1].rstrip(".")
        message = f"{reader.problem.message} With that one model.py cannot be read: {said}."
        return Reading(FAILED, findings=(replace(reader.problem, message=message, severity=Severity.UNCHECKED),))
    reading = reading_of(answer, directory)
    return replace(reading, findings=(*reading.findings, reader.problem))


def _upload(directory: Path, seconds: float) -> dict[str, Any]:
    """Return how to ask the SDK's upload: see ``inside/upload_main.py``."""
    config = read_config_file(directory / CONFIG_FILE)
    compute = as_dict(config.compute_info) if config.instance and config.names_compute else None
    return {"folder": str(directory), "seconds": seconds, "compute": compute}


def reading_of(answer: Mapping[str, Any], directory: Path) -> Reading:
    """Return the child's answer, as methods and findings."""
    model_file = model_file_of(directory)
    findings = [refusal(problem, answer["stubs"]) for problem in answer["problems"]]
    if "error" in answer:
        problems = (*failed_import(answer, model_file), *findings, *_stubs(answer, directory))
        return Reading(FAILED, findings=problems, sdk=str(answer["sdk"]), upload=said_of_upload(answer))
    methods = tuple(_method(each) for each in answer["methods"])
    for told, method in zip(answer["methods"], methods, strict=True):
        findings.extend(about_method(told, method))
    findings.extend(_proto_methods(answer, model_file))
    if not methods and not findings:
        findings.append(
            found(
                "no-methods",
                f"Class {answer['class']['name']} has no method that a client could call.",
                location=Location(model_file, 1, 1),
            )
        )
    if "mocked" in answer:
        findings.append(mocked_import(answer["mocked"], model_file))
    way = MOCKED if "mocked" in answer else STUBBED if answer["stubs"] else IMPORTED
    is_own_alone = way == IMPORTED and is_own(answer, directory)
    bases, all_findings = tuple(answer["class"]["bases"]), (*findings, *_stubs(answer, directory))
    sdk, upload = str(answer["sdk"]), said_of_upload(answer)
    return Reading(way, methods, all_findings, bases, is_own_alone, sdk, upload)


def said_of_upload(answer: Mapping[str, Any]) -> str | None:
    """Return what the SDK's upload said; see ``Reading.upload``."""
    refused = answer.get("refused")
    return str(refused.get("error", "")) if refused is not None else None


def _method(told: Mapping[str, Any]) -> Method:
    signature = MethodSignature.FromString(base64.b64decode(told["signature"]))
    if not told["file"]:
        return Method(signature, None, {}, signature.description)
    place = place_of(Path(told["file"]), int(told["line"]), str(told["attribute"]))
    parameters = {
        field.name: place.parameters[field.name]
        for field in signature.input_fields
        if field.name in place.parameters
    }
    return Method(signature, place.location, parameters, signature.description)


def about_method(told: Mapping[str, Any], method: Method) -> Iterator[Finding]:
    """Yield what is wrong with a method that the SDK takes. ``told``: see ``inside/inspect_main.py``."""
    name, attribute = method.signature.name, str(told["attribute"])
    if told["is_async"]:
        yield found(
            "async-method",
            f"{name}() is `async def`, and the runner does not await it.",
            method.location,
            method=name,
        )
    for parameter in told["variadic"]:
        yield found(
            "variadic-parameter",
            f"Parameter '{parameter}' of {name}(): the SDK takes it for one required argument of that name.",
            method.parameters.get(parameter, method.location),
            method=name,
        )
    if name != attribute:
        yield found(
            "renamed-method",
            f"{attribute}() is published as '{name}', and the runner does not know that name.",
            method.location,
            method=name,
        )
    if name in HIDDEN_METHOD_NAMES or name.startswith("_"):
        message = f"{name}() cannot be called as `model.{name}(…)`: {_hides(name)}."
        yield found("hidden-method", message, method.location, method=name)
    for field in method.signature.input_fields:
        if MARK in field.default:
            unknown = field.default.partition(MARK)[2].partition(">")[0]
            yield found(
                "unknown-default",
                f"The default of '{field.name}' of {name}() comes from {unknown}, which is not installed here.",
                method.parameters.get(field.name, method.location),
                method=name,
            )


def _hides(name: str) -> str:
    return "that is an attribute of the client's Model" if not name.startswith("_") else "it is private"


def _proto_methods(answer: Mapping[str, Any], model_file: Path) -> Iterator[Finding]:
    for name in answer["proto_methods"]:
        yield proto_method(name, Location(model_file, 1, 1))


def proto_method(name: str, location: Location) -> Finding:
    """Return the finding that a method takes and gives messages."""
    message = f"{name}(request) answers messages: it has no signature, and calls of it are not checked."
    return found("proto-method", message, location=location, method=name)


def _stubs(answer: Mapping[str, Any], directory: Path) -> Iterator[Finding]:
    beside = imported_names(image_content(directory))  # told as such
    for name, (file, line) in sorted(answer["stubs"].items()):
        if name in beside:
            continue
        yield found(
            "stubbed-module",
            f"Module '{name}' is not installed here and was stood in for.",
            location=Location(Path(file), int(line)),
        )
