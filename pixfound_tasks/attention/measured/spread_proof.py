"""Proves boxes of tokens that also see what lies beside them, as behind convolutions, by where their answers lie.

Each of such tokens sees many boxes, so that the token that answers most to a change may be one beside it. But the
middle of all answers follows the change. Stripes across the picture are changed, one at a time: all tokens along a
stripe answer, so that few stripes tell as much as many small regions. Along the axis that a stripe moves on, in boxes,

    answer - middle = slope * (stripe - middle + shift)

A line through the answers gives `slope` and `shift`. Boxes that are flipped, transposed, moved or of another scale have
other values. What a token answers to every stripe, as one that sees all of the picture does, says nothing of its place
and pulls to the middle: `pull` is the slope with it. The other values are without it, and with tokens that count
alike, however strongly they answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from pixfound_tasks.attention.geometry import TokenGeometry
from pixfound_tasks.attention.measured.regions import Embed, Verdict

if TYPE_CHECKING:
    from jaxtyping import Float64, Int

STRIPES, FEW_STRIPES, _MOST = 3, 2, 16  # along each axis; the most, in thin pictures
_FEWEST = 4  # tokens of a view that can be proved
_ALIKE = 0.4  # in the logarithm of the area: boxes of one view
_FOLLOWING = 0.9  # correlation of answers with stripes
_PULL, _PULL_OF_FEW, _FEW = 0.67, 0.5, 4  # the least; the edges of few boxes pull more
_SLOPE = 1.35  # the most
_SHIFT = 0.3  # boxes that all answers may lie off
_SLACK = 1.2, 1.5  # by which few stripes may miss the limits of the pull and the slope, and of the shift
_ELSEWHERE = 0.1  # of the answers may come from other images
_LEAST = 1e-3  # of the strongest answer: what counts as one
_EVEN = 0.1  # of the mean answer of tokens: weaker ones count less


class Line(NamedTuple):
    """How answers follow stripes along one axis, in boxes.

    Attributes:
        slope: see the module.
        shift: see the module.
        correlation: of the places of answers with those of stripes.
        boxes: how many lie side by side.
        pull: see the module.
    """

    slope: float
    shift: float
    correlation: float
    boxes: int
    pull: float

    def fault(self, is_of_few: bool = False) -> str:
        """Return what is wrong with it, or "". `is_of_few`: whether it is of few stripes."""
        least = _PULL if self.boxes >= _FEW else _PULL_OF_FEW
        slack, shift = _SLACK if is_of_few else (1.0, 1.0)
        if self.correlation < _FOLLOWING or self.pull < least / slack or self.slope > _SLOPE * slack:
            return (
                f"answers move by {self.pull:.2f} boxes for each box that stripes move by ({self.slope:.2f} without "
                f"what all stripes have in common), with a correlation of {self.correlation:.2f}"
            )
        if abs(self.shift) > _SHIFT * shift:
            return f"answers lie {abs(self.shift):.2f} boxes {'after' if self.shift > 0 else 'before'} the stripes"
        return ""


def prove_spread(
    embed: Embed,
    pictures: Sequence[Image.Image],
    before: Float64[np.ndarray, "tokens width"],
    geometries: Sequence[TokenGeometry],
    count: int = STRIPES,
) -> Verdict:
    """Change stripes of each image, one at a time, and compare where the answers lie.

    Args:
        embed: see `Embed`. Patches must not mix by attention, see `VisionPart.embed`.
        pictures: the unchanged pictures, one per image.
        before: what `embed` gives for them.
        geometries: the boxes to prove.
        count: the number of stripes along each axis. Few suffice where tokens were proved to see these numbers before.
    """
    ends = np.cumsum([0, *(len(geometry.boxes) for geometry in geometries)])
    tried = 0
    for index, geometry in enumerate(geometries):
        views = _views(geometry)
        if not views or len(views[0]) < _FEWEST:
            return Verdict(tried, (f"image {index + 1} has fewer than {_FEWEST} tokens in a view",))
        for axis, name in enumerate("xy"):
            if all(_across(geometry.boxes[view], axis) < 2 for view in views):
                continue
            across, along = (_across(geometry.boxes[views[0]], each) for each in (axis, 1 - axis))
            # Few tokens lie along a stripe of a thin picture.
            stripes = _stripes(
                geometry.boxes[views[0]], axis, geometry.size[1 - axis], max(count, min(across // along, _MOST))
            )
            energy, tried = _energy(embed, pictures, before, index, axis, stripes), tried + len(stripes)
            own = energy[:, ends[index] : ends[index + 1]]
            if not own.sum() > (1 - _ELSEWHERE) * energy.sum():
                return Verdict(tried, (f"tokens of other images answer to changes of image {index + 1}",))
            if (own.sum(axis=1) <= _LEAST * own.sum(axis=1).max()).any():
                return Verdict(tried, (f"some stripes along {name} have no answer",))
            for view in views:
                line = fit(geometry.boxes[view], own[:, view], stripes, axis)
                fault = line.fault(count <= FEW_STRIPES) if line else ""
                if fault:
                    return Verdict(tried, (f"along {name}, {fault}",))
    return Verdict(tried, ())


def _energy(
    embed: Embed,
    pictures: Sequence[Image.Image],
    before: Float64[np.ndarray, "tokens width"],
    index: int,
    axis: int,
    stripes: Int[np.ndarray, "stripes 2"],
) -> Float64[np.ndarray, "stripes tokens"]:
    """Return how strongly each token answers to each stripe of one picture."""
    answers = []
    for start, stop in stripes:
        changed = [np.array(picture) for picture in pictures]
        part = (slice(None), slice(start, stop)) if axis == 0 else (slice(start, stop), slice(None))
        changed[index][part] += np.uint8(128)  # wraps round
        answers.append(((embed([Image.fromarray(each) for each in changed]) - before) ** 2).sum(axis=1))
    return np.array(answers)


def fit(
    boxes: Float64[np.ndarray, "tokens 4"],
    energy: Float64[np.ndarray, "stripes tokens"],
    stripes: Int[np.ndarray, "stripes 2"],
    axis: int,
) -> Line | None:
    """Return how answers follow stripes along x (axis 0) or y (1); None if all boxes lie in one place along it.

    Args:
        boxes: those of the tokens of one view.
        energy: how strongly each token answers to each stripe.
        stripes: the first pixel of each, and the first one after it.
        axis: see above.
    """
    if (across := _across(boxes, axis)) < 2:
        return None
    center, side = (boxes[:, axis] + boxes[:, axis + 2]) / 2, _side(boxes, axis)
    place = (stripes.mean(axis=1) - center.mean()) / side
    if np.ptp(place) == 0:  # an image of one pixel
        return Line(0.0, 0.0, 0.0, across, 0.0)

    def answers(strengths: Float64[np.ndarray, "stripes tokens"]) -> Float64[np.ndarray, " stripes"]:
        total = strengths.sum(axis=1) + np.finfo(float).tiny
        return (strengths @ (center - center.mean())) / total / side

    own = energy - energy.min(axis=0)
    total = own.sum(axis=0)
    answer = answers(own / (total + _EVEN * total.mean() + np.finfo(float).tiny))
    slope, offset = np.polyfit(place, answer, 1)
    correlation = np.corrcoef(place, answer)[0, 1] if np.ptp(answer) > 0 else 0.0
    pull = np.polyfit(place, answers(energy), 1)[0]
    return Line(float(slope), float(offset / slope) if slope else 0.0, float(correlation), across, float(pull))


def _side(boxes: Float64[np.ndarray, "tokens 4"], axis: int) -> float:
    return float((boxes[:, axis + 2] - boxes[:, axis]).mean())


def _across(boxes: Float64[np.ndarray, "tokens 4"], axis: int) -> int:
    """Return how many boxes lie side by side."""
    return 1 + round(float(np.ptp(boxes[:, axis] + boxes[:, axis + 2])) / 2 / _side(boxes, axis))


def _stripes(
    boxes: Float64[np.ndarray, "tokens 4"], axis: int, length: int, count: int
) -> Int[np.ndarray, "stripes 2"]:
    """Return stripes as (start, stop) in whole pixels, half as wide as boxes, evenly over what the boxes cover."""
    low, high = max(0.0, boxes[:, axis].min()), min(float(length), boxes[:, axis + 2].max())
    width = max(1, round(_side(boxes, axis) / 2))
    middles = low + (np.arange(count) + 0.5) / count * (high - low)
    starts = np.round(middles - width / 2).astype(int).clip(0, max(0, length - width))
    return np.stack([starts, starts + width], axis=1)


def _views(geometry: TokenGeometry) -> list[Int[np.ndarray, " tokens"]]:
    """Return the tokens of each view, such as tiles and a thumbnail, that is not rare. The finest comes first."""
    boxes = geometry.boxes
    placed = np.flatnonzero(~np.isnan(boxes[:, 0]))
    area = np.log((boxes[placed, 2:] - boxes[placed, :2]).prod(axis=1))
    order, views = placed[np.argsort(area)], list[np.ndarray]()
    for part in np.split(order, np.flatnonzero(np.diff(np.sort(area)) > _ALIKE / 2) + 1):
        if len(part) >= max(_FEWEST, 0.15 * len(placed)):
            views.append(np.sort(part))
    return views
