"""Masks as transparent images to overlay on the image, for both the page and the figure; maps are in `heat`."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image, ImageColor

from pixfound_tasks import masks
from pixfound_tasks.masks import Rle, Size

SIDE = 448  # pixels, the longest side of every image that is shown
_SHADE = (17, 20, 24, 165)  # RGBA, over the pixels outside a mask
_OUTLINE = 4  # pixels, half of them white so that it is visible on any background


def shown_size(image: Image.Image) -> Size:
    """Returns the (height, width) at which the image is shown: small drawings are enlarged, photographs reduced."""
    scale = SIDE / max(image.size)
    return max(1, round(image.height * scale)), max(1, round(image.width * scale))


def is_drawing(image: Image.Image) -> bool:
    """Whether the image is so small that its pixels are shown without smoothing."""
    return max(image.size) <= SIDE // 2


def mask_overlay(mask: Rle | None, size: Size, color: str) -> Image.Image:
    """Returns an RGBA image of `size` that shades all but the mask and outlines the mask; None shades everything."""
    shown = np.zeros(size, bool) if mask is None else masks.resize(masks.decode(mask), size)
    pixels = np.zeros((*size, 4), np.uint8)
    pixels[~shown] = _SHADE
    for width, paint in ((_OUTLINE, (255, 255, 255)), (_OUTLINE // 2, ImageColor.getrgb(color))):
        pixels[_outline(shown, width)] = (*paint, 255)
    return Image.fromarray(pixels)


def _outline(mask: np.ndarray, width: int) -> np.ndarray:
    """Returns the pixels just outside a mask, and the mask's pixels along the image's border."""
    grown = cv2.dilate(mask.astype(np.uint8), np.ones((2 * width + 1, 2 * width + 1), np.uint8)) == 1
    border = np.ones_like(mask)
    border[width:-width, width:-width] = False
    return (grown & ~mask) | (border & mask)
