"""Defines a call of a model that a client makes, as the checker understood it, with what was found of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from clarifai_emulator.contracts.rules.finding import Finding, Location
from clarifai_emulator.contracts.rules.rule import Severity


@dataclass(frozen=True, slots=True)
class ClientCall:
    """A call that a client makes of a model, a server or a workflow. ``location``: what is called, without its
    arguments. ``called``: the method, function or program, as ``chat.completions.create()``. ``model``: the name of
    the given model; the client's words for it where none was given; empty where nobody knows. ``findings``: what is
    wrong with it, or why it was not checked; they may stand elsewhere, as where its model is built. Without any, it
    was checked and is right. ``caller``: the given model whose code makes the call; empty for a client."""

    location: Location
    called: str
    model: str = ""
    findings: tuple[Finding, ...] = ()
    caller: str = ""

    @property
    def is_checked(self) -> bool:
        """Tell whether the call was held against a model in all that can be held."""
        severities = {each.severity for each in self.findings}
        return Severity.UNCHECKED not in severities or Severity.ERROR in severities


def merged_calls(calls: Iterable[ClientCall]) -> list[ClientCall]:
    """Return one call for each place, in their order, with everything that was said of it."""
    places: dict[Location, list[ClientCall]] = {}
    for each in calls:
        places.setdefault(each.location, []).append(each)
    return [_merged(several) for _, several in sorted(places.items())]


def _merged(several: list[ClientCall]) -> ClientCall:
    if len(several) == 1:
        return several[0]
    models = dict.fromkeys(each.model for each in several if each.model)
    findings = dict.fromkeys(finding for each in several for finding in each.findings)
    return ClientCall(several[0].location, several[0].called, ", ".join(models), tuple(findings))
