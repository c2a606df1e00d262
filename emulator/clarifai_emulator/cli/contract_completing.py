"""Completes words of the contract commands, from what is on the disk and in the table of rules."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

_LEVELS = ("error", "warning", "unchecked", "note", "off")


def model_places(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete ``DIR``: the shell knows the folders."""
    return [CompletionItem(incomplete, type="dir")]


def origin_places(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete lock files and folders, as the shell does."""
    return [CompletionItem(incomplete, type="file")]


def rule_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete names of rules, each with its title."""
    from clarifai_emulator.contracts.rules import RULES

    return [CompletionItem(name, help=each.title) for name, each in RULES.items() if name.startswith(incomplete)]


def rule_levels(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete ``RULE=LEVEL``: the rule first, then its severity."""
    name, equals, level = incomplete.partition("=")
    if not equals:
        return [CompletionItem(f"{each.value}=", help=each.help) for each in rule_names(ctx, param, name)]
    return [CompletionItem(f"{name}={each}") for each in _LEVELS if each.startswith(level)]


def report_formats(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the ``FORMAT:`` of ``FORMAT:FILE``."""
    from clarifai_emulator.contracts.reports import FORMATS

    return [CompletionItem(f"{each}:") for each in FORMATS if f"{each}:".startswith(incomplete)]
