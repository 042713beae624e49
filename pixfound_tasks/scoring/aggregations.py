"""How the scores of documents become metrics, and metrics a group's S; the task YAMLs name these functions.

lmms-eval's own mean crashes on None. What has nothing to average is NaN, and the log says why, once a metric.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from loguru import logger

from pixfound_tasks.masks import Overlap
from pixfound_tasks.scoring import metrics
from pixfound_tasks.scoring.metrics import OpenIou, PairPart

_UNSEGMENTED = ", or a box or point had no segmenter, which is logged above"


class OpenPart(NamedTuple):
    """What one open answer adds to its task's score: the answer's part (a pair's half, or 0 or 1), and its IoU."""

    answer: PairPart | float
    iou: OpenIou


class OpenScore(float):
    """A-dagger in 0..1, which carries M-dagger (`miou`, NaN where no masks came) to the group's S."""

    miou: float = math.nan


def mean(values: Iterable[float | None]) -> float:
    """The mean; None stands for no value."""
    return _explained(metrics.mean(values), f"no document has a value{_UNSEGMENTED}")


def median(values: Iterable[float | None]) -> float:
    """The median; None stands for no value."""
    return _explained(metrics.median(values), f"no document has a value{_UNSEGMENTED}")


def mean_of_absent(values: Iterable[float | None]) -> float:
    """The mean over documents whose object is absent."""
    return _explained(metrics.mean(values), f"no document has an absent object{_UNSEGMENTED}")


def pair_accuracy(parts: Iterable[Sequence[Any]]) -> float:
    """The share of pairs, out of (pair, is right) of every image, of which both images are right."""
    return _explained(metrics.pair_accuracy(PairPart(*part) for part in parts), "no pair has both of its images")


def cumulative_iou(overlaps: Iterable[Sequence[Any] | None]) -> float:
    """IoU of all documents' pixels pooled, out of (intersection, union) of each."""
    pooled = metrics.cumulative_iou(None if overlap is None else Overlap(*overlap) for overlap in overlaps)
    return _explained(pooled, f"no document has an expression{_UNSEGMENTED}")


def open_miou(ious: Iterable[Sequence[Any]]) -> float:
    """M-dagger: mean IoU of the open answers' masks; an answer without masks has none, unless no answer has any."""
    return _explained(metrics.open_miou(OpenIou(*iou) for iou in ious), "no open answer brought masks")


def open_score(parts: Iterable[Sequence[Any]]) -> OpenScore:
    """A-dagger: pair accuracy, or where images have no pairs accuracy; M-dagger travels with it."""
    scored = [OpenPart(*part) for part in parts]
    halves = [part.answer for part in scored if not isinstance(part.answer, float)]
    singles = [part.answer for part in scored if isinstance(part.answer, float)]
    score = OpenScore(pair_accuracy(halves) if halves else mean(singles))
    score.miou = metrics.open_miou(OpenIou(*part.iou) for part in scored)
    return score


def harmonic_mean(values: Sequence[float], sizes: Sequence[int], weight_by_size: bool) -> float:
    """A group's score S, from the score of question answering and that of grounding."""
    if len(values) != 2:
        logger.warning(f"S is NaN: expected the scores of question answering and grounding, but got {len(values)}")
        return math.nan
    return metrics.harmonic_mean(values)


def score_of_maxima(values: Sequence[float], sizes: Sequence[int], weight_by_size: bool) -> float:
    """A group's score S over all three protocols: of max(A, A-dagger) and max(M, M-dagger)."""
    opens = [value for value in values if isinstance(value, OpenScore)]
    others = [value for value in values if not isinstance(value, OpenScore)]
    if len(opens) != 1 or len(others) != 2:
        logger.warning(f"S is NaN: expected the scores of choice, open answers and grounding, but got {len(values)}")
        return math.nan
    answering, grounding = others
    return metrics.score((answering, opens[0]), (grounding, opens[0].miou))


def _explained(value: float, reason: str) -> float:
    if math.isnan(value):
        logger.warning(f"a metric is NaN: {reason}")
    return value
