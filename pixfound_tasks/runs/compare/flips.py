"""Images and pairs that only one of two runs has correct, and images whose IoU fell."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from pixfound_tasks.analysis.failures import is_grounded
from pixfound_tasks.runs import scores
from pixfound_tasks.runs.compare.values import Value, metric, whole_pairs
from pixfound_tasks.runs.outcomes import image_facts
from pixfound_tasks.runs.run import Record

Both = Sequence[tuple[Record, Record]]


class Flips(NamedTuple):
    """Images by id, or pairs as `1+2`: `lost` are correct in the first run only, `gained` in the second only.

    `compared` is the number of images or pairs that both runs have.
    """

    what: str
    compared: int
    lost: tuple[str, ...]
    gained: tuple[str, ...]


class Regression(NamedTuple):
    """An image whose IoU fell. `first_right` and `second_right` are about its choice question, if that was run."""

    id: str
    expression: str
    question: str
    first_iou: float
    second_iou: float
    first_right: bool | None
    second_right: bool | None
    first_text: str
    second_text: str


def find_flips(both: Both) -> Iterator[Flips]:
    """Yields the flips of each protocol that both runs have: of images and, if the benchmark has pairs, of pairs."""
    runs = [list(records) for records in zip(*both)] or [[], []]
    names = _pair_names(runs[0])
    for (images, pairs), value in _KINDS.items():
        first, second = ({r.document.id: found for r in run if (found := value(r)) is not None} for run in runs)
        if flips := _flips(images, first, second, {id: id for id in first}):
            yield flips
        whole, others = (whole_pairs(run, value) for run in runs)
        if flips := _flips(pairs, whole, others, names):
            yield flips


def find_regressions(both: Both) -> list[Regression]:
    """Returns the images whose IoU fell, the largest fall first. Images without a referring expression have no IoU."""
    found = []
    for first, second in both:
        first_iou, second_iou = _iou(first), _iou(second)
        if first.ground and second.ground and second_iou < first_iou:  # False if either is NaN
            document = first.document
            found.append(
                Regression(
                    document.id,
                    document.expression or "",
                    document.question,
                    first_iou,
                    second_iou,
                    _right(first),
                    _right(second),
                    first.ground.response.text,
                    second.ground.response.text,
                )
            )
    return sorted(found, key=lambda each: each.second_iou - each.first_iou)  # stable: by id on ties


def _grounded(record: Record) -> float | None:
    """Returns 1 if the image is grounded by the `paper` rule, else 0; None without a grounding or an expression."""
    if record.grounding is None or record.document.expression is None:
        return None
    return float(is_grounded(image_facts(record, record.grounding, correct=False), "paper"))


_KINDS: dict[tuple[str, str], Value] = {  # names of image flips and pair flips -> whether an image is correct
    ("answers", "pairs answered"): metric("vqa", "accuracy"),
    ("open answers", "pairs answered openly"): metric("open", "accuracy"),
    ("grounded", "pairs grounded"): _grounded,
}


def _flips(what: str, first: dict[Any, Any], second: dict[Any, Any], names: dict[Any, str]) -> Flips | None:
    shared = [key for key in first if key in second]
    if not shared:
        return None
    lost, gained = (
        tuple(names[key] for key in shared if (first[key] == 1, second[key] == 1) == change)
        for change in ((True, False), (False, True))
    )
    return Flips(what, len(shared), lost, gained)


def _pair_names(records: Iterable[Record]) -> dict[int, str]:
    ids: dict[int, list[str]] = {}
    for record in records:
        if record.document.pair is not None:
            ids.setdefault(record.document.pair, []).append(record.document.id)
    return {pair: "+".join(members) for pair, members in ids.items()}


def _right(record: Record) -> bool | None:
    return scores.is_correct(record) if record.vqa else None


def _iou(record: Record) -> float:
    value = record.ground.metrics.get("miou") if record.ground else None
    return math.nan if value is None else float(value)
