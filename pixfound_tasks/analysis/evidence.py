"""Does the answer rest on the evidence? Rates of changed answers, by visual pattern, and crossed with grounding.

What is drawn for an interval is a pair with both its images, or where images have no pairs an image, see `intervals`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pixfound_tasks.analysis.intervals import (
    Interval,
    Values,
    difference_interval,
    rate_interval,
)
from pixfound_tasks.scoring.evidence import Flips, flips
from pixfound_tasks.scoring.metrics import HIT_IOU


class EvidenceFacts(NamedTuple):
    """What the analysis needs of one document that was asked all three times."""

    id: str
    pair: int | None
    pattern: str  # "" where there are none
    flips: Flips

    @property
    def unit(self) -> tuple[str, int | str]:
        return ("image", self.id) if self.pair is None else ("pair", self.pair)


class Rates(NamedTuple):
    """How many of `documents` changed their answer with the true region, and with the control region painted out.

    `evidence` and `control` are shares in 0..1, `difference` is the first minus the second, document by document.
    """

    documents: int
    evidence_count: int
    control_count: int
    evidence: Interval
    control: Interval
    difference: Interval


class Evidence(NamedTuple):
    """The rates of one run, over all documents and by visual pattern; a document without a pattern is in none of these.

    `incomplete` counts documents that were not asked all three times, as under a limit. `left_out` are the documents of
    the whole benchmark that are never asked, by reason: `without_region`, `without_control`.
    """

    overall: Rates
    by_pattern: dict[str, Rates]
    incomplete: int
    left_out: dict[str, int]


class Crossed(NamedTuple):
    """The rates of documents that are grounded (IoU above 0.5), and of those that are not.

    `gain` is the mean difference of the grounded ones minus that of the others: above 0 a model depends more on a
    region that it also grounds. `unmeasured` counts documents that have no IoU, and are in neither.
    """

    grounded: Rates
    ungrounded: Rates
    gain: Interval
    unmeasured: int


def facts(samples: Iterable[Mapping[str, Any]]) -> list[EvidenceFacts]:
    """The documents that were asked all three times, in the order of their first samples as an evidence task logs them.

    A sample has its `scoring.evidence.Asking` under `score`, and its document under `pixfound`.
    """
    samples = list(samples)
    documents = {sample["pixfound"]["id"]: sample["pixfound"] for sample in samples}
    found = flips(sample["score"] for sample in samples)
    return [EvidenceFacts(id, documents[id]["pair"], documents[id]["pattern"], flip) for id, flip in found.items()]


def analyse(samples: Iterable[Mapping[str, Any]]) -> Evidence:
    """The rates of one run's samples, as for `facts`."""
    samples = list(samples)
    found = facts(samples)
    patterns = sorted({fact.pattern for fact in found} - {""})
    left_out = next((dict(sample["pixfound"]["left_out"]) for sample in samples), {})
    return Evidence(
        overall=rates(found),
        by_pattern={pattern: rates([fact for fact in found if fact.pattern == pattern]) for pattern in patterns},
        incomplete=len({sample["pixfound"]["id"] for sample in samples}) - len(found),
        left_out=left_out,
    )


def rates(found: Sequence[EvidenceFacts]) -> Rates:
    """The rates of some documents; intervals are NaN, with their reason, where there is no document."""
    evidence, control = (
        Values([float(getattr(fact.flips, kind)) for fact in found], [fact.unit for fact in found])
        for kind in Flips._fields
    )
    return Rates(
        documents=len(found),
        evidence_count=sum(fact.flips.evidence for fact in found),
        control_count=sum(fact.flips.control for fact in found),
        evidence=rate_interval(evidence),
        control=rate_interval(control),
        difference=difference_interval(control, evidence),
    )


def cross(found: Iterable[EvidenceFacts], ious: Mapping[str, float | None]) -> Crossed:
    """The rates by whether a document is grounded; `ious` has IoUs in 0..1 by the document's id, of the same model.

    An IoU that is missing, None or NaN is not measured.
    """
    groups: dict[bool | None, list[EvidenceFacts]] = {True: [], False: [], None: []}
    for fact in found:
        iou = ious.get(fact.id)
        groups[None if iou is None or math.isnan(iou) else iou > HIT_IOU].append(fact)
    gain = difference_interval(_differences(groups[False]), _differences(groups[True]))
    return Crossed(rates(groups[True]), rates(groups[False]), gain, len(groups[None]))


def _differences(found: Sequence[EvidenceFacts]) -> Values:
    return Values([float(fact.flips.evidence) - fact.flips.control for fact in found], [fact.unit for fact in found])
