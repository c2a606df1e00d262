"""Judges the client files that changed: copies for the type checker, its answer, and what this package adds."""

from __future__ import annotations

import ast
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clarifai_emulator.contracts.calls.arguments import Arguments, Checked
from clarifai_emulator.contracts.calls.call_sites import CallSite, Understood, calls_written_out, named, understood
from clarifai_emulator.contracts.calls.call_targets import Built, GivenAddresses
from clarifai_emulator.contracts.calls.checking_stubs import CONTRACT_ARGUMENT, StubModel, checking_stubs, kind_of
from clarifai_emulator.contracts.calls.client_project import ClientProject, File
from clarifai_emulator.contracts.calls.client_source import Insertion, Source
from clarifai_emulator.contracts.calls.constants import Evaluator
from clarifai_emulator.contracts.calls.given_models import KnownModel
from clarifai_emulator.contracts.calls.translate import Translator
from clarifai_emulator.contracts.calls.type_checker import CheckerRun, Diagnostic
from clarifai_emulator.contracts.calls.unresolved import Unresolved
from clarifai_emulator.contracts.calls.uses import Uses
from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.finding import Finding, Location
from clarifai_emulator.contracts.signatures.method import Method
from clarifai_emulator.contracts.stubs.sdk_surface import ASYNC_FORWARDED, FORWARDED

Judged = tuple[list[Finding], int]


@dataclass(frozen=True, slots=True)
class Typing:
    """The parts that types are made of, and where: ``salt`` changes with the models and their addresses."""

    urls: Mapping[str, int]
    salt: str
    folder: Path
    packages: Sequence[Path]


@dataclass(slots=True)
class _Client:
    """A file on its way: read, copied, understood."""

    file: File
    source: Source
    evaluator: Evaluator
    copy: Path
    text: str
    built: list[Built] = field(default_factory=list[Built])


def judge_files(
    project: ClientProject,
    files: Sequence[File],
    models: Sequence[KnownModel],
    targets: GivenAddresses,
    typing: Typing,
) -> dict[Path, Judged]:
    """Judge each file: find what is wrong, and count the calls that were understood."""
    result: dict[Path, Judged] = {}
    clients: dict[Path, _Client] = {}
    methods = {str(one.signature.name) for each in models for one in each.methods}
    for each in project.with_imported(files):
        try:
            client = _read(project, each, targets, methods, typing.folder)
        except (SyntaxError, ValueError, RecursionError) as error:
            if each in files:
                result[each.path] = ([_unreadable(each.path, error)], 0)
            continue
        _write(client.copy, client.text)
        clients[each.path] = client
    wanted = [clients[each.path] for each in files if each.path in clients]
    if wanted:
        stubs = [StubModel(each.name, [one.signature for one in each.methods], each.address) for each in models]
        judge = _Judge(models, _runs(project, stubs, typing))
        result.update(judge.judge(wanted))
    return result


def _read(project: ClientProject, file: File, targets: GivenAddresses, methods: set[str], folder: Path) -> _Client:
    source = file.source
    evaluator = Evaluator(source, project)
    built = list(targets.built(source, project, evaluator))
    insertions = [_insertion(source, each) for each in built if each.index is not None]
    text = source.insert([*insertions, *calls_written_out(source, methods)])
    return _Client(file, source, evaluator, _copy_of(folder, file.path), text, built)


def _copy_of(folder: Path, path: Path) -> Path:
    whole = folder / "tree" / str(path).lstrip("/")
    return whole.with_name(f"{whole.stem}_ipynb.py") if whole.suffix == ".ipynb" else whole


def _insertion(source: Source, built: Built) -> Insertion:
    """Return the argument that says which model it is, before the closing bracket."""
    line, column = source.end(built.call)
    arguments = [*built.call.args, *(each.value for each in built.call.keywords)]
    comma = ""
    if arguments:
        last = max(source.end(each) for each in arguments)
        comma = "" if "," in _between(source, last, (line, column - 1)) else ", "
    return Insertion(line, column - 1, f"{comma}{CONTRACT_ARGUMENT}={built.index}")


def _between(source: Source, start: tuple[int, int], end: tuple[int, int]) -> str:
    """Return the text between two places, without comments."""
    lines = [*source.lines[start[0] - 1 : end[0]]]
    lines[-1] = lines[-1][: end[1] - 1]
    lines[0] = lines[0][start[1] - 1 :]
    return "\n".join(line.partition("#")[0] for line in lines)


def _write(path: Path, text: str) -> None:
    try:
        if path.read_text() == text:
            return
    except OSError:
        path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


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
            for file, text in checking_stubs(stubs, typing.urls, neutral=neutral).items():
                _write(folder / name / file, text)
            mark.write_text(typing.salt)
        runs.append(CheckerRun(folder, folder / name, search, places))
    return runs[0], runs[1]


class _Judge:
    def __init__(self, models: Sequence[KnownModel], runs: tuple[CheckerRun, CheckerRun]) -> None:
        self._models = models
        self._typed, self._neutral = runs
        self._names = [each.name for each in models]
        methods = {str(one.signature.name) for each in models for one in each.methods}
        self._methods = {*methods, *FORWARDED, *ASYNC_FORWARDED}

    def judge(self, clients: Sequence[_Client]) -> dict[Path, Judged]:
        said = _by_path(self._typed.diagnostics([each.copy for each in clients]))
        parts = {each.file.path: self._file(each, said.get(str(each.copy), [])) for each in clients}
        doubtful = [each for each in clients if parts[each.file.path].misuses]
        # What is said without knowing the models too, is the clients' own affair.
        without = _by_path(self._neutral.diagnostics([each.copy for each in doubtful])) if doubtful else {}
        return {each.file.path: parts[each.file.path].finish(without.get(str(each.copy), [])) for each in clients}

    def _method(self, model: int, name: str) -> Method | None:
        return self._models[model].method(name)

    def _kind(self, model: int, name: str) -> str:
        method = self._method(model, name)
        return kind_of(method.signature) if method is not None else ""

    def _names_of(self, model: int) -> list[str]:
        return [str(each.signature.name) for each in self._models[model].methods]

    def _file(self, client: _Client, diagnostics: Sequence[Diagnostic]) -> _Part:
        source, evaluator = client.source, client.evaluator
        seen = understood(source, diagnostics, self._kind)
        built = {each.call: each.index for each in client.built}

        def built_by(node: ast.expr) -> ast.expr | None:
            return evaluator.once(node) if isinstance(node, ast.Name) else node

        passed = named(source, lambda node: built.get(built_by(node)), self._kind, seen)  # pyright: ignore[reportArgumentType]
        findings = _unknown_models(source, client.built, seen)
        arguments, uses = Arguments(source, evaluator), Uses(source, evaluator)
        sites: dict[ast.expr, tuple[CallSite, Checked]] = {}
        for site in (*seen.sites, *passed):
            method, name = self._method(site.model, site.method), self._names[site.model]
            if site.call is None or method is None:
                sites[site.node] = (site, Checked(()))
                continue
            checked = arguments.check(site, method, name)
            sites[site.node] = (site, checked)
            findings += checked.findings
            if site.way != "passed":
                findings += uses.check(site, method, name)
        unknown = {each.call for each in client.built if each.index is None}

        def is_reported(node: ast.expr) -> bool:
            """Tell whether the object of a method call was said to be unknown where it is built."""
            return built_by(node) in unknown

        translator = Translator(source, sites, self._names, self._method, is_reported)
        findings += translator.findings([each for each in diagnostics if each.kind != "deprecated"], self._names_of)
        unresolved = Unresolved(source, evaluator, self._methods, set(built), is_reported)
        places = {(each.location.end_line, each.location.end_column) for each in findings if each.location}
        findings += unresolved.calls(sites, places)
        for site in (*seen.sites, *passed):
            if site.call is None:
                findings += unresolved.passed(site, self._names[site.model])
        calls = sum(site.call is not None for site in (*seen.sites, *passed))
        return _Part(findings, calls, translator, translator.misuses(diagnostics))


@dataclass(frozen=True, slots=True)
class _Part:
    findings: list[Finding]
    calls: int
    translator: Translator
    misuses: list[Diagnostic]

    def finish(self, without: Sequence[Diagnostic]) -> Judged:
        own = {(each.kind, each.start) for each in without}
        more = [self.translator.misuse(each) for each in self.misuses if (each.kind, each.start) not in own]
        every = [*self.findings, *(each for each in more if each is not None)]
        return _distinct(every), self.calls


def _distinct(findings: Sequence[Finding]) -> list[Finding]:
    """Keep one finding for each place: of several, the one that was found first; it knows more of the reason."""
    seen: set[tuple[Location | None, str]] = set()
    lines: set[tuple[Path, int, int, int]] = set()
    result: list[Finding] = []
    for each in findings:
        where = each.location
        place = (where.path, where.cell, where.line, where.column) if where else None
        if (where, each.message) in seen or (each.rule == "wrong-result" and place in lines):
            continue
        seen.add((where, each.message))
        if place:
            lines.add(place)
        result.append(each)
    return sorted(result, key=lambda each: (each.location or Location(Path()), each.rule))


def _by_path(diagnostics: Sequence[Diagnostic]) -> dict[str, list[Diagnostic]]:
    result: dict[str, list[Diagnostic]] = {}
    for each in diagnostics:
        result.setdefault(each.path, []).append(each)
    return result


def _unknown_models(source: Source, built: Sequence[Built], seen: Understood) -> list[Finding]:
    findings: list[Finding] = []
    for each in built:
        if each.index is not None:
            continue
        where = source.location(each.call)
        if each.address == "-":
            findings.append(found("wrong-url", f"{each.reason}.", where))
        elif each.address:
            message = f"No --model was given for {each.address}: calls of it are not checked."
            findings.append(found("model-not-given", message, where, hint=f"Add --model DIR={each.address}."))
        else:
            findings.append(found("unknown-model", f"{each.builder}(…): {each.reason}.", where))
    known = {each.call for each in built}
    for call, index in seen.built:
        if index < 0 and call not in known:
            message = "Which model this is, cannot be seen: calls of it are not checked."
            findings.append(found("unknown-model", message, source.location(call)))
    return findings


def _unreadable(path: Path, error: Exception) -> Finding:
    line = error.lineno or 0 if isinstance(error, SyntaxError) else 0
    reason = error.msg if isinstance(error, SyntaxError) else str(error) or type(error).__name__
    return found(
        "unreadable-client", f"{path.name} cannot be read: {reason}.", Location(path, line, 1 if line else 0)
    )
