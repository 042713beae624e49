"""Images as people have them, turned into what the models take: RGB."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError


def as_rgb(image: Any) -> Image.Image:
    """Return an image as RGB; an RGB image without EXIF rotation is returned unchanged.

    The image is rotated as its EXIF data says, put on white if it is transparent, and reduced from 16 to 8 bits. Mode I
    with levels up to 255 is taken as 8 bits.

    Args:
        image: a Pillow image of any mode, the path of an image file, or an array, uint8 (height, width, 3), or
            (height, width) and (height, width, 1) for gray levels.

    Raises:
        TypeError: if it is anything else.
        ValueError: if a file cannot be read as an image, or gray levels have no known black and white (mode F, or
            levels beyond 16 bits).
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


def without_alpha(image: Image.Image) -> Image.Image:
    """Return an image as `Image.convert("RGB")` does, but with 16 bits reduced to 8 instead of cut off at 255.

    Raises ValueError as `as_rgb` does.
    """
    return _converted(image) if image.mode.startswith(("I", "F")) else image.convert("RGB")


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
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_eight_bits(image)).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    shown = image.convert("RGBA")
    ground = Image.new("RGBA", shown.size, "white")
    return Image.alpha_composite(ground, shown).convert("RGB")


def _eight_bits(image: Image.Image) -> np.ndarray:
    """Return the gray levels of a picture of mode I;16 (in either byte order) or I, reduced to 8 bits.

    Mode I holds 32 bits, and is used for 16 as well as for 8: levels up to 255 are taken as 8 bits.
    """
    levels = np.asarray(image)
    lowest, highest = levels.min(), levels.max()
    if image.mode == "F" or lowest < 0 or highest > 65535:
        raise ValueError(
            f"expected gray levels in 0..65535, but got an image of mode {image.mode} from {lowest:g} to {highest:g}, "
            "whose black and white are not known; scale it to 0..255 and convert it to uint8"
        )
    return (levels if image.mode == "I" and highest <= 255 else levels.astype(np.int64) >> 8).astype(np.uint8)
