"""The coordinate conventions: what a number that a model writes means on the original image."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from pixfound_tasks.choices import check_choice
from pixfound_tasks.masks import Size

_TOLERANCE = 0.01  # of the range: models drift a few units over its end
# What lmms-eval's qwen2_5_vl gives its processor; also a patch pair's side, by which Qwen2.5-VL's boxes drift over the
# edge (QwenLM/Qwen3-VL issue 1035).
_QWEN_RESIZE = (28, 256 * 28 * 28, 1605632)


class Axis(NamedTuple):
    """Numbers along one side: 0 lies at `start`, `span` at `start + extent`, both in fractions of the image's side.

    Numbers up to `slack` below 0 or above `span` are taken for 0 and `span`, others are impossible.
    """

    span: float
    start: float = 0.0
    extent: float = 1.0
    slack: float = 0.0

    def fraction(self, number: float, offset: float) -> float:
        return self.start + (number + offset) / self.span * self.extent

    @property
    def drift(self) -> float:
        """The slack in fractions of the image's side."""
        return self.slack / self.span * self.extent

    def holds(self, number: float) -> bool:
        return -self.slack <= number <= self.span + self.slack


@dataclass(frozen=True)
class Grid:
    """A convention on an image of one size; `offset` is 0.5 where a number names a bin and means its centre."""

    x: Axis
    y: Axis
    is_y_first: bool = False
    offset: float = 0.0


class Convention(NamedTuple):
    """What it means, and its grid on an image of a size, given the parameters after its name."""

    meaning: str
    grid: Callable[..., Grid]


def _even(span: float, **options: Any) -> Callable[[Size], Grid]:
    axis = Axis(span, slack=span * _TOLERANCE)
    return lambda size: Grid(axis, axis, **options)


def _pixel(size: Size) -> Grid:
    height, width = size
    return Grid(Axis(width, slack=width * _TOLERANCE), Axis(height, slack=height * _TOLERANCE))


def _resized(size: Size, factor: int = 0, min_pixels: int = 0, max_pixels: int = 0) -> Grid:
    if not factor:
        factor, min_pixels, max_pixels = _QWEN_RESIZE
    height, width = resized_size(size, factor, min_pixels, max_pixels)
    return Grid(Axis(width, slack=factor), Axis(height, slack=factor))


def resized_size(size: Size, factor: int, min_pixels: int, max_pixels: int) -> Size:
    """`(height, width)` that Qwen's processors resize to: multiples of `factor`, pixels within the bounds."""
    sides = [max(factor, round(side / factor) * factor) for side in size]
    if math.prod(sides) > max_pixels:
        shrink = math.sqrt(math.prod(size) / max_pixels)
        sides = [max(factor, math.floor(side / shrink / factor) * factor) for side in size]
    elif math.prod(sides) < min_pixels:
        grow = math.sqrt(min_pixels / math.prod(size))
        sides = [math.ceil(side * grow / factor) * factor for side in size]
    return sides[0], sides[1]


def _square(pick: Callable[..., int]) -> Callable[[Size], Grid]:
    """Fractions of a centred square as large as the longer (`max`) or the shorter side (`min`)."""

    def grid(size: Size) -> Grid:
        y, x = (
            Axis(1.0, start=(1 - pick(size) / side) / 2, extent=pick(size) / side, slack=_TOLERANCE) for side in size
        )
        return Grid(x, y)

    return grid


CONVENTIONS: dict[str, Convention] = {
    "pixel": Convention("pixels of the original image", _pixel),
    "resized": Convention("pixels of the image as Qwen2.5-VL resizes it: resized[:FACTOR:MIN:MAX]", _resized),
    "thousand": Convention("0..1000 along each side", _even(1000)),
    "thousand_yx": Convention("0..1000 along each side, y before x", _even(1000, is_y_first=True)),
    "percent": Convention("0..100 along each side", _even(100)),
    "fraction": Convention("0..1 along each side", _even(1)),
    "fraction_padded": Convention("0..1 of the image padded to a centred square", _square(max)),
    "fraction_cropped": Convention("0..1 of the centred square cut out of the image", _square(min)),
    "deepseek": Convention("0..999 along each side, both ends on the edges", _even(999)),
    "paligemma": Convention("1024 bins along each side, y before x", _even(1024, is_y_first=True)),
    "florence2": Convention("centres of 1000 bins along each side", _even(1000, offset=0.5)),
    "kosmos-2": Convention("cells of a 32 x 32 grid", _even(32)),
}

# By transformers' model_type; only what the authors or their papers say.
_ARCHITECTURES = {
    "qwen2_vl": "thousand",
    "qwen2_5_vl": "resized",
    "qwen3_vl": "thousand",
    "qwen3_vl_moe": "thousand",
    "qwen3_5": "thousand",
    "qwen3_5_moe": "thousand",
    "internvl": "thousand",
    "internvl_chat": "thousand",
    "glm4v": "thousand",
    "glm4v_moe": "thousand",
    "glm46v": "thousand",
    "minicpmv": "thousand",
    "molmo": "percent",
    "molmo2": "thousand",
    "gemma3": "thousand_yx",
    "llava": "fraction_padded",
    "deepseek_vl_v2": "deepseek",
    "paligemma": "paligemma",
    "florence2": "florence2",
    "kosmos-2": "kosmos-2",
}


def convention_of_architecture(model_type: str) -> str | None:
    """The convention of a transformers `model_type`, None where none is published.

    `resized` is the resizing by lmms-eval's bounds: add those of the processor at hand, `resized:FACTOR:MIN:MAX`.
    LLaVA-1.5 is trained on padded squares: with a processor that crops instead, it is shown `fraction_cropped`.
    """
    return _ARCHITECTURES.get(model_type)


def check_convention(name: str) -> None:
    """Raise ValueError, naming the nearest, unless `name` is a convention with parameters that it takes."""
    base, *parameters = name.split(":")
    check_choice("a coordinate convention", base, CONVENTIONS)
    if not parameters:
        return
    numbers = [int(text) if text.isdecimal() and len(text) < 12 else 0 for text in parameters]
    if base != "resized" or len(numbers) != 3 or min(numbers) < 1 or numbers[1] > numbers[2]:
        raise ValueError(
            f"expected parameters as in resized:28:200704:1605632 (factor, least and most pixels), but got {name!r}; "
            "leave them out, or take them from the model's processor"
        )


def grid_of(convention: str, size: Size) -> Grid:
    """The grid of a checked convention on an image of `size`."""
    base, *parameters = convention.split(":")
    return CONVENTIONS[base].grid(size, *map(int, parameters))
