"""`pixfound explain`: one image, one answer, and what each of its noun phrases attended to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_REFERRING = "Identify {expr} in the scene."


def explain(
    image: Annotated[Path | None, typer.Argument(help="An image file; a PixMini scene by default.")] = None,
    expr: Annotated[str | None, typer.Option(help='The referring expression, such as "the dog\'s face".')] = None,
    model: Annotated[str, typer.Option(help="A model on the Hugging Face hub, or a folder.")] = "pixfound/mini",
    prompt: Annotated[str, typer.Option(help="The prompt for the model; {expr} stands for --expr.")] = _REFERRING,
    html: Annotated[Path | None, typer.Option(help="HTML file to write; it opens offline.")] = None,
    png: Annotated[Path | None, typer.Option(help="PNG figure to write.")] = None,
    select: Annotated[
        str, typer.Option(help="How the mask is selected: similarity, similarity:..., phrase, first or judge.")
    ] = "similarity",
    judge: Annotated[
        str | None, typer.Option(help="A judge to select a mask too: self, openai:MODEL or local:CHECKPOINT.")
    ] = None,
    segmenter: Annotated[
        str | None, typer.Option(help="region, sam:CHECKPOINT, sam2:CHECKPOINT or sam3:CHECKPOINT.")
    ] = None,
    reducer: Annotated[str, typer.Option(help="How attention is reduced to maps, such as relative.")] = "mean_centered",
    query: Annotated[str, typer.Option(help="Which query of a token is used: predict or consume.")] = "predict",
    layers: Annotated[str, typer.Option(help="all, last, middle, i:j, or numbers joined by +.")] = "all",
    geometry: Annotated[str, typer.Option(help="Where image tokens lie: registered, measured or auto.")] = "auto",
    phrases: Annotated[str | None, typer.Option(help="The noun phrase finder: auto, rules or spacy:PACKAGE.")] = None,
    scene: Annotated[int, typer.Option(help="Number of the PixMini scene, if no image is given.")] = 1,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Maximum length of the answer.")] = 256,
    dtype: Annotated[str | None, typer.Option(help="auto, float32, bfloat16 or float16.")] = None,
    device: Annotated[str | None, typer.Option(help="A device such as cuda:0; CUDA by default, if available.")] = None,
) -> None:
    """Prompt a model with a referring expression and show what each noun phrase of its answer attended to."""
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
            model, select, judge, segmenter, reducer, query, layers, phrases, dtype, device, geometry
        )
        # `str.format` would fail on other braces in the prompt.
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
        typer.echo("To see the maps and masks, add --html out.html, --png out.png")
