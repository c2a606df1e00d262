"""Checks client files, and the code of the models themselves, against the models that they call.

    client files ─► which changed ─► copies, in which every place that builds a model says which ─► type checker
    model directories ─► signatures ─► types ──────────────────────────────────────────────────────┘    │
                                                                                                         ▼
    findings ◄── what the type checker says, in words ◄── arguments, values, streams ◄── places it understood

from clarifai_emulator import GivenModel, check_calls

report = check_calls([Path("clients")], [GivenModel(Path("my-model"))])
for finding in report.findings: ...
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from clarifai_emulator.contracts.calls.call_targets import GivenAddresses, GivenModel, NotAnAddress, read_address
from clarifai_emulator.contracts.calls.calling_models import Callers, calling_models
from clarifai_emulator.contracts.calls.client_project import MOST_AT_ONCE, ClientProject, File, may_define
from clarifai_emulator.contracts.calls.given_models import (
    KnownModel,
    content_digest,
    read_models,
    require_models,
    unreadable_model,
)
from clarifai_emulator.contracts.calls.kept_results import FileResult, KeptResults
from clarifai_emulator.contracts.calls.model_circles import with_circles
from clarifai_emulator.contracts.calls.type_checker import checker_command
from clarifai_emulator.contracts.calls.unread_clients import unread_files
from clarifai_emulator.contracts.reports.judged_report import Result
from clarifai_emulator.contracts.rules import RULES, SUBJECTS
from clarifai_emulator.contracts.rules.client_call import ClientCall, merged_calls
from clarifai_emulator.contracts.rules.finding import Finding
from clarifai_emulator.contracts.stubs.sdk_surface import SdkSurface, surface_for

__all__ = ["CallReport", "GivenModel", "check_calls"]

_MARK = b"clarifai"
# Of files that have to do with the platform: those that use the SDK, and those that send requests in other ways.
_MARKS = (_MARK, b"CLARIFAI", b"Clarifai", b"/v2/ext/")
_URL = re.compile(rb"https?://[\w.\-:]+/[^\s\"'\\]+/models/[^\s\"'\\)]+")


@dataclass(frozen=True, slots=True)
class CallReport:
    """The result of a check. ``calls``: every place that was understood as a call, with what was found of it.
    ``cached``: files whose findings were kept from the last time. ``known``: the models, as they were read."""

    findings: tuple[Finding, ...]
    files: tuple[Path, ...]
    calls: tuple[ClientCall, ...]
    cached: int
    known: tuple[KnownModel, ...]
    seconds: float
    project: ClientProject

    @property
    def models(self) -> tuple[tuple[str, str], ...]:
        """Return the name of each model, and how its methods were read."""
        return tuple((each.name, each.way) for each in self.known)

    def lines(self, path: Path, cell: int = 0) -> Sequence[str]:
        """Return the lines of a file, or of a notebook's cell."""
        file = self.project.file(path)
        try:
            return file.source.cell_lines(cell) if file is not None else ()
        except ValueError:
            return ()

    @property
    def places(self) -> list[tuple[Path, int]]:
        """Return every file, and every cell of every notebook, whose lines say something to this checker."""
        return [
            (path, cell)
            for path in self.files
            if (file := self.project.file(path)) is not None and b"clarifai:" in file.content
            for cell in _cells(file)
        ]


def result_of(found: CallReport) -> Result:
    """Return what was found as the result of ``check``, to be judged by the project's rules."""
    return Result(
        findings=found.findings,
        command="check",
        lines_of=found.lines,
        places=found.places,
        rules=RULES.keys() - {rule.id for name in ("model.py", "changes of a model") for rule in SUBJECTS[name]},
        files=len(found.files),
        calls=found.calls,
        models=found.models,
        seconds=found.seconds,
    )


def check_calls(
    paths: Sequence[Path],
    models: Sequence[GivenModel],
    *,
    cache: Path | None = None,
    static: bool = False,
    packages: Sequence[Path] = (),
    docs: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> CallReport:
    """Check every client file below ``paths``. ``cache``: a folder to keep results in. ``packages``: where the
    clients' own packages are installed, besides those of this Python. ``docs``: the code in Markdown, too.

    Raises ``ConfigError`` for paths and models that cannot be used, ``CheckerError`` where the type checker fails.
    """
    began = time.perf_counter()
    require_models(models)
    project = ClientProject(paths, docs, calling_models(models))
    progress(f"reading {len(models)} model{'s' if len(models) != 1 else ''}")
    pool = ThreadPoolExecutor(1)
    try:
        # Models are read by other processes: time to parse the clients, unless they may not have to be. In this
        # thread, which Ctrl-C interrupts: those processes and their folders go with it.
        kept = KeptResults(_own_folder(cache, project, [each.directory for each in models]))
        parsing = pool.submit(project.parse, _MARK) if not kept.are_there else None
        known = read_models(models, cache, static=static)
        if parsing is not None:
            parsing.result()
    finally:
        pool.shutdown(wait=False)
    return _checked(project, known, cache, packages, progress, began)


def check_known(
    clients: Sequence[Path] | ClientProject,
    known: Sequence[KnownModel],
    *,
    cache: Path | None = None,
    packages: Sequence[Path] = (),
    progress: Callable[[str], None] = lambda _: None,
) -> CallReport:
    """Check client files as ``check_calls`` does, against models whose methods are known. ``clients``: their paths,
    or the files as another check has read them."""
    began = time.perf_counter()
    project = clients if isinstance(clients, ClientProject) else ClientProject(clients)
    return _checked(project, known, cache, packages, progress, began)


def _checked(
    project: ClientProject,
    known: Sequence[KnownModel],
    cache: Path | None,
    packages: Sequence[Path],
    progress: Callable[[str], None],
    began: float,
) -> CallReport:
    folder = _own_folder(cache, project, [each.directory for each in known])
    # Copies are of this run alone: those of another one would be found by its imports.
    with tempfile.TemporaryDirectory(prefix="clarifai-check-") as work:
        done = _Check(project, known, Path(work), folder, packages, progress).run()
    callers = Callers(project.code_of, {each.directory: each.name for each in known})
    calls, circles = _with_circles(map(callers.call, done.calls))
    findings = map(callers.finding, [*_unreadable(known), *unread_files(project), *done.findings, *circles])
    return CallReport(
        findings=_once([*findings, *_workflow_findings(project, known)]),
        files=tuple(file.path for file in (*project.files, *project.foreign_with(_MARKS)) if not file.is_written),
        calls=calls,
        cached=done.cached,
        known=tuple(known),
        seconds=time.perf_counter() - began,
        project=project,
    )


def _with_circles(calls: Iterable[ClientCall]) -> tuple[tuple[ClientCall, ...], list[Finding]]:
    """Add to each call what is said of it where it leads back to the model that makes it."""
    findings: list[Finding] = []
    made: list[ClientCall] = []
    for call, finding in with_circles(calls):
        findings += [finding] if finding is not None else []
        made.append(replace(call, findings=(*call.findings, finding)) if finding is not None else call)
    return tuple(made), findings


def _workflow_findings(project: ClientProject, known: Sequence[KnownModel]) -> list[Finding]:
    """Check the definitions of workflows among the paths."""
    if not any(may_define(file) for file in project.definitions):
        return []
    from clarifai_emulator.contracts.endpoints.known_endpoints import EndpointModels
    from clarifai_emulator.contracts.endpoints.workflow_files import read_workflows
    from clarifai_emulator.contracts.endpoints.workflow_findings import workflow_findings

    return workflow_findings(read_workflows(project.definitions), EndpointModels(known))


@dataclass(frozen=True, slots=True)
class _Done:
    findings: tuple[Finding, ...]
    calls: tuple[ClientCall, ...]
    cached: int


class _Check:
    def __init__(
        self,
        project: ClientProject,
        models: Sequence[KnownModel],
        work: Path,
        cache: Path | None,
        packages: Sequence[Path],
        progress: Callable[[str], None],
    ) -> None:
        self._project = project
        self._models = models
        self._work = work
        self._cache = cache
        self._kept = KeptResults(cache)
        self._packages = packages
        self._progress = progress
        unreadable = [index for index, each in enumerate(models) if not each.methods]
        self._targets = GivenAddresses([each.address for each in models], unreadable)

    def run(self) -> _Done:
        urls = self._urls()
        surface = surface_for(self._packages)
        salt = self._salt(urls, surface)
        concerned = self._project.concerned(_MARKS)
        files = [file for file in self._project.files if file.path in concerned]
        foreign = self._project.foreign_with(_MARKS)
        keys = self._project.keys(salt)
        kept = self._kept.read({str(path): key for path, key in keys.items()})
        groups = self._fresh_groups(files, kept)
        python = [file for group in groups for file in group]
        fresh = {*python, *(file for file in foreign if str(file.path) not in kept)}
        every = [*files, *foreign]
        results = {str(file.path): kept[str(file.path)] for file in every if file not in fresh}
        if fresh:
            self._progress(f"checking {len(fresh)} of {len(every)} files that use the platform")
            for file, findings, calls in self._judge(groups, fresh - {*python}, (urls, salt, surface)):
                merged = tuple(merged_calls(calls))
                results[str(file.path)] = FileResult(keys[file.path], tuple(findings), merged)
            self._kept.write(results)
        ordered = [results[str(file.path)] for file in every]
        calls = tuple(call for each in ordered for call in each.calls)
        findings = [finding for each in ordered for finding in each.findings]
        # The reason why a call is not checked may stand in a file that was not asked about.
        reasons = [finding for call in calls for finding in call.findings]
        return _Done((*findings, *reasons), calls, len(every) - len(fresh))

    def _fresh_groups(self, files: Sequence[File], kept: Mapping[str, FileResult]) -> list[list[File]]:
        """Return the files of each group in which something has to be checked: what is said of one may come from
        any other of them."""
        groups: dict[int, list[File]] = {}
        for file in files:
            groups.setdefault(id(self._project.groups[file.path]), []).append(file)
        return [group for group in groups.values() if any(str(file.path) not in kept for file in group)]

    def _judge(
        self,
        groups: Sequence[Sequence[File]],
        foreign: Iterable[File],
        types: tuple[Mapping[str, int], str, SdkSurface],
    ) -> Iterator[tuple[File, Sequence[Finding], Sequence[ClientCall]]]:
        """Yield what is found in each file, and its calls. Of many files, some are held in memory at a time.
        ``types``: addresses, salt and surface, as ``Typing`` has them."""
        from clarifai_emulator.contracts.calls.judge import Typing, judge_files
        from clarifai_emulator.contracts.endpoints.endpoint_check import EndpointCheck
        from clarifai_emulator.contracts.endpoints.endpoint_words import may_ask

        project = self._project
        urls, salt, surface = types
        typing = Typing(urls, salt, self._work, self._cache, self._packages, surface)
        endpoints = EndpointCheck(self._models, project, project.definitions)
        every = project.with_imported(file for group in groups for file in group)
        asking = project.with_importers(file for file in every if may_ask(file, project))
        portions = list(_portions(groups))
        for several in portions:
            judged = judge_files(project, several, self._models, self._targets, typing)
            for file in (file for group in several for file in group):
                findings, calls = judged.get(file.path, ([], []))
                asked, requests = endpoints.check(file) if file.path in asking else ([], [])
                yield file, [*findings, *asked], [*calls, *requests]
            if len(portions) > 1:
                for file in project.with_imported(file for group in several for file in group):
                    file.release()
                del judged
                gc.collect()
        for file in foreign:
            yield file, *endpoints.check(file)

    def _urls(self) -> dict[str, int]:
        """Return every address of a given model as it is written in the clients."""
        found_: dict[str, int] = {}
        for file in self._project.with_imported(self._project.files):
            for text in {each.decode(errors="replace") for each in _URL.findall(file.content)} - found_.keys():
                try:
                    index = self._targets.find(read_address(text))
                except NotAnAddress:
                    continue
                if index is not None and self._models[index].methods:
                    found_[text] = index
        return dict(sorted(found_.items()))

    def _salt(self, urls: Mapping[str, int], surface: SdkSurface) -> str:
        models = [*(each.fingerprint() for each in self._models), *_served_by_code(self._models)]
        parts = [*_programs(), *map(str, self._packages), json.dumps(urls), surface.fingerprint(), *models]
        parts += [f"{each.path} {each.digest}" for each in self._project.definitions]
        return hashlib.sha256("\n".join(parts).encode(errors="surrogateescape")).hexdigest()


def _portions(groups: Sequence[Sequence[File]]) -> Iterator[list[Sequence[File]]]:
    """Divide the groups into portions of some number of files."""
    several: list[Sequence[File]] = []
    size = 0
    for group in groups:
        if several and size + len(group) > MOST_AT_ONCE:
            yield several
            several, size = [], 0
        several.append(group)
        size += len(group)
    if several:
        yield several


def _once(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    return tuple({(each.rule, each.location, each.message): each for each in findings}.values())


def _served_by_code(models: Sequence[KnownModel]) -> list[str]:
    """Return the contents of models whose code decides what they take: OpenAI's parameters, the tools of MCP."""
    names = ("openai_transport", "mcp_transport")
    return [content_digest(each.directory) for each in models if any(each.method(name) for name in names)]


def _programs() -> list[str]:
    """Describe the programs whose change may change the findings: the type checker, and the modules here. Their
    times and sizes cost less to ask for than their versions."""
    own = Path(__file__).parents[1].rglob("*.py")
    stats = [(each, each.stat()) for each in (checker_command(), *sorted(own))]
    return [f"{path} {stat.st_size} {stat.st_mtime_ns}" for path, stat in stats]


def _own_folder(cache: Path | None, project: ClientProject, models: Sequence[Path]) -> Path | None:
    """Return a folder of this question's own: the same paths and the same models, whatever is in them. ``None``
    where nothing can be kept."""
    if cache is None:
        return None
    names = [*map(str, project.given), *(str(each.resolve()) for each in models)]
    digest = hashlib.sha256("\n".join(names).encode(errors="surrogateescape")).hexdigest()
    folder = Path(os.path.abspath(cache), "calls", digest[:20])
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # a full disk, a folder of another user
        return None
    return folder


def _unreadable(models: Sequence[KnownModel]) -> list[Finding]:
    findings: list[Finding] = []
    for each in models:
        if not each.methods:
            findings += [*each.errors, unreadable_model(each)]
    return findings


def _cells(file: File) -> tuple[int, ...]:
    try:
        return file.source.cells
    except ValueError:
        return ()
