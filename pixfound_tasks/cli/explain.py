"""`pixfound explain`: one image, one or more answers, and what each of their noun phrases attended to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pixfound_tasks.explain.explanation import Explanation

_REFERRING = "Identify {expr} in the scene."


def explain(
    image: Annotated[Path | None, typer.Argument(help="An image file; a PixMini scene by default.")] = None,
    expr: Annotated[str | None, typer.Option(help='The referring expression, such as "the dog\'s face".')] = None,
    model: Annotated[str, typer.Option(help="A model on the Hugging Face hub, or a folder.")] = "pixfound/mini",
    prompt: Annotated[
        list[str] | None,
        typer.Option(help=f"The prompt, by default {_REFERRING} Repeat it to compare answers; {{expr}} is --expr."),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="HTML file to write; it opens offline.")] = None,
    png: Annotated[Path | None, typer.Option(help="PNG figure to write.")] = None,
    save: Annotated[Path | None, typer.Option(help="File to save the look to, with all layers and heads.")] = None,
    saved: Annotated[
        list[Path] | None, typer.Option(help="A saved look of the image to explain without its model; repeatable.")
    ] = None,
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
    scene: Annotated[int, typer.Option(help="Number of the PixMini scene, if no image is given.")] = 129,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Maximum length of the answer.")] = 256,
    dtype: Annotated[str | None, typer.Option(help="auto, float32, bfloat16 or float16.")] = None,
    device: Annotated[str | None, typer.Option(help="A device such as cuda:0; CUDA by default, if available.")] = None,
) -> None:
    """Prompt a model with a referring expression and show what each noun phrase of its answer attended to.

    The page browses tokens, reducers, layers and heads without the model.
    """
    from pixfound_tasks.report.console import errors_shown

    prompts = prompt or [_REFERRING]
    with errors_shown(ValueError, OSError):
        _check_files((html, png, save), {"--png": png, "--save": save}, len(saved or prompts))
        from pixfound_tasks.explain.subject import choose_subject

        named = image.stem if image and saved else None  # a saved look needs no expression
        subject = choose_subject(image, expr or named, scene)
        if saved:
            from pixfound_tasks.attention.look_file import load_look
            from pixfound_tasks.explain.explanation import explain_look
            from pixfound_tasks.grounding.phrases import make_chunker

            chunker, _ = make_chunker(phrases or "rules")
            found = [explain_look(load_look(path), subject, chunker) for path in saved]
        else:
            from pixfound_tasks.explain import explanation as explaining
            from pixfound_tasks.explain.instruments import open_instruments

            lens, grounder, asked = open_instruments(
                model, select, judge, segmenter, reducer, query, layers, phrases, dtype, device, geometry
            )
            # `str.format` would fail on other braces in the prompt.
            questions = [each.replace("{expr}", subject.expression) for each in prompts]
            found = [
                explaining.explain(lens, grounder, subject, question, asked, max_new_tokens=max_new_tokens)
                for question in questions
            ]

    _print(found)
    with errors_shown(OSError):
        for path, write in _writers(found, html, png, save):
            write()
            typer.echo(path)
    if not html and not png:
        typer.echo("To see the maps and masks, add --html out.html, --png out.png")


def _check_files(paths: Sequence[Path | None], single: dict[str, Path | None], answers: int) -> None:
    """Raises ValueError if a file to write is a folder, or if one file would have to hold several answers."""
    for path in paths:
        if path and path.is_dir():
            raise ValueError(f"expected a file to write, but {path} is a folder; name a file in it")
    for option, only in single.items():
        if only and answers > 1:
            raise ValueError(f"expected one answer with {option}, but got {answers}; use --html to compare them")


def _print(found: Sequence[Explanation]) -> None:
    from pixfound_tasks.explain.terminal import print_explanation
    from pixfound_tasks.report.console import make_console

    for explanation in found:
        print_explanation(make_console(), explanation)


def _writers(
    found: Sequence[Explanation], html: Path | None, png: Path | None, save: Path | None
) -> list[tuple[Path, Callable[[], None]]]:
    """Each file to write, and what writes it."""
    from pixfound_tasks.explain.figure import write_figure
    from pixfound_tasks.explain.page import write_page

    writers: list[tuple[Path, Callable[[], None]]] = []
    if html:
        writers.append((html, partial(write_page, found, html)))
    if png:
        writers.append((png, partial(write_figure, found[0], png)))
    if save and found[0].look:
        writers.append((save, partial(found[0].look.save, save)))
    return writers
