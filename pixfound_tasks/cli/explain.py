"""`pixfound explain`: one picture, an answer, and what every phrase of it looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_REFERRING = "Identify {expr} in the scene."


def explain(
    image: Annotated[Path | None, typer.Argument(help="A picture; one of PixMini's drawn scenes if not given.")] = None,
    expr: Annotated[str | None, typer.Option(help='What to find, such as "the dog\'s face".')] = None,
    model: Annotated[str, typer.Option(help="A model of the hub or a folder.")] = "pixfound/mini",
    prompt: Annotated[str, typer.Option(help="What the model is asked; {expr} stands for --expr.")] = _REFERRING,
    html: Annotated[Path | None, typer.Option(help="A page to write, one file that opens offline.")] = None,
    png: Annotated[Path | None, typer.Option(help="A figure to write.")] = None,
    select: Annotated[str, typer.Option(help="similarity, similarity:..., phrase, first or judge.")] = "similarity",
    judge: Annotated[
        str | None, typer.Option(help="Who is asked beside it: self, openai:MODEL or local:CHECKPOINT.")
    ] = None,
    segmenter: Annotated[
        str | None, typer.Option(help="region, sam:CHECKPOINT, sam2:CHECKPOINT or sam3:CHECKPOINT.")
    ] = None,
    reducer: Annotated[str, typer.Option(help="What becomes of the attention, such as relative.")] = "mean_centered",
    query: Annotated[str, typer.Option(help="predict or consume.")] = "predict",
    layers: Annotated[str, typer.Option(help="all, last, middle, i:j, or numbers joined by +.")] = "all",
    phrases: Annotated[str | None, typer.Option(help="auto, rules or spacy:PACKAGE.")] = None,
    scene: Annotated[int, typer.Option(help="Which of PixMini's scenes, without a picture.")] = 1,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="The longest answer.")] = 256,
    dtype: Annotated[str | None, typer.Option(help="auto, float32, bfloat16 or float16.")] = None,
    device: Annotated[str | None, typer.Option(help="Such as cuda:0; CUDA where there is one.")] = None,
) -> None:
    """Ask a model to find something in a picture, and show what every phrase of its answer looked at."""
    from pixfound_tasks.report.console import errors_shown, make_console

    with errors_shown(ValueError):
        for path in filter(None, (html, png)):
            if path.is_dir():
                raise ValueError(f"expected a file to write, but {path} is a folder; name a file in it")
        from pixfound_tasks.explain.subject import choose_subject

        subject = choose_subject(image, expr, scene)
        from pixfound_tasks.explain import explanation as explaining
        from pixfound_tasks.explain.instruments import open_instruments

        lens, grounder, asked = open_instruments(
            model, select, judge, segmenter, reducer, query, layers, phrases, dtype, device
        )
        # Not `format`: other braces of a prompt are its own.
        question = prompt.replace("{expr}", subject.expression)
        found = explaining.explain(lens, grounder, subject, question, asked, max_new_tokens=max_new_tokens)

    from pixfound_tasks.explain.terminal import print_explanation

    print_explanation(make_console(), found)
    with errors_shown(OSError):
        if html:
            from pixfound_tasks.explain.page import write_page

            write_page(found, html)
            typer.echo(html)
        if png:
            from pixfound_tasks.explain.figure import write_figure

            write_figure(found, png)
            typer.echo(png)
    if not html and not png:
        typer.echo("With its maps and masks: --html out.html, --png out.png")
