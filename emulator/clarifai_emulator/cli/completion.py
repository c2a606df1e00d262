"""Defines the command ``completion``, which prints the script that completes commands and options in a shell."""

from __future__ import annotations

import click


@click.command(short_help="Print the completion script of a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    It completes commands, options, rules, and what a running emulator knows: models, their methods and arguments,
    deployments, nodepools, faults.

    \b
    Examples:
      eval "$(clarifai-emulator completion bash)"     in ~/.bashrc
      eval "$(clarifai-emulator completion zsh)"      in ~/.zshrc
      clarifai-emulator completion fish > ~/.config/fish/completions/clarifai-emulator.fish
    """
    from click.shell_completion import get_completion_class

    root = ctx.find_root()
    name = root.info_name or "clarifai-emulator"
    kind = get_completion_class(shell)
    assert kind is not None, "click completes every shell in the choice"
    variable = f"_{name.replace('-', '_').upper()}_COMPLETE"
    source = kind(root.command, {}, name, variable).source()
    click.echo(_without_space_after_equals(source) if shell == "bash" else source)


def _without_space_after_equals(source: str) -> str:
    """Change bash's script so that it adds no space after ``prompt=``."""
    end = "    return 0\n}"
    stay = '    [[ "${COMPREPLY[*]}" == *= ]] && compopt -o nospace\n'
    return source.replace(end, stay + end, 1)
