"""Runs ``contract fuzz``: every method of a deployed model, called with the SDK."""

from __future__ import annotations

from typing import Any

import click

from clarifai_emulator.cli.client import connect
from clarifai_emulator.cli.findings import report
from clarifai_emulator.cli.model_names import read_model_name
from clarifai_emulator.cli.output import USAGE, Failure, step
from clarifai_emulator.contracts.finding import Finding
from clarifai_emulator.contracts.fuzz import fuzz
from clarifai_emulator.errors import ConfigError


def fuzz_models(ctx: click.Context, models: tuple[str, ...], as_json: bool, options: dict[str, Any]) -> None:
    """Fuzz each model and report what was found."""
    from clarifai_emulator.cli.sdk import sdk_for

    findings: list[Finding] = []
    with connect(options["port"]) as client:
        known = client.result("Status")["models"]
        names = [read_model_name(each, known) for each in models]
        with sdk_for(client.running) as sdk:
            for name in names:
                findings += _fuzz_one(sdk.Model(name.url), name.url, options)
    report(ctx, findings, as_json, options)


def _fuzz_one(model: Any, url: str, options: dict[str, Any]) -> list[Finding]:
    model.client.fetch()
    signatures = list(model.client._method_signatures.values())
    wanted = options["methods"]
    chosen = [each for each in signatures if not wanted or each.name in wanted]
    if not chosen:
        names = ", ".join(each.name for each in signatures)
        raise Failure(f"{url} has none of these methods; it has {names}.", code=USAGE)
    findings: list[Finding] = []

    def call(method: str, arguments: dict[str, Any]) -> Any:
        return getattr(model.client, method)(**arguments)

    limits = {name: options[name] for name in ("examples", "seconds", "seed")}
    name = url.removeprefix("https://clarifai.com/")
    try:
        for each in fuzz(chosen, call, model=name, **limits):
            step(f"{each.method}: {each.calls} calls, {each.finding.rule if each.finding else 'nothing found'}")
            findings += [each.finding] if each.finding is not None else []
    except ConfigError as error:
        raise Failure(f"{error.what} {'; '.join(error.problems)}", hint=error.hint, code=USAGE) from None
    return findings
