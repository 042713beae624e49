"""Coordinate conventions: what the numbers in a model's answer mean on the original image."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from pixfound_tasks.choices import check_choice
from pixfound_tasks.masks import Size
from pixfound_tasks.registry import Registry

_TOLERANCE = 0.01  # a fraction of the range: models overshoot its ends by a few units
# What lmms-eval's qwen2_5_vl passes to its processor. The first number is also the side of a pair of patches, by which
# Qwen2.5-VL's boxes may overshoot the edge (QwenLM/Qwen3-VL issue 1035).
_QWEN_RESIZE = (28, 256 * 28 * 28, 1605632)


class Axis(NamedTuple):
    """Numbers along one side: 0 lies at `start` and `span` at `start + extent`, both in fractions of the image's side.

    Numbers up to `slack` below 0 or above `span` are accepted and clipped to the image. Others are rejected.
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
    """A convention applied to one image size. `offset` is 0.5 if a number names a bin and means its center."""

    x: Axis
    y: Axis
    is_y_first: bool = False
    offset: float = 0.0


@dataclass(frozen=True)
class Convention:
    """What a model's numbers mean, and which models write such numbers.

    Args:
        name: the name in PIXFOUND_COORDINATES.
        meaning: a short description.
        grid: a function of an image size (height, width), and of the parameters after the name if there are any. It
            returns the grid on such an image.
        keeps_decimals: whether decimal numbers that are all within 0..1 use this convention too. Under any other
            convention they are fractions of the image.
        architectures: the transformers `model_type` values for which the model's authors or paper document it.
        models: the lmms-eval `--model` values that write in this convention only.
        parameters: the parameters that lmms-eval's wrappers of these models use, written as after the name.
        takes_parameters: whether three integers may follow the name: a factor, and the least and most pixels.
        layout: what four numbers without named axes are: corners ("xyxy"), or a corner and an extent ("xywh").
        unit: the unit, "px" or "%", that numbers in this convention may be written with. A number with another unit is
            in that unit.
        is_of_pointers: whether the models that write it can only point, so that points answer even a prompt for boxes.
    """

    name: str
    meaning: str
    grid: Callable[..., Grid]
    keeps_decimals: bool = False
    architectures: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    parameters: str = ""
    takes_parameters: bool = False
    layout: str = "xyxy"
    unit: str = ""
    is_of_pointers: bool = False


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
    """Return the `(height, width)` that Qwen's processors resize to.

    Both are multiples of `factor`, and their product lies within the bounds.
    """
    sides = [max(factor, round(side / factor) * factor) for side in size]
    if math.prod(sides) > max_pixels:
        shrink = math.sqrt(math.prod(size) / max_pixels)
        sides = [max(factor, math.floor(side / shrink / factor) * factor) for side in size]
    elif math.prod(sides) < min_pixels:
        grow = math.sqrt(min_pixels / math.prod(size))
        sides = [math.ceil(side * grow / factor) * factor for side in size]
    return sides[0], sides[1]


def _square(pick: Callable[..., int]) -> Callable[[Size], Grid]:
    """Return fractions of a centered square. Its side is the image's longer side (`max`) or shorter side (`min`)."""

    def grid(size: Size) -> Grid:
        y, x = (
            Axis(1.0, start=(1 - pick(size) / side) / 2, extent=pick(size) / side, slack=_TOLERANCE) for side in size
        )
        return Grid(x, y)

    return grid


_THOUSAND = (
    "qwen2_vl", "qwen3_vl", "qwen3_vl_moe", "qwen3_5", "qwen3_5_moe", "internvl", "internvl_chat", "glm4v", "glm4v_moe",
    "glm46v", "minicpmv", "molmo2",
)  # fmt: skip
_THOUSAND_MODELS = (
    "qwen_vl", "qwen2_vl", "qwen3_vl", "qwen3_5", "internvl", "internvl2", "internvl3", "internvl3_5", "internvl_hf",
    "minicpm_v", "glm4v",
)  # fmt: skip
_TABLE = (
    Convention("pixel", "pixels of the original image", _pixel, unit="px"),
    Convention("pixel_xywh", "the same, a corner and width and height", _pixel, layout="xywh", unit="px"),
    Convention(
        "resized",
        "pixels of the image as Qwen2.5-VL resizes it: resized[:FACTOR:MIN:MAX]",
        _resized,
        architectures=("qwen2_5_vl",),
        models=("qwen2_5_vl",),
        parameters=":".join(map(str, _QWEN_RESIZE)),
        takes_parameters=True,
        unit="px",
    ),
    Convention("thousand", "0..1000 along each side", _even(1000), architectures=_THOUSAND, models=_THOUSAND_MODELS),
    Convention("thousand_xywh", "the same, a corner and width and height", _even(1000), layout="xywh"),
    Convention(
        "thousand_yx",
        "0..1000 along each side, y before x",
        _even(1000, is_y_first=True),
        architectures=("gemma3",),
        models=("gemini", "gemma3"),
    ),
    Convention(
        "percent",
        "0..100 along each side",
        _even(100),
        keeps_decimals=True,
        architectures=("molmo",),
        unit="%",
        is_of_pointers=True,
    ),
    Convention("fraction", "0..1 along each side", _even(1), keeps_decimals=True),
    Convention(
        "fraction_xywh", "the same, a corner and width and height", _even(1), keeps_decimals=True, layout="xywh"
    ),
    Convention(
        "fraction_padded",
        "0..1 of the image padded to a centered square",
        _square(max),
        keeps_decimals=True,
        architectures=("llava",),
        models=("llava",),
    ),
    Convention(
        "fraction_cropped",
        "0..1 of the centered square cropped from the image",
        _square(min),
        keeps_decimals=True,
        models=("llava_hf",),
    ),
    Convention(
        "deepseek", "0..999 along each side, both ends on the edges", _even(999), architectures=("deepseek_vl_v2",)
    ),
    Convention(
        "paligemma",
        "1024 bins along each side, y before x",
        _even(1024, is_y_first=True),
        architectures=("paligemma",),
    ),
    Convention(
        "florence2", "centers of 1000 bins along each side", _even(1000, offset=0.5), architectures=("florence2",)
    ),
    Convention("kosmos-2", "cells of a 32 x 32 grid", _even(32), architectures=("kosmos-2",)),
)
CONVENTIONS: Registry[Convention] = Registry(
    "a convention",
    "pixfound_tasks.conventions",
    {convention.name: convention for convention in _TABLE},
    lambda record: isinstance(record, Convention),
)


def register_convention(convention: Convention) -> Convention:
    """Add a convention and return it. It takes the models that it names from other conventions.

    Raises ValueError if another convention has the name.
    """
    return CONVENTIONS.register(convention.name, convention)


def convention_of_architecture(model_type: str) -> str | None:
    """Return the convention of a transformers `model_type`, or None if none is published.

    `resized` alone means lmms-eval's bounds. Append those of the processor in use: `resized:FACTOR:MIN:MAX`.
    LLaVA-1.5 is trained on padded squares. If its processor crops instead, the convention is `fraction_cropped`.
    """
    found = [each.name for each in CONVENTIONS.values() if model_type in each.architectures]
    return found[-1] if found else None


def conventions_of_models() -> dict[str, str]:
    """Return the convention of each `--model` that writes in only one, with the parameters that lmms-eval uses."""
    return {
        model: f"{each.name}:{each.parameters}" if each.parameters else each.name
        for each in CONVENTIONS.values()
        for model in each.models
    }


def record_of(name: str) -> Convention:
    """Return the record of a checked convention, whose name may have parameters."""
    return CONVENTIONS[name.partition(":")[0]]


def check_convention(name: str) -> None:
    """Raise ValueError unless `name` is a convention with valid parameters. The message suggests the nearest name."""
    base, *parameters = name.split(":")
    check_choice("a coordinate convention", base, CONVENTIONS)
    if not parameters:
        return
    numbers = [int(text) if text.isdecimal() and len(text) < 12 else 0 for text in parameters]
    if not CONVENTIONS[base].takes_parameters or len(numbers) != 3 or min(numbers) < 1 or numbers[1] > numbers[2]:
        raise ValueError(
            f"expected parameters as in resized:28:200704:1605632 (factor, least and most pixels), but got {name!r}; "
            "leave them out, or take them from the model's processor"
        )


def grid_of(convention: str, size: Size) -> Grid:
    """Return the grid of a checked convention on an image of `size` (height, width)."""
    base, *parameters = convention.split(":")
    return CONVENTIONS[base].grid(size, *map(int, parameters))
