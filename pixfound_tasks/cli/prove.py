"""`pixfound prove`: the geometry of a model's image tokens, measured on the model and compared with its rule."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_SIZES = "1x1,7x1000,31x33,224x224,480x640,640x480,1000x7,1080x1920"


def prove(
    model: Annotated[str, typer.Argument(help="A model on the hub, a folder, or pixfound/mini.")] = "pixfound/mini",
    image: Annotated[list[Path] | None, typer.Option(help="An image whose size is proved; repeat for several.")] = None,
    sizes: Annotated[str, typer.Option(help="Sizes to prove if no image is given, HEIGHTxWIDTH,...")] = _SIZES,
    dtype: Annotated[str | None, typer.Option(help="auto, float32, bfloat16 or float16.")] = None,
    device: Annotated[str | None, typer.Option(help="A device such as cuda:0; CUDA by default, if available.")] = None,
    tolerance: Annotated[float, typer.Option(min=0.0, help="Pixels that boxes may differ by.")] = 0.5,
) -> None:
    """Prove where a model's image tokens lie: measured geometry, by its own weights, against the registered rule.

    Prints for each size how it was measured, the number of image tokens, the largest deviation from the family's rule
    and what it took. Exits with 1 if a size deviates or cannot be measured.
    """
    from pixfound_tasks.attention.geometry_proofs import parse_sizes, prove_sizes
    from pixfound_tasks.grounding.pipeline import open_lens
    from pixfound_tasks.images import read_image
    from pixfound_tasks.report.console import errors_shown

    with errors_shown(ValueError, OSError):
        shown = [(read.height, read.width) for read in map(read_image, image)] if image else parse_sizes(sizes)
        from pixfound_tasks.explain.instruments import choose_device

        lens = open_lens(model, choose_device(device), dtype)
        proofs = list(prove_sizes(lens, shown, tolerance))
    family = lens.model.config.model_type
    typer.echo(f"{model}: family {family}, {'rule registered' if lens.has_rule else 'no rule registered'}")
    for proof in proofs:
        typer.echo(str(proof))
    wrong = [proof for proof in proofs if not proof.is_proved]
    typer.echo(f"{len(proofs) - len(wrong)} of {len(proofs)} sizes proved")
    raise typer.Exit(1 if wrong else 0)
