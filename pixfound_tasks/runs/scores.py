"""The scores of a run's records, in 0..1, from what lmms-eval logged of each answer; NaN is "not measured"."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeGuard

from pixfound_tasks import masks
from pixfound_tasks.runs.run import Answer, Record
from pixfound_tasks.scoring import metrics

Protocol = Literal["vqa", "open", "ground", "when"]  # the fields of a record


def answers(records: Iterable[Record], protocol: Protocol) -> list[Answer]:
    """The answers to one protocol, of the records that have one."""
    return [answer for record in records if (answer := getattr(record, protocol))]


def mean(metric: str, answers: Iterable[Answer]) -> float:
    """The mean of a metric over answers; NaN where none has it."""
    return metrics.mean(answer.metrics.get(metric) for answer in answers)


def answering(records: Sequence[Record], protocol: Protocol) -> float:
    """A: pair accuracy, or where images have no pairs accuracy."""
    if any(record.document.pair is not None for record in records):
        return pair_accuracy(records, protocol)
    return accuracy(records, protocol)


def accuracy(records: Iterable[Record], protocol: Protocol) -> float:
    """The share of right answers to one protocol."""
    return mean("accuracy", answers(records, protocol))


def pair_accuracy(records: Iterable[Record], protocol: Protocol) -> float:
    """The share of pairs of which both answers to one protocol are right."""
    parts = (answer.metrics.get("pair_accuracy") for answer in answers(records, protocol))
    return metrics.pair_accuracy(metrics.PairPart(int(part[0]), bool(part[1])) for part in parts if _is_pair(part))


def miou(records: Iterable[Record]) -> float:
    """M: mean IoU over the images with a referring expression."""
    return mean("miou", answers(records, "ground"))


def open_miou(records: Iterable[Record]) -> float:
    """M-dagger: mean IoU of the masks that came with open answers; NaN where none came with any."""
    parts = (answer.metrics.get("miou") for answer in answers(records, "open"))
    return metrics.open_miou(metrics.OpenIou(*part) for part in parts if _is_pair(part))


def iou(record: Record) -> float:
    """IoU of the grounding answer and the truth, of images without a referring expression too."""
    assert record.ground is not None  # callers ask of groundings alone
    return masks.iou(record.ground.response.prediction(record.document.size), record.document.mask)


def is_right(record: Record, protocol: Protocol = "vqa") -> bool:
    """Whether the question was answered rightly, by the rule that the score goes by, or by the judge."""
    return getattr(record, protocol).metrics.get("accuracy") == 1


def _is_pair(part: object) -> TypeGuard[list[Any]]:
    return isinstance(part, list) and len(part) == 2
