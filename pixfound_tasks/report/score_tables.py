"""A run's scores as tables in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from pixfound_tasks.report.breakdown import BreakdownRow
from pixfound_tasks.report.console import make_console, make_table
from pixfound_tasks.report.formats import OUTCOME_NAMES, between, is_measured, percent
from pixfound_tasks.report.summary import Summary

_COLUMNS = {  # heading -> field of a summary; what nobody measured is left out
    "A\N{DAGGER}": "open_answering",
    "A": "answering",
    "accuracy": "accuracy",
    "M\N{DAGGER}": "open_grounding",
    "M": "grounding",
    "oracle": "oracle_miou",
    "chance": "chance_miou",
    "S": "score",
}


def print_scores(summaries: Sequence[Summary]) -> None:
    console = make_console()
    console.print(_scores(summaries))
    for each in summaries:
        if judges := each.provenance["judges"]:
            said = f"open answers judged by {judges}, {percent(each.unjudged)} % of them unjudged, which count as wrong"
            console.print(Text(f"{each.model}, {each.benchmark}: {said}"))
    if any(_is_part(row) for each in summaries for row in each.patterns):
        console.print(_parts(summaries))
    if any(each.failures for each in summaries):
        console.print(_outcomes(summaries))
    for each in summaries:
        if each.location_bins:
            bins = " ".join(map(str, each.location_bins))
            console.print(Text(f"{each.model}, {each.benchmark}: best phrases by tenths of the answer: {bins}", "dim"))


def _scores(summaries: Sequence[Summary]) -> Table:
    columns = {
        heading: field
        for heading, field in _COLUMNS.items()
        if any(is_measured(getattr(each, field)) for each in summaries)
    }
    table = make_table("model", "benchmark", *columns, named=2)
    for each in summaries:
        partial = f"\npartial: {each.documents} of {each.known_documents}" if each.partial else ""
        shares = (
            percent(getattr(each, field)) + between(each.intervals.get(field), "\n") for field in columns.values()
        )
        table.add_row(Text(each.model), each.benchmark + partial, *shares)
    return table


def _parts(summaries: Sequence[Summary]) -> Table:
    """The scores by source and by task; those by visual pattern are for the page."""
    headings = "accuracy\N{DAGGER}", "accuracy", "M"
    table = make_table("model", "benchmark", "images of", "images", *headings, named=3)
    for each in summaries:
        for row in filter(_is_part, each.patterns):
            shares = map(percent, (row.open_accuracy, row.accuracy, row.miou))
            table.add_row(Text(each.model), each.benchmark, Text(row.name), str(row.images), *shares)
    return table


def _is_part(row: BreakdownRow) -> bool:
    return row.kind != "pattern"


def _outcomes(summaries: Sequence[Summary]) -> Table:
    table = make_table("model", "benchmark", "rule", *OUTCOME_NAMES.values(), named=3)
    for each in summaries:
        for rule, counts in (each.failures or {}).items():
            table.add_row(Text(each.model), each.benchmark, rule, *(str(counts[name]) for name in OUTCOME_NAMES))
    return table
