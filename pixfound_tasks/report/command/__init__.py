"""The `pixfound` command: a file for each of its commands, which import what they need when they are called."""

from __future__ import annotations

import typer

from pixfound_tasks.report.command import check, compare, data, explain, leaderboard, report

# Plain help: rich's takes longer to load and to draw than all the rest of the start (perf/startup.py).
app = typer.Typer(
    help="Reports on runs of the PixFoundation benchmarks in lmms-eval.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)
app.command()(report.report)
app.command()(compare.compare)
app.command()(check.check)
app.command()(explain.explain)
app.command()(leaderboard.leaderboard)
app.add_typer(data.app, name="data")


@app.command("tasks-path")
def tasks_path() -> None:
    """Print the folder of the tasks, for lmms-eval's --include_path."""
    from pixfound_tasks.plugin import task_folder

    typer.echo(task_folder())
