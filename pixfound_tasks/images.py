"""Images as people have them, turned into what the models take: RGB."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError


def as_rgb(image: Any) -> Image.Image:
    """Return an image as RGB; an RGB image without EXIF rotation is returned unchanged.

    The image is rotated as its EXIF data says, put on white if it is transparent, and reduced from 16 to 8 bits.

    Args:
        image: a Pillow image of any mode, the path of an image file, or an array, uint8 (height, width, 3), or
            (height, width) and (height, width, 1) for gray levels.

    Raises:
        TypeError: if it is anything else.
        ValueError: if a file cannot be read as an image.
    """
    if isinstance(image, (str, Path)):
        return read_image(Path(image))
    if isinstance(image, np.ndarray):
        return Image.fromarray(_uint8(image)).convert("RGB")
    if not isinstance(image, Image.Image):
        raise TypeError(
            "expected a Pillow image, the path of an image file, or an array of uint8 (height, width, 3), but got "
            f"{type(image).__name__}"
        )
    upright = ImageOps.exif_transpose(image) if image.getexif().get(_ORIENTATION, 1) != 1 else image
    return upright if upright.mode == "RGB" and not upright.has_transparency_data else _converted(upright)


def read_image(path: Path) -> Image.Image:
    """Read an image file as RGB, see `as_rgb`. If the file has several frames, the first is used.

    Raises:
        ValueError: if the file is missing or is not an image.
    """
    try:
        with Image.open(path) as opened:
            opened.load()
            return as_rgb(opened.copy())
    except FileNotFoundError as error:
        raise ValueError(f"expected an image file, but there is no {path}; check the path") from error
    except UnidentifiedImageError as error:
        raise ValueError(
            f"expected an image that Pillow reads, such as PNG or JPEG, but {path} is not one; convert it"
        ) from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"expected an image that can be read, but got {path}: {error}; save it again") from error


_ORIENTATION = 0x0112  # the EXIF tag


def _uint8(array: np.ndarray) -> np.ndarray:
    gray = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
    if array.dtype != np.uint8 or not (gray.ndim == 2 or (gray.ndim == 3 and gray.shape[2] == 3)) or not array.size:
        raise TypeError(
            "expected an array of uint8 (height, width, 3) with RGB in 0..255, but got "
            f"{array.dtype} {tuple(array.shape)}; convert it"
        )
    return np.ascontiguousarray(gray)


def _converted(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit grayscale, in either byte order
        return Image.fromarray((np.asarray(image).astype(np.int64).clip(0, 65535) >> 8).astype(np.uint8)).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    shown = image.convert("RGBA")
    ground = Image.new("RGBA", shown.size, "white")
    return Image.alpha_composite(ground, shown).convert("RGB")
