"""What the commands share: tables in the terminal, and errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

_PIPED_WIDTH = 120  # columns, where the output is no terminal that has a width of its own


def make_console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=_PIPED_WIDTH)


def make_table(*headings: str, named: int) -> Table:
    """An empty table whose first `named` columns are text and whose others are numbers."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column(headings[0], overflow="fold")
    for index, heading in enumerate(headings[1:], 1):
        table.add_column(heading, justify="left" if index < named else "right")
    return table


@contextmanager
def errors_shown(*kinds: type[Exception]) -> Iterator[None]:
    """End the command with status 1 and the message alone, where one of these errors is raised inside."""
    try:
        yield
    except kinds as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from error
