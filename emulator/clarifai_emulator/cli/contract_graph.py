"""Shows who calls whom for ``contract graph``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from clarifai_emulator.cli.contract_origins import given_models
from clarifai_emulator.cli.output import USAGE, Failure, unusable
from clarifai_emulator.cli.writable_places import results_cache
from clarifai_emulator.contracts.calls.call_targets import GivenModel
from clarifai_emulator.contracts.calls.client_check import CallReport, check_calls
from clarifai_emulator.contracts.calls.client_kinds import ClientKind, client_kind
from clarifai_emulator.contracts.calls.type_checker import CheckerError
from clarifai_emulator.contracts.endpoints.workflow_files import read_workflows
from clarifai_emulator.contracts.graph.graph_formats import GRAPH_FORMATS
from clarifai_emulator.contracts.graph.model_graph import ModelGraph, model_graph
from clarifai_emulator.contracts.rules.client_call import ClientCall
from clarifai_emulator.errors import ConfigError
from clarifai_emulator.left_out import of_the_whole


def show_graph(texts: Sequence[str], clients: Sequence[Path], options: dict[str, Any]) -> None:
    """Print the graph of these models, workflows and clients."""
    try:
        models, definitions = _read(texts)
        graph = _graph(models, definitions, clients, options)
    except ConfigError as error:
        raise unusable(error) from None
    except CheckerError as error:
        raise Failure(str(error), code=USAGE) from None
    click.echo(GRAPH_FORMATS[options["format_"]](graph, Path.cwd()), nl=False)


def _graph(
    models: Sequence[GivenModel], definitions: Sequence[Path], clients: Sequence[Path], options: dict[str, Any]
) -> ModelGraph:
    show = sys.stderr.isatty()
    found = check_calls(
        [*clients, *definitions],
        models,
        cache=results_cache(),
        static=options["static"],
        progress=lambda line: click.echo(f"  · {line}", err=True) if show else None,
    )
    workflows = read_workflows(found.project.definitions)
    return model_graph(found.known, _calls(found, definitions), workflows, found.findings)


def _calls(found: CallReport, definitions: Sequence[Path]) -> Iterator[ClientCall]:
    """Yield the calls of code: commands that stand in definitions are nobody's."""
    own = {Path(os.path.abspath(each)) for each in definitions}
    return (each for each in found.calls if each.location.path not in own)


def _read(texts: Sequence[str]) -> tuple[list[GivenModel], list[Path]]:
    """Return the models and the definitions of workflows that the arguments name."""
    is_yaml = {text: Path(text).is_file() and client_kind(Path(text)) is ClientKind.YAML for text in texts}
    definitions = [Path(text) for text in texts if is_yaml[text]]
    models = [each for path in definitions for each in _of_topology(path)]
    models += given_models([text for text in texts if not is_yaml[text]])
    return list(dict.fromkeys(models)), definitions


def _of_topology(path: Path) -> list[GivenModel]:
    """Return the models whose code a topology file names; none of other files."""
    if b"models:" not in path.read_bytes():
        return []
    with of_the_whole("the graph of a topology file"):
        from clarifai_emulator.topology.files import load_topology
    return [
        GivenModel(each.path, _address(each.user_id, each.message.app_id, each.message.id))
        for each in load_topology([path]).models
        if each.path is not None
    ]


def _address(user: str, app: str, model: str) -> str:
    """Return the address that a topology gives a model; empty where it says nothing, and config.yaml does."""
    return f"{user or 'me'}/{app or 'main'}/models/{model}" if model else ""
