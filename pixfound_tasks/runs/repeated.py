"""Results of the tasks that prompt several times per document: prompt sensitivity and target-masked ablation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pixfound_tasks.analysis import evidence, sensitivity
from pixfound_tasks.analysis.evidence import Crossed, Evidence
from pixfound_tasks.analysis.sensitivity import Sensitivity, VariantSample
from pixfound_tasks.runs.run import RepeatedSample, Run

EVIDENCE = "vqa_evidence"

Repeats = Mapping[str, Sequence[Sensitivity]]


class EvidenceFound(NamedTuple):
    """The rates of changed answers. `crossed` splits them by the same model's groundings; None if it has none."""

    found: Evidence
    crossed: Crossed | None


def find_sensitivity(run: Run) -> dict[str, list[Sensitivity]]:
    """Returns how scores depend on prompt and image variations, by task. Tasks without variations are left out."""
    return {
        task: found
        for task, samples in run.repeated.items()
        if task != EVIDENCE and (found := sensitivity.analyse(map(_varied, samples)))
    }


def _varied(sample: RepeatedSample) -> VariantSample:
    """Converts a sample whose score is a `VariantPart`. Paired images log `[pair, correct]`; NaN: no answer came."""
    type, variation, value = sample.score
    if isinstance(value, list):
        value = None if value[1] is None or value[1] != value[1] else bool(value[1])
    return VariantSample(sample.id, sample.pair, type, variation, value)


def find_evidence(run: Run) -> EvidenceFound | None:
    """Returns how often answers change if the target region is masked, or None if no such task ran."""
    samples = run.repeated.get(EVIDENCE)
    if not samples:
        return None
    logged = list(_logged(samples))
    ious = {
        record.document.id: answer.metrics.get("miou") for record in run.records if (answer := record.ground)
    }  # fmt: skip
    crossed = evidence.cross(evidence.facts(logged), ious) if ious else None
    return EvidenceFound(evidence.analyse(logged), crossed)


def _logged(samples: Iterable[RepeatedSample]) -> Iterable[dict[str, Any]]:
    names = ("id", "pair", "pattern", "left_out")
    return (
        {"score": sample.score, "pixfound": {name: getattr(sample, name) for name in names}} for sample in samples
    )  # fmt: skip
