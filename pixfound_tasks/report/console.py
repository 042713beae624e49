"""What the commands share: tables in the terminal, and errors."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

_PIPED_WIDTH = 120  # columns, where the output is no terminal that has a width of its own
# Control characters but tab and line feed, embeddings and isolates of a direction, halves of surrogate pairs.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def make_console() -> Console:
    """A console for standard output, of a fixed width where that is no terminal."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A model's name can hold half of a surrogate pair, which no encoding has.
        sys.stdout.reconfigure(errors="replace")
    console = Console()
    return console if console.is_terminal else Console(width=_PIPED_WIDTH)


def make_table(*headings: str, named: int) -> Table:
    """An empty table whose first `named` columns are text and whose others are numbers."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column(headings[0], overflow="fold")
    for index, heading in enumerate(headings[1:], 1):
        table.add_column(heading, justify="left" if index < named else "right")
    return table


def printable(text: str) -> str:
    """Untrusted text for a terminal: what would steer it, turn the direction of what follows, or is half a character,
    becomes U+FFFD, one for one."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


@contextmanager
def errors_shown(*kinds: type[Exception]) -> Iterator[None]:
    """End the command with status 1 and the message alone, where one of these errors is raised inside."""
    try:
        yield
    except kinds as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from error
