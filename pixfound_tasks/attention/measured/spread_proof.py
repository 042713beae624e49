"""Proves boxes of tokens that also see what lies beside them, as behind convolutions, by where their answers lie.

Each of such tokens sees many boxes, so that the token that answers most to a changed region may be one beside it. But
the middle of all answers follows the region. It is pulled to the middle of the picture by tokens that see all of it, by
what lies beyond its edges, and by noise: in boxes, along each axis,

    answer - middle = slope * (region - middle + shift)

A line through the answers to many regions gives `slope` and `shift`. Boxes that are flipped, transposed, moved or of
another scale have other values.
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

REGIONS = 32  # that are changed, one after another
_FEWEST = 4  # tokens of a view that can be proved
_ALIKE = 0.4  # in the logarithm of the area: boxes of one view
_FOLLOWING = 0.9  # correlation of answers with regions
# How far answers move as regions move by a box. Of few boxes, those at the edges are many, which pulls more.
_SLOPES, _SLOPES_OF_FEW, _FEW = (0.7, 1.25), (0.5, 1.1), 4
_SHIFT = 0.3  # boxes that all answers may lie off
_ELSEWHERE = 0.1  # of the answers may come from other images
_LEAST, _ANSWERED = 1e-3, 0.75  # of the strongest answer: what counts as one, and what part of regions must have one


class Line(NamedTuple):
    """How answers follow regions along one axis, in boxes.

    Attributes:
        slope: see the module.
        shift: see the module.
        correlation: of the places of answers with those of regions.
        boxes: how many lie side by side.
    """

    slope: float
    shift: float
    correlation: float
    boxes: int

    @property
    def fault(self) -> str:
        """What is wrong with it, or ""."""
        low, high = _SLOPES if self.boxes >= _FEW else _SLOPES_OF_FEW
        if self.correlation < _FOLLOWING or not low <= self.slope <= high:
            return (
                f"answers move by {self.slope:.2f} boxes for each box that regions move by, with a correlation of "
                f"{self.correlation:.2f}"
            )
        if abs(self.shift) > _SHIFT:
            return f"answers lie {abs(self.shift):.2f} boxes {'after' if self.shift > 0 else 'before'} the regions"
        return ""


def prove_spread(
    embed: Embed,
    pictures: Sequence[Image.Image],
    before: Float64[np.ndarray, "tokens width"],
    geometries: Sequence[TokenGeometry],
) -> Verdict:
    """Change regions in boxes of each image, one at a time, and compare where the answers lie.

    Args:
        embed: see `Embed`. Patches must not mix by attention, see `VisionPart.embed`.
        pictures: the unchanged pictures, one per image.
        before: what `embed` gives for them.
        geometries: the boxes to prove.
    """
    generator = np.random.RandomState(0)
    ends = np.cumsum([0, *(len(geometry.boxes) for geometry in geometries)])
    tried = 0
    for index, geometry in enumerate(geometries):
        views = _views(geometry)
        if not views or len(views[0]) < _FEWEST:
            return Verdict(tried, (f"image {index + 1} has fewer than {_FEWEST} tokens in a view",))
        regions = _regions(geometry, views[0], generator)
        answers = []
        for x0, y0, x1, y1 in regions:
            changed = [np.array(picture) for picture in pictures]
            changed[index][y0:y1, x0:x1] += np.uint8(128)  # wraps round
            answers.append(((embed([Image.fromarray(each) for each in changed]) - before) ** 2).sum(axis=1))
        energy, tried = np.array(answers), tried + len(regions)
        own = energy[:, ends[index] : ends[index + 1]]
        if not own.sum() > (1 - _ELSEWHERE) * energy.sum():
            return Verdict(tried, (f"tokens of other images answer to regions of image {index + 1}",))
        is_answered = own.sum(axis=1) > _LEAST * own.sum(axis=1).max()
        if is_answered.mean() < _ANSWERED:
            return Verdict(tried, (f"{(~is_answered).mean():.0%} of the regions have no answer",))
        for view in views:
            for axis, line in fit(geometry.boxes[view], own[is_answered][:, view], regions[is_answered]).items():
                if line.fault:
                    return Verdict(tried, (f"along {axis}, {line.fault}",))
    return Verdict(tried, ())


def fit(
    boxes: Float64[np.ndarray, "tokens 4"],
    energy: Float64[np.ndarray, "regions tokens"],
    regions: Int[np.ndarray, "regions 4"],
) -> dict[str, Line]:
    """Return how answers follow regions along x and y. An axis along which all boxes lie in one place has no line.

    Args:
        boxes: those of the tokens of one view.
        energy: how strongly each token answers to each region.
        regions: x0, y0, x1, y1 of each region.
    """
    found = {}
    share = energy / np.maximum(energy.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    for axis, name in enumerate("xy"):
        center, side = (boxes[:, axis] + boxes[:, axis + 2]) / 2, float((boxes[:, axis + 2] - boxes[:, axis]).mean())
        across = 1 + round(float(np.ptp(center)) / side)
        if across < 2:
            continue
        answer = (share @ center - center.mean()) / side
        region = ((regions[:, axis] + regions[:, axis + 2]) / 2 - center.mean()) / side
        slope, offset = np.polyfit(region, answer, 1)
        correlation = np.corrcoef(region, answer)[0, 1] if np.ptp(answer) > 0 else 0.0
        found[name] = Line(float(slope), float(offset / slope), float(correlation), across)
    return found


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


def _regions(
    geometry: TokenGeometry, view: Int[np.ndarray, " tokens"], generator: np.random.RandomState
) -> Int[np.ndarray, "regions 4"]:
    """Return regions (x0, y0, x1, y1) in whole pixels, half as wide and high as the boxes that hold their middles."""
    height, width = geometry.size
    boxes = geometry.boxes[view]
    found = []
    for number in generator.randint(len(boxes), size=20 * REGIONS):
        middle = boxes[number, :2] + generator.rand(2) * (boxes[number, 2:] - boxes[number, :2])
        half = (boxes[number, 2:] - boxes[number, :2]) / 4
        low = np.round(middle - half).astype(int)
        high = np.maximum(np.round(middle + half).astype(int), low + 1)
        if (low >= 0).all() and (high <= [width, height]).all():
            found.append(np.concatenate([low, high]))
        if len(found) == REGIONS:
            break
    return np.array(found).reshape(-1, 4)
