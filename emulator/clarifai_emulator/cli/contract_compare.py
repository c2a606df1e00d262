"""Compares models for ``contract diff`` and ``contract verify``, and reports what changed and which calls break."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from clarifai_emulator.cli.contract_origins import read_origins
from clarifai_emulator.cli.finding_output import Reporting
from clarifai_emulator.cli.output import FAILED, USAGE, Failure, unusable
from clarifai_emulator.cli.writable_places import results_cache
from clarifai_emulator.contracts.changes.gate import GateResult, diff, those_that_break, verify
from clarifai_emulator.contracts.changes.lock import LOCK_FILE
from clarifai_emulator.contracts.changes.origins import Origin, lock_files
from clarifai_emulator.contracts.reports.judged_report import Result
from clarifai_emulator.contracts.reports.report import counted
from clarifai_emulator.contracts.rules import SUBJECTS
from clarifai_emulator.contracts.rules.policy import file_lines
from clarifai_emulator.errors import ConfigError

_RULES = frozenset(rule.id for rule in SUBJECTS["changes of a model"])


def show_changes(ctx: click.Context, old: str, new: str, as_json: bool, options: dict[str, Any]) -> None:
    """Report what changed from one origin to another."""
    began = time.perf_counter()
    reporting = Reporting(options, as_json=as_json)
    was, now = read_origins([old, new], options["static"], options["base_url"], options["port"])
    _report(ctx, reporting, "contract diff", diff(was, now), [was, now], options, began)


def guard_deploy(
    ctx: click.Context, models: Sequence[str], locks: Sequence[str], as_json: bool, options: dict[str, Any]
) -> None:
    """Report what would break the clients of these lock files, or of all below the current folder."""
    began = time.perf_counter()
    reporting = Reporting(options, as_json=as_json)
    files = list(locks) or [str(each) for each in lock_files(Path())]
    if not files:
        raise Failure(
            f"There is no {LOCK_FILE} below this folder.",
            hint="Write one with `clarifai-emulator contract lock`, or name it with --lock.",
            code=USAGE,
        )
    resolved = read_origins(models, options["static"], options["base_url"], options["port"])
    kept = read_origins(files, False, options["base_url"], options["port"])
    together = Origin(
        " ".join(models),
        tuple(each for origin in resolved for each in origin.promises),
        tuple(each for origin in resolved for each in origin.findings),
    )
    verdict = verify(together, kept)
    if not verdict.compared and not verdict.findings:
        names = ", ".join(each.name for each in together.promises)
        raise Failure(
            f"No lock file names {names}: nothing was verified.",
            hint=f"Looked at: {', '.join(files)}.",
            code=FAILED,
        )
    _report(ctx, reporting, "contract verify", verdict, [*resolved, *kept], options, began)


def _report(
    ctx: click.Context,
    reporting: Reporting,
    command: str,
    verdict: GateResult,
    origins: Sequence[Origin],
    options: dict[str, Any],
    began: float,
) -> None:
    texts = {path: lines for origin in origins for path, lines in origin.texts.items()}
    result = Result(
        those_that_break(verdict.findings, options["clients"]),
        command,
        scope=f"{counted(len(verdict.compared), 'model')} compared",
        lines_of=lambda path, cell: texts[path] if path in texts else file_lines(path, cell),
        rules=_RULES,
    )
    if options["used_by"] or options["callers"]:
        result = _with_broken_calls(result, verdict, options["used_by"], options["callers"])
    reporting.end(ctx, replace(result, seconds=time.perf_counter() - began))


def _with_broken_calls(
    result: Result, verdict: GateResult, paths: Sequence[Path], callers: Sequence[str]
) -> Result:
    from clarifai_emulator.cli.contract_origins import given_models
    from clarifai_emulator.contracts.calls.type_checker import CheckerError
    from clarifai_emulator.contracts.changes.broken_calls import find_broken_calls, with_broken_calls

    try:
        models = given_models(callers)
        broken = find_broken_calls(paths, verdict.compared, verdict.gone, models=models, cache=results_cache())
    except ConfigError as error:
        raise unusable(error) from None
    except CheckerError as error:
        raise Failure(str(error), code=USAGE) from None
    return with_broken_calls(result, broken)
