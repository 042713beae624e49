"""A benchmark's scores by visual pattern, by the source of its images and by the task of its questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pixfound_tasks.analysis import failures
from pixfound_tasks.analysis.failures import Failures
from pixfound_tasks.report import scores
from pixfound_tasks.report.run import Record

KINDS = ("pattern", "source", "task")  # fields of a document; "" in all documents where a benchmark has no such thing


@dataclass(frozen=True)
class BreakdownRow:
    """The scores of the images of one pattern, source or task, in 0..1, NaN where not measured.

    `outcomes` counts pairs by the `paper` rule; None where there are no failures to count, or `kind` is no pattern.
    """

    kind: str
    name: str
    images: int
    accuracy: float
    pair_accuracy: float
    open_accuracy: float
    miou: float
    outcomes: dict[str, int] | None


def break_down(records: Sequence[Record], found: dict[str, Failures] | None) -> tuple[BreakdownRow, ...]:
    """A row for each name of each kind that the benchmark has, in order of kinds and names."""
    rows = []
    for kind in KINDS:
        by_name: dict[str, list[Record]] = {}
        for record in records:
            by_name.setdefault(getattr(record.document, kind), []).append(record)
        if any(by_name):
            rows += [_row(kind, name, members, found) for name, members in sorted(by_name.items())]
    return tuple(rows)


def _row(kind: str, name: str, members: Sequence[Record], found: dict[str, Failures] | None) -> BreakdownRow:
    nothing = dict.fromkeys(failures.OUTCOMES, 0)
    return BreakdownRow(
        kind,
        name,
        images=len(members),
        accuracy=scores.accuracy(members, "vqa"),
        pair_accuracy=scores.pair_accuracy(members, "vqa"),
        open_accuracy=scores.accuracy(members, "open"),
        miou=scores.miou(members),
        outcomes=found["paper"].by_pattern.get(name, nothing) if found and kind == "pattern" else None,
    )
