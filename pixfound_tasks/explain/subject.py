"""The image and expression to explain: a user's image, or a PixMini scene with known ground truth."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from pixfound_tasks.images import read_image
from pixfound_tasks.masks import Rle


class Subject(NamedTuple):
    """An image (RGB) and a referring expression. `target` is its ground-truth mask, or None if it is unknown."""

    image: Image.Image
    expression: str
    name: str
    target: Rle | None = None


def choose_subject(path: Path | None, expression: str | None, scene: int) -> Subject:
    """Returns the image in a file or, without a file, the PixMini scene of this number.

    Raises `ValueError` if the file cannot be read, the expression is missing, or there is no such scene.
    """
    if path is None:
        return drawn_scene(scene, expression)
    if not expression or not expression.strip():
        raise ValueError(f'expected a referring expression for {path}, but got none; add --expr "the dog\'s face"')
    return Subject(read_image(path), expression, path.name)


def drawn_scene(number: int, expression: str | None = None) -> Subject:
    """Returns a PixMini scene, counted from 1. The ground truth is known only for the scene's own expression."""
    from pixfound_tasks.benchmarks import pixmini

    if not 1 <= number <= pixmini.COUNT:
        raise ValueError(f"expected --scene as a number in 1..{pixmini.COUNT}, but got {number}")
    document = pixmini.document(number)
    image = Image.open(BytesIO(document.image["bytes"])).convert("RGB")
    assert document.expression is not None
    asked = expression or document.expression
    return Subject(image, asked, f"PixMini {number}", document.mask if asked == document.expression else None)
