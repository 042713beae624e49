"""Scores as pure functions of masks and answers (PixFoundation, arXiv 2502.04192)."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pixfound_tasks import masks
from pixfound_tasks.masks import Overlap, Rle
from pixfound_tasks.response import PromptedMasks, Response, all_candidates

HIT_IOU = 0.5  # an IoU above this counts as finding the object


class PairPart(NamedTuple):
    """One image of a pair: the pair's id, and whether the image's question was answered correctly; NaN if unknown."""

    pair: int
    correct: bool | float


class OpenIou(NamedTuple):
    """IoU of an open answer's masks, None without an expression. `came` says whether it came with any masks."""

    iou: float | None
    came: bool


class Oracle(NamedTuple):
    """The best of many masks by the ground truth: its IoU in 0..1, and the indices of its probe and candidate.

    The indices are None if the object is absent, because the empty mask is then the best.
    """

    iou: float
    probe: int | None = None
    candidate: int | None = None


def mean(values: Iterable[float | None]) -> float:
    """The mean of the values that are not None; NaN if there are none."""
    defined = [value for value in values if value is not None]
    return math.fsum(defined) / len(defined) if defined else math.nan


def median(values: Iterable[float | None]) -> float:
    """The median of the values that are not None; NaN if there are none, or one is NaN."""
    defined = [value for value in values if value is not None]
    if not defined or any(math.isnan(value) for value in defined):
        return math.nan
    return statistics.median(defined)


def pair_accuracy(parts: Iterable[PairPart]) -> float:
    """Fraction in 0..1 of pairs whose images were all answered correctly.

    Pairs with only one image (a run with a limit) are left out. NaN if there is no complete pair, or an answer is
    missing.
    """
    answered: dict[int, list[float]] = {}
    for part in parts:
        answered.setdefault(part.pair, []).append(float(part.correct))
    # The product of 0 and 1 is 1 if both are correct, and NaN if one of them is.
    return mean(math.prod(correct) for correct in answered.values() if len(correct) == 2)


def open_miou(ious: Iterable[OpenIou]) -> float:
    """M-dagger in 0..1: an answer without masks counts as an empty mask; NaN if all came without."""
    ious = list(ious)
    return mean(iou.iou for iou in ious) if any(iou.came for iou in ious) else math.nan


def cumulative_iou(overlaps: Iterable[Overlap | None]) -> float:
    """Pooled intersection over pooled union, in 0..1; 1 if all masks are empty, NaN if there is no image."""
    defined = [overlap for overlap in overlaps if overlap is not None]
    if not defined:
        return math.nan
    intersection, union = (sum(numbers) for numbers in zip(*defined))
    return intersection / union if union else 1.0


def harmonic_mean(values: Sequence[float]) -> float:
    """The harmonic mean of scores in 0..1: 0 if one is 0; NaN if one is NaN or there are none."""
    if not values or any(math.isnan(value) for value in values):
        return math.nan
    return len(values) / sum(1 / value for value in values) if min(values) > 0 else 0.0


def score(answering: Iterable[float], grounding: Iterable[float]) -> float:
    """S: the harmonic mean of the best A and the best M, each in 0..1 over the protocols that were run.

    NaN stands for a protocol that was not run. S is NaN if no A or no M is left.
    """
    ran = [[value for value in values if not math.isnan(value)] for values in (answering, grounding)]
    return harmonic_mean([max(values, default=math.nan) for values in ran])


def oracle(prompts_with_masks: Sequence[PromptedMasks], target: Rle) -> Oracle:
    """The candidate with the highest IoU, the later one on ties; the empty mask if the object is absent.

    More candidates alone raise an oracle, so compare it with the random-point baseline, which has as many points.
    """
    if masks.area(target) == 0:
        return Oracle(1.0)
    candidates = all_candidates(prompts_with_masks)
    best = Oracle(0.0)
    for found, (probe, index, _) in zip(masks.ious([c.mask for *_, c in candidates], target), candidates):
        if found >= best.iou:
            best = Oracle(found, probe, index)
    return best


def response_oracle(response: Response, target: Rle) -> Oracle:
    """The oracle over a response's phrases.

    If the response has no candidates, its prediction is its oracle.
    """
    if all_candidates(response.phrases):
        return oracle(response.phrases, target)
    return Oracle(masks.iou(response.prediction(tuple(target["size"])), target))
