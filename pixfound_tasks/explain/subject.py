"""What is to be explained: somebody's picture, or a drawn scene of which everything is known."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from pixfound_tasks.masks import Rle


class Subject(NamedTuple):
    """A picture (RGB) and what to find in it; `truth` is the mask of that, None where nobody knows it."""

    image: Image.Image
    expression: str
    name: str
    truth: Rle | None = None


def choose_subject(path: Path | None, expression: str | None, scene: int) -> Subject:
    """The picture of a file, or without one PixMini's of this number; ValueError where either cannot be had."""
    if path is None:
        return drawn_scene(scene, expression)
    if not expression or not expression.strip():
        raise ValueError(f'expected what to find in {path}, but got none; add --expr "the dog\'s face"')
    return Subject(read_image(path), expression, path.name)


def drawn_scene(number: int, expression: str | None = None) -> Subject:
    """A picture of PixMini, counted from 1, with its own expression; of any other one the truth is not known."""
    from pixfound_tasks.benchmarks import pixmini

    if not 1 <= number <= 2 * pixmini.PAIR_COUNT:
        raise ValueError(f"expected --scene as a number in 1..{2 * pixmini.PAIR_COUNT}, but got {number}")
    document = pixmini.document(number)
    image = Image.open(BytesIO(document.image["bytes"])).convert("RGB")
    assert document.expression is not None
    asked = expression or document.expression
    return Subject(image, asked, f"PixMini {number}", document.mask if asked == document.expression else None)


def read_image(path: Path) -> Image.Image:
    """A file's picture, RGB and upright: turned as its EXIF data say, what is transparent on white, 16 bits as 8.

    Of several frames the first. ValueError where the file is missing or no picture.
    """
    try:
        with Image.open(path) as opened:
            return _as_rgb(ImageOps.exif_transpose(opened))
    except FileNotFoundError as error:
        raise ValueError(f"expected an image file, but there is no {path}; check the path") from error
    except UnidentifiedImageError as error:
        raise ValueError(
            f"expected an image that Pillow reads, such as PNG or JPEG, but {path} is none; convert it"
        ) from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"expected an image that can be read, but {path} cannot: {error}; save it anew") from error


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits of grey, in whatever order of bytes
        return Image.fromarray((np.asarray(image).astype(np.int64).clip(0, 65535) >> 8).astype(np.uint8)).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    shown = image.convert("RGBA")
    ground = Image.new("RGBA", shown.size, "white")
    return Image.alpha_composite(ground, shown).convert("RGB")
