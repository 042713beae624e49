"""Segments the foreground of a box without weights, by GrabCut (Rother et al. 2004).

GrabCut takes all pixels outside the box for background.
"""

from __future__ import annotations

import cv2
import numpy as np

from pixfound_tasks import masks
from pixfound_tasks.response import Box

_LONGEST_SIDE = 256  # pixels, of the image given to GrabCut, which needs more than a second for a million pixels
_ITERATIONS = 3
_SURROUNDINGS = 0.5  # margin around the box, as a fraction of its longer side; the box is compared with its colors
_LEAST_SURROUNDINGS = 4  # pixels
_EDGE = 40  # color difference between neighboring pixels, per channel of CIE Lab in 0..255, that counts as an edge


def foreground(lab: np.ndarray, box: Box) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return three nested regions, each bool (height, width): the largest foreground part, all parts, and the box.

    The foreground parts differ in color from the surroundings of the box. All three regions are the box if nothing
    differs or if nothing surrounds the box.

    Args:
        lab: image in CIE Lab, uint8 (height, width, 3).
        box: corners `(x_min, y_min, x_max, y_max)` in fractions of width and height. A smaller box is extended to one
            pixel.
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
    """Return the rows and columns that a box covers: inside the image, and at least one of each."""
    spans = []
    for low, high, side in zip(box[1::-1], box[:1:-1], size):
        first = min(max(round(low * side), 0), side - 1)
        spans.append(slice(first, min(max(round(high * side), first + 1), side)))
    return spans[0], spans[1]


def _grab_cut(lab: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return the pixels inside that GrabCut takes for foreground, bool (height, width).

    There are none if, after shrinking the image, all pixels or no pixels are inside.
    """
    scale = min(_LONGEST_SIDE / max(inside.shape), 1)
    size = tuple(max(round(side * scale), 1) for side in inside.shape)
    small, within = cv2.resize(lab, size[::-1], interpolation=cv2.INTER_AREA), masks.resize(inside, size)
    if within.all() or not within.any():
        return np.zeros_like(inside)
    labels = np.where(within, cv2.GC_PR_FGD, cv2.GC_BGD).astype(np.uint8)
    cv2.setRNGSeed(0)  # GrabCut starts from random clusters
    cv2.grabCut(small, labels, None, np.zeros((1, 65)), np.zeros((1, 65)), _ITERATIONS, cv2.GC_INIT_WITH_MASK)
    return masks.resize(labels == cv2.GC_PR_FGD, inside.shape)


def sharpness(lab: np.ndarray, region: np.ndarray) -> float:
    """Return the fraction, in 0..1, of a region's outline that lies within two pixels of an edge.

    Returns 0 if the region has no outline within the image.
    """
    outline = region & ~cv2.erode(region.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    if not outline.any():
        return 0.0
    changes = cv2.morphologyEx(lab, cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8)).max(axis=2)
    return float((changes[outline] > _EDGE).mean())


def filled(region: np.ndarray) -> np.ndarray:
    """Fill the holes of a region, uint8 (height, width) of 0 and 1. Returns bool (height, width)."""
    outlines, _ = cv2.findContours(region, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros_like(region), outlines, -1, 1, cv2.FILLED).astype(bool)
