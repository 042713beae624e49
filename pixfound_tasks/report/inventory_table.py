"""Prints which benchmark data is available, as a table in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from pixfound_tasks.report.console import make_console, make_table, print_prose
from pixfound_tasks.report.formats import NOT_MEASURED
from pixfound_tasks.report.narrow_tables import print_table

if TYPE_CHECKING:
    from pixfound_tasks.benchmarks.inventory import Inventory

_LISTED = 5  # names of missing files that are listed
_REVISION = 12  # characters


def print_inventories(inventories: Sequence[Inventory]) -> None:
    """Prints one row per benchmark and, below the table, what is missing."""
    console = make_console()
    table = make_table("benchmark", "from", "state", "files", "documents", "pairs", "no object", "MB", named=3)
    for each in inventories:
        table.add_row(each.benchmark, Text(_source(each)), _state(each), *_numbers(each))
    print_table(console, table)
    for each in inventories:
        if each.folder:
            console.print(Text(f"{each.benchmark}: joined in {each.folder}", "dim"), soft_wrap=True)
        if each.missing:
            listed = ", ".join(each.missing[:_LISTED])
            more = f" and {len(each.missing) - _LISTED} more" * (len(each.missing) > _LISTED)
            print_prose(console, Text(f"{each.benchmark}: missing: {listed}{more}"))
        if each.problem:
            print_prose(console, Text(f"{each.benchmark}: {each.problem}"))


def _source(inventory: Inventory) -> str:
    revisions = [
        f"{repo} @ {revision[:_REVISION] if revision else 'not downloaded'}"
        for repo, revision in inventory.revisions.items()
    ]
    return "\n".join([inventory.source, *revisions])


def _state(inventory: Inventory) -> str:
    if inventory.problem:
        return "not usable"
    if inventory.missing:
        return f"{len(inventory.missing)} files missing"
    return "joined" if inventory.folder else "not joined yet"


def _numbers(inventory: Inventory) -> tuple[str, ...]:
    if not inventory.counts:
        unknown = [NOT_MEASURED] * 4
        return (str(inventory.files or NOT_MEASURED), *unknown)
    counts = inventory.counts
    return (
        str(inventory.files or NOT_MEASURED),
        f"{inventory.documents} of {inventory.known_documents}",
        str(counts.get("pairs", NOT_MEASURED)),
        str(counts.get("images with an empty mask", 0)),
        f"{inventory.bytes / 1e6:.1f}",
    )
