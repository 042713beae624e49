"""The image and expression to explain: a user's image, or a PixMini scene with known ground truth."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

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

    if not 1 <= number <= 2 * pixmini.PAIR_COUNT:
        raise ValueError(f"expected --scene as a number in 1..{2 * pixmini.PAIR_COUNT}, but got {number}")
    document = pixmini.document(number)
    image = Image.open(BytesIO(document.image["bytes"])).convert("RGB")
    assert document.expression is not None
    asked = expression or document.expression
    return Subject(image, asked, f"PixMini {number}", document.mask if asked == document.expression else None)


def read_image(path: Path) -> Image.Image:
    """Reads an image file as RGB.

    The image is rotated as its EXIF data says, put on white if it is transparent, and reduced from 16 to 8 bits. If
    the file has several frames, the first is used. Raises `ValueError` if the file is missing or is not an image.
    """
    try:
        with Image.open(path) as opened:
            return _as_rgb(ImageOps.exif_transpose(opened))
    except FileNotFoundError as error:
        raise ValueError(f"expected an image file, but there is no {path}; check the path") from error
    except UnidentifiedImageError as error:
        raise ValueError(
            f"expected an image that Pillow reads, such as PNG or JPEG, but {path} is not one; convert it"
        ) from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"expected an image that can be read, but got {path}: {error}; save it again") from error


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit grayscale, in either byte order
        return Image.fromarray((np.asarray(image).astype(np.int64).clip(0, 65535) >> 8).astype(np.uint8)).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    shown = image.convert("RGBA")
    ground = Image.new("RGBA", shown.size, "white")
    return Image.alpha_composite(ground, shown).convert("RGB")
