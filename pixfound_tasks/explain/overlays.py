"""Maps and masks as transparent pictures to lie over the image, the same on the page and in the figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import matplotlib
import numpy as np
from PIL import Image, ImageColor

from pixfound_tasks import masks
from pixfound_tasks.masks import Rle, Size

SIDE = 448  # pixels, the longest side of everything that is shown
_MAP_OPACITY = 0.6
_SHADE = (17, 20, 24, 165)  # over what a mask leaves out
_OUTLINE = 4  # pixels, half of them white: seen on any ground


class Scale(NamedTuple):
    """The values that are the darkest and the brightest of all maps together."""

    low: float
    high: float


def shown_size(image: Image.Image) -> Size:
    """(height, width) that the image is shown in: drawings enlarged, photographs reduced."""
    scale = SIDE / max(image.size)
    return max(1, round(image.height * scale)), max(1, round(image.width * scale))


def is_drawing(image: Image.Image) -> bool:
    """Whether the image is so small that its pixels are to be seen, and not smoothed."""
    return max(image.size) <= SIDE // 2


def common_scale(maps: Sequence[np.ndarray]) -> Scale:
    """One scale for all maps, so that those of phrases that look at nothing stay dark; from their median up, below
    which nothing is looked at."""
    seen = np.concatenate([values[np.isfinite(values)] for values in maps] or [np.zeros(0)])
    return Scale(float(np.median(seen)), float(seen.max())) if seen.size else Scale(0.0, 1.0)


def map_overlay(values: np.ndarray, scale: Scale) -> Image.Image:
    """A map (height, width) in colours, RGBA; where no image token is, dark."""
    spread = (scale.high - scale.low) or 1.0
    colors = matplotlib.colormaps["inferno"]((values - scale.low) / spread, alpha=_MAP_OPACITY)
    pixels = (colors * 255).round().astype(np.uint8)
    pixels[~np.isfinite(values)] = _SHADE
    return Image.fromarray(pixels)


def mask_overlay(mask: Rle | None, size: Size, color: str) -> Image.Image:
    """A shade over all but the mask, and the mask's outline in this colour, RGBA of `size`; without one all shade."""
    shown = np.zeros(size, bool) if mask is None else masks.resize(masks.decode(mask), size)
    pixels = np.zeros((*size, 4), np.uint8)
    pixels[~shown] = _SHADE
    for width, paint in ((_OUTLINE, (255, 255, 255)), (_OUTLINE // 2, ImageColor.getrgb(color))):
        pixels[_outline(shown, width)] = (*paint, 255)
    return Image.fromarray(pixels)


def _outline(mask: np.ndarray, width: int) -> np.ndarray:
    """Pixels just outside a mask, and those in it along the image's border, where there is no outside."""
    grown = cv2.dilate(mask.astype(np.uint8), np.ones((2 * width + 1, 2 * width + 1), np.uint8)) == 1
    border = np.ones_like(mask)
    border[width:-width, width:-width] = False
    return (grown & ~mask) | (border & mask)
