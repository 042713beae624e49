"""Reads boxes and points from models' answers.

The meaning of a number is never guessed from the ground truth. It is declared by a convention's name, for example in
PIXFOUND_COORDINATES:

| convention | numbers are | families |
|---|---|---|
| `pixel` | pixels of the original image | models told its size |
| `resized[:FACTOR:MIN:MAX]` | pixels after Qwen's resizing (multiples of FACTOR, MIN to MAX pixels) | Qwen2.5-VL |
| `thousand` | 0..1000 | Qwen-VL, Qwen2-VL, Qwen3-VL, InternVL, CogVLM, GLM-4.1V on, MiniCPM-V, Ferret, Molmo2 |
| `thousand_yx` | 0..1000, y before x | Gemini, Gemma 3 |
| `percent` | 0..100 | Molmo, MiniGPT-v2 |
| `fraction` | 0..1 | Kimi-VL, Moondream |
| `fraction_padded` | 0..1 of the image padded to a centered square | LLaVA-1.5, Shikra |
| `fraction_cropped` | 0..1 of the centered square cropped from the image | LLaVA-1.5 behind a processor that crops |
| `deepseek` | 0..999, both ends on the edges | DeepSeek-VL2, DeepSeek-OCR |
| `paligemma` | 1024 bins, y before x | PaliGemma |
| `florence2` | centers of 1000 bins | Florence-2 |
| `kosmos-2` | cells of a 32 x 32 grid | Kosmos-2 |

Some syntax belongs to one convention and overrides the declared one: `<loc0123>`, `<loc_123>`, `<patch_index_0123>`,
`{<12><34><56><78>}`, `<|det|>`, `box_2d` and `<points coords=`. Decimal numbers that are all within 0..1 are fractions,
unless a `fraction...` convention or `percent` is declared. Other syntax counts only if no convention is declared,
because fine-tuned models keep the syntax but change the units: `<box>`, `<|box_start|>` and `<|begin_of_box|>` mean
`thousand`, and `<point x=` means `percent` (Qwen2.5-VL writes it in pixels). `bbox_2d`, `point_2d` and bare lists imply
no convention.

A box is four numbers in one bracket or tag, two pairs joined by a comma, or a dict with named corners or with a corner
and an extent. A point is two numbers. A pair with only brackets around it is a point only if a convention is declared
and the reply has no box or named point. Swapped corners are put in order. Text between think tags is ignored.
"""

from __future__ import annotations

from typing import NamedTuple

from pixfound_tasks.grounding.coordinates.conventions import (
    CONVENTIONS,
    check_convention,
    convention_of_architecture,
    grid_of,
    keeps_decimals,
    register_convention,
)
from pixfound_tasks.grounding.coordinates.denials import is_denial
from pixfound_tasks.grounding.coordinates.scanning import scan
from pixfound_tasks.grounding.coordinates.syntax import Found
from pixfound_tasks.masks import Size
from pixfound_tasks.response import Box, Point

__all__ = [
    "CONVENTIONS",
    "Reading",
    "check_convention",
    "convention_of_architecture",
    "read_coordinates",
    "register_convention",
]

_LONGEST_REPLY = 300_000  # characters; more than models are allowed to generate
_MOST_PLACES = 1000  # boxes and points; a model that loops repeats the same one endlessly
_MOST_PROBLEMS = 8
_COARSE = 100  # decimals within 0..1 are implausible in a longer range


class Reading(NamedTuple):
    """Boxes and points in fractions of the original image's width and height, in 0..1.

    `boxes` is () if the model said "not there". If both are None, nothing was read and `problems` says why. There may
    also be problems if something was read. `convention` is the assumed convention, such as "thousand (declared)".
    """

    boxes: tuple[Box, ...] | None
    points: tuple[Point, ...] | None
    convention: str
    problems: tuple[str, ...] = ()


class _Unread(ValueError):
    pass


class _Placed(NamedTuple):
    corners: tuple[float, ...]
    convention: str


def read_coordinates(text: str, size: Size, convention: str | None = None, kind: str | None = None) -> Reading:
    """Read the boxes and points in a model's reply about an image of `size` (height, width).

    No reply makes it raise.

    Args:
        text: the reply, of any length. Only its first 300,000 characters are read.
        convention: the declared convention, see `CONVENTIONS`. If None, only numbers whose syntax implies a convention
            are read.
        kind: what the model was prompted for, such as "box" or "point". If it is "box", pairs of numbers with only
            brackets around them are not points.

    Raises:
        ValueError: the convention is unknown or its parameters are invalid.
    """
    if convention is not None:
        check_convention(convention)
    declared = "undeclared" if convention is None else f"{convention} (declared)"
    answer = _answer(text[:_LONGEST_REPLY])
    scanned = scan(answer)
    problems = list(scanned.problems)
    placed: list[_Placed] = []
    found = _meant(scanned.found, convention, kind)
    for item in found[:_MOST_PLACES]:
        try:
            placed.append(_place(item, size, convention))
        except _Unread as error:
            problems.append(str(error))
    if not found and not problems and (scanned.empties or is_denial(answer)):
        return Reading((), None, declared)

    if len(found) > _MOST_PLACES:
        problems.append(f"only the first {_MOST_PLACES} of {len(found)} boxes and points count")
    if scanned.is_cut:
        problems.append("the reply ends inside a bracket or a tag; complete boxes and points before it count")
    if len(text) > _LONGEST_REPLY:
        problems.append(f"only the first {_LONGEST_REPLY} of {len(text)} characters were read")
    if not placed and not problems:
        is_mute = scanned.found and convention is None
        hint = "; set PIXFOUND_COORDINATES to the model's convention to read pairs as points" if is_mute else ""
        problems.append(f"expected a box or a point, but got no such numbers{hint}")
    if len(problems) > _MOST_PROBLEMS:
        problems[_MOST_PROBLEMS:] = [f"and {len(problems) - _MOST_PROBLEMS} more"]
    boxes = tuple(item.corners for item in placed if len(item.corners) == 4)
    points = tuple(item.corners for item in placed if len(item.corners) == 2)
    assumed = ", ".join(dict.fromkeys(item.convention for item in placed)) or declared
    return Reading(boxes or None, points or None, assumed, tuple(problems))


def _answer(text: str) -> str:
    """Return the text outside the thinking and, within it, only what follows the last answer tag."""
    said = text.rpartition("</think>")[2] if "</think>" in text else text.partition("<think>")[0]
    return said.rpartition("<answer>")[2]


def _meant(found: list[Found], convention: str | None, kind: str | None) -> list[Found]:
    """Drop pairs with only brackets around them if they are not an answer: if there is a box or a named point, if no
    convention is declared, or if the model was prompted for boxes."""
    certain = [item for item in found if len(item.numbers) == 4 or not item.is_loose]
    return found if convention and kind != "box" and not certain else certain


def _place(item: Found, size: Size, convention: str | None) -> _Placed:
    """Return a box or a point in fractions of the image. The corners of a box are in order, and its area is above 0.

    Raises `_Unread` if the numbers are impossible.
    """
    name, how = _convention(item, convention)
    grid = grid_of(name, size)
    written = f"{[float(f'{number:.6g}') for number in item.numbers]} ({name})"
    numbers = item.numbers
    if grid.is_y_first and not item.is_named:
        numbers = tuple(numbers[index ^ 1] for index in range(len(numbers)))
    if not all((grid.y if index % 2 else grid.x).holds(number) for index, number in enumerate(numbers)):
        raise _Unread(f"expected numbers within {grid.x.span:g} x {grid.y.span:g}, but got {written}")
    if item.is_fraction and item.fixed and grid.x.span > _COARSE:
        raise _Unread(f"expected numbers of 0..{grid.x.span:g}, but got fractions {written}")
    axes = (grid.x, grid.y) * (len(numbers) // 2)
    fractions = [axis.fraction(number, grid.offset) for axis, number in zip(axes, numbers)]
    corners = tuple(min(max(value, 0.0), 1.0) for value in fractions)
    if len(corners) == 2:
        # A point in a padded square may lie outside the image and is rejected then. A box is clipped to the image.
        if any(abs(value - inside) > 1.01 * axis.drift for value, inside, axis in zip(fractions, corners, axes)):
            raise _Unread(f"expected a point within the image, but got {written}")
    else:
        (x0, x1), (y0, y1) = sorted(corners[::2]), sorted(corners[1::2])
        if x0 == x1 or y0 == y1:
            raise _Unread(f"expected a box with an area within the image, but got {written}")
        corners = (x0, y0, x1, y1)
    return _Placed(corners, f"{name} ({how})")


def _convention(item: Found, declared: str | None) -> tuple[str, str]:
    """Return the convention of the numbers, and whether it came from their syntax or was declared.

    Raises `_Unread` if it is neither.
    """
    if item.fixed:
        return item.fixed, "by syntax"
    meant = declared or item.default
    if item.is_fraction and not (meant and keeps_decimals(meant)):
        return "fraction", "by syntax"
    if declared:
        return declared, "declared"
    if item.default:
        return item.default, "by syntax"
    raise _Unread(
        f"expected a declared convention for {list(item.numbers)}, which could be pixels or thousandths; "
        "set PIXFOUND_COORDINATES to the model's convention"
    )
