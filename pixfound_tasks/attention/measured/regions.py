"""Proves boxes by changing small regions of the images: only tokens whose boxes meet a region may answer to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from pixfound_tasks.attention.geometry import TokenGeometry

if TYPE_CHECKING:
    from jaxtyping import Float64

# Pictures, one per image -> what each image token is for the decoder, (tokens, width).
Embed = Callable[[Sequence[Image.Image]], "Float64[np.ndarray, 'tokens width']"]

PICTURES = 2  # changed ones
_AT_ONCE = 4  # regions in each
_SLACK, _LEAST_SLACK = 0.35, 2.5  # resampling carries a region's pixels so far, in boxes and in pixels
_MARGIN = 0.5  # pixels, of rounding
_ALIKE = 0.4  # in the logarithm of the area: boxes of one view
_LEAST = 1e-3  # of the strongest change: what a token must answer with to a region in its box
_ANSWER = 0.1  # of the strongest change: what a token must not exceed if no region is near


class Verdict(NamedTuple):
    """How many regions were changed, and what disagreed with the boxes; empty if nothing did."""

    regions: int
    faults: tuple[str, ...]


def prove(
    embed: Embed,
    pictures: Sequence[Image.Image],
    before: Float64[np.ndarray, "tokens width"],
    geometries: Sequence[TokenGeometry],
    count: int = PICTURES,
    blur: float = 0.0,
) -> Verdict:
    """Change some four regions in each of `count` copies of the pictures, and compare what answers with the boxes.

    Args:
        embed: see `Embed`. Patches must not mix, see `VisionPart.embed`.
        pictures: the unchanged pictures, one per image.
        before: what `embed` gives for them.
        geometries: the boxes to prove.
        count: the number of changed copies.
        blur: how far beyond its box, in sides of it, the token may lie that answers most to a region. Above 0 tokens
            may answer to regions within a side of their boxes, as interpolated ones do.
    """
    generator = np.random.RandomState(0)
    counts = np.cumsum([0, *(len(geometry.boxes) for geometry in geometries)])
    tried, faults = 0, list[str]()
    for turn in range(count):
        changed, regions = [np.array(picture) for picture in pictures], list[tuple[int, np.ndarray]]()
        for index in range(len(pictures)):
            if len(pictures) <= _AT_ONCE or index % count == turn:
                some = max(1, _AT_ONCE // len(pictures))
                regions += [(index, region) for region in _regions(geometries[index], some, generator)]
        for index, (x0, y0, x1, y1) in regions:
            changed[index][y0:y1, x0:x1] += np.uint8(128)  # wraps round
        after = embed([Image.fromarray(picture) for picture in changed])
        change = np.sqrt(((after - before) ** 2).sum(axis=1))
        tried += len(regions)
        for index, geometry in enumerate(geometries):
            own = [region for image, region in regions if image == index]
            part = change[counts[index] : counts[index + 1]]
            faults += _faults(geometry, part, own, float(change.max(initial=0.0)), blur)
    return Verdict(tried, tuple(faults))


def _regions(geometry: TokenGeometry, count: int, generator: np.random.RandomState) -> list[np.ndarray]:
    """Return regions (x0, y0, x1, y1) in whole pixels in the middle of boxes of the smallest kind, far apart."""
    height, width = geometry.size
    inside = geometry.boxes[~np.isnan(geometry.boxes[:, 0])].clip(0, [width, height, width, height])
    area = (inside[:, 2:] - inside[:, :2]).prod(axis=1)
    inside = inside[area > 0]
    area = area[area > 0]
    finest = inside[area <= 1.5 * np.median(area)] if len(area) else inside
    chosen: list[np.ndarray] = []
    for box in finest[generator.permutation(len(finest))]:
        quarter = (box[2:] - box[:2]) / 4
        low = np.floor(box[:2] + quarter + 0.5).clip(0, [width - 1, height - 1])
        high = np.maximum(np.floor(box[2:] - quarter + 0.5), low + 1)
        gap = 2 * (box[2:] - box[:2]) + 2 * _LEAST_SLACK
        if all((low > other[2:] + gap).any() or (high < other[:2] - gap).any() for other in chosen):
            chosen.append(np.concatenate([low, high]).astype(int))
        if len(chosen) == count:
            break
    return chosen


def _faults(
    geometry: TokenGeometry,
    change: Float64[np.ndarray, " tokens"],
    regions: list[np.ndarray],
    strongest: float,
    blur: float,
) -> list[str]:
    boxes = geometry.boxes
    placed = ~np.isnan(boxes[:, 0])
    sides = boxes[:, 2:] - boxes[:, :2]
    slack = np.maximum((1.0 if blur else _SLACK) * sides, _LEAST_SLACK)
    margin = blur * sides + _MARGIN
    near = [placed & _meet(boxes, region, slack) for region in regions]
    far = ~np.any(near, axis=0) if near else np.ones(len(boxes), bool)
    faults = []
    if not blur and far.any() and change[far].max() > _ANSWER * strongest:
        token = int(np.flatnonzero(far)[change[far].argmax()])
        faults.append(f"token {token} answers to a region outside its box")
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    for region, close in zip(regions, near):
        if not close.any() or change[close].max() < _LEAST * strongest:
            faults.append(f"no token near the region {region.tolist()} answers to it")
            continue
        # Tiles and thumbnail each for itself: how strong a change is does not compare between them.
        for view in {round(float(np.log(value)) / _ALIKE) for value in area[close]}:
            tokens = np.flatnonzero(close & (np.round(np.log(np.where(placed, area, 1)) / _ALIKE) == view))
            most = tokens[change[tokens].argmax()][None]
            is_met = any(_meet(boxes[most], other, margin[most])[0] for other in regions)
            if not is_met and _meet(boxes[tokens], region, np.zeros((1, 2))).any():
                faults.append(f"a token beside the region {region.tolist()} answers most to it")
    return faults


def _meet(boxes: np.ndarray, region: np.ndarray, slack: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return ((boxes[:, :2] - slack < region[2:]) & (boxes[:, 2:] + slack > region[:2])).all(axis=1)
