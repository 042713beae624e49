"""The values of two runs on the same documents, paired for `analysis.comparison`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pixfound_tasks.analysis.comparison import Paired
from pixfound_tasks.runs.run import Answer, Record
from pixfound_tasks.runs.scores import Protocol, answers
from pixfound_tasks.runs.uncertainty import unit_of

Value = Callable[[Record], float | None]
Runs = tuple[Sequence[Record], Sequence[Record]]


def metric(protocol: Protocol, name: str) -> Value:
    """Returns a function that reads a metric of one protocol's answer; it returns None without an answer."""
    return _of_answer(protocol, lambda answer: answer.metrics.get(name))


def open_iou(record: Record) -> float | None:
    """Returns the IoU of the masks in a record's open answer; None without one."""
    part = record.open.metrics.get("miou") if record.open else None
    return part[0] if isinstance(part, list) and len(part) == 2 else None


def any_open_masks(records: Iterable[Record]) -> bool:
    """Whether any open answer has a mask."""
    parts = (answer.metrics.get("miou") for answer in answers(records, "open"))
    return any(isinstance(part, list) and len(part) == 2 and part[1] for part in parts)


def oracle(record: Record) -> float:
    """Returns the best IoU of any candidate mask, from the `..._when` task or else the `..._ground` task.

    Returns NaN if the image has no referring expression.
    """
    image = record.when_grounding
    return math.nan if image is None or record.document.expression is None else image.oracle.iou


def by_image(runs: Runs, value: Value) -> Paired:
    """Pairs one value per image that either run has, sorted by id. The unit of resampling is the pair, or the image."""
    found = [
        {record.document.id: (value(record), unit_of(record.document.id, record.document.pair)) for record in records}
        for records in runs
    ]
    units = {id: of for values in found for id, (_, of) in values.items()}
    ids = sorted(units)
    first, second = ([_float(values[id][0]) if id in values else math.nan for id in ids] for values in found)
    return Paired(first, second, [units[id] for id in ids])


def by_pair(runs: Runs, protocol: Protocol) -> Paired:
    """Pairs one value per complete pair that either run has: 1 if both answers are correct, otherwise 0.

    If the benchmark has no pairs, there is one value per image.
    """
    if all(record.document.pair is None for records in runs for record in records):
        return by_image(runs, metric(protocol, "accuracy"))
    found = [whole_pairs(records, metric(protocol, "accuracy")) for records in runs]
    pairs = sorted({pair for values in found for pair in values})
    first, second = ([values.get(pair, math.nan) for pair in pairs] for values in found)
    return Paired(first, second, [unit_of("", pair) for pair in pairs])


def whole_pairs(records: Iterable[Record], value: Value) -> dict[int, float]:
    """Returns, for each pair whose images both have a value, 1 if both values are 1, otherwise 0."""
    halves: dict[int, list[float]] = {}
    for record in records:
        if record.document.pair is not None and not math.isnan(found := _float(value(record))):
            halves.setdefault(record.document.pair, []).append(found)
    return {pair: float(all(half == 1 for half in both)) for pair, both in halves.items() if len(both) == 2}


def _of_answer(protocol: Protocol, value: Callable[[Answer], Any]) -> Value:
    def of(record: Record) -> float | None:
        answer = getattr(record, protocol)
        return value(answer) if answer else None

    return of


def _float(value: float | None) -> float:
    return math.nan if value is None else float(value)
