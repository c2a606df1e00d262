"""Finds the calls of clients and models that a change breaks: right with the old models, wrong with the new ones.

old models ─► check ─► calls that were right ─┐
new models ─► check ─► calls that are wrong ──┴─► the calls that this change breaks
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clarifai_emulator.contracts.calls.call_targets import Address, GivenModel
from clarifai_emulator.contracts.calls.calling_models import calling_models
from clarifai_emulator.contracts.calls.client_check import CallReport, check_known
from clarifai_emulator.contracts.calls.client_project import ClientProject
from clarifai_emulator.contracts.calls.given_models import KnownModel, read_models, require_models
from clarifai_emulator.contracts.changes.lock import Promise
from clarifai_emulator.contracts.endpoints.known_endpoints import shown_address
from clarifai_emulator.contracts.reports.judged_report import Result
from clarifai_emulator.contracts.reports.report import counted
from clarifai_emulator.contracts.rules import RULES, found
from clarifai_emulator.contracts.rules.finding import Finding, Location
from clarifai_emulator.contracts.rules.rule import Breaks, Severity
from clarifai_emulator.messages.address import parse_address

Pair = tuple[Promise, Promise]
_UNCHECKED = Severity.UNCHECKED
_NOT_GIVEN = "model-not-given"
# Who calls whom does not change with what a model promises.
_CIRCLE = "model-circle"


@dataclass(frozen=True, slots=True)
class BrokenCalls:
    """The calls that a change breaks: the findings about them, each with the place of its call. ``unchecked``: how
    many calls could not be checked with the old or with the new models, and may break or not. ``report``: the check
    with the new models."""

    findings: Mapping[Finding, Location | None]
    unchecked: int
    report: CallReport


def find_broken_calls(
    paths: Sequence[Path],
    compared: Sequence[Pair],
    gone: Sequence[Promise],
    *,
    models: Sequence[GivenModel] = (),
    cache: Path | None = None,
) -> BrokenCalls:
    """Check the clients below ``paths``, and the code of ``models``, with the compared models as they were and as
    they are. ``gone``: models that are no more. Raises ``ConfigError`` for paths that cannot be used,
    ``CheckerError`` where the type checker fails."""
    require_models(models)
    project = ClientProject(paths, callers=calling_models(models))
    changing = {each.name for pair in compared for each in pair} | {each.name for each in gone}
    # They may call one another as well, which the change leaves as it is.
    unchanged = [each for each in read_models(models, cache) if _promised_name(each) not in changing]
    rounds = [_Round(project, pairs, gone, unchanged, cache).run() for pairs in _rounds(compared)]
    findings = {finding: place for each in rounds for finding, place in each.findings.items()}
    return BrokenCalls(findings, max(each.unchecked for each in rounds), rounds[0].report)


def with_broken_calls(result: Result, broken: BrokenCalls) -> Result:
    """Add the calls that break to a comparison: to each change that breaks them, and as findings of their own."""
    changed = [_with_calls(each, broken.findings) for each in result.findings]
    report = broken.report
    calls = [
        replace(each, findings=tuple(one for one in each.findings if one in broken.findings))
        for each in report.calls
        if each.is_checked
    ]
    scope = f"{result.scope}, {counted(len(report.files), 'file')} and {counted(len(calls), 'call')} checked"
    if broken.unchecked:
        scope += f" ({counted(broken.unchecked, 'more call')} could not be)"
    own = set(report.files)

    def lines_of(path: Path, cell: int) -> Sequence[str]:
        return report.lines(path, cell) if path in own else result.lines_of(path, cell)

    return replace(
        result,
        findings=(*changed, *broken.findings),
        scope=scope,
        lines_of=lines_of,
        files=len(report.files),
        calls=calls,
    )


def _with_calls(change: Finding, broken: Mapping[Finding, Location | None]) -> Finding:
    if change.rule not in RULES or RULES[change.rule].breaks not in (Breaks.ALL, Breaks.FETCHING):
        return change
    model_id = change.model.rpartition("/")[2]
    calls = {
        place: None
        for each, place in broken.items()
        if place is not None and each.model == model_id and each.method == change.method
    }
    return replace(change, used_by=tuple(calls))


def _rounds(compared: Sequence[Pair]) -> list[list[Pair]]:
    """Divide pairs so that none has two old models of one name: several lock files may name the same model."""
    rounds: list[list[Pair]] = [[]]
    for pair in compared:
        free = (each for each in rounds if all(was.name != pair[0].name for was, _ in each))
        chosen = next(free, None)
        if chosen is None:
            rounds.append([pair])
        else:
            chosen.append(pair)
    return rounds


@dataclass(frozen=True, slots=True)
class _Round:
    project: ClientProject
    pairs: Sequence[Pair]
    gone: Sequence[Promise]
    unchanged: Sequence[KnownModel]
    cache: Path | None

    def run(self) -> BrokenCalls:
        olds = [*(was for was, _ in self.pairs), *self.gone]
        before = self._check([_known(each, each.name, "old") for each in olds])
        # Clients call a model by its old name.
        after = self._check([_known(now, was.name, "new") for was, now in self.pairs])
        calls = _Calls(after.project)
        old, new = ([each for each in report.findings if each.rule != _CIRCLE] for report in (before, after))
        were_wrong = {calls.key(each) for each in old}
        unchecked = {calls.key(each) for each in old if each.severity is _UNCHECKED}
        findings: dict[Finding, Location | None] = {}
        for each in new:
            key = calls.key(each)
            if key in were_wrong:
                continue
            if each.rule == _NOT_GIVEN and self.gone:
                findings[self._gone(each)] = key
            elif each.severity is _UNCHECKED:
                unchecked.add(key)
            elif each.severity is not Severity.NOTE:
                findings[each] = key
        return BrokenCalls(findings, len(unchecked), after)

    def _check(self, known: Sequence[KnownModel]) -> CallReport:
        return check_known(self.project, [*known, *self.unchanged], cache=self.cache)

    def _gone(self, finding: Finding) -> Finding:
        names = ", ".join(each.name for each in self.gone)
        message = f"The model that is used here is gone ({names})."
        return found("model-removed", message, location=finding.location, model=finding.model)


def _promised_name(model: KnownModel) -> str:
    """Return the name that lock files and directories have for it."""
    return shown_address(model.address)


def _known(promise: Promise, name: str, side: str) -> KnownModel:
    address = parse_address(name)
    user, app, model = address.key if address is not None else ("", "", name)
    source = next((each.location for each in promise.methods if each.location is not None), None)
    is_directory = source is not None and not source.revision and source.path.name == "model.py"
    return KnownModel(
        name=model,
        # Where there is none, the results of both sides are kept apart by a name that is no directory.
        directory=source.path.parents[1] if source is not None and is_directory else Path(f"{side}:{name}"),
        # "me" is whoever deploys it.
        address=Address("" if user == "me" else user, app, model),
        methods=promise.methods,
        way="import",
        errors=(),
    )


class _Calls:
    """The calls in client files, by the places of findings in them."""

    def __init__(self, project: ClientProject) -> None:
        self._project = project
        self._of_file: dict[Path, list[tuple[str, Location]]] = {}

    def key(self, finding: Finding) -> Location | None:
        """Return the place of the call that the finding is about; its own where it is about no call."""
        where = finding.location
        if where is None:
            return None
        holding = [
            place for name, place in self._calls(where.path) if name == finding.method and _holds(place, where)
        ]
        return max(holding, key=lambda each: (each.line, each.column), default=_start(where))

    def _calls(self, path: Path) -> list[tuple[str, Location]]:
        if path not in self._of_file:
            self._of_file[path] = list(self._read(path))
        return self._of_file[path]

    def _read(self, path: Path) -> Iterator[tuple[str, Location]]:
        file = self._project.file(path)
        if file is None:
            return
        try:
            for call in file.source.calls:
                name = getattr(call.func, "attr", "").removeprefix("async_")
                if name:
                    yield name, file.source.location(call)
        except (ValueError, SyntaxError):
            return


def _holds(call: Location, place: Location) -> bool:
    start, end = (call.line, call.column), (call.end_line, call.end_column)
    return call.cell == place.cell and start <= (place.line, place.column) < end


def _start(place: Location) -> Location:
    return replace(place, end_line=0, end_column=0)
