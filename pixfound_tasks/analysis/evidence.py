"""Does the answer rest on the target region? Rates of changed answers, by visual pattern, and crossed with grounding.

A document is prompted three times, see `prompts.evidence`: with its image, with the target region masked, and with a
control region masked. Its answer flips if the chosen option differs from the one chosen for the unmasked image. An
answer that names no option, or several, counts as an option of its own: from "A" to an answer without a choice is a
flip, from one such answer to another is not. Documents that were not prompted all three times (a run with a limit) are
left out of all flip rates. Intervals resample pairs with both images, or images if they have no pairs; see `intervals`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pixfound_tasks.analysis.intervals import Interval, Values, difference_interval, rate_interval
from pixfound_tasks.analysis.metrics import HIT_IOU
from pixfound_tasks.prompts.evidence import KINDS


class Asking(NamedTuple):
    """One of a document's three prompts, and the option chosen, counted from 0.

    None if none was chosen; NaN if the answer is missing, because its request failed.
    """

    id: str
    kind: str
    chosen: int | float | None


class Flips(NamedTuple):
    """Whether a document's answer changed when the target region was masked, and when the control region was.

    1 or 0; NaN if an answer is missing.
    """

    evidence: float
    control: float

    @property
    def difference(self) -> float:
        return self.evidence - self.control


class EvidenceFacts(NamedTuple):
    """What the analysis needs of one document that was prompted all three times."""

    id: str
    pair: int | None
    pattern: str  # "" if the document has none
    flips: Flips

    @property
    def unit(self) -> tuple[str, int | str]:
        return ("image", self.id) if self.pair is None else ("pair", self.pair)


class Rates(NamedTuple):
    """How many of `documents` changed their answer in the target-masked and in the control-masked ablation.

    `evidence` (target) and `control` are fractions in 0..1. `difference` is `evidence` minus `control`, document by
    document.
    """

    documents: int
    evidence_count: int
    control_count: int
    evidence: Interval
    control: Interval
    difference: Interval


class Evidence(NamedTuple):
    """The rates of one run, over all documents and by visual pattern.

    Documents without a pattern are only in `overall`. `incomplete` counts the documents that were not prompted all
    three times, as in a run with a limit. `left_out` counts the benchmark's documents that the evidence tasks leave
    out, by reason: `without_region`, `without_control`.
    """

    overall: Rates
    by_pattern: dict[str, Rates]
    incomplete: int
    left_out: dict[str, int]


class Crossed(NamedTuple):
    """The rates of the documents that are grounded (IoU above 0.5), and of those that are not.

    `gain` is the mean difference of the grounded documents minus that of the others. Above 0, the model depends more on
    a region that it also grounds. `unmeasured` counts documents without an IoU, which are in neither group.
    """

    grounded: Rates
    ungrounded: Rates
    gain: Interval
    unmeasured: int


def flips(askings: Iterable[Sequence[Any]]) -> dict[str, Flips]:
    """The flips of every document that was prompted all three times, by id. The samples may come in any order."""
    chosen: dict[str, dict[str, int | float | None]] = {}
    for asking in askings:
        asking = Asking(*asking)
        chosen.setdefault(asking.id, {})[asking.kind] = asking.chosen
    return {
        id: Flips(*(_is_flipped(options[kind], options["plain"]) for kind in Flips._fields))
        for id, options in chosen.items()
        if options.keys() >= set(KINDS)
    }


def _is_flipped(chosen: float | None, plain: float | None) -> float:
    is_missing = any(option is not None and math.isnan(option) for option in (chosen, plain))
    return math.nan if is_missing else float(chosen != plain)


def facts(samples: Iterable[Mapping[str, Any]]) -> list[EvidenceFacts]:
    """The documents with answers to all three prompts, in the order of their first samples in an evidence task's log.

    A sample has its `Asking` under `score`, and its document under `pixfound`.
    """
    samples = list(samples)
    documents = {sample["pixfound"]["id"]: sample["pixfound"] for sample in samples}
    found = flips(sample["score"] for sample in samples)
    return [
        EvidenceFacts(id, documents[id]["pair"], documents[id]["pattern"], flip)
        for id, flip in found.items()
        if not math.isnan(flip.evidence + flip.control)
    ]


def analyse(samples: Iterable[Mapping[str, Any]]) -> Evidence:
    """The rates of one run's samples, which are as for `facts`."""
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
    """The rates of some documents. Intervals are NaN, with a reason, if there is no document."""
    evidence, control = (
        Values([float(getattr(fact.flips, kind)) for fact in found], [fact.unit for fact in found])
        for kind in Flips._fields
    )
    return Rates(
        documents=len(found),
        evidence_count=sum(fact.flips.evidence == 1 for fact in found),
        control_count=sum(fact.flips.control == 1 for fact in found),
        evidence=rate_interval(evidence),
        control=rate_interval(control),
        difference=difference_interval(control, evidence),
    )


def cross(found: Iterable[EvidenceFacts], ious: Mapping[str, float | None]) -> Crossed:
    """The rates by whether a document is grounded.

    `ious` maps document ids to the same model's IoUs in 0..1. A missing IoU, None or NaN means "not measured".
    """
    groups: dict[bool | None, list[EvidenceFacts]] = {True: [], False: [], None: []}
    for fact in found:
        iou = ious.get(fact.id)
        groups[None if iou is None or math.isnan(iou) else iou > HIT_IOU].append(fact)
    gain = difference_interval(_differences(groups[False]), _differences(groups[True]))
    return Crossed(rates(groups[True]), rates(groups[False]), gain, len(groups[None]))


def _differences(found: Sequence[EvidenceFacts]) -> Values:
    return Values([fact.flips.difference for fact in found], [fact.unit for fact in found])
