"""How far a run's scores may be off by the choice of documents: 95 % intervals over pairs, or over images."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, NamedTuple

from pixfound_tasks.analysis.intervals import (
    Interval,
    Values,
    difference_interval,
    mean_interval,
    score_interval,
    share_interval,
)
from pixfound_tasks.report import scores
from pixfound_tasks.report.run import Answer, Record
from pixfound_tasks.scoring.best_phrase import EmergenceRecord


class Uncertainty(NamedTuple):
    """The intervals of a run's scores; the names are those of `summary.Summary`, `gain` is oracle minus chance."""

    answering: Interval
    accuracy: Interval
    open_answering: Interval
    open_accuracy: Interval
    grounding: Interval
    open_grounding: Interval
    score: Interval
    gain: Interval


def uncertainty(records: Sequence[Record], emergence: Iterable[EmergenceRecord]) -> Uncertainty:
    """The intervals of all that was measured; an interval is NaN where its score is."""
    answered = {name: _answered(records, name) for name in ("vqa", "open")}
    accuracy = {name: _values(records, name, _accuracy) for name in ("vqa", "open")}
    grounding = _values(records, "ground", lambda answer: answer.metrics.get("miou"))
    came = any(_open_part(answer)[1] for answer in scores.answers(records, "open"))
    open_grounding = _values(records, "open", lambda answer: _open_part(answer)[0] if came else None)
    unit_of = {record.document.id: _unit(record) for record in records}
    found = [record for record in emergence if record.chance_iou is not None]
    units = [unit_of[record.image] for record in found]
    chance, oracle = (Values([getattr(r, name) for r in found], units) for name in ("chance_iou", "oracle_iou"))
    return Uncertainty(
        answering=_share(answered["vqa"]),
        accuracy=mean_interval(accuracy["vqa"]),
        open_answering=_share(answered["open"]),
        open_accuracy=mean_interval(accuracy["open"]),
        grounding=mean_interval(grounding),
        open_grounding=mean_interval(open_grounding),
        score=score_interval(list(answered.values()), [grounding, open_grounding]),
        gain=difference_interval(chance, oracle),
    )


def _values(records: Iterable[Record], protocol: str, value: Callable[[Answer], Any]) -> Values:
    answers = [(getattr(record, protocol), _unit(record)) for record in records if getattr(record, protocol)]
    return Values([value(answer) for answer, _ in answers], [unit for _, unit in answers])


def _unit(record: Record) -> Hashable:
    """What is drawn: the pair an image is of, or the image."""
    return record.document.id if record.document.pair is None else ("pair", record.document.pair)


def _accuracy(answer: Answer) -> float | None:
    return answer.metrics.get("accuracy")


def _open_part(answer: Answer) -> tuple[float | None, bool]:
    part = answer.metrics.get("miou")
    return (part[0], bool(part[1])) if isinstance(part, list) and len(part) == 2 else (None, False)


def _answered(records: Sequence[Record], protocol: str) -> Values:
    """0 or 1 for each whole pair, whether both images' questions were answered rightly; without pairs, an image."""
    values = _values(records, protocol, _accuracy)
    if all(record.document.pair is None for record in records):
        return values
    by_pair: dict[Hashable, list[float | None]] = {}
    for value, unit in zip(*values):
        by_pair.setdefault(unit, []).append(value)
    whole = {unit: float(all(both)) for unit, both in by_pair.items() if len(both) == 2}
    return Values(list(whole.values()), list(whole))


def _share(values: Values) -> Interval:
    """Of things counted one by one; NaN for none."""
    known = [value for value in values.values if value is not None and not math.isnan(value)]
    return share_interval(int(sum(known)), len(known))
