"""Terminal output that the commands share: consoles, tables and errors."""

from __future__ import annotations

import io
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

_PIPED_WIDTH = 120  # columns, if the output is not a terminal and COLUMNS is not set
# Control characters except tab and line feed, bidirectional embeddings and isolates, and lone surrogates.
_TEMPORARY = re.compile(r"\.[0-9a-f]{32}\.part$")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def make_console() -> Console:
    """Returns a console for standard output.

    If that is not a terminal, its width is that of the variable COLUMNS, or fixed.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A model's name can contain a lone surrogate, which no encoding can represent.
        sys.stdout.reconfigure(errors="replace")
    console = Console()
    return console if console.is_terminal else Console(width=shutil.get_terminal_size((_PIPED_WIDTH, 24)).columns)


def make_table(*headings: str, named: int) -> Table:
    """Returns an empty table. The first `named` columns are for text, and the others are for numbers."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column(headings[0], overflow="fold")
    for index, heading in enumerate(headings[1:], 1):
        table.add_column(heading, justify="left" if index < named else "right")
    return table


def print_prose(console: Console, text: Text) -> None:
    """Prints text that a terminal shows with line breaks between words; elsewhere it stays one line."""
    console.print(text, soft_wrap=not console.is_terminal)


def printable(text: str) -> str:
    """Makes untrusted text safe for a terminal.

    Each control character, bidirectional control character and lone surrogate is replaced by U+FFFD.
    """
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


@contextmanager
def errors_shown(*kinds: type[Exception]) -> Iterator[None]:
    """Prints only the message and exits with status 1 if one of these errors is raised inside the context."""
    try:
        yield
    except kinds as error:
        typer.echo(f"Error: {_message(error)}", err=True)
        raise typer.Exit(1) from error


def _message(error: Exception) -> str:
    """The message of an error; of a file that cannot be written, without the temporary name of `files.replacing`."""
    if not isinstance(error, OSError) or not str(error.filename or "").endswith(".part"):
        return str(error)
    name = _TEMPORARY.sub("", str(error.filename))
    return f"expected to write {name}, but got: {error.strerror}; name a file in a folder that can be written to"
