"""Reads boxes and points from models' answers.

The meaning of a number is never guessed from the ground truth. It is declared by a convention's name, for example in
PIXFOUND_COORDINATES:

| convention | numbers are | families |
|---|---|---|
| `pixel` | pixels of the original image | models told its size |
| `pixel_xywh` | the same, as x, y, width, height | models told its size and COCO's boxes |
| `resized[:FACTOR:MIN:MAX]` | pixels after Qwen's resizing (multiples of FACTOR, MIN to MAX pixels) | Qwen2.5-VL |
| `thousand` | 0..1000 | Qwen-VL, Qwen2-VL, Qwen3-VL, InternVL, CogVLM, GLM-4.1V on, MiniCPM-V, Ferret, Molmo2 |
| `thousand_xywh` | the same, as x, y, width, height | models prompted for it |
| `thousand_yx` | 0..1000, y before x | Gemini, Gemma 3 |
| `percent` | 0..100 | Molmo, MiniGPT-v2 |
| `fraction` | 0..1 | Kimi-VL, Moondream |
| `fraction_xywh` | the same, as x, y, width, height | models prompted for it |
| `fraction_padded` | 0..1 of the image padded to a centered square | LLaVA-1.5, Shikra |
| `fraction_cropped` | 0..1 of the centered square cropped from the image | LLaVA-1.5 behind a processor that crops |
| `deepseek` | 0..999, both ends on the edges | DeepSeek-VL2, DeepSeek-OCR |
| `paligemma` | 1024 bins, y before x | PaliGemma |
| `florence2` | centers of 1000 bins | Florence-2 |
| `kosmos-2` | cells of a 32 x 32 grid | Kosmos-2 |

What is written beside the numbers overrides the declared convention: `%` (of the image's side), `px` (of the original
image, unless the declared numbers are pixels themselves), keys such as `bbox_xywh` or COCO's (x, y, width, height) and
`"format": "xywh"`, and named axes (`x_min`, `cx`, `width`). So does syntax that belongs to one convention:
`<loc0123>`, `<loc_123>`, `<patch_index_0123>`, `{<12><34><56><78>}`, `<|det|>`, `box_2d` and `<points coords=`. Decimal
numbers that are all within 0..1 are fractions, unless a `fraction...` convention or `percent` is declared. Other syntax
counts only if no convention is declared, because fine-tuned models keep the syntax but change the units: `<box>`,
`<|box_start|>` and `<|begin_of_box|>` mean `thousand`, and `<point x=` means `percent` (Qwen2.5-VL writes it in
pixels). `bbox_2d`, `point_2d` and bare lists imply no convention.

A box is four numbers in one bracket, tag or string, or a reply of nothing else; two pairs joined by a comma or a dash;
two opposite corners or two ranges by name; or named axes: corners, a corner and an extent, a center and an extent. If
boxes are prompted for, two pairs in one list are a box too, and points are no answer unless the model can only point:
Molmo's tags, or `percent`. A point is two numbers. A pair with only brackets around it is a point only if a convention
is declared and the reply has no box or named point. Swapped corners are put in order.

An outline is at least three vertices under a key such as `polygon` or `segmentation`, or more than four of
Florence-2's `<loc_123>` without a label before them; it becomes a mask as it is. So does the picture that Gemini writes
beside a box. PaliGemma's mask codes are dropped with a word, since the weights that decode them are not public as a
package.

Corners that a sentence names ("top left (...), bottom right (...)") and the rows of Markdown tables of named axes are
boxes, too (`rewriting`).

Only the final answer is read (`response.final_answer`), and no arguments of tool calls. "Not there" is an empty list,
null, a box of zeros, `{"found": false}` or a sentence in one of eleven languages (`denials`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from pixfound_tasks.grounding.coordinates.collecting import Scan
from pixfound_tasks.grounding.coordinates.conventions import (
    CONVENTIONS,
    check_convention,
    convention_of_architecture,
    register_convention,
)
from pixfound_tasks.grounding.coordinates.denials import is_denial
from pixfound_tasks.grounding.coordinates.masks_in_text import draw
from pixfound_tasks.grounding.coordinates.meaning import is_nothing, meant
from pixfound_tasks.grounding.coordinates.placing import UNDECLARED, Placed, Unread, place
from pixfound_tasks.grounding.coordinates.prose import after_revision, with_statements
from pixfound_tasks.grounding.coordinates.rewriting import rewritten
from pixfound_tasks.grounding.coordinates.scanning import scan
from pixfound_tasks.grounding.coordinates.syntax import NUMBER
from pixfound_tasks.masks import Rle, Size, check_size
from pixfound_tasks.response import Box, Point
from pixfound_tasks.response.final_answer import UNFINISHED, final_answer

__all__ = [
    "CONVENTIONS",
    "UNDECLARED",
    "Reading",
    "check_convention",
    "convention_of_architecture",
    "read_coordinates",
    "register_convention",
]


_LONGEST_REPLY = 300_000  # characters; more than models are allowed to generate
_MOST_PLACES = 1000  # boxes and points; a model that loops repeats the same one endlessly
_MOST_PROBLEMS = 8
# Full-width forms, curly quotes, and the digits and commas of Arabic and Hindi, as ASCII.
_ASCII = (
    {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
    | {ord(quote): '"' for quote in "\u201c\u201d\u201e"}
    | {ord(comma): "," for comma in "\u3001\u060c"}
    | {ord("\u3010"): "[", ord("\u3011"): "]", ord("\u066b"): ".", ord("\u066a"): "%"}
    | {start + digit: str(digit) for start in (0x0660, 0x06F0, 0x0966) for digit in range(10)}
)
# A reply that is nothing but the four numbers of a box, perhaps after "Bounding box:".
_ONE = rf"{NUMBER}\s?(?:%|px|pixels?)?"
_BARE = re.compile(
    r"[^\w.+-]*(?:(?:the )?(?:bounding[ _]?box|bbox|box|coordinates?|\u5750\u6807|\u5ea7\u6a19)"
    r"[^\n0-9.,;-]{0,30}?[:=\s]\s*)?"
    rf"(?P<numbers>{_ONE}(?:(?:\s{{0,5}}[,;]\s{{0,5}}|\s{{1,5}}){_ONE}){{3}})[^\w.+-]*(?P<unit>(?:px|pixels)?)\W*",
    re.IGNORECASE,
)
_LONGEST_BARE = 200  # characters


class Reading(NamedTuple):
    """Boxes and points in fractions of the original image's width and height, in 0..1.

    `boxes` is () if the model said "not there". If both are None, nothing was read and `problems` says why. There may
    also be problems if something was read. `convention` is the assumed convention, such as "thousand (declared)".
    `masks` are those that the model wrote itself, as outlines or as pictures, and `mask_source` says which; None if
    there are none. Then they are the answer, and the boxes are beside them.
    """

    boxes: tuple[Box, ...] | None
    points: tuple[Point, ...] | None
    convention: str
    problems: tuple[str, ...] = ()
    masks: tuple[Rle, ...] | None = None
    mask_source: str = ""


def read_coordinates(
    text: str, size: Size, convention: str | None = None, kind: str | None = None, expression: str | None = None
) -> Reading:
    """Read the boxes and points in a model's reply about an image of `size` (height, width).

    No reply makes it raise.

    Args:
        text: the reply, of any length. Only its first 300,000 characters are read.
        convention: the declared convention, see `CONVENTIONS`. If None, only numbers whose syntax implies a convention
            are read.
        kind: what the model was prompted for, such as "box" or "point". If it is "box", points are no answer unless
            the model can only point, and two pairs of numbers in one list are a box.
        expression: the referring expression, if known. It tells "there is no dog" from "there is no cat".

    Raises:
        ValueError: the convention is unknown or its parameters are invalid.
        TypeError: the size is not one.
    """
    if convention is not None:
        check_convention(convention)
    size = check_size(size)
    declared = "undeclared" if convention is None else f"{convention} (declared)"
    if not isinstance(text, str):
        return Reading(None, None, declared, (f"expected text, but got {type(text).__name__}",))
    answer = final_answer(text[:_LONGEST_REPLY], keep_boxes=True)
    if not answer.is_finished:
        return Reading(None, None, declared, (UNFINISHED,))
    scanned = _scanned(answer.text)
    found, problems = meant(scanned, convention, kind)
    found = with_statements(found, answer.text)
    nothings = [item for item in found if is_nothing(item)]
    found = [item for item in found if not is_nothing(item)]
    placed: list[Placed] = []
    for item in found[:_MOST_PLACES]:
        try:
            placed.append(place(item, size, convention))
        except Unread as error:
            problems.append(str(error))
    says_nothing = scanned.empties or nothings or any(is_denial(said) for said in scanned.statements)
    if not found and not problems and (says_nothing or is_denial(answer.text, expression)):
        return Reading((), None, declared)

    drawn = draw(placed, size)
    problems += drawn.problems + _losses(scanned, len(found), len(text))
    if not placed and not problems:
        hint = f"; {UNDECLARED} to read pairs as points" if scanned.found and not convention and kind != "box" else ""
        problems.append(f"expected a box or a point, but got no such numbers{hint}")
    boxes = tuple(item.corners for item in placed if len(item.corners) == 4)
    points = tuple(item.corners for item in placed if len(item.corners) == 2)
    assumed = ", ".join(dict.fromkeys(item.convention for item in placed)) or declared
    return Reading(boxes or None, points or None, assumed, _listed(problems), drawn.masks, drawn.source)


def _scanned(answer: str) -> Scan:
    plain = rewritten(answer.translate(_ASCII))
    if (revised := after_revision(plain)) and (scanned := scan(revised)).found:
        return scanned
    bare = _BARE.fullmatch(plain) if len(plain) <= _LONGEST_BARE else None
    return scan(f"[{bare['numbers']}]{bare['unit']}" if bare else plain)


def _losses(scanned: Scan, count: int, length: int) -> list[str]:
    """What of a reply does not count, and why."""
    problems = []
    if count > _MOST_PLACES:
        problems.append(f"only the first {_MOST_PLACES} of {count} boxes and points count")
    if scanned.is_cut:
        problems.append("the reply ends inside a bracket or a tag; complete boxes and points before it count")
    if length > _LONGEST_REPLY:
        problems.append(f"only the first {_LONGEST_REPLY} of {length} characters were read")
    if scanned.mask_codes:
        problems.append(
            f"{scanned.mask_codes} mask codes (<seg...>) were dropped, because the weights that decode them are not "
            "part of this package; the boxes count"
        )
    if scanned.lost_masks:
        problems.append(f"{scanned.lost_masks} masks were dropped: expected one box beside each")
    if scanned.calls and not count:
        problems.append("expected an answer, but got a tool call")
    return problems


def _listed(problems: Sequence[str]) -> tuple[str, ...]:
    """The problems, each once, those that a setting mends first, and only the first ones."""
    distinct = sorted(dict.fromkeys(problems), key=lambda problem: UNDECLARED not in problem)
    if len(distinct) > _MOST_PROBLEMS:
        distinct[_MOST_PROBLEMS:] = [f"and {len(distinct) - _MOST_PROBLEMS} more"]
    return tuple(distinct)
