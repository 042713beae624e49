"""Scores of a run's records, in 0..1, from the metrics that lmms-eval logged per answer. NaN is "not measured"."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeGuard

from pixfound_tasks.analysis import metrics
from pixfound_tasks.runs.run import Answer, Record

Protocol = Literal["vqa", "open", "ground", "when"]  # the fields of a record


def answers(records: Iterable[Record], protocol: Protocol) -> list[Answer]:
    """Returns the answers of one protocol, from the records that have one."""
    return [answer for record in records if (answer := getattr(record, protocol))]


def mean(metric: str, answers: Iterable[Answer]) -> float:
    """Returns the mean of a metric over answers; NaN if no answer has it."""
    return metrics.mean(answer.metrics.get(metric) for answer in answers)


def answering(records: Sequence[Record], protocol: Protocol) -> float:
    """A: pair accuracy, or plain accuracy if the images have no pairs."""
    if any(record.document.pair is not None for record in records):
        return pair_accuracy(records, protocol)
    return accuracy(records, protocol)


def accuracy(records: Iterable[Record], protocol: Protocol) -> float:
    """The fraction of correct answers of one protocol."""
    return mean("accuracy", answers(records, protocol))


def pair_accuracy(records: Iterable[Record], protocol: Protocol) -> float:
    """The fraction of pairs whose answers are both correct, for one protocol."""
    parts = (answer.metrics.get("pair_accuracy") for answer in answers(records, protocol))
    return metrics.pair_accuracy(metrics.PairPart(int(part[0]), _flag(part[1])) for part in parts if _is_pair(part))


def miou(records: Iterable[Record]) -> float:
    """M: mean IoU over the images with a referring expression."""
    return mean("miou", answers(records, "ground"))


def open_miou(records: Iterable[Record]) -> float:
    """M-dagger: mean IoU of the masks in open answers; NaN if no open answer has a mask."""
    parts = (answer.metrics.get("miou") for answer in answers(records, "open"))
    return metrics.open_miou(metrics.OpenIou(*part) for part in parts if _is_pair(part))


def iou(record: Record) -> float:
    """IoU of the predicted mask with the ground truth, also for images without a referring expression."""
    assert record.grounding is not None  # callers pass only records with a grounding
    return record.grounding.iou


def is_correct(record: Record, protocol: Protocol = "vqa") -> bool:
    """Whether the answer is correct, by the rule that the score uses or by the judge."""
    return getattr(record, protocol).metrics.get("accuracy") == 1


def _flag(correct: Any) -> bool | float:
    """Whether an answer is correct, from untrusted JSON; NaN if it is missing."""
    return math.nan if correct != correct else bool(correct)


def _is_pair(part: object) -> TypeGuard[list[Any]]:
    return isinstance(part, list) and len(part) == 2
