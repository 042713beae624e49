"""Boxes of image tokens behind convolutions, whose cells are made to see only the cells that they replace.

Once convolutions and pooling are local, numbers reach one token each again, and the boxes are those of patches. Where a
convolution cannot be local in its middle, it is so half a cell earlier, and half a cell later, see `vision_cells`. One
of the two shares the picture among the tokens, and the middle between both is where tokens really look: behind many
convolutions with stride 2, up to half a box before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pixfound_tasks.attention.geometry import Size
from pixfound_tasks.attention.measured.coordinate_pictures import Places
from pixfound_tasks.attention.measured.errors import NotMeasurable
from pixfound_tasks.attention.measured.reach import Gradients, reach
from pixfound_tasks.attention.measured.token_boxes import Tokens, exact_tokens, extents
from pixfound_tasks.attention.measured.vision_cells import CellsAlone

if TYPE_CHECKING:
    from jaxtyping import Float64, Int
    from torch import Tensor

    Numbers = dict[str, Int[np.ndarray, "*numbers"]]  # the token of each number, by pixel tensor

_MOST_APART = 0.5  # sides of a box between the places that a token sees in two pixel tensors
_SUMMARY = 0.5  # of the numbers that tokens see: a token that sees more summarizes the picture


def convolved_numbers(
    gradients: Gradients, cells: CellsAlone, positions: Int[Tensor, " tokens"], inputs: Mapping[str, Any]
) -> tuple[Numbers, ...] | None:
    """Return the token that each number reaches if convolutions are local, -1 for none, in one or two runs.

    Returns None if numbers reach several tokens even then.

    Args:
        gradients: those of a pass with late cells.
        cells: the mode of that pass.
        positions: the image tokens' positions in what enters the decoder.
        inputs: the model's inputs.
    """
    late = _tokens_alone(gradients, positions)
    if late is None or not cells.is_uneven:
        return None if late is None else (late,)
    with CellsAlone(late=False):
        gradients = Gradients(gradients.part, inputs, list(late))
    kept = np.unique(np.concatenate([token[token >= 0] for token in late.values()]))
    chosen = positions[torch.from_numpy(kept).long()]
    early = reach(gradients, chosen, is_rough=True)  # tells how far all tokens are off
    if early is not None and _known(early.token) > _known(late):
        early = reach(gradients, chosen)  # the boxes are taken from it
    if early is None or not early.is_exact:
        return None
    return late, {name: np.where(token >= 0, kept[token], -1) for name, token in early.token.items()}


def _known(numbers: Numbers) -> int:
    return sum(int((token >= 0).sum()) for token in numbers.values())


def convolved_tokens(runs: Sequence[Numbers], places: dict[str, Places], count: int, sizes: Sequence[Size]) -> Tokens:
    """Return the boxes of `count` image tokens from `convolved_numbers`.

    Args:
        runs: the token that each number reaches.
        places: where the numbers of each pixel tensor come from.
        count: the number of image tokens.
        sizes: (height, width) of the images.

    Raises:
        NotMeasurable: if a token sees places far apart.
    """
    found = [_of_tensor(places, [run[name] for run in runs if name in run], name, count, sizes) for name in runs[0]]
    return found[0] if len(found) == 1 else _agreed(found)


def _tokens_alone(gradients: Gradients, positions: Int[Tensor, " tokens"]) -> Numbers | None:
    """Return the token that each number reaches, -1 for none. A first or last token may summarize the picture."""
    for kept, rest in ((slice(None), slice(0, 0)), (slice(1, None), slice(0, 1)), (slice(-1), slice(-1, None))):
        found = reach(gradients, positions[kept], skips_unseen=True) if len(positions[kept]) else None
        if found is None or not found.is_exact:
            continue
        summary = reach(gradients, positions[rest], skips_unseen=True) if len(positions[rest]) else None
        if summary is not None and any(
            name in summary.token and summary.is_reaching[name].sum() < _SUMMARY * reaching.sum()
            for name, reaching in found.is_reaching.items()
        ):
            continue
        return {name: np.where(token >= 0, token + (kept.start or 0), -1) for name, token in found.token.items()}
    return None


def _of_tensor(
    places: dict[str, Places], runs: list[Int[np.ndarray, "*numbers"]], name: str, count: int, sizes: Sequence[Size]
) -> Tokens:
    """Return the boxes by the numbers of one pixel tensor, from one run or from two with cells half a cell apart."""
    runs = sorted(runs, key=lambda token: (token >= 0).sum(), reverse=True)
    boxes, owners = exact_tokens(places, {name: runs[0]}, count, sizes)
    if len(runs) == 2:
        sides = boxes[:, 2:] - boxes[:, :2]
        shift = _shift(places[name], runs[0], runs[1], boxes, sides)
        boxes = boxes + np.tile(shift / 2 * sides, 2)
    return Tokens(boxes, owners)


def _shift(
    place: Places,
    base: Int[np.ndarray, "*numbers"],
    other: Int[np.ndarray, "*numbers"],
    boxes: Float64[np.ndarray, "tokens 4"],
    sides: Float64[np.ndarray, "tokens 2"],
) -> Float64[np.ndarray, " 2"]:
    """Return how far (x, y) what tokens see in another run lies after their boxes, in sides of these.

    What tokens at the picture's edge see is cut there, so the other edge is compared.
    """
    found = []
    for axis, values in enumerate((place.x, place.y)):
        before, after = (
            extents(token[(token >= 0) & ~np.isnan(values)], values[(token >= 0) & ~np.isnan(values)], len(boxes))
            for token in (base, other)
        )
        is_earlier = np.nanmedian(after.center - before.center) < 0
        edge = after.center + (1 if is_earlier else -1) * after.step * after.places / 2
        own = boxes[:, axis + 2] if is_earlier else boxes[:, axis]
        found.append(float(np.nanmedian((edge - own)[after.step > 0] / sides[:, axis][after.step > 0])))
    return np.nan_to_num(np.array(found))


def _agreed(found: list[Tokens]) -> Tokens:
    """Return the mean boxes of tokens that see an image in several ways, as in two resolutions."""
    boxes = np.stack([tokens.boxes for tokens in found])
    with np.errstate(invalid="ignore"):
        several = (~np.isnan(boxes[..., 0])).sum(axis=0) > 1
        middle = (boxes[..., :2] + boxes[..., 2:]) / 2
        low, high = np.nanmin(middle[:, several], axis=0), np.nanmax(middle[:, several], axis=0)
        sides = np.nanmin(boxes[:, several, 2:] - boxes[:, several, :2], axis=0)
    if (high - low > _MOST_APART * sides).any():
        raise NotMeasurable("expected tokens that see one place, but they see others in another pixel tensor")
    mean = np.full(boxes.shape[1:], np.nan)
    placed = ~np.isnan(boxes[..., 0]).all(axis=0)
    mean[placed] = np.nanmean(boxes[:, placed], axis=0)
    return Tokens(mean, np.max([tokens.owners for tokens in found], axis=0))
