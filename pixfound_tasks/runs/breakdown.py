"""Scores of a run, broken down by visual pattern, by image source and by question task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pixfound_tasks.analysis.failures import OUTCOMES, Outcomes
from pixfound_tasks.analysis.intervals import Interval, mean_interval, rate_interval
from pixfound_tasks.runs import scores
from pixfound_tasks.runs.outcomes import KINDS, ByRule
from pixfound_tasks.runs.run import Record
from pixfound_tasks.runs.uncertainty import accuracies, ious

_NO_UNITS = Outcomes(dict.fromkeys(OUTCOMES, ()))


@dataclass(frozen=True)
class BreakdownRow:
    """The scores of the images of one pattern, source or task, in 0..1; NaN means "not measured".

    `intervals` has the 95 % intervals of `accuracy`, `open_accuracy` and `miou`. `outcomes` is keyed by the kind of
    question ("choice", "open") and then by the rule ("paper", "strict").
    """

    kind: str
    name: str
    images: int
    accuracy: float
    pair_accuracy: float
    open_accuracy: float
    miou: float
    intervals: Mapping[str, Interval]
    outcomes: Mapping[str, Mapping[str, Outcomes]]


def break_down(records: Sequence[Record], found: Mapping[str, ByRule]) -> tuple[BreakdownRow, ...]:
    """Returns one row per pattern, source and task of the benchmark, sorted by kind and then by name."""
    rows = []
    for kind in KINDS:
        by_name: dict[str, list[Record]] = {}
        for record in records:
            by_name.setdefault(getattr(record.document, kind), []).append(record)
        if any(by_name):
            rows += [_row(kind, name, members, found) for name, members in sorted(by_name.items())]
    return tuple(rows)


def _row(kind: str, name: str, members: Sequence[Record], found: Mapping[str, ByRule]) -> BreakdownRow:
    return BreakdownRow(
        kind,
        name,
        images=len(members),
        accuracy=scores.accuracy(members, "vqa"),
        pair_accuracy=scores.pair_accuracy(members, "vqa"),
        open_accuracy=scores.accuracy(members, "open"),
        miou=scores.miou(members),
        intervals={
            "accuracy": rate_interval(accuracies(members, "vqa")),
            "open_accuracy": rate_interval(accuracies(members, "open")),
            "miou": mean_interval(ious(members)),
        },
        outcomes={
            asked: {rule: each.by.get(kind, {}).get(name, _NO_UNITS) for rule, each in by_rule.items()}
            for asked, by_rule in found.items()
        },
    )
