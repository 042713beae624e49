"""The `pixfound` command. Each subcommand has its own file, and imports what it needs when it is called."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from pixfound_tasks.cli import (
    check,
    compare,
    data,
    doctor,
    explain,
    figure,
    leaderboard,
    look,
    prove,
    report,
    run,
    settings,
)


class Commands(TyperGroup):
    """Commands that report a missing package in one line."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the command; exits with 1 if a package that it needs is not installed."""
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


# Plain help, because rich's help takes longer to load and draw than everything else at startup (perf/startup.py).
app = typer.Typer(
    cls=Commands,
    help="Runs the PixFoundation benchmarks in lmms-eval, and reports on them.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)
app.command(context_settings=run.SETTINGS)(run.run)
app.command()(report.report)
app.command()(compare.compare)
app.command()(check.check)
app.command()(figure.figure)
app.command()(explain.explain)
app.command()(look.look)
app.command()(prove.prove)
app.command()(leaderboard.leaderboard)
app.command()(doctor.doctor)
app.command()(settings.settings)
app.add_typer(data.app, name="data")


def _print_version(is_asked: bool) -> None:
    if is_asked:
        from pixfound_tasks import __version__

        typer.echo(f"pixfound-tasks {__version__}")
        raise typer.Exit()


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Runs the PixFoundation benchmarks in lmms-eval, and reports on them."""


@app.command("tasks-path")
def tasks_path() -> None:
    """Print the folder of the task files, for lmms-eval's --include_path."""
    from pixfound_tasks.plugin import task_folder

    typer.echo(task_folder())
