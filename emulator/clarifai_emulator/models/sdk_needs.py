"""Says what the SDK that a model's requirements lead to needs besides, by the table of its versions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from clarifai_emulator.errors import ModelError
from clarifai_emulator.inside.sdk_versions_main import DIFFERENCES, REPLACED, numbers, since
from clarifai_emulator.models.requirements import Line, applies, direct_sdk_version

_NEVER = "9999"


@dataclass(frozen=True, slots=True)
class SdkNeeds:
    """The needs of the SDK of one model. ``named``: the SDK as the requirements have it. ``lines``: the requirement
    lines that choose it. ``pins``: requirements that it has and does not name. ``limits``: requirements that keep
    out versions of its runner that do not work. ``replaced``: packages that take the place of those which its own
    requirements lead to. ``is_of_another_time``: packages of today do not fit it.
    ``follows_api_base``: its clients look at CLARIFAI_API_BASE."""

    named: str
    lines: tuple[str, ...]
    pins: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    is_of_another_time: bool = False
    follows_api_base: bool = True

    @property
    def added(self) -> tuple[str, ...]:
        """Return every requirement that is added to those of the model."""
        return (*self.pins, *self.limits)


def sdk_needs(lines: Sequence[Line], otherwise: str) -> SdkNeeds:
    """Return the needs of the SDK that these requirements lead to; where they name none, it is ``otherwise``."""
    texts = _sdk_lines(lines) or (otherwise,)
    allowed = _specifier(texts)
    named = {name for line in lines if (name := _name(line)) is not None and not line.constraint}
    pins = [
        pin
        for difference in DIFFERENCES
        if difference.pins and not _allows(allowed, from_=difference.since)
        for pin in difference.pins
        if not _is_given(pin, lines, named)
    ]
    limits: list[str] = []
    replaced: list[str] = []
    for rule in REPLACED:
        if rule.before and _allows(allowed, from_=rule.before):
            continue
        if rule.since and _allows(allowed, before=rule.since):
            limits.append(rule.instead)
        else:
            replaced.append(rule.instead)
    return SdkNeeds(
        named="".join(texts[0].split()) if len(texts) == 1 else " and ".join(texts),
        lines=texts,
        pins=tuple(pins),
        limits=tuple(limits),
        replaced=tuple(replaced),
        is_of_another_time=not _allows(allowed, from_=since("protobuf-7")),
        follows_api_base=_allows(allowed, from_=since("api-base")),
    )


def require_runnable(needs: SdkNeeds) -> None:
    """Raise ``ModelError`` for an SDK that is too old to run a model at all."""
    oldest = since("server")
    if not _allows(_specifier(needs.lines), from_=oldest):
        raise ModelError(
            f"{needs.named} in requirements.txt is too old to run a model: the oldest that does is clarifai "
            f"{oldest}.",
            hint=f"Name `clarifai>={oldest}` (or a newer one, which the code was written for) in requirements.txt.",
        )


def sdk_is(version: str, lines: Sequence[Line]) -> bool:
    """Tell whether this version of the SDK is one that the requirements allow."""
    texts = _sdk_lines(lines)
    return not texts or (bool(version) and _specifier(texts).contains(version, prereleases=True))


def _sdk_lines(lines: Iterable[Line]) -> tuple[str, ...]:
    found: list[str] = []
    for line in lines:
        is_sdk = bool(direct_sdk_version(line.text)) if line.is_direct else _name(line) == "clarifai"
        if is_sdk:
            found.append(line.text)
    return tuple(found)


def _name(line: Line) -> str | None:
    if line.is_direct:
        return None
    try:
        requirement = Requirement(line.text)
    except InvalidRequirement:
        return None
    return canonicalize_name(requirement.name) if applies(requirement) else None


def _specifier(texts: Iterable[str]) -> SpecifierSet:
    """Return what the lines allow; those whose version is not known allow any."""
    allowed = SpecifierSet()
    for text in texts:
        direct = direct_sdk_version(text)
        if direct:
            allowed &= SpecifierSet(f"=={direct}" if direct[0].isdigit() else "")
        else:
            allowed &= Requirement(text).specifier
    return allowed


def _allows(allowed: SpecifierSet, *, from_: str = "", before: str = "") -> bool:
    """Tell whether any version in these bounds is allowed: looked at are those at which something changes."""
    named = [re.sub(r"\.\*$", "", each.version) for each in allowed if re.match(r"\d", each.version)]
    probes = {*(each.since for each in DIFFERENCES), *named, from_ or "0", _NEVER}
    return any(
        allowed.contains(each, prereleases=True)
        for each in probes
        if (not from_ or numbers(each) >= numbers(from_)) and (not before or numbers(each) < numbers(before))
    )


def _is_given(pin: str, lines: Iterable[Line], named: set[str]) -> bool:
    """Tell whether the requirements see to it themselves."""
    wanted = Requirement(pin)
    if not wanted.specifier:
        return wanted.name in named
    limit = next(iter(wanted.specifier)).version
    for line in lines:
        if _name(line) == wanted.name and not Requirement(line.text).specifier.contains(limit, prereleases=True):
            return wanted.name in named
    return False
