"""`pixfound compare`: what changed between two runs, with uncertainty, and on which images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def compare(
    first: Annotated[
        Path, typer.Argument(metavar="A", help="The --output_path of an lmms-eval run with --log_samples.")
    ],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another run, or the same one if it has two models.")],
    model_a: Annotated[str | None, typer.Option(help="The model in A, if A has several.")] = None,
    model_b: Annotated[str | None, typer.Option(help="The model in B, if B has several.")] = None,
    worst: Annotated[int, typer.Option(min=0, help="How many of the largest falls in IoU to print.")] = 10,
    brief: Annotated[bool, typer.Option("--brief", help="Print only the scores and their differences.")] = False,
    json: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write everything to FILE as JSON; - prints it instead.")
    ] = None,
) -> None:
    """Compare run B with run A, on the documents of each benchmark that both have.

    Differences are B minus A in percentage points, with 95 % intervals (paired bootstrap) and p-values (McNemar's exact
    test for correct pairs, the bootstrap for other scores), both unadjusted and adjusted for multiple comparisons.
    """
    from json import dumps

    from pixfound_tasks.files import replacing
    from pixfound_tasks.report.compare_tables import print_comparisons
    from pixfound_tasks.report.console import errors_shown
    from pixfound_tasks.runs.compare.choice import pair_up, runs_of_model
    from pixfound_tasks.runs.compare.comparison import as_json, compare_runs
    from pixfound_tasks.runs.run import read_runs

    with errors_shown(ValueError):  # includes RunError
        chosen = [
            runs_of_model(read_runs(folder), folder, model, option)
            for folder, model, option in ((first, model_a, "--model-a"), (second, model_b, "--model-b"))
        ]
        comparisons = compare_runs(pair_up(*chosen))
    text = dumps(as_json(comparisons), indent=2, allow_nan=False) if json else ""
    if json == "-":
        typer.echo(text)
        return
    if json:
        with errors_shown(OSError), replacing(Path(json)) as beside:
            beside.write_text(text + "\n", encoding="utf-8")
    print_comparisons(comparisons, worst, brief)
