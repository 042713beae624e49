"""The `pixfound` command."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pixfound_tasks.report import pictures
from pixfound_tasks.report.breakdown import BreakdownRow
from pixfound_tasks.report.page import OUTCOME_NAMES, between, is_measured, percent, write_page
from pixfound_tasks.report.run import RunError, read_runs
from pixfound_tasks.report.summary import Summary, as_json, summarise

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
_PIPED_WIDTH = 120  # columns, where the output is no terminal that has a width of its own

app = typer.Typer(
    help="Reports on runs of the PixFoundation benchmarks in lmms-eval.", no_args_is_help=True, add_completion=False
)


@app.command("tasks-path")
def tasks_path() -> None:
    """Print the folder of the tasks, for lmms-eval's --include_path."""
    from pixfound_tasks.plugin import task_folder

    typer.echo(task_folder())


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="The --output_path of an lmms-eval run with --log_samples.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the page; RUN/report where not given.")] = None,
) -> None:
    """Print a run's scores, and write them as a page to read and as JSON."""
    try:
        runs = read_runs(run)
    except RunError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from error
    summaries = [summarise(each) for each in runs]
    folder = out or run / "report"
    page = write_page(runs, summaries, folder, pictures.load({each.benchmark for each in runs}))
    (folder / "report.json").write_text(json.dumps(as_json(summaries), indent=2, allow_nan=False), encoding="utf-8")
    _print(summaries)
    typer.echo(page)


def _print(summaries: Sequence[Summary]) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PIPED_WIDTH)
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
    table = _table("model", "benchmark", *columns, named=2)
    for each in summaries:
        partial = f"\npartial: {each.documents} of {each.known_documents}" if each.partial else ""
        shares = (percent(getattr(each, field)) + between(each, field, "\n") for field in columns.values())
        table.add_row(Text(each.model), each.benchmark + partial, *shares)
    return table


def _parts(summaries: Sequence[Summary]) -> Table:
    """The scores by source and by task; those by visual pattern are for the page."""
    headings = "accuracy\N{DAGGER}", "accuracy", "M"
    table = _table("model", "benchmark", "images of", "images", *headings, named=3)
    for each in summaries:
        for row in filter(_is_part, each.patterns):
            shares = map(percent, (row.open_accuracy, row.accuracy, row.miou))
            table.add_row(Text(each.model), each.benchmark, Text(row.name), str(row.images), *shares)
    return table


def _is_part(row: BreakdownRow) -> bool:
    return row.kind != "pattern"


def _outcomes(summaries: Sequence[Summary]) -> Table:
    table = _table("model", "benchmark", "rule", *OUTCOME_NAMES.values(), named=3)
    for each in summaries:
        for rule, counts in (each.failures or {}).items():
            table.add_row(Text(each.model), each.benchmark, rule, *(str(counts[name]) for name in OUTCOME_NAMES))
    return table


def _table(*headings: str, named: int) -> Table:
    """An empty table whose first `named` columns are text and whose others are numbers."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column(headings[0], overflow="fold")
    for index, heading in enumerate(headings[1:], 1):
        table.add_column(heading, justify="left" if index < named else "right")
    return table
