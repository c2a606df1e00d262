"""Completes words of the command line that a running emulator knows: models, methods, deployments, faults and more.

Each function is a ``shell_complete`` of click. It asks the emulator that the command line so far addresses; if none
runs, or it does not answer at once, nothing is completed and nothing is said. The SDK is not imported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

from clarifai_emulator.left_out import of_the_whole

_PATIENCE_SECONDS = 2.0


def models(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete model ids; in full if several models share the id, or if the full form was begun."""
    known = _names(ctx).get("models", ())
    return _beginning(model_words(known, incomplete), incomplete)


def words(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete ``predict``: the methods of the model, then those arguments of the method that are not given yet."""
    methods = _names(ctx, model=ctx.params.get("model") or "").get("methods", {})
    return call_words(methods, ctx.params.get("words") or (), incomplete)


def deployments(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete deployment ids, each with its model."""
    found = _names(ctx).get("deployments", ())
    return _beginning({each["id"]: each["model"] for each in found}, incomplete)


def deployed(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete deployment ids, and ids of models that are deployed."""
    found = _names(ctx).get("deployments", ())
    named = {each["model"]: "model" for each in found if each["model"]}
    return _beginning({each["id"]: each["model"] for each in found} | named, incomplete)


def nodepools(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete nodepool ids, only those of the cluster if one is given."""
    cluster = ctx.params.get("cluster")
    found = _names(ctx).get("nodepools", ())
    named = {each["id"]: f"in {each['cluster']}" for each in found if cluster in (None, "", each["cluster"])}
    return _beginning(named, incomplete)


def clusters(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the ids of compute clusters."""
    found = _names(ctx).get("nodepools", ())
    return _beginning(dict.fromkeys((each["cluster"] for each in found), ""), incomplete)


def fidelity_rows(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete areas and rows of the fidelity table."""
    with of_the_whole("the fidelity table"):
        from clarifai_emulator.conformance.fidelity_rows import all_rows, areas

    named = {area.name: area.title for area in areas()}
    return _beginning(named | {row.id: row.what for row in all_rows() if "." in incomplete}, incomplete)


def users(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete users and organisations."""
    return _beginning(dict.fromkeys(_names(ctx).get("users", ()), ""), incomplete)


def replicas(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete replicas that run, each with its deployment."""
    return _beginning(_names(ctx).get("replicas", {}), incomplete)


def faults(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete ids of faults, each with what it does."""
    return _beginning(_names(ctx).get("faults", {}), incomplete)


def ports(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the ports of the emulators that run."""
    try:
        with of_the_whole("what a running emulator knows"):
            from clarifai_emulator.control.running import run_dir, running_emulators
        return _beginning({str(each.port): each.url for each in running_emulators(run_dir())}, incomplete)
    except Exception:  # a completion prints no error
        return []


def model_words(known: Iterable[str], incomplete: str) -> dict[str, str]:
    """Return the shortest clear name of each model ``USER/APP/ID``, with the full name."""
    full = {each: "/models/".join(each.rsplit("/", 1)) for each in known}
    if "/" in incomplete:
        return dict.fromkeys(full.values(), "")
    counts = Counter(each.rpartition("/")[2] for each in full)
    short = {each: each.rpartition("/")[2] for each in full}
    return {short[each] if counts[short[each]] == 1 else name: name for each, name in full.items()}


def call_words(
    methods: Mapping[str, Sequence[Mapping[str, Any]]], given: Sequence[str], incomplete: str
) -> list[CompletionItem]:
    """Return the words that may follow in a call, of whose method and arguments ``given`` is there already."""
    usual = "predict" if "predict" in methods else next(iter(methods), "")
    method = given[0] if given and given[0] in methods else usual
    done = {word.partition("=")[0] for word in given}
    found = {} if given else dict.fromkeys(methods, "method")
    arguments = [each for each in methods.get(method, ()) if each["name"] not in done]
    return _beginning(found | {f"{each['name']}=": each["type"].lower() for each in arguments}, incomplete)


def _names(ctx: click.Context, **request: Any) -> dict[str, Any]:
    try:
        with of_the_whole("what a running emulator knows"):
            from clarifai_emulator.cli.connection import connect
        with ctx.scope(cleanup=False), connect(ctx.params.get("port")) as client:
            answers = client.answers_to("Names", request, seconds=_PATIENCE_SECONDS)
            return client.result_of(answers, lambda answer: None)
    except Exception:  # a completion prints no error
        return {}


def _beginning(found: Mapping[str, str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name, help=text or None) for name, text in found.items() if name.startswith(incomplete)]
