"""`pixfound report`: writes a run's scores as tables, an HTML page, JSON and CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[list[Path], typer.Argument(help="The --output_path of an lmms-eval run with --log_samples.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the page; by default, report in the first RUN.")] = None,
    join: Annotated[
        bool, typer.Option("--join", help="Cross one model's answers with another model's groundings.")
    ] = False,
    leaderboard: Annotated[
        Path | None, typer.Option(help="File to write the scores to as rows for pixfound leaderboard.")
    ] = None,
    table: Annotated[
        str | None, typer.Option(metavar="STYLE", help="Only print the scores as a table: latex, markdown or csv.")
    ] = None,
) -> None:
    """Print the scores of one or more runs, and write them as an HTML page, JSON and CSV."""
    from pixfound_tasks.choices import check_choice
    from pixfound_tasks.report.console import errors_shown
    from pixfound_tasks.report.export import write_files
    from pixfound_tasks.report.html import pictures
    from pixfound_tasks.report.html.page import write_page
    from pixfound_tasks.report.leaderboard import LeaderboardError, write_rows
    from pixfound_tasks.report.paper_tables import STYLES, paper_table
    from pixfound_tasks.report.plots import plots
    from pixfound_tasks.report.score_tables import print_scores
    from pixfound_tasks.runs.progress import progress_shown
    from pixfound_tasks.runs.run import RunError, read_runs
    from pixfound_tasks.runs.summary import summarize

    if table is not None:
        with errors_shown(ValueError):
            check_choice("a style of tables", table, STYLES)
        with errors_shown(RunError):
            typer.echo(paper_table([summarize(each) for each in read_runs(*run, join=join)], table), nl=False)
        return
    folder = out or run[0] / "report"
    with errors_shown(ValueError):
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"expected a folder to write the report to, but {folder} is a file; give another --out")
    with errors_shown(RunError), progress_shown(f"reading {', '.join(map(str, run))} ...") as track:
        runs = read_runs(*run, join=join, track=track)
        summaries = [summarize(each) for each in track(runs, "computing scores", len(runs))]
        drawn = [plots(summary) for summary in summaries]
        page = write_page(runs, summaries, folder, pictures.load({each.benchmark for each in runs}), drawn, track)
        write_files(runs, summaries, drawn, folder)
    if leaderboard:
        with errors_shown(LeaderboardError, OSError):
            write_rows(leaderboard, summaries)
    print_scores(summaries)
    typer.echo(page)
