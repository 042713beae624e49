"""What a report says of the tasks that ask about a document several times: sensitivity, and evidence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pixfound_tasks.analysis import evidence, sensitivity
from pixfound_tasks.analysis.evidence import Crossed, Evidence
from pixfound_tasks.analysis.sensitivity import Sensitivity, VariedSample
from pixfound_tasks.runs.run import RepeatedSample, Run

EVIDENCE = "vqa_evidence"

Repeats = Mapping[str, Sequence[Sensitivity]]


class EvidenceFound(NamedTuple):
    """The rates of changed answers, and crossed with the same model's groundings, where there are any."""

    found: Evidence
    crossed: Crossed | None


def find_sensitivity(run: Run) -> dict[str, list[Sensitivity]]:
    """How scores depend on wording and picture, by task; tasks without variations are left out."""
    return {
        task: found
        for task, samples in run.repeated.items()
        if task != EVIDENCE and (found := sensitivity.analyse(map(_varied, samples)))
    }


def _varied(sample: RepeatedSample) -> VariedSample:
    """Of a sample whose score is a `scoring.sensitivity.VariedPart`; a pair's half is `[pair, right]` in it."""
    type, variation, value = sample.score
    return VariedSample(
        sample.id, sample.pair, str(type), int(variation), bool(value[1]) if isinstance(value, list) else value
    )


def find_evidence(run: Run) -> EvidenceFound | None:
    """Whether answers rest on the true region; None where no evidence task ran."""
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
