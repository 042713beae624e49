"""`pixfound report`: writes a run's scores as tables, an HTML page, JSON and CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from loguru import logger

_LARGE = 60e6  # bytes of a page that browsers open slowly


def report(
    run: Annotated[list[Path], typer.Argument(help="The --output_path of an lmms-eval run with --log_samples.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the page; by default, report in the first RUN.")] = None,
    join: Annotated[
        bool, typer.Option("--join", help="Cross one model's answers with another model's groundings.")
    ] = False,
    leaderboard: Annotated[
        Path | None, typer.Option(help="File to write the scores to as rows for pixfound leaderboard.")
    ] = None,
    eval_results: Annotated[
        bool,
        typer.Option("--eval-results", help="Also write MODEL/.eval_results/BENCHMARK.yaml, the hub's format."),
    ] = False,
    folder: Annotated[
        bool,
        typer.Option("--folder", help="Put images and masks into files beside the page, for a web server to serve."),
    ] = False,
    table: Annotated[
        str | None, typer.Option(metavar="STYLE", help="Only print the scores as a table: latex, markdown or csv.")
    ] = None,
) -> None:
    """Print the scores of one or more runs, and write them as an HTML page, JSON and CSV."""
    from pixfound_tasks.choices import check_choice
    from pixfound_tasks.report.console import errors_shown, make_console
    from pixfound_tasks.report.export import write_files
    from pixfound_tasks.report.html import pictures
    from pixfound_tasks.report.html.page import write_page
    from pixfound_tasks.report.leaderboard import LeaderboardError, write_rows
    from pixfound_tasks.report.next_steps import after_report, print_steps
    from pixfound_tasks.report.paper_tables import STYLES, paper_table
    from pixfound_tasks.report.plots import plots
    from pixfound_tasks.report.score_tables import print_scores
    from pixfound_tasks.report.side_by_side import side_by_side
    from pixfound_tasks.runs.progress import progress_shown
    from pixfound_tasks.runs.run import RunError, read_runs
    from pixfound_tasks.runs.summary import summarize

    if table is not None:
        with errors_shown(ValueError):
            check_choice("a style of tables", table, STYLES)
        with errors_shown(RunError):
            typer.echo(paper_table([summarize(each) for each in read_runs(*run, join=join)], table), nl=False)
        return
    place = out or run[0] / "report"
    with errors_shown(ValueError):
        if place.exists() and not place.is_dir():
            raise ValueError(f"expected a folder to write the report to, but {place} is a file; give another --out")
    with errors_shown(RunError, LeaderboardError), progress_shown(f"reading {', '.join(map(str, run))} ...") as track:
        runs = read_runs(*run, join=join, track=track)
        if eval_results:
            from pixfound_tasks.report.eval_results import check_on_hub

            check_on_hub(each.benchmark for each in runs)
        summaries = [summarize(each) for each in track(runs, "computing scores", len(runs))]
        drawn = [plots(summary) for summary in summaries]
        images, sides = pictures.load({each.benchmark for each in runs}), side_by_side(runs, summaries, track)
        page = write_page(runs, summaries, place, images, drawn, track, sides, is_split=folder)
        write_files(runs, summaries, drawn, place)
    if page.stat().st_size > _LARGE:
        logger.warning(f"the page has {page.stat().st_size / 1e6:.0f} MB; with --folder, it is split into small files")
    if leaderboard:
        with errors_shown(LeaderboardError, OSError):
            write_rows(leaderboard, summaries, page)
    if eval_results:
        from pixfound_tasks.report.eval_results import write_eval_results

        with errors_shown(LeaderboardError, OSError):
            typer.echo("\n".join(map(str, write_eval_results(place, summaries))))
    print_scores(summaries)
    print_steps(make_console(), after_report(run, summaries))
    typer.echo(f"  every image with its masks, answers and maps, in a browser:\n{page}")
