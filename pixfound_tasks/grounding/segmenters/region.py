"""A segmenter without weights: the region of like colour around a point, by OpenCV."""

from __future__ import annotations

import cv2
import numpy as np

from pixfound_tasks import masks
from pixfound_tasks.response import Candidate, Point

# How far a pixel's colour may lie from the colour at the point, per channel of CIE Lab in 0..255: tight to wide.
_TOLERANCES = (10, 22, 40)
_SEED_RADIUS = 1  # pixels round the point whose median is its colour


class RegionSegmenter:
    """Flood fill from a point with three tolerances, holes closed.

    A candidate's score is its contrast, see `contrast`. Like any segmenter it never sees the truth.
    """

    def set_image(self, image: np.ndarray) -> None:
        """Take an image, uint8 (height, width, 3) RGB."""
        smooth = cv2.medianBlur(np.ascontiguousarray(image), 3)
        self._lab = cv2.cvtColor(smooth, cv2.COLOR_RGB2LAB)

    def segment(self, points: list[Point]) -> list[tuple[Candidate, ...]]:
        """Three candidates for every point `(x, y)` in fractions of width and height, tight to wide."""
        return [self._candidates(point) for point in points]

    def _candidates(self, point: Point) -> tuple[Candidate, ...]:
        height, width = self._lab.shape[:2]
        x, y = (min(int(value * side), side - 1) for value, side in zip(point, (width, height)))
        regions = [_filled(_flood(self._lab, x, y, tolerance)) for tolerance in _TOLERANCES]
        return tuple(Candidate(masks.encode(region), contrast(self._lab, region)) for region in regions)


def _flood(lab: np.ndarray, x: int, y: int, tolerance: int) -> np.ndarray:
    """Pixels connected to (x, y) whose colour lies within the tolerance of it, uint8 (height, width) of 0 and 1."""
    around = lab[max(y - _SEED_RADIUS, 0) : y + _SEED_RADIUS + 1, max(x - _SEED_RADIUS, 0) : x + _SEED_RADIUS + 1]
    seed = np.median(around.reshape(-1, 3), axis=0)
    alike = (abs(lab.astype(int) - seed) <= tolerance).all(axis=2)
    alike[y, x] = True
    _, labels = cv2.connectedComponents(alike.astype(np.uint8), connectivity=4)
    return (labels == labels[y, x]).astype(np.uint8)


def _filled(region: np.ndarray) -> np.ndarray:
    """The region with its holes filled, bool (height, width)."""
    outlines, _ = cv2.findContours(region, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros_like(region), outlines, -1, 1, cv2.FILLED).astype(bool)


def contrast(lab: np.ndarray, region: np.ndarray) -> float:
    """Share in 0..1 of the pixels just outside a region that differ from its median colour by more than the wide
    tolerance; 0 where the region has no outside."""
    kernel = np.ones((5, 5), np.uint8)
    grown = cv2.dilate(region.astype(np.uint8), kernel).astype(bool) & ~region
    if not grown.any():
        return 0.0
    inside = np.median(lab[region], axis=0)
    changes = (abs(lab[grown].astype(int) - inside) > _TOLERANCES[-1]).any(axis=1)
    return float(changes.mean())
