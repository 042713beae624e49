"""How maps look everywhere: over a dimmed image, from dark and transparent to bright, on one scale with a color bar.

`report/html/maps.js` draws the same with the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import matplotlib
import numpy as np
from PIL import Image

DIM = 0.5  # opacity of the black that dims the image under a map
HEAT_ALPHA = 0.82  # opacity of the highest values
COLORS = "inferno"  # its steps of lightness are even, so it also works in grayscale
_UNSEEN = (17, 20, 24, 165)  # RGBA, over pixels that no image token covers
_SMALLEST = 448  # pixels, the longest side to which smaller maps are enlarged, so that their pixels do not show


class Scale(NamedTuple):
    """The values that are drawn darkest and brightest in all maps."""

    low: float
    high: float


def common_scale(maps: Sequence[np.ndarray]) -> Scale:
    """Returns one scale for all maps, so that maps without a peak stay dark.

    It runs from the median of all values, which is treated as no attention, to their maximum. Infinite values and NaN
    do not count.
    """
    seen = np.concatenate([values[np.isfinite(values)] for values in maps] or [np.zeros(0)])
    return Scale(float(np.median(seen)), float(seen.max())) if seen.size else Scale(0.0, 1.0)


def opacity(shares: np.ndarray) -> np.ndarray:
    """Returns the opacity of values in 0..1: it rises smoothly to `HEAT_ALPHA` at 0.5 and stays there."""
    rise = np.clip(shares / 0.5, 0, 1)
    return np.asarray(HEAT_ALPHA * rise * rise * (3 - 2 * rise))


def map_overlay(values: np.ndarray, scale: Scale) -> Image.Image:
    """Colors a map, float (height, width), as an RGBA image to lay over the undimmed image.

    It holds the dimming too. Pixels that no image token covers (NaN) are shaded. A small map is enlarged.
    """
    values = _enlarged(values)
    shares = np.clip((values - scale.low) / ((scale.high - scale.low) or 1.0), 0, 1)
    heat = opacity(np.nan_to_num(shares))
    covered = 1 - (1 - heat) * (1 - DIM)
    colors = matplotlib.colormaps[COLORS](shares)[..., :3] * (heat / covered)[..., None]
    pixels = (np.dstack([colors, covered]) * 255).round().astype(np.uint8)
    pixels[~np.isfinite(values)] = _UNSEEN
    return Image.fromarray(pixels)


def _enlarged(values: np.ndarray) -> np.ndarray:
    """Enlarges a map to `_SMALLEST` pixels, smoothly if all its values are finite; larger maps stay as they are."""
    height, width = values.shape
    scale = _SMALLEST / max(height, width)
    if scale <= 1:
        return values
    method = Image.Resampling.BICUBIC if np.isfinite(values).all() else Image.Resampling.NEAREST
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(values.astype(np.float32)).resize(size, method))
