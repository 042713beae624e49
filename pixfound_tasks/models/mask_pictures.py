"""Which pixels of a picture are the mask.

A mask has two values: 0 for the ground, another for the object. Other systems also save soft probabilities, color maps,
white grounds, cutouts and overlays. Each is read as what it is, with a note, or refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from PIL import Image

from pixfound_tasks.images import as_rgb

_BLACK, _WHITE = 0x000000, 0xFFFFFF
_GRAY = 0x010101  # times a level of 0..255: that gray as a color
_SINGLE_CHANNEL = ("1", "L", "I", "I;16", "I;16B", "F")
_FEW = 16  # values: more are not a mask's, but a photograph's or probabilities
_SORTED = 1 << 20  # values: as few are sorted faster than counted
_SURROUNDS = 0.9  # of the border's pixels: a color that has as many is the ground
_AGREE = 0.75  # of the pictures of a folder, for one ground
_ALL = 0.99  # of the pixels, but for rounding
_ALIKE = 24  # levels per channel: colors that differ less look the same
_NEEDED = "expected a mask with 0 for the ground and another value for the object"


class NotAMask(ValueError):
    """A picture that does not show which pixels are the mask."""


class MaskPixels(NamedTuple):
    """A mask, bool (height, width). `note` says how it was read if it is not simply what is not 0."""

    mask: np.ndarray
    note: str = ""


class _Pixels(NamedTuple):
    """The values of a picture and its alpha, int and uint8 (height, width); no alpha if nothing is transparent.

    Values are gray levels if `is_gray`, else colors as 0xRRGGBB. `kinds` are those of the pixels that are not fully
    transparent, in order.
    """

    values: np.ndarray
    alpha: np.ndarray | None
    is_gray: bool
    kinds: np.ndarray

    @property
    def white(self) -> int:
        """The value of white. Gray levels are in 0..1, 0..255 or 0..65535."""
        if not self.is_gray:
            return _WHITE
        return next((white for white in (1, 255) if self.kinds.max(initial=0) <= white), 65535)

    def color(self, value: int) -> int:
        """A value as a color, which is the same in all modes."""
        return value if not self.is_gray else _WHITE if value == self.white else value * _GRAY

    def value(self, color: int | None) -> int | None:
        """The inverse of `color`; None if no pixel has the color."""
        return next((int(kind) for kind in self.kinds if self.color(int(kind)) == color), None)


def ground_of(picture: Image.Image) -> int | None:
    """The color that most of the border has, 0xRRGGBB, if the picture has other colors too; else None."""
    pixels = _read(picture)
    if pixels.alpha is not None or pixels.kinds.size < 2:
        return None
    value, fraction = _border_value(pixels.values)
    return pixels.color(value) if fraction >= _SURROUNDS else None


def common_ground(grounds: Iterable[int | None]) -> int | None:
    """The ground of most pictures of a folder, from `ground_of` each; None if they do not agree."""
    counts = Counter(ground for ground in grounds if ground is not None)
    if not counts:
        return None
    ((color, count),) = counts.most_common(1)
    return color if count >= _AGREE * counts.total() else None


def read_picture(picture: Image.Image, ground: int | None = None, image: Image.Image | None = None) -> MaskPixels:
    """Return the mask that a picture shows.

    Args:
        picture: a picture of any mode.
        ground: the ground of its folder, see `common_ground`.
        image: the image that the mask is of, RGB. It tells overlays from cutouts.

    Raises:
        NotAMask: if the picture does not show which pixels are the mask, such as an overlay.
    """
    pixels = _read(picture)
    if pixels.alpha is not None:
        return _by_alpha(pixels)
    if pixels.kinds.size <= 2:
        return _two_values(pixels, ground)
    same = None if image is None else _looks_like(picture, image)
    if pixels.kinds.size <= _FEW:
        return _few_values(pixels, same)
    return _soft(pixels, same) if pixels.is_gray else _cutout(pixels, same)


def _read(picture: Image.Image) -> _Pixels:
    if picture.mode in _SINGLE_CHANNEL:
        values = np.asarray(picture).astype(np.int32)
        return _Pixels(values, None, True, _kinds(values))
    red, green, blue, alpha = np.moveaxis(np.asarray(picture.convert("RGBA")), -1, 0)
    is_gray = bool((red == green).all() and (green == blue).all())
    values = red.astype(np.int32)
    if not is_gray:
        values = values << 16 | green.astype(np.int32) << 8 | blue
    is_opaque = bool(alpha.all() and (alpha == alpha.flat[0]).all())
    return _Pixels(values, None if is_opaque else alpha, is_gray, _kinds(values[alpha > 0]))


def _kinds(values: np.ndarray) -> np.ndarray:
    """The different values, in order, in time linear in their number."""
    if values.size < _SORTED:
        return np.unique(values)
    seen = np.zeros(_WHITE + 1, bool)
    seen[values] = True
    return np.flatnonzero(seen)


def _by_alpha(pixels: _Pixels) -> MaskPixels:
    """What is not transparent, and not black if black is one of few colors."""
    assert pixels.alpha is not None
    is_soft = np.unique(pixels.alpha).size > _FEW
    shown = pixels.alpha >= 128 if is_soft else pixels.alpha > 0
    if pixels.kinds.size <= _FEW and (pixels.kinds.size > 1 or shown.all()):
        shown = shown & (pixels.values != _BLACK)
    return MaskPixels(shown, "many levels of transparency: those of at least half are the mask" if is_soft else "")


def _two_values(pixels: _Pixels, folders: int | None) -> MaskPixels:
    """All but the ground: that of the folder, else 0, or what surrounds the rest."""
    ground, has_surrounds = pixels.value(folders), False
    value, fraction = _border_value(pixels.values)
    if pixels.kinds.size == 2:
        has_surrounds = fraction >= _SURROUNDS
        if ground is None:
            ground = value if has_surrounds or (_BLACK not in pixels.kinds and fraction > 0.5) else _BLACK
    ground = ground or _BLACK
    if ground not in pixels.kinds and pixels.kinds.size == 2:
        raise NotAMask(f"{_NEEDED}, but got two others, neither of them around the other")
    mask = pixels.values != ground
    if ground != _BLACK:
        return MaskPixels(mask, _other_ground(pixels, ground))
    if has_surrounds and value != _BLACK:
        return MaskPixels(mask, "a mask around a ground of 0, unlike most pictures of the folder: read as it is")
    return MaskPixels(mask)


def _few_values(pixels: _Pixels, same: np.ndarray | None) -> MaskPixels:
    """Labels or hard edges: all but the ground, which surrounds the rest or is 0."""
    value, fraction = _border_value(pixels.values)
    if fraction < _SURROUNDS and _BLACK in pixels.kinds:
        value, fraction = _BLACK, 1.0
    mask = pixels.values != value
    if value == _BLACK:
        return MaskPixels(mask, "several values: all but 0 are the mask")
    if fraction <= 0.5 or (same is not None and _is_overlay(same, mask)):
        raise NotAMask(f"{_NEEDED}, but got {pixels.kinds.size} values, none of them 0")
    return MaskPixels(mask, _other_ground(pixels, value))


def _soft(pixels: _Pixels, same: np.ndarray | None) -> MaskPixels:
    """Many gray levels: probabilities, soft edges, or a cutout of a gray image."""
    values, white = pixels.values, pixels.white
    border, fraction = _border_value(values)
    if same is not None and same[values != _BLACK].mean() > _SURROUNDS:
        return _cutout(pixels, same)
    is_object = values > white / 2
    if fraction < _SURROUNDS or border <= white / 2:
        return MaskPixels(is_object, "many gray levels: those above half are the mask")
    # A mask is nearly black within, and gray at its edges only.
    if (values < 0.1 * white).sum() < (~is_object).sum() / 2:
        raise NotAMask(f"{_NEEDED}, but got {pixels.kinds.size} gray levels around a bright ground")
    return MaskPixels(~is_object, "many gray levels, bright outside: those below half are the mask")


def _cutout(pixels: _Pixels, same: np.ndarray | None) -> MaskPixels:
    """Many colors: the object's own, on a black or white ground. Anything else, such as an overlay, is refused."""
    got = f"{_NEEDED}, but got {pixels.kinds.size} colors"
    ground, fraction = _border_value(pixels.values)
    if ground not in (_BLACK, pixels.white) or fraction <= 0.5:
        raise NotAMask(f"{got}, such as those of an overlay or a color map")
    mask = pixels.values != ground
    if same is not None and _is_overlay(same, mask):
        raise NotAMask(f"{got}, such as those of an overlay: around the object, it is the image itself")
    name = "black" if ground == _BLACK else "white"
    return MaskPixels(mask, f"many colors on a {name} ground: all that is not {name} is the mask")


def _is_overlay(same: np.ndarray, mask: np.ndarray) -> bool:
    """Whether the image itself has this ground, and the rest is more than an object that was cut out of it."""
    is_cut_out = same[mask].mean() > _ALL and same.mean() < _ALL
    return bool(same[~mask].mean() > _SURROUNDS and not is_cut_out)


def _other_ground(pixels: _Pixels, ground: int) -> str:
    name = str(ground) if pixels.is_gray else f"#{ground:06x}"
    return f"a ground of {name} in place of 0: all that is not {name} is the mask"


def _border_value(values: np.ndarray) -> tuple[int, float]:
    """The most frequent value of the outermost pixels, and its fraction of them."""
    border = np.concatenate([values[0], values[-1], values[1:-1, 0], values[1:-1, -1]])
    kinds, counts = np.unique(border, return_counts=True)
    return int(kinds[counts.argmax()]), float(counts.max() / border.size)


def _looks_like(picture: Image.Image, image: Image.Image) -> np.ndarray:
    """Which pixels of the picture have nearly the color that the image has there, bool (height, width)."""
    shown = image if image.size == picture.size else image.resize(picture.size)
    mine, its = (as_rgb(each) for each in (picture, shown))
    return np.asarray((np.abs(np.asarray(mine, np.int16) - np.asarray(its, np.int16)) <= _ALIKE).all(-1))
