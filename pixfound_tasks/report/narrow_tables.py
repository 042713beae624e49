"""Prints tables of the terminal at any width, without cutting anything in them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from pixfound_tasks.report.console import make_table

_UNBOUNDED = 10_000  # columns of a terminal
_BREAKS = (" (", " to ")  # where numbers with intervals continue on the next line


def print_table(console: Console, table: Table) -> None:
    """Prints a table so that nothing in it is cut.

    A table that is too wide for the console gets one column for all its leading columns of text, more lines in
    headings and intervals, and other text broken between words. If it is still too wide, each row is printed as a list
    of headings and values.
    """
    if full_width(console, table) <= console.width:
        console.print(table)
        return
    for padding in (1, 0):
        narrow = _stacked(table, padding)
        if _fit(narrow, console, padding):
            console.print(narrow)
            return
    _print_rows(console, table)
    if table.caption:
        console.print(Text(str(table.caption), "dim"))


def full_width(console: Console, table: Table) -> int:
    """Returns how many characters a line of the table has if nothing in it is broken."""
    return Measurement.get(console, console.options.update(width=_UNBOUNDED), table).maximum


def _plain(cell: object) -> str:
    return cell.plain if isinstance(cell, Text) else str(cell)


def _cells(table: Table) -> tuple[list[str], list[list[str]]]:
    """Returns the headings and the rows of a table as plain text."""
    rows = zip(*(column.cells for column in table.columns))
    return [_plain(column.header) for column in table.columns], [[_plain(cell) for cell in row] for row in rows]


def _named(table: Table) -> int:
    """Returns the number of leading columns of text; of a table of text alone, the first column only."""
    named = len(list(takewhile(lambda column: column.justify != "right", table.columns)))
    return named if named < len(table.columns) else 1


def _stacked(table: Table, padding: int) -> Table:
    """Returns the table with its leading columns of text in one column, and narrower headings and intervals."""
    (headings, rows), named = _cells(table), _named(table)
    lines = [heading.replace(" ", "\n") for heading in headings[named:]]
    narrow = make_table("\n".join(headings[:named]), *lines, named=1)
    for column, original in zip(narrow.columns[1:], table.columns[named:]):
        column.justify = original.justify
    for number, row in enumerate(rows, 1):
        first = "\n".join(filter(None, row[:named])) + "\n" * (named > 1 and number < len(rows))
        narrow.add_row(Text(first), *(Text(_broken(cell)) for cell in row[named:]))
    narrow.caption, narrow.padding = table.caption, (0, padding, 0, 0)
    return narrow


def _broken(cell: str) -> str:
    for place in _BREAKS:
        cell = cell.replace(place, f"\n{place[1:]}")
    return cell


def _fit(table: Table, console: Console, padding: int) -> bool:
    """Gives the columns of text widths with which the table fits, and whole words do; returns whether there are any."""
    contents = [[_plain(column.header), *map(_plain, column.cells)] for column in table.columns]
    widest = [max(len(line) for cell in cells for line in cell.splitlines() or [""]) for cells in contents]
    words = [max(len(word) for cell in cells for word in cell.split() or [""]) for cells in contents]
    is_text = [column.justify == "left" for column in table.columns]
    widths = [word if text else wide for word, wide, text in zip(words, widest, is_text)]
    spare = console.width - sum(widths) - (1 + padding) * len(widths) - 1  # what the box and the padding take
    if spare < 0:
        return False
    for index in _narrowest_first(widest, is_text):
        more = min(spare, widest[index] - widths[index])
        widths[index] += more
        spare -= more
    for column, width in zip(table.columns, widths):
        column.width = width
    return True


def _narrowest_first(widest: Sequence[int], is_text: Sequence[bool]) -> list[int]:
    return sorted((index for index, text in enumerate(is_text) if text), key=lambda index: widest[index])


def _print_rows(console: Console, table: Table) -> None:
    """Prints each row as its names, then one line per value; values that are too long continue below themselves."""
    (headings, rows), named = _cells(table), _named(table)
    width = max(map(len, headings[named:]), default=0)
    for row in rows:
        console.print()
        names = (f"{heading} {' '.join(cell.split())}" for heading, cell in zip(headings, row[:named]) if cell)
        console.print(Text(", ".join(names), "bold"))
        for heading, cell in zip(headings[named:], row[named:]):
            values = Table.grid(padding=(0, 2, 0, 0))
            values.add_column(min_width=width + 2, no_wrap=True)
            values.add_column(overflow="fold")
            values.add_row(Text(f"  {heading}"), Text(" ".join(cell.split())))
            if cell:
                console.print(values)
    console.print()
