"""A segmenter without weights, by OpenCV: a region of similar color around a point, or the foreground of a box."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from pixfound_tasks import masks
from pixfound_tasks.grounding.segmenters.boxes import filled, foreground, sharpness
from pixfound_tasks.response import Box, Candidate, Point

# The largest color difference between a pixel and the point, per channel of CIE Lab in 0..255: tight to wide.
_TOLERANCES = (10, 22, 40)
_SEED_RADIUS = 1  # pixels; the color of the point is the median of this neighborhood


class RegionSegmenter:
    """Segments a point by flood fill and a box by GrabCut.

    The candidates of a point are flood fills with three tolerances, with holes filled. The candidates of a box are the
    largest part that differs from the box's surroundings, all such parts, and the box itself (see
    `boxes.foreground`). The score of a candidate is its contrast for a point and the sharpness of its outline for a
    box. Like every segmenter, it never sees the ground truth.
    """

    name = "region"

    def set_image(self, image: np.ndarray) -> None:
        """Set the image, uint8 (height, width, 3) RGB."""
        smooth = cv2.medianBlur(np.ascontiguousarray(image), 3)
        self._lab = cv2.cvtColor(smooth, cv2.COLOR_RGB2LAB)

    def segment(self, prompts: Sequence[Point | Box]) -> list[tuple[Candidate, ...]]:
        """Return three candidates, tight to wide, for each point or box in fractions of width and height."""
        return [self._of_box(prompt) if len(prompt) == 4 else self._of_point(prompt) for prompt in prompts]

    def _of_point(self, point: Point) -> tuple[Candidate, ...]:
        height, width = self._lab.shape[:2]
        x, y = (min(int(value * side), side - 1) for value, side in zip(point, (width, height)))
        regions = [filled(_flood(self._lab, x, y, tolerance)) for tolerance in _TOLERANCES]
        return tuple(Candidate(masks.encode(region), contrast(self._lab, region)) for region in regions)

    def _of_box(self, box: Box) -> tuple[Candidate, ...]:
        regions = foreground(self._lab, box)
        return tuple(Candidate(masks.encode(region), sharpness(self._lab, region)) for region in regions)


def _flood(lab: np.ndarray, x: int, y: int, tolerance: int) -> np.ndarray:
    """Return the pixels connected to (x, y) whose color is within the tolerance, uint8 (height, width) of 0 and 1."""
    around = lab[max(y - _SEED_RADIUS, 0) : y + _SEED_RADIUS + 1, max(x - _SEED_RADIUS, 0) : x + _SEED_RADIUS + 1]
    seed = np.median(around.reshape(-1, 3), axis=0)
    alike = (abs(lab.astype(int) - seed) <= tolerance).all(axis=2)
    alike[y, x] = True
    _, labels = cv2.connectedComponents(alike.astype(np.uint8), connectivity=4)
    return (labels == labels[y, x]).astype(np.uint8)


def contrast(lab: np.ndarray, region: np.ndarray) -> float:
    """Return the fraction, in 0..1, of the pixels just outside a region that differ clearly from its median color.

    They differ clearly if a channel differs by more than the widest tolerance. Returns 0 if no pixels are outside.
    """
    kernel = np.ones((5, 5), np.uint8)
    grown = cv2.dilate(region.astype(np.uint8), kernel).astype(bool) & ~region
    if not grown.any():
        return 0.0
    inside = np.median(lab[region], axis=0)
    changes = (abs(lab[grown].astype(int) - inside) > _TOLERANCES[-1]).any(axis=1)
    return float(changes.mean())
