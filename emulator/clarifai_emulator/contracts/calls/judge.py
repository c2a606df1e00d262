"""Judges the client files that changed: copies for the type checker, its answer, and what this package adds."""

from __future__ import annotations

import ast
import hashlib
import re
import sysconfig
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clarifai_emulator.contracts.calls.arguments import Arguments, Checked
from clarifai_emulator.contracts.calls.built_models import BuiltModels
from clarifai_emulator.contracts.calls.call_sites import CallSite, SdkSite, Understood, mapped, named, understood
from clarifai_emulator.contracts.calls.call_targets import Built, GivenAddresses
from clarifai_emulator.contracts.calls.checking_stubs import StubModel, checking_stubs, kind_of
from clarifai_emulator.contracts.calls.client_project import ClientProject, File
from clarifai_emulator.contracts.calls.client_reading import UnreadableClient
from clarifai_emulator.contracts.calls.client_source import Source
from clarifai_emulator.contracts.calls.constants import Evaluator
from clarifai_emulator.contracts.calls.flow.held_models import HeldModels, May
from clarifai_emulator.contracts.calls.flow.model_flow import ModelFlow
from clarifai_emulator.contracts.calls.given_models import KnownModel
from clarifai_emulator.contracts.calls.judged_file import Judged, JudgedFile
from clarifai_emulator.contracts.calls.sdk_function_calls import SdkCalls, gives_messages, is_used_as_value
from clarifai_emulator.contracts.calls.translate import Translator
from clarifai_emulator.contracts.calls.type_checker import CheckerRun, Diagnostic
from clarifai_emulator.contracts.calls.typed_copy import typed_copy
from clarifai_emulator.contracts.calls.unread_clients import unread_cells, unread_file
from clarifai_emulator.contracts.calls.unresolved import Unresolved, unknown_model
from clarifai_emulator.contracts.calls.uses import Uses
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
    """The parts that types are made of, and where: ``salt`` changes with the models and their addresses."""

    urls: Mapping[str, int]
    salt: str
    folder: Path
    packages: Sequence[Path]
    surface: SdkSurface


@dataclass(slots=True)
class _Client:
    """A file on its way: read, copied, understood."""

    file: File
    source: Source
    evaluator: Evaluator
    built: list[Built]
    copy: Path


def judge_files(
    project: ClientProject,
    files: Sequence[File],
    models: Sequence[KnownModel],
    targets: GivenAddresses,
    typing: Typing,
) -> dict[Path, Judged]:
    """Judge each file: find what is wrong, and the calls that were understood."""
    result: dict[Path, Judged] = {}
    clients: dict[Path, _Client] = {}
    for each in project.with_imported(files):
        try:
            clients[each.path] = _read(project, each, targets, typing.folder)
        except UnreadableClient as problem:
            if each in files:
                result[each.path] = ([unread_file(each, problem)], [])
    every = list(clients.values())
    flow = ModelFlow(
        [each.source for each in every],
        project,
        targets,
        {built.call: built for each in every for built in each.built},
        {each.source: each.evaluator for each in every},
        typing.surface.model_attributes,
    )
    held = HeldModels(flow)
    methods = {str(one.signature.name) for each in models for one in each.methods}
    for each in every:
        _write(each.copy, typed_copy(each.source, each.built, held, methods))
        each.built += flow.more_built.get(each.source, ())
    wanted = [clients[each.path] for each in files if each.path in clients]
    if wanted:
        stubs = [StubModel(each.name, [one.signature for one in each.methods], each.address) for each in models]
        judge = _Judge(models, methods, _runs(project, stubs, typing), held, typing.surface)
        result.update(judge.judge(wanted))
    return result


def _read(project: ClientProject, file: File, targets: GivenAddresses, folder: Path) -> _Client:
    source = file.source
    _ = source.nodes
    evaluator = Evaluator(source, project)
    built = list(targets.built(source, project, evaluator))
    return _Client(file, source, evaluator, built, _copy_of(folder, file.path))


def _copy_of(folder: Path, path: Path) -> Path:
    """Return the path of a file's copy. Names of folders and modules stay as they are, so that imports work; what
    means something to the type checker's command line, or is not text, is written otherwise."""
    parts = [_plain(part) for part in path.parts[1:]]
    if path.suffix == ".ipynb":
        parts[-1] = _plain(f"{path.stem}.ipynb.py")
    return Path(folder, "tree", *parts)


def _plain(name: str) -> str:
    plain = _NOT_PLAIN.sub(lambda each: f"%{ord(each[0]):x}", name)
    if len(plain.encode()) <= _LONGEST_NAME:
        return plain
    return f"{hashlib.sha256(plain.encode()).hexdigest()[:40]}{Path(plain).suffix[:8]}"


def _write(path: Path, text: str) -> None:
    content = text.encode()
    try:
        if path.read_bytes() == content:
            return
    except OSError:
        path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _runs(project: ClientProject, stubs: Sequence[StubModel], typing: Typing) -> tuple[CheckerRun, CheckerRun]:
    """Make two runs of the type checker: with what is known of the models, and without."""
    installed = [Path(sysconfig.get_path(name)) for name in ("purelib", "platlib")]
    places = list(dict.fromkeys([*typing.packages, *installed]))
    folder = typing.folder
    search = [_copy_of(folder, root) for root in project.roots] + project.roots
    runs: list[CheckerRun] = []
    for name, neutral in (("typed", False), ("neutral", True)):
        mark = folder / name / "made-of"
        if not mark.is_file() or mark.read_text() != typing.salt:
            for file, text in checking_stubs(stubs, typing.urls, typing.surface, neutral=neutral).items():
                _write(folder / name / file, text)
            mark.write_text(typing.salt)
        runs.append(CheckerRun(folder, folder / name, search, places))
    return runs[0], runs[1]


class _Judge:
    def __init__(
        self,
        models: Sequence[KnownModel],
        methods: Collection[str],
        runs: tuple[CheckerRun, CheckerRun],
        held: HeldModels,
        surface: SdkSurface,
    ) -> None:
        self._models = models
        self._held = held
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

    def _model_of(self, node: ast.expr) -> int | None:
        held = self._held.sure(node)
        return held.of if held is not None and isinstance(held.of, int) else None

    def _is_reported(self, node: ast.expr) -> bool:
        """Tell whether the object of a method call was said to be unknown where it is built."""
        return self._held.may(node) is May.REPORTED

    def _names_of(self, model: int) -> list[str]:
        return [str(each.signature.name) for each in self._models[model].methods]

    def _file(self, client: _Client, diagnostics: Sequence[Diagnostic]) -> tuple[JudgedFile, Translator]:
        source, evaluator = client.source, client.evaluator
        seen = understood(source, diagnostics, self._kind)
        sites = (*seen.sites, *named(source, self._model_of, self._kind, seen))
        file = JudgedFile(source, [*unread_cells(source), *_unknown_models(source, client.built, seen)])
        building = BuiltModels(source, evaluator, self._surface)
        file.findings += _all(building.check(each) for each in client.built)
        own = SdkCalls(source, evaluator, self._surface, self._models)
        unresolved = Unresolved(source, self._held, self._methods, self._surface.model_attributes)
        for each in seen.sdk:
            self._sdk_function(file, each, own, unresolved)
        checked = self._sites(file, sites, own, evaluator)
        translator = Translator(source, checked, self._names, self._method, self._is_reported)
        said = [each for each in diagnostics if each.kind != "deprecated"]
        for node, finding in translator.findings(said, self._names_of):
            file.say(finding, node)
        places = {(each.location.end_line, each.location.end_column) for each in file.findings if each.location}
        file.note(unresolved.calls({*checked, *(each.node for each in seen.sdk)}, places))
        for site in sites:
            if site.call is None and is_used_as_value(source, site.node):
                file.say(own.not_called(site.node, site.method))
            elif site.call is None and mapped(source, evaluator, site.node) is None:
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
                if site.way.endswith("protos") or gives_messages(site, method):
                    checked = Checked((), whole=True)
                    findings += own.messages(site, method, name)
                else:
                    checked = arguments.check(site, method, name)
                    findings += checked.findings
                    if site.way != "passed":
                        findings += uses.check(site, method, name)
            each_value = mapped(file.source, evaluator, site.node) if site.call is None else None
            if method is not None:
                for call in each_value or ():
                    findings += arguments.check(replace(site, call=call, way="passed"), method, name).findings
            if site.call is not None or each_value is not None:
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
