"""Plans the reload that an edit needs: the cheapest that is still right, with its reason and its files. Pure.

    files before, files after ──► none │ swap │ fork │ environment │ image

From left to right each does more: a *swap* puts a new class behind the loaded instance, a *fork* loads the model
anew, *environment* and *image* first change what it runs in. When in doubt, the one further right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import yaml

from clarifai_emulator.models.code import DOCKERFILE, Code
from clarifai_emulator.models.config_content import CONFIG_FILE
from clarifai_emulator.models.directory import REQUIREMENTS_FILE
from clarifai_emulator.models.written import named
from clarifai_emulator.reload.helpers import HelperEdit, Helpers
from clarifai_emulator.reload.syntax import compare


class ReloadKind(StrEnum):
    """Kinds of reload; each does all that those before it do."""

    NONE = "none"
    SWAP = "swap"
    FORK = "fork"
    ENVIRONMENT = "environment"
    IMAGE = "image"

    @property
    def rank(self) -> int:
        """Higher does more."""
        return tuple(ReloadKind).index(self)


@dataclass(frozen=True, slots=True)
class CodeEdit:
    """The part of a swap for one file: a new class of this name behind the model, or, of another module, what
    ``helper`` says."""

    file: str
    class_name: str = ""
    helper: HelperEdit | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A reload to do. ``files``: those that caused it. ``edits``: what a swap does, file by file.

    ``may_change_signatures``: the edit touches what clients see of the methods, so it is worth to look first.
    """

    kind: ReloadKind
    reason: str
    files: tuple[str, ...] = ()
    edits: tuple[CodeEdit, ...] = ()
    may_change_signatures: bool = False

    @property
    def named(self) -> str:
        """Return the files in words."""
        return named(self.files)


def make_plan(before: Code, after: Code, *, always: ReloadKind = ReloadKind.NONE) -> Plan:
    """Plan the reload that takes ``before`` to ``after``; at least ``always`` when there is anything to do."""
    files = before.changed(after)
    if not files:
        return Plan(ReloadKind.NONE, "no file has changed")
    helpers = Helpers(after.model_file, _sources(before), _sources(after))
    plans = [_plan_of(name, before, after, helpers) for name in files]
    worst = max(plans, key=lambda plan: plan.kind.rank)
    causes = tuple(plan.files[0] for plan in plans if plan.kind is worst.kind)
    plan = replace(worst, files=causes, may_change_signatures=any(each.may_change_signatures for each in plans))
    if plan.kind is ReloadKind.SWAP:
        swaps = [each for each in plans if each.kind is ReloadKind.SWAP]
        edits = tuple(edit for each in swaps for edit in each.edits)
        plan = replace(plan, reason="; ".join(each.reason for each in swaps), edits=edits)
    if plan.kind is not ReloadKind.NONE and plan.kind.rank < always.rank:
        return replace(plan, kind=always, reason=f"{plan.reason}, and a {always} was asked for every time")
    return plan


def _plan_of(name: str, before: Code, after: Code, helpers: Helpers) -> Plan:
    if name in (before.model_file, after.model_file):
        return _model_plan(name, before, after)
    special: dict[str, Callable[[str, Code, Code], Plan]] = {
        CONFIG_FILE: _config_plan,
        REQUIREMENTS_FILE: _requirements_plan,
        DOCKERFILE: _dockerfile_plan,
    }
    if name in special:
        return special[name](name, before, after)
    if name.endswith(".py") and name in before.files and name in after.files:
        return _helper_plan(name, before, after, helpers)
    verb = "is new" if name not in before.files else "is gone" if name not in after.files else "has changed"
    return Plan(ReloadKind.FORK, f"{name} {verb}, and the model may have read it", (name,))


def _model_plan(name: str, before: Code, after: Code) -> Plan:
    if before.model_file != after.model_file or name not in after.files:
        return Plan(
            ReloadKind.FORK, f"{after.model_file} takes the place of {before.model_file}", (name,), (), True
        )
    found = compare(before.text(name), after.text(name))
    kind = ReloadKind.FORK if found.doubt else ReloadKind.SWAP
    return Plan(
        kind,
        found.doubt or found.summary,
        (name,),
        (CodeEdit(name, found.class_name),),
        found.may_change_signatures,
    )


def _helper_plan(name: str, before: Code, after: Code, helpers: Helpers) -> Plan:
    """Plan the reload of a module beside the model's: weights stay where loading them did not use it."""
    found = helpers.edit(name)
    if before.model_file != after.model_file or found.doubt:
        return Plan(ReloadKind.FORK, f"{name} has changed, and the model may have read it: {found.doubt}", (name,))
    return Plan(ReloadKind.SWAP, found.reason(name), (name,), (CodeEdit(name, "", found),))


def _sources(code: Code) -> dict[str, str]:
    return {name: code.text(name) for name in code.files if name.endswith(".py")}


def _requirements_plan(name: str, before: Code, after: Code) -> Plan:
    if _lines(before.text(name)) == _lines(after.text(name)):
        return Plan(ReloadKind.NONE, "only comments or blank lines of requirements.txt have changed", (name,))
    return Plan(ReloadKind.ENVIRONMENT, "the requirements have changed", (name,))


def _dockerfile_plan(name: str, before: Code, after: Code) -> Plan:
    return Plan(ReloadKind.IMAGE, "the Dockerfile has changed", (name,))


def _config_plan(name: str, before: Code, after: Code) -> Plan:
    try:
        old, new = (yaml.safe_load(code.text(name)) or {} for code in (before, after))
    except yaml.YAMLError:
        return Plan(ReloadKind.FORK, "config.yaml cannot be read", (name,))
    if old == new:
        return Plan(ReloadKind.NONE, "only comments or the layout of config.yaml have changed", (name,))
    if not isinstance(old, dict) or not isinstance(new, dict):
        return Plan(ReloadKind.FORK, "config.yaml has changed", (name,))
    sections = _changed_sections(old, new)
    if "build_info" in sections:
        return Plan(ReloadKind.IMAGE, "build_info of config.yaml has changed", (name,))
    return Plan(ReloadKind.FORK, f"{', '.join(sections)} of config.yaml has changed", (name,))


def _changed_sections(old: Any, new: Any) -> Sequence[str]:
    return sorted(str(key) for key in {*old, *new} if old.get(key) != new.get(key))


def _lines(text: str) -> list[str]:
    stripped = (line.split(" #")[0].strip() for line in text.splitlines())
    return [line for line in stripped if line and not line.startswith("#")]
