"""The sampling uncertainty of a run's scores: 95 % intervals over pairs, or over images without pairs."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, NamedTuple

from pixfound_tasks.analysis.intervals import Interval, Values, mean_interval, rate_interval, score_interval
from pixfound_tasks.runs import scores
from pixfound_tasks.runs.run import Answer, Record
from pixfound_tasks.runs.scores import Protocol


class Uncertainty(NamedTuple):
    """The 95 % intervals of a run's scores, named as in `summary.Summary`."""

    answering: Interval
    accuracy: Interval
    open_answering: Interval
    open_accuracy: Interval
    grounding: Interval
    open_grounding: Interval
    score: Interval


def uncertainty(records: Sequence[Record]) -> Uncertainty:
    """Computes all intervals. The interval of a score that was not measured is NaN."""
    answered = {name: answered_correctly(records, name) for name in ("vqa", "open")}
    grounding = [ious(records), open_ious(records)]
    return Uncertainty(
        answering=rate_interval(answered["vqa"]),
        accuracy=rate_interval(accuracies(records, "vqa")),
        open_answering=rate_interval(answered["open"]),
        open_accuracy=rate_interval(accuracies(records, "open")),
        grounding=mean_interval(grounding[0]),
        open_grounding=mean_interval(grounding[1]),
        score=score_interval(list(answered.values()), grounding),
    )


def accuracies(records: Iterable[Record], protocol: Protocol) -> Values:
    """Returns 1 for each image whose question was answered correctly, otherwise 0."""
    return _values(records, protocol, lambda answer: answer.metrics.get("accuracy"))


def answered_correctly(records: Sequence[Record], protocol: Protocol) -> Values:
    """Returns 1 for each complete pair whose questions were both answered correctly, otherwise 0.

    If the benchmark has no pairs, there is one value per image.
    """
    values = accuracies(records, protocol)
    if all(record.document.pair is None for record in records):
        return values
    by_pair: dict[Hashable, list[float | None]] = {}
    for value, unit in zip(*values):
        by_pair.setdefault(unit, []).append(value)
    whole = {unit: float(all(both)) for unit, both in by_pair.items() if len(both) == 2}
    return Values(list(whole.values()), list(whole))


def ious(records: Iterable[Record]) -> Values:
    """Returns the IoU of each image; NaN if it has no referring expression."""
    return _values(records, "ground", lambda answer: answer.metrics.get("miou"))


def open_ious(records: Sequence[Record]) -> Values:
    """Returns the IoU of the masks in each open answer; all None if no open answer has a mask."""
    came = any(_open_part(answer)[1] for answer in scores.answers(records, "open"))
    return _values(records, "open", lambda answer: _open_part(answer)[0] if came else None)


def unit_of(id: str, pair: int | None) -> Hashable:
    """Returns the unit of resampling: the image's pair, or its id if it has no pair."""
    return id if pair is None else ("pair", pair)


def _values(records: Iterable[Record], protocol: Protocol, value: Callable[[Answer], Any]) -> Values:
    answers = [
        (answer, unit_of(record.document.id, record.document.pair))
        for record in records
        if (answer := getattr(record, protocol))
    ]
    return Values([value(answer) for answer, _ in answers], [unit for _, unit in answers])


def _open_part(answer: Answer) -> tuple[float | None, bool]:
    part = answer.metrics.get("miou")
    return (part[0], bool(part[1])) if isinstance(part, list) and len(part) == 2 else (None, False)
