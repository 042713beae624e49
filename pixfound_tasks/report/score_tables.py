"""Prints the scores of runs as tables in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from pixfound_tasks.report import narrative as sentences
from pixfound_tasks.report.console import make_console, make_table
from pixfound_tasks.report.formats import (
    OUTCOME_NAMES,
    SCORE_FIELDS,
    TASK_NAMES,
    between,
    is_measured,
    one_line,
    percent,
)
from pixfound_tasks.report.narrow_tables import print_table
from pixfound_tasks.runs.breakdown import BreakdownRow
from pixfound_tasks.runs.provenance import listed
from pixfound_tasks.runs.summary import Summary


def print_scores(summaries: Sequence[Summary]) -> None:
    """Prints the scores of all runs, the judges of answers, and the results of each analysis."""
    console = make_console()
    for each in summaries:
        for warning in each.warnings:
            console.print(Text(one_line(f"Warning: {each.model}, {warning}"), "yellow"))
    if scored := [each for each in summaries if each.is_scored]:
        print_table(console, _scores(scored))
    for each in summaries:
        if judges := listed(each.provenance.judges):
            said = f"open answers judged by {judges}; {percent(each.unjudged)} % unjudged, which count as incorrect"
            console.print(Text(one_line(f"{each.model}, {each.benchmark}: {said}")))
        if judges := listed(each.provenance.choice_judges):
            console.print(Text(one_line(f"{each.model}, {each.benchmark}: choice answers judged by {judges}")))
    for has_any, table in (
        (any(_is_part(row) for each in summaries for row in each.patterns), _parts),
        (any(each.failures for each in summaries), _outcomes),
        (any(each.sensitivity for each in summaries), _sensitivity),
    ):
        if has_any:
            print_table(console, table(summaries))
    for each in summaries:
        told = sentences.emergence(each.when) if each.when else []
        told += sentences.evidence(each.evidence) if each.evidence else []
        if told:
            console.print(Text(one_line(f"{each.model}, {each.benchmark}"), "bold"))
            console.print(*(Text(one_line(said)) for said in told), sep="\n", end="\n\n")


def _scores(summaries: Sequence[Summary]) -> Table:
    columns = {
        heading: field
        for heading, field in SCORE_FIELDS.items()
        if any(is_measured(getattr(each, field)) for each in summaries)
    }
    table = make_table("model", "benchmark", *columns, named=2)
    for each in summaries:
        partial = f"\npartial: {each.documents} of {each.known_documents}" if each.partial else ""
        shares = (
            percent(getattr(each, field)) + between(each.intervals.get(field), "\n") for field in columns.values()
        )
        unreadable = "\nmostly unreadable" if each.unreadable else ""
        table.add_row(Text(one_line(each.model)), each.benchmark + partial + unreadable, *shares)
    return table


def _parts(summaries: Sequence[Summary]) -> Table:
    """Returns the scores by source and by task. Scores by visual pattern are only on the page."""
    columns = {"accuracy\N{DAGGER}": "open_accuracy", "accuracy": "accuracy", "M": "miou"}
    table = make_table("model", "benchmark", "images of", "images", *columns, named=3)
    for each in summaries:
        for row in filter(_is_part, each.patterns):
            shares = (percent(getattr(row, name)) + between(row.intervals[name], "\n") for name in columns.values())
            table.add_row(
                Text(one_line(each.model)), each.benchmark, Text(one_line(row.name)), str(row.images), *shares
            )
    return table


def _is_part(row: BreakdownRow) -> bool:
    return row.kind != "pattern"


def _outcomes(summaries: Sequence[Summary]) -> Table:
    table = make_table("model", "benchmark", "questions", "rule", *OUTCOME_NAMES.values(), named=4)
    for each in summaries:
        for asked, by_rule in each.failures.items():
            for rule, found in by_rule.items():
                cells = (
                    f"{found.counts[name]}\n{percent(share.value)} %{between(share, ' (')}{')' if found.total else ''}"
                    for name, share in found.shares.items()
                )
                table.add_row(Text(one_line(each.model)), each.benchmark, asked, rule, *cells)
    return table


def _sensitivity(summaries: Sequence[Summary]) -> Table:
    headings = "original", "mean", "spread", "worst", "drop"
    table = make_table("model", "benchmark", "varied", *headings, named=3)
    for each in summaries:
        for task, types in each.sensitivity.items():
            for found in types:
                name = f"{TASK_NAMES.get(task.removesuffix('_lite'), task)}: {found.type.replace('_', ' ')}"
                drop = f"{percent(found.drop.value)}{between(found.drop, chr(10))}"
                numbers = (percent(found.original), percent(found.mean.value) + between(found.mean, "\n"))
                table.add_row(
                    Text(one_line(each.model)), each.benchmark, f"{name} ({len(found.scores)})", *numbers,
                    percent(found.spread), percent(found.worst), drop,
                )  # fmt: skip
    return table
