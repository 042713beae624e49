"""`pixfound look`: one's own image and prompt in the browser, through a page on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

_INSTALL = "pip install 'pixfound-tasks[look]'"


def look(
    model: Annotated[str, typer.Option(help="A model on the Hugging Face hub, or a folder.")] = "pixfound/mini",
    select: Annotated[
        str, typer.Option(help="How the mask is selected: similarity, similarity:..., phrase or first.")
    ] = "similarity",
    segmenter: Annotated[
        str | None, typer.Option(help="region, sam:CHECKPOINT, sam2:CHECKPOINT or sam3:CHECKPOINT.")
    ] = None,
    reducer: Annotated[str, typer.Option(help="How attention is reduced to maps at first.")] = "mean_centered",
    query: Annotated[str, typer.Option(help="Which query of a token is used: predict or consume.")] = "predict",
    layers: Annotated[str, typer.Option(help="all, last, middle, i:j, or numbers joined by +.")] = "all",
    geometry: Annotated[str, typer.Option(help="Where image tokens lie: registered, measured or auto.")] = "auto",
    phrases: Annotated[str | None, typer.Option(help="The noun phrase finder: auto, rules or spacy:PACKAGE.")] = None,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Maximum length of an answer.")] = 256,
    dtype: Annotated[str | None, typer.Option(help="auto, float32, bfloat16 or float16.")] = None,
    device: Annotated[str | None, typer.Option(help="A device such as cuda:0; CUDA by default, if available.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; a free one by default.")] = 0,
    browser: Annotated[bool, typer.Option(help="Whether to open the page in the browser.")] = True,
) -> None:
    """Open a page on this machine that shows what a model attends to, for your own images and prompts.

    The page is for this machine alone: it listens on 127.0.0.1, and its address holds a secret.
    """
    from pixfound_tasks.report.console import errors_shown

    try:
        from pixfound_tasks.explain import local_page
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in ("starlette", "uvicorn"):
            raise
        typer.echo(f"Error: pixfound look needs {package}, which is not installed: {_INSTALL}", err=True)
        raise typer.Exit(1) from error
    with errors_shown(ValueError):
        from pixfound_tasks.explain.instruments import open_instruments

        instruments = open_instruments(
            model, select, None, segmenter, reducer, query, layers, phrases, dtype, device, geometry
        )

        def answer(asked: local_page.Asked) -> str:
            from pixfound_tasks.explain.explanation import explain
            from pixfound_tasks.explain.page import render
            from pixfound_tasks.explain.subject import Subject, drawn_scene

            if asked.image is None:
                subject = drawn_scene(asked.scene, asked.expression or None)
            else:
                subject = Subject(asked.image, asked.expression, asked.name or "image")
            return render(*(
                explain(
                    instruments.lens, instruments.grounder, subject, prompt.replace("{expr}", subject.expression),
                    max_new_tokens=max_new_tokens,
                )
                for prompt in asked.prompts
            ))  # fmt: skip

        def announce(address: str) -> None:
            typer.echo(f"{address}\nOpen it in a browser on this machine. Ctrl-C ends it.")
            if browser:
                typer.launch(address)

        local_page.serve(answer, model, port, announce)
