"""Calls every method of deployed models with the SDK, for ``contract fuzz`` and ``check --fuzz``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import click

from clarifai_emulator.cli.connection import connect
from clarifai_emulator.cli.finding_output import Reporting
from clarifai_emulator.cli.model_names import read_model_name
from clarifai_emulator.cli.output import FAILED, USAGE, Failure, step, unusable
from clarifai_emulator.contracts.calls.call_targets import Address
from clarifai_emulator.contracts.calls.given_models import KnownModel
from clarifai_emulator.contracts.reports.judged_report import Result
from clarifai_emulator.contracts.reports.report import counted
from clarifai_emulator.contracts.rules.finding import Finding
from clarifai_emulator.contracts.values.fuzz import Fuzzed, fuzz
from clarifai_emulator.errors import ConfigError
from clarifai_emulator.messages.address import ModelAddress


def fuzz_models(ctx: click.Context, models: tuple[str, ...], as_json: bool, options: dict[str, Any]) -> None:
    """Fuzz each model and report the findings."""
    from clarifai_emulator.cli.sdk import sdk_for

    began = time.perf_counter()
    reporting = Reporting(options, as_json=as_json)
    calls = 0
    limits = {name: options[name] for name in ("examples", "seconds", "method_seconds", "seed")}
    findings: list[Finding] = []
    with connect(options["port"]) as client:
        known = client.result("Status")["models"]
        names = [read_model_name(each, known) for each in models]
        with sdk_for(client.running) as sdk:
            for name in names:
                for each in _fuzzed(sdk, name, options["methods"], limits):
                    step(_told(each))
                    calls += each.calls
                    findings += [each.finding] if each.finding is not None else []
    result = Result(findings, "contract fuzz", scope=f"{counted(calls, 'call')} made")
    reporting.end(ctx, replace(result, seconds=time.perf_counter() - began))


def fuzz_known(
    models: Sequence[KnownModel], port: int | None, method_seconds: float, progress: Callable[[str], None]
) -> list[Finding]:
    """Fuzz the running emulator's deployments of these models; return the findings, each at its method in model.py.
    Raises ``Failure`` if one of the models is not deployed."""
    from clarifai_emulator.cli.sdk import sdk_for

    findings: list[Finding] = []
    with connect(port) as client:
        deployed = client.result("Status")["models"]
        named = [(each, _deployed(each, deployed, client.running.url)) for each in models]
        with sdk_for(client.running) as sdk:
            for model, name in named:
                for each in _fuzzed(sdk, name, (), {"method_seconds": method_seconds}):
                    progress(f"{model.name}.{_told(each)}")
                    method = model.method(each.method)
                    place = method.location if method is not None else None
                    findings += [replace(each.finding, location=place)] if each.finding is not None else []
    return findings


def _deployed(model: KnownModel, deployed: Sequence[str], url: str) -> ModelAddress:
    """Return the deployed model with the address that clients use, else with the id that its config.yaml says."""
    names = [ModelAddress(*each.split("/")) for each in deployed]
    addresses = [(each, Address(each.user_id, each.app_id, each.model_id)) for each in names]
    found = [name for name, address in addresses if model.address.covers(address)]
    found = found or [name for name in names if name.model_id == model.name]
    if found:
        return found[0]
    listed = ", ".join(deployed) or "none"
    raise Failure(
        f"--fuzz calls deployed models, and '{model.name}' is not deployed at {url}. Deployed are: {listed}.",
        hint=f"Deploy it with `clarifai-emulator deploy {model.directory}`.",
        code=FAILED,
    )


def _fuzzed(sdk: Any, name: ModelAddress, wanted: Sequence[str], limits: dict[str, Any]) -> Iterator[Fuzzed]:
    client = sdk.Model(name.url).client
    client.fetch()
    signatures = list(client._method_signatures.values())
    chosen = [each for each in signatures if not wanted or each.name in wanted]
    if not chosen:
        names = ", ".join(each.name for each in signatures)
        raise Failure(f"{name.url} has none of these methods; it has {names}.", code=USAGE)

    def call(method: str, arguments: dict[str, Any]) -> Any:
        return getattr(client, method)(**arguments)

    try:
        yield from fuzz(chosen, call, model=name.name, **limits)
    except ConfigError as error:
        raise unusable(error) from None


def _told(fuzzed: Fuzzed) -> str:
    calls = f"{fuzzed.calls} call{'' if fuzzed.calls == 1 else 's'}"
    found = fuzzed.finding.rule if fuzzed.finding else "nothing found"
    # A call that hangs ends the method as well, and its finding says so.
    late = fuzzed.is_cut_short and found != "hanging-method"
    return f"{fuzzed.method}: {calls}{', then its time was up' if late else ''}, {found}"
