"""What stands out in a box, without weights: GrabCut (Rother et al. 2004), told that all outside the box is ground."""

from __future__ import annotations

import cv2
import numpy as np

from pixfound_tasks import masks
from pixfound_tasks.response import Box

_LONGEST_SIDE = 256  # pixels that GrabCut works on: it takes a second and more for a million of them
_ITERATIONS = 3
_SURROUNDINGS = 0.5  # of the box's longer side, on every side: the ground that its colours are compared with
_LEAST_SURROUNDINGS = 4  # pixels
_EDGE = 40  # difference between neighbours' colours, per channel of CIE Lab in 0..255, that makes an edge


def standing_out(lab: np.ndarray, box: Box) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three regions within a box, each inside the next, bool (height, width): the largest part that differs in colour
    from what surrounds the box, all such parts, and the box.

    All three are the box where nothing differs or nothing surrounds it.

    Args:
        lab: image in CIE Lab, uint8 (height, width, 3).
        box: fractions of width and height; it is taken to hold at least one pixel.
    """
    rows, columns = _pixels(box, lab.shape[:2])
    whole = np.zeros(lab.shape[:2], bool)
    whole[rows, columns] = True
    margin = max(round(max(rows.stop - rows.start, columns.stop - columns.start) * _SURROUNDINGS), _LEAST_SURROUNDINGS)
    around = tuple(slice(max(side.start - margin, 0), side.stop + margin) for side in (rows, columns))
    parts = np.zeros_like(whole)
    parts[around] = _grab_cut(lab[around], whole[around]) & whole[around]
    if not parts.any():
        return whole, whole, whole
    _, labels, stats, _ = cv2.connectedComponentsWithStats(parts.astype(np.uint8), connectivity=4)
    largest = labels == 1 + stats[1:, cv2.CC_STAT_AREA].argmax()
    return filled(largest.astype(np.uint8)), filled(parts.astype(np.uint8)), whole


def _pixels(box: Box, size: masks.Size) -> tuple[slice, slice]:
    """Rows and columns that a box covers, at least one of each, inside the image."""
    spans = []
    for low, high, side in zip(box[1::-1], box[:1:-1], size):
        first = min(max(round(low * side), 0), side - 1)
        spans.append(slice(first, min(max(round(high * side), first + 1), side)))
    return spans[0], spans[1]


def _grab_cut(lab: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Pixels inside that GrabCut tells from those outside, bool (height, width); none of them where all are inside."""
    scale = min(_LONGEST_SIDE / max(inside.shape), 1)
    size = tuple(max(round(side * scale), 1) for side in inside.shape)
    small, within = cv2.resize(lab, size[::-1], interpolation=cv2.INTER_AREA), masks.resize(inside, size)
    if within.all() or not within.any():
        return np.zeros_like(inside)
    labels = np.where(within, cv2.GC_PR_FGD, cv2.GC_BGD).astype(np.uint8)
    cv2.setRNGSeed(0)  # it starts from random clusters
    cv2.grabCut(small, labels, None, np.zeros((1, 65)), np.zeros((1, 65)), _ITERATIONS, cv2.GC_INIT_WITH_MASK)
    return masks.resize(labels == cv2.GC_PR_FGD, inside.shape)


def sharpness(lab: np.ndarray, region: np.ndarray) -> float:
    """Share in 0..1 of a region's outline that lies within two pixels of an edge; 0 where it has no outline within the
    image."""
    outline = region & ~cv2.erode(region.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    if not outline.any():
        return 0.0
    changes = cv2.morphologyEx(lab, cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8)).max(axis=2)
    return float((changes[outline] > _EDGE).mean())


def filled(region: np.ndarray) -> np.ndarray:
    """A region, uint8 (height, width) of 0 and 1, with its holes filled, bool (height, width)."""
    outlines, _ = cv2.findContours(region, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros_like(region), outlines, -1, 1, cv2.FILLED).astype(bool)
