"""``rebasin-fast completion``: a script that completes commands and options in a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of SHELL.

    \b
    Example:
      rebasin-fast completion bash > ~/.local/share/bash-completion/completions/rebasin-fast
    """
    completer = get_completion_class(shell)
    if completer is None:
        raise click.UsageError(f"no completion for {shell}")
    root = context.find_root().command
    click.echo(completer(root, {}, "rebasin-fast", "_REBASIN_FAST_COMPLETE").source())
