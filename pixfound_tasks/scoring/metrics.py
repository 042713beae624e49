"""Scores as pure functions of masks and answers (PixFoundation, arXiv 2502.04192)."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pixfound_tasks import masks
from pixfound_tasks.masks import Overlap, Rle
from pixfound_tasks.response import Probe, Response, all_candidates

HIT_IOU = 0.5  # an IoU above it finds the object


class PairPart(NamedTuple):
    """One image's half of a pair: the pair's id, and whether the image's question was answered rightly."""

    pair: int
    right: bool


class OpenIou(NamedTuple):
    """IoU of an open answer's masks, None where there is no expression; `came`: whether it brought any masks."""

    iou: float | None
    came: bool


class Oracle(NamedTuple):
    """The best of many masks by the truth: its IoU in 0..1, and the indices of its probe and candidate.

    No index where the empty mask is the best, because the object is absent.
    """

    iou: float
    probe: int | None = None
    candidate: int | None = None


def mean(values: Iterable[float | None]) -> float:
    """The mean of the values that are defined; NaN where none is."""
    defined = [value for value in values if value is not None]
    return math.fsum(defined) / len(defined) if defined else math.nan


def median(values: Iterable[float | None]) -> float:
    """The median of the values that are defined; NaN where none is, or one is NaN."""
    defined = [value for value in values if value is not None]
    if not defined or any(math.isnan(value) for value in defined):
        return math.nan
    return statistics.median(defined)


def pair_accuracy(parts: Iterable[PairPart]) -> float:
    """Share of pairs in 0..1 of which every image was answered rightly; NaN where there is no whole pair.

    Pairs of which one image is missing (a run with a limit) are left out.
    """
    answered: dict[int, list[bool]] = {}
    for part in parts:
        answered.setdefault(part.pair, []).append(part.right)
    return mean(float(all(right)) for right in answered.values() if len(right) == 2)


def open_miou(ious: Iterable[OpenIou]) -> float:
    """M-dagger in 0..1: an answer that came without masks counts as one of no mask; NaN where all came without."""
    ious = list(ious)
    return mean(iou.iou for iou in ious) if any(iou.came for iou in ious) else math.nan


def cumulative_iou(overlaps: Iterable[Overlap | None]) -> float:
    """All pixels in both masks over all pixels in any, in 0..1; 1 where no mask has a pixel, NaN for no image."""
    defined = [overlap for overlap in overlaps if overlap is not None]
    if not defined:
        return math.nan
    intersection, union = (sum(numbers) for numbers in zip(*defined))
    return intersection / union if union else 1.0


def harmonic_mean(values: Sequence[float]) -> float:
    """The harmonic mean of scores in 0..1: 0 where one is 0, NaN where one is NaN or there is none."""
    if not values or any(math.isnan(value) for value in values):
        return math.nan
    return len(values) / sum(1 / value for value in values) if min(values) > 0 else 0.0


def score(answering: Iterable[float], grounding: Iterable[float]) -> float:
    """S: the harmonic mean of the best A and the best M, each in 0..1 over the protocols that were run.

    NaN stands for a protocol that was not run; S is NaN where no A, or no M, is left.
    """
    ran = [[value for value in values if not math.isnan(value)] for values in (answering, grounding)]
    return harmonic_mean([max(values, default=math.nan) for values in ran])


def oracle(probes: Sequence[Probe], truth: Rle) -> Oracle:
    """The candidate with the highest IoU, the later one on ties; the empty mask where the object is absent.

    An oracle rises with the number of candidates alone: compare it with that of as many random points.
    """
    if masks.area(truth) == 0:
        return Oracle(1.0)
    candidates = all_candidates(probes)
    best = Oracle(0.0)
    for found, (probe, index, _) in zip(masks.ious([c.mask for *_, c in candidates], truth), candidates):
        if found >= best.iou:
            best = Oracle(found, probe, index)
    return best


def response_oracle(response: Response, truth: Rle) -> Oracle:
    """The oracle over a response's phrases; a response without candidates has its prediction as its oracle."""
    if all_candidates(response.phrases):
        return oracle(response.phrases, truth)
    return Oracle(masks.iou(response.prediction(tuple(truth["size"])), truth))
