"""Judges the client files that changed: copies for the type checker, its answer, and what this package adds."""

from __future__ import annotations

import ast
import hashlib
import re
import sysconfig
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clarifai_emulator.contracts.calls.arguments import Arguments, Checked
from clarifai_emulator.contracts.calls.built_models import BuiltModels
from clarifai_emulator.contracts.calls.call_sites import CallSite, SdkSite, Understood, named, understood
from clarifai_emulator.contracts.calls.call_targets import Built, GivenAddresses
from clarifai_emulator.contracts.calls.checking_stubs import StubModel, checking_stubs, kind_of
from clarifai_emulator.contracts.calls.client_kinds import ClientKind, client_kind
from clarifai_emulator.contracts.calls.client_project import ClientProject, File
from clarifai_emulator.contracts.calls.client_reading import UnreadableClient
from clarifai_emulator.contracts.calls.client_source import Source
from clarifai_emulator.contracts.calls.constants import Evaluator
from clarifai_emulator.contracts.calls.flow.held_models import HeldModels
from clarifai_emulator.contracts.calls.flow.model_flow import ModelFlow
from clarifai_emulator.contracts.calls.given_models import KnownModel
from clarifai_emulator.contracts.calls.judged_file import Judged, JudgedFile
from clarifai_emulator.contracts.calls.kept_types import KeptTypes
from clarifai_emulator.contracts.calls.sdk_function_calls import SdkCalls, gives_messages, is_used_as_value
from clarifai_emulator.contracts.calls.translate import Translator
from clarifai_emulator.contracts.calls.type_checker import CheckerRun, Diagnostic
from clarifai_emulator.contracts.calls.typed_copy import typed_copy
from clarifai_emulator.contracts.calls.unread_clients import unread_cells, unread_file
from clarifai_emulator.contracts.calls.unresolved import Unresolved, unknown_model
from clarifai_emulator.contracts.calls.uses import Uses
from clarifai_emulator.contracts.calls.written_arguments import may_give_messages
from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.client_call import ClientCall
from clarifai_emulator.contracts.rules.finding import Finding
from clarifai_emulator.contracts.signatures.method import Method
from clarifai_emulator.contracts.stubs.sdk_surface import OF_ONE_INPUT, SdkSurface

# Patterns of the type checker's command line, control characters, bytes that are not UTF-8.
_NOT_PLAIN = re.compile(r"[*?\[\]{}!\\%\x00-\x1f\x7f\ud800-\udfff]")
_LONGEST_NAME = 255  # bytes, on every file system in use


@dataclass(frozen=True, slots=True)
class Typing:
    """The parts that types are made of. ``salt`` changes with the models and their addresses; ``folder`` is where
    the copies are written, and nothing else is; ``cache``: where types may be kept."""

    urls: Mapping[str, int]
    salt: str
    folder: Path
    cache: Path | None
    packages: Sequence[Path]
    surface: SdkSurface


@dataclass(frozen=True, slots=True)
class _ReadFile:
    """A file that was read. ``built``: the places in it that build a model by the SDK's own name for it."""

    file: File
    source: Source
    evaluator: Evaluator
    built: Sequence[Built]


@dataclass(frozen=True, slots=True)
class _Client:
    """A file on its way: read, copied, understood."""

    file: File
    source: Source
    evaluator: Evaluator
    built: Sequence[Built]
    copy: Path
    held: HeldModels


def judge_files(
    project: ClientProject,
    groups: Iterable[Sequence[File]],
    models: Sequence[KnownModel],
    targets: GivenAddresses,
    typing: Typing,
) -> dict[Path, Judged]:
    """Judge each file: find what is wrong, and the calls that were understood. ``groups``: files between which a
    model may pass (``ClientProject.groups``); what is said of a file depends on nothing outside its group and what
    that imports."""
    methods = {str(one.signature.name) for each in models for one in each.methods}
    reading = _Reading(project, targets, typing, methods)
    wanted = [client for group in groups for client in reading.clients(group)]
    result = dict(reading.unread)
    if wanted:
        stubs = [StubModel(each.name, [one.signature for one in each.methods], each.address) for each in models]
        judge = _Judge(models, methods, _runs(project, stubs, typing), typing.surface)
        result.update(judge.judge(wanted))
    return result


class _Reading:
    """Reads files, follows the models through each group of them, and writes the copies for the type checker.
    ``unread``: the files that cannot be read, with what is said of them."""

    def __init__(
        self, project: ClientProject, targets: GivenAddresses, typing: Typing, methods: Collection[str]
    ) -> None:
        self.unread: dict[Path, Judged] = {}
        self._project = project
        self._targets = targets
        self._typing = typing
        self._methods = methods
        self._read: dict[Path, _ReadFile | UnreadableClient] = {}
        self._written: set[Path] = set()

    def clients(self, group: Sequence[File]) -> list[_Client]:
        """Return the files of a group that can be read, ready to be judged."""
        read: list[_ReadFile] = []
        for each in self._project.with_imported(group):
            found = self._file(each)
            if not isinstance(found, UnreadableClient):
                read.append(found)
            elif each in group:
                self.unread[each.path] = ([unread_file(each, found)], [])
        flow = ModelFlow(
            [each.source for each in read],
            self._project,
            self._targets,
            {built.call: built for each in read for built in each.built},
            {each.source: each.evaluator for each in read},
            self._typing.surface.model_attributes,
        )
        held, wanted = HeldModels(flow), set(group)
        clients: list[_Client] = []
        for each in read:
            copy = _copy_of(self._typing.folder, each.file.path)
            # Groups that import the same file follow it in the same way.
            if copy not in self._written or each.file in wanted:
                self._written.add(copy)
                _write(copy, typed_copy(each.source, each.built, held, self._methods))
            if each.file in wanted:
                built = [*each.built, *flow.more_built.get(each.source, ())]
                clients.append(_Client(each.file, each.source, each.evaluator, built, copy, held))
        order = {file: number for number, file in enumerate(group)}
        return sorted(clients, key=lambda each: order[each.file])

    def _file(self, file: File) -> _ReadFile | UnreadableClient:
        if file.path not in self._read:
            self._read[file.path] = self._read_file(file)
        return self._read[file.path]

    def _read_file(self, file: File) -> _ReadFile | UnreadableClient:
        try:
            source = file.source
            _ = source.nodes
        except UnreadableClient as problem:
            return problem
        evaluator = Evaluator(source, self._project)
        built = list(self._targets.built(source, self._project, evaluator))
        return _ReadFile(file, source, evaluator, built)


def _copy_of(folder: Path, path: Path) -> Path:
    """Return the path of a file's copy. Names of folders and modules stay as they are, so that imports work; what
    means something to the type checker's command line, or is not text, is written otherwise."""
    parts = [_plain(part) for part in path.parts[1:]]
    if client_kind(path) is not ClientKind.PYTHON:
        parts[-1] = _plain(f"{path.name}.py")
    return Path(folder, "tree", *parts)


def _plain(name: str) -> str:
    plain = _NOT_PLAIN.sub(lambda each: f"%{ord(each[0]):x}", name)
    if len(plain.encode()) <= _LONGEST_NAME:
        return plain
    return f"{hashlib.sha256(plain.encode()).hexdigest()[:40]}{Path(plain).suffix[:8]}"


def _write(path: Path, text: str) -> None:
    content = text.encode()
    try:
        path.write_bytes(content)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _runs(project: ClientProject, stubs: Sequence[StubModel], typing: Typing) -> tuple[CheckerRun, CheckerRun]:
    """Make two runs of the type checker: with what is known of the models, and without."""
    installed = [Path(sysconfig.get_path(name)) for name in ("purelib", "platlib")]
    places = list(dict.fromkeys([*typing.packages, *installed]))
    folder = typing.folder
    search = [_copy_of(folder, root) for root in project.roots] + project.roots
    kept = KeptTypes(typing.cache, folder, typing.salt)

    def types(name: str, *, neutral: bool) -> Path:
        return kept.folder(name, lambda: checking_stubs(stubs, typing.urls, typing.surface, neutral=neutral))

    typed, neutral = types("typed", neutral=False), types("neutral", neutral=True)
    return CheckerRun(folder, typed, search, places), CheckerRun(folder, neutral, search, places)


class _Judge:
    def __init__(
        self,
        models: Sequence[KnownModel],
        methods: Collection[str],
        runs: tuple[CheckerRun, CheckerRun],
        surface: SdkSurface,
    ) -> None:
        self._models = models
        self._surface = surface
        self._typed, self._neutral = runs
        self._names = [each.name for each in models]
        self._methods = methods

    def judge(self, clients: Sequence[_Client]) -> dict[Path, Judged]:
        said = _by_path(self._typed.diagnostics([each.copy for each in clients]))
        parts = {each.file.path: self._file(each, said.get(str(each.copy), [])) for each in clients}
        doubtful = [each for each in clients if parts[each.file.path][0].misuses]
        # What is said without knowing the models too, is the clients' own affair.
        without = _by_path(self._neutral.diagnostics([each.copy for each in doubtful])) if doubtful else {}
        result: dict[Path, Judged] = {}
        for each in clients:
            file, translator = parts[each.file.path]
            result[each.file.path] = file.finish(translator, without.get(str(each.copy), []))
        return result

    def _method(self, model: int, name: str) -> Method | None:
        return self._models[model].method(name)

    def _kind(self, model: int, name: str) -> str:
        method = self._method(model, name)
        return kind_of(method.signature) if method is not None else ""

    def _names_of(self, model: int) -> list[str]:
        return [str(each.signature.name) for each in self._models[model].methods]

    def _file(self, client: _Client, diagnostics: Sequence[Diagnostic]) -> tuple[JudgedFile, Translator]:
        source, evaluator, held = client.source, client.evaluator, client.held
        seen = understood(source, diagnostics, self._kind)
        sites = (*seen.sites, *named(source, held.number, self._kind, seen))
        file = JudgedFile(source, [*unread_cells(source), *_unknown_models(source, client.built, seen)])
        building = BuiltModels(source, evaluator, self._surface)
        file.findings += _all(building.check(each) for each in client.built)
        own = SdkCalls(source, evaluator, self._surface, self._models)
        unresolved = Unresolved(source, held, self._methods, self._surface.model_attributes)
        for each in seen.sdk:
            self._sdk_function(file, each, own, unresolved)
        checked = self._sites(file, sites, own, evaluator)
        translator = Translator(source, checked, self._names, self._method, held.is_reported)
        said = [each for each in diagnostics if each.kind != "deprecated"]
        for node, finding in translator.findings(said, self._names_of):
            file.say(finding, node)
        places = {(each.location.end_line, each.location.end_column) for each in file.findings if each.location}
        known = {*checked, *(each.node for each in seen.sdk)}
        file.note([*unresolved.calls(known, places), *unresolved.named(known, places)])
        for site in sites:
            if site.call is None and is_used_as_value(source, site.node):
                file.say(own.not_called(site.node, site.method))
            elif site.call is None:
                file.note(unresolved.passed(site, self._names[site.model]))
        file.misuses += translator.misuses(diagnostics)
        return file, translator

    def _sdk_function(self, file: JudgedFile, site: SdkSite, own: SdkCalls, unresolved: Unresolved) -> None:
        """Judge a call of the SDK's own function; of those, some call a model."""
        findings = tuple(own.check(site))
        if site.call is None or site.name not in OF_ONE_INPUT:
            file.findings += findings
            return
        name = self._names[site.model] if site.model >= 0 else ""
        file.note([ClientCall(file.source.location(site.node), f"{site.name}()", name, findings)])
        if site.model < 0:
            file.note([unresolved.of_unknown(site.node, site.name)])

    def _sites(
        self, file: JudgedFile, sites: Sequence[CallSite], own: SdkCalls, evaluator: Evaluator
    ) -> dict[ast.expr, tuple[CallSite, Checked]]:
        """Judge each call of a model's own method, as far as that needs no types."""
        arguments, uses = Arguments(file.source, evaluator), Uses(file.source, evaluator)
        result: dict[ast.expr, tuple[CallSite, Checked]] = {}
        for site in sites:
            method, name = self._method(site.model, site.method), self._names[site.model]
            checked, findings = Checked(()), list[Finding]()
            if site.call is not None and method is not None:
                with_messages = site.way.endswith("protos") and may_give_messages(site.call, evaluator)
                if with_messages or gives_messages(site, method):
                    checked = Checked((), whole=True)
                    findings += own.messages(site, method, name)
                else:
                    checked = arguments.check(site, method, name)
                    findings += checked.findings
                    if site.way not in ("passed", "mapped") or site.answer is not None:
                        findings += uses.check(site, method, name)
            if site.call is not None:
                where = file.source.location(site.node)
                file.note([ClientCall(where, f"{site.method}()", name, tuple(findings))])
            result[site.node] = (site, checked)
        return result


def _all(several: Iterable[Iterable[Finding]]) -> list[Finding]:
    return [each for findings in several for each in findings]


def _by_path(diagnostics: Sequence[Diagnostic]) -> dict[str, list[Diagnostic]]:
    result: dict[str, list[Diagnostic]] = {}
    for each in diagnostics:
        result.setdefault(each.path, []).append(each)
    return result


def _unknown_models(source: Source, built: Sequence[Built], seen: Understood) -> list[Finding]:
    findings = [unknown_model(source, each) for each in built if each.index is None]
    known = {each.call for each in built}
    for call, index in seen.built:
        if index < 0 and call not in known:
            message = "Which model this is, cannot be seen: calls of it are not checked."
            findings.append(found("unknown-model", message, source.location(call)))
    return findings
