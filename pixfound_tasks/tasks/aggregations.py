"""Aggregations named by the task YAMLs: document scores become metrics, and metrics become a group's score S.

lmms-eval's own mean crashes on None. Here a metric that has nothing to average is NaN, and the log gives the reason
once per metric.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from loguru import logger

from pixfound_tasks.analysis import metrics
from pixfound_tasks.analysis.faults import shares, warnings
from pixfound_tasks.analysis.metrics import OpenIou, PairPart
from pixfound_tasks.masks import Overlap

_UNSEGMENTED = ", a request failed, or the segmenter was missing for a box or point, as logged above"


class OpenPart(NamedTuple):
    """What one open answer adds to its task's score: its correctness (half a pair, or 0 or 1), and its IoU."""

    answer: PairPart | float
    iou: OpenIou


class OpenScore(float):
    """A-dagger in 0..1. `miou` carries M-dagger along to the group's S; it is NaN if no answer came with masks."""

    miou: float = math.nan


def mean(values: Iterable[float | None]) -> float:
    """The mean; None means the document has no value. NaN if no document has one."""
    return _explained(metrics.mean(values), f"no document has a value{_UNSEGMENTED}")


def source_mean(values: Iterable[Sequence[Any]]) -> float:
    """The mean over the sources of each source's mean, from one (source, value) per document; see `mean`."""
    by_source: dict[str, list[float | None]] = {}
    for source, value in values:
        by_source.setdefault(source, []).append(value)
    means = [mean(found) for found in by_source.values() if any(value is not None for value in found)]
    return _explained(metrics.mean(means), f"no document has a value{_UNSEGMENTED}")


def flag_rate(flags: Iterable[float]) -> float:
    """The fraction of flagged answers. Warns of every fault that many of the answers have, see `analysis.faults`."""
    flags = list(flags)
    for warning in warnings(shares(getattr(flag, "faults", ()) for flag in flags)):
        logger.warning(warning)
    return _explained(metrics.mean(flags), "some answers are missing")


def median(values: Iterable[float | None]) -> float:
    """The median; None means the document has no value. NaN if no document has one."""
    return _explained(metrics.median(values), f"no document has a value{_UNSEGMENTED}")


def mean_of_absent(values: Iterable[float | None]) -> float:
    """The mean over documents whose object is absent; NaN if there are none."""
    return _explained(metrics.mean(values), f"no document has an absent object{_UNSEGMENTED}")


def pair_accuracy(parts: Iterable[Sequence[Any]]) -> float:
    """The fraction of pairs with both images correct, from one (pair, is correct) per image."""
    return _explained(
        metrics.pair_accuracy(PairPart(*part) for part in parts),
        "no pair has answers for both of its images, or a request failed",
    )


def cumulative_iou(overlaps: Iterable[Sequence[Any] | None]) -> float:
    """IoU over the pooled pixels of all documents, from one (intersection, union) per document."""
    pooled = metrics.cumulative_iou(None if overlap is None else Overlap(*overlap) for overlap in overlaps)
    return _explained(pooled, f"no document has an expression{_UNSEGMENTED}")


def open_miou(ious: Iterable[Sequence[Any]]) -> float:
    """M-dagger: mean IoU of the open answers' masks.

    An answer without masks counts as an empty mask. If no answer has masks, the result is NaN.
    """
    return _explained(metrics.open_miou(OpenIou(*iou) for iou in ious), "no open answer came with masks")


def open_score(parts: Iterable[Sequence[Any]]) -> OpenScore:
    """A-dagger: pair accuracy, or accuracy if the images have no pairs. M-dagger travels with it."""
    scored = [OpenPart(*part) for part in parts]
    halves = [part.answer for part in scored if not isinstance(part.answer, float)]
    singles = [part.answer for part in scored if isinstance(part.answer, float)]
    score = OpenScore(pair_accuracy(halves) if halves else mean(singles))
    score.miou = metrics.open_miou(OpenIou(*part.iou) for part in scored)
    return score


def harmonic_mean(values: Sequence[float], sizes: Sequence[int], weight_by_size: bool) -> float:
    """A group's score S, from the scores of question answering and grounding."""
    if len(values) != 2:
        logger.warning(f"S is NaN: expected the scores of question answering and grounding, but got {len(values)}")
        return math.nan
    return metrics.harmonic_mean(values)


def score_of_maxima(values: Sequence[float], sizes: Sequence[int], weight_by_size: bool) -> float:
    """A group's score S over all three protocols: the harmonic mean of max(A, A-dagger) and max(M, M-dagger)."""
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
