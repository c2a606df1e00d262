"""Reports findings in the format that was asked for, and ends the command with the exit code they ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from clarifai_emulator.cli.output import FAILED, unusable
from clarifai_emulator.cli.writable_places import written_to
from clarifai_emulator.contracts.reports import FORMATS, render
from clarifai_emulator.contracts.reports.judged_report import Result, judged, report_of
from clarifai_emulator.contracts.reports.report import Report, counted
from clarifai_emulator.contracts.rules import RULES
from clarifai_emulator.contracts.rules.policy import Policy, read_baseline, read_levels, write_baseline
from clarifai_emulator.contracts.rules.project_settings import project_settings
from clarifai_emulator.contracts.rules.rule import Severity
from clarifai_emulator.errors import ConfigError


class Reporting:
    """The options ``contract_options.report_options`` of a command, read before the command does anything. Raises
    ``Failure`` or ``UsageError`` for those that cannot be used."""

    def __init__(self, options: Mapping[str, Any], *, as_json: bool = False) -> None:
        self._baseline: Path | None = options["baseline"]
        self._is_new = bool(options["write_baseline"])
        if self._is_new and self._baseline is None:
            raise click.UsageError("--write-baseline needs --baseline FILE.")
        self._format = "json" if as_json else str(options["format_"])
        self._outputs = [_output(each) for each in options["output"]]
        self._fail_on = Severity(options["fail_on"])
        self._shows_calls = bool(options.get("show_calls"))
        self._policy = self._read_policy(options["rules"])

    def _read_policy(self, levels: tuple[str, ...]) -> Policy:
        try:
            chosen = read_levels([*project_settings(Path.cwd()).levels, *levels], RULES)
            is_read = self._baseline is not None and not self._is_new
            return Policy(chosen, read_baseline(self._baseline) if is_read and self._baseline else {})
        except ConfigError as error:
            raise unusable(error) from None

    @property
    def is_text(self) -> bool:
        """Tell whether people read the report."""
        return self._format == "text"

    def report(self, result: Result) -> Report:
        """Return the report; write the baseline first if that was asked for."""
        if self._is_new and self._baseline is not None:
            left = judged(result, self._policy).findings
            with written_to(self._baseline, "--baseline"):
                number = write_baseline(self._baseline, left, self._policy.root, result.lines_of)
            click.echo(f"Wrote {counted(number, 'finding')} to {self._baseline}.", err=True)
            self._policy = replace(self._policy, baseline=read_baseline(self._baseline))
        return report_of(result, self._policy, self._fail_on, shows_calls=self._shows_calls)

    def write(self, report: Report) -> None:
        """Write the report to the files that were named, and print it."""
        self.write_files(report)
        click.echo(render(report, self._format), nl=False)

    def write_files(self, report: Report) -> None:
        """Write the report to the files that were named."""
        for name, file in self._outputs:
            text = render(report, name)
            with written_to(file, "--output"):
                file.write_text(click.unstyle(text) if name == "text" else text, encoding="utf-8")

    def end(self, ctx: click.Context, result: Result) -> None:
        """Report the result, and end the command with exit code 1 if the report has failed."""
        report = self.report(result)
        self.write(report)
        if report.failed:
            ctx.exit(FAILED)


def _output(text: str) -> tuple[str, Path]:
    name, _, file = text.partition(":")
    if name not in FORMATS or not file:
        raise click.UsageError(
            f"--output '{text}': write FORMAT:FILE, where FORMAT is one of {', '.join(FORMATS)}."
        )
    return name, Path(file)
