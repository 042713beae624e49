"""The `pixfound` command: a file for each of its commands, which import what they need when they are called."""

from __future__ import annotations

import sys
from typing import Any

import typer
from typer.core import TyperGroup

from pixfound_tasks.cli import check, compare, data, doctor, explain, leaderboard, report, settings


class Commands(TyperGroup):
    """Commands that say in one line which package they need if it is not installed."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            if package in ("", "pixfound_tasks") or package in sys.stdlib_module_names:
                raise
            message = (
                f"Error: pixfound {ctx.invoked_subcommand} needs {package}, which is not installed; "
                "`pixfound doctor` prints the command that installs what is missing"
            )
            typer.echo(message, err=True)
            raise typer.Exit(1) from error


# Plain help: rich's takes longer to load and to draw than all the rest of the start (perf/startup.py).
app = typer.Typer(
    cls=Commands,
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
app.command()(doctor.doctor)
app.command()(settings.settings)
app.add_typer(data.app, name="data")


@app.command("tasks-path")
def tasks_path() -> None:
    """Print the folder of the tasks, for lmms-eval's --include_path."""
    from pixfound_tasks.plugin import task_folder

    typer.echo(task_folder())
