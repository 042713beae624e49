"""`pixfound report`: a run's scores as tables, as a page and as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[list[Path], typer.Argument(help="The --output_path of an lmms-eval run with --log_samples.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the page; report in the first RUN if not given.")] = None,
) -> None:
    """Print the scores of one or several runs, and write them as a page to read and as JSON."""
    import json

    from pixfound_tasks.report.console import errors_shown
    from pixfound_tasks.report.page import pictures, write_page
    from pixfound_tasks.report.run import RunError, read_runs
    from pixfound_tasks.report.score_tables import print_scores
    from pixfound_tasks.report.summary import as_json, summarise

    with errors_shown(RunError):
        runs = read_runs(*run)
    summaries = [summarise(each) for each in runs]
    folder = out or run[0] / "report"
    page = write_page(runs, summaries, folder, pictures.load({each.benchmark for each in runs}))
    (folder / "report.json").write_text(json.dumps(as_json(summaries), indent=2, allow_nan=False), encoding="utf-8")
    print_scores(summaries)
    typer.echo(page)
