"""Defines the command ``conform``, which compares a platform with the fidelity table."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clarifai_emulator.cli import completing
from clarifai_emulator.cli.output import (
    FAILED,
    USAGE,
    Failure,
    failure_of,
    json_option,
    print_json,
    step,
    wants_json,
)

if TYPE_CHECKING:
    from clarifai_emulator.conformance.conform_run import RunOutcome, RunSettings
    from clarifai_emulator.conformance.platform_client import TargetAccount
    from clarifai_emulator.conformance.probe import Probe


@click.command(short_help="Compare a platform with what the emulator does, row by row.")
@click.option(
    "--target", metavar="URL", help="The platform to ask. Without it: an emulator that the command starts."
)
@click.option(
    "--only",
    multiple=True,
    metavar="AREA|ROW",
    shell_complete=completing.fidelity_rows,
    help="Only this area of the fidelity table (routing), or this row (routing.order-of-rules). Repeatable.",
)
@click.option(
    "--level",
    type=click.Choice(["free", "deploys", "gpu"]),
    default="free",
    show_default=True,
    help="free: what costs nothing. deploys: also minutes of the smallest CPU instance. gpu: also of the smallest "
    "GPU instance.",
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write what was seen to this file.")
@click.option(
    "--resume", is_flag=True, help="Go on with the probes that the last run at this target did not reach."
)
@click.option("--clean", "only_clean", is_flag=True, help="Only remove what runs have left that were killed.")
@click.option("--yes", is_flag=True, help="Do not ask before anything is made.")
@click.option("--requests", type=click.IntRange(1), default=5000, show_default=True, help="Most requests to make.")
@click.option(
    "--minutes", type=click.FloatRange(0, min_open=True), default=60, show_default=True, help="Longest run."
)
@json_option("Print what was seen as JSON.")
@click.pass_context
def conform(ctx: click.Context, as_json: bool, **options: Any) -> None:
    """Ask a platform what it does, by small programs over its public API, and compare it with the fidelity table.

    Against a target it asks before it begins, with the list of what it will make and the most that can cost.
    Whatever it makes begins with "cfm-" and is removed at the end, also after Ctrl-C; after a crash, --clean does.
    The token is taken from CLARIFAI_PAT (and CLARIFAI_USER_ID); rows about what another user sees want a second
    account, in CLARIFAI_OTHER_PAT, and one about organisations the id of the user's, in CLARIFAI_ORGANIZATION_ID.
    What was seen goes to conformance/DATE-PLATFORMVERSION.json, fit for a pull request. Exit code 1 when a row
    differs.

    \b
    Examples:
      clarifai-emulator conform
      clarifai-emulator conform --only routing --only ids.taken
      clarifai-emulator conform --target https://api.clarifai.com
      clarifai-emulator conform --target https://api.clarifai.com --level deploys --minutes 90
      clarifai-emulator conform --target https://api.clarifai.com --resume
      clarifai-emulator conform --target https://api.clarifai.com --clean
    """
    from clarifai_emulator.errors import EmulatorError

    try:
        with ExitStack() as stack:
            _conform(ctx, stack, as_json, options)
    except EmulatorError as error:
        raise failure_of(error) from None


def _conform(ctx: click.Context, stack: ExitStack, as_json: bool, options: dict[str, Any]) -> None:
    from clarifai_emulator.cli.conform_view import show_outcome
    from clarifai_emulator.conformance.run_files import report_of, write_report

    target = options["target"]
    if options["only_clean"] and not target:
        raise click.UsageError("--clean wants --target URL: whose things to remove.")
    settings = _of_target(target, options) if target else _of_emulator(stack, options)
    if options["only_clean"]:
        _clean(ctx, settings)
        return
    probes = _chosen(options["only"], options["level"])
    if target and not options["yes"]:
        _ask(settings, probes)
    outcome = _run(settings, probes, resume=options["resume"])
    date = time.strftime("%Y-%m-%d")
    report = report_of(outcome.results, date=date, target=target or "emulator", level=options["level"])
    path = options["out"] or (_default_file(date) if target else None)
    if path is not None and outcome.results:
        write_report(path, report)
    if as_json:
        left = [asdict(each) for each in outcome.left]
        print_json({**report, "ended": outcome.ended, "left": left, "file": str(path or "")})
    else:
        show_outcome(outcome, len(probes), path)
    if outcome.ended or outcome.left or outcome.count("differs"):
        ctx.exit(FAILED)


def _default_file(date: str) -> Path:
    from clarifai_emulator.conformance.run_files import file_name

    return Path("conformance") / file_name(date)


def _of_target(target: str, options: dict[str, Any]) -> RunSettings:
    from clarifai_emulator.conformance.preflight import account_of, missing_credentials, target_url

    url = target_url(target)
    account = account_of(url)
    if account is None:
        raise missing_credentials(url)
    return _settings(account, account_of(url, words="CLARIFAI_OTHER"), options)


def _of_emulator(stack: ExitStack, options: dict[str, Any]) -> RunSettings:
    """Start an emulator for the run, whose ledger goes with it."""
    import tempfile

    from clarifai_emulator.conformance.own_target import own_accounts, own_emulator

    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="clarifai-emulator-conform-"))
    emulator = stack.enter_context(own_emulator())
    me, other = own_accounts(emulator.url)
    return replace(_settings(me, other, options), folder=Path(folder))


def _settings(account: TargetAccount, other: TargetAccount | None, options: dict[str, Any]) -> RunSettings:
    from clarifai_emulator.cli.interruption import held_back
    from clarifai_emulator.config import default_run_dir
    from clarifai_emulator.conformance.conform_run import RunSettings

    return RunSettings(
        account,
        default_run_dir() / "conform",
        other=other,
        requests=options["requests"],
        minutes=options["minutes"],
        quietly=held_back,
    )


def _chosen(only: Sequence[str], level: str) -> list[Probe]:
    from clarifai_emulator.conformance.fidelity_rows import AREAS, rows_by_id
    from clarifai_emulator.conformance.probe import LEVELS, all_probes
    from clarifai_emulator.spelling import did_you_mean

    allowed = LEVELS[: [*LEVELS].index(level) + 1]  # pyright: ignore[reportArgumentType] - one of click's choices
    for word in only:
        if word not in AREAS and word not in rows_by_id():
            hint = did_you_mean(word, [*AREAS, *rows_by_id()], lead=" ")
            raise Failure(
                f"--only {word}: the fidelity table has no such area or row.{hint}",
                hint=f"Its areas are {', '.join(AREAS)}; docs/fidelity.md has the rows.",
                code=USAGE,
            )
    wanted = [each for each in all_probes().values() if not only or each.area in only or each.row in only]
    chosen = [each for each in wanted if each.level in allowed]
    if not chosen:
        reasons = [row.no_probe for word in only if (row := rows_by_id().get(word)) and row.no_probe]
        levels = sorted({each.level for each in wanted})
        why = f"they need --level {levels[0]}" if wanted else "; ".join(reasons) or "no probe of these is written"
        raise Failure(f"There is nothing to ask: {why}.", code=USAGE)
    return chosen


def _ask(settings: RunSettings, probes: Sequence[Probe]) -> None:
    """Say what the run will make and can cost, and wait for a yes."""
    from clarifai_emulator.conformance.estimate import rehearse

    if not sys.stdin.isatty() or wants_json():
        raise Failure(
            f"A run at {settings.account.url} asks before it makes anything, and nobody is here to answer.",
            hint="Say --yes to begin at once.",
            code=USAGE,
        )
    step(f"Rehearsing {len(probes)} probes on an emulator")
    estimate = rehearse(probes, minutes=settings.minutes)
    click.echo(f"At {settings.account.url}, as user '{settings.account.user_id}', at most this will be made:")
    for line in estimate.lines():
        click.echo(f"  {line}")
    cost = f"at most ${estimate.dollars:.2f}" if estimate.dollars else "nothing"
    click.echo(
        f"About {estimate.requests} requests; it ends after {settings.requests} of them, or {settings.minutes:g} "
        f"minutes. It costs {cost}. All of it is removed at the end."
    )
    if not click.confirm("Begin?"):
        raise Failure("Nothing was made.", hint="Say --yes to begin without being asked.")


def _run(settings: RunSettings, probes: Sequence[Probe], *, resume: bool) -> RunOutcome:
    from clarifai_emulator.cli.conform_view import ConformProgress
    from clarifai_emulator.cli.interruption import Interrupted
    from clarifai_emulator.conformance.conform_run import RunOutcome, run_kit

    outcome = RunOutcome()
    progress = ConformProgress(len(probes))
    try:
        run_kit(
            settings,
            probes,
            outcome=outcome,
            on_result=progress.result,
            on_clean=progress.cleaning,
            resume=resume,
        )
    except KeyboardInterrupt:
        done = f"{len(outcome.results)} of {len(probes)} probes had run (--resume goes on)"
        if outcome.left:
            raise Interrupted(f"{done}; {len(outcome.left)} things are left: say --clean.") from None
        raise Interrupted(f"{done}; what they made is removed.") from None
    finally:
        progress.end()
    return outcome


def _clean(ctx: click.Context, settings: RunSettings) -> None:
    from clarifai_emulator.cli.conform_view import show_left
    from clarifai_emulator.conformance.conform_run import clean_left

    failed, passed = clean_left(
        settings, on_ledger=lambda path, count: step(f"Removing {count} things of {path.stem}")
    )
    if wants_json():
        print_json({"left": [asdict(each) for each in failed], "passed_over": passed})
    else:
        show_left(failed)
        for line in passed:
            step(f"Passed over {line}")
        if not failed:
            step("Nothing is left" if not passed else "Nothing else is left")
    if failed:
        ctx.exit(FAILED)
