"""`pixfound check`: checks a run against requirements, for continuous integration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def check(
    run: Annotated[Path, typer.Argument(help="The --output_path of an lmms-eval run.")],
    require: Annotated[
        list[str], typer.Option(metavar="TASK.METRIC>=FRACTION", help="A requirement; repeat the option for several.")
    ],
    model: Annotated[str | None, typer.Option(help="The model to check; all models in RUN by default.")] = None,
    allow_partial: Annotated[
        bool, typer.Option("--allow-partial", help="Accept partial runs, such as those with --limit.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON instead of lines.")] = False,
    github: Annotated[bool, typer.Option("--github", help="Also print annotations for GitHub Actions.")] = False,
) -> None:
    """Exit with 0 if a run meets every requirement; otherwise exit with 1 and print the reasons.

    Tasks, groups and metrics have the names of lmms-eval's tables. Values are fractions. Operators are >= <= == > <.
    The newest results of each task are used. Missing, partial, NaN and failed results do not pass. If
    GITHUB_STEP_SUMMARY names a file, a table is appended to it.
    """
    import os
    from json import dumps

    from pixfound_tasks.report import check_lines as check_lines
    from pixfound_tasks.report.check_lines import print_lines
    from pixfound_tasks.runs.check import verdicts as checking
    from pixfound_tasks.runs.check.requirements import read_requirement

    try:
        requirements = [read_requirement(text) for text in require]
        verdicts = checking.check(run, requirements, model, allow_partial)
    except ValueError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(2) from error
    if json:
        typer.echo(dumps(checking.as_json(run, verdicts, allow_partial), indent=2, allow_nan=False))
    else:
        print_lines(check_lines.lines(verdicts))
        if github and (found := check_lines.annotations(verdicts)):
            typer.echo("\n".join(found))
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        try:
            with Path(summary).open("a", encoding="utf-8") as file:
                file.write(check_lines.job_summary(verdicts))
        except OSError as error:  # the exit status is what counts
            typer.echo(f"Warning: the job summary cannot be written: {error}", err=True)
    if not all(verdict.passed for verdict in verdicts):
        raise typer.Exit(1)
