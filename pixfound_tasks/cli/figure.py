"""`pixfound figure`: images of a run with the ground truth, and each model's mask and phrase map, as a figure."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def figure(
    run: Annotated[list[Path], typer.Argument(help="The --output_path of an lmms-eval run with --log_samples.")],
    image: Annotated[list[str], typer.Option(help="Id of an image, or several separated by commas: a row each.")],
    out: Annotated[Path, typer.Option(help="File to write: .pdf, .svg or .png.")] = Path("figure.pdf"),
    models: Annotated[
        str | None, typer.Option(help="Models to show, separated by commas: names or parts of them; all by default.")
    ] = None,
    benchmark: Annotated[str | None, typer.Option(help="The benchmark, if the runs have several.")] = None,
) -> None:
    """Draw images with the ground truth, and each model's mask and the map of its phrase, as PDF, SVG or PNG."""
    from pixfound_tasks.report import figure as drawing
    from pixfound_tasks.report.chosen_runs import choose_runs
    from pixfound_tasks.report.console import errors_shown
    from pixfound_tasks.report.html import pictures
    from pixfound_tasks.runs.run import RunError, read_runs

    with errors_shown(RunError, ValueError, OSError):
        drawing.check_suffix(out)
        chosen = choose_runs(read_runs(*run), models, benchmark)
        ids = [id.strip() for given in image for id in given.split(",") if id.strip()]
        if not ids:
            raise ValueError("expected --image as the id of an image, such as 18, but got none")
        name = chosen[0].benchmark
        images = pictures.load({name}).get(name, {})
        drawn = drawing.draw_figure(chosen, ids, {id: images[id] for id in ids if id in images})
        drawing.write_figure(drawn, out)
    typer.echo(out)
