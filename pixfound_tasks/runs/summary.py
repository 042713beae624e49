"""The scores of a run: one summary per model and benchmark, computed only from its samples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pixfound_tasks.analysis import metrics
from pixfound_tasks.analysis.emergence import Emergence
from pixfound_tasks.analysis.faults import MOST_UNREADABLE, UNREADABLE, shares, warnings
from pixfound_tasks.analysis.intervals import Interval
from pixfound_tasks.benchmarks.registry import get_benchmark
from pixfound_tasks.runs import scores
from pixfound_tasks.runs.breakdown import BreakdownRow, break_down
from pixfound_tasks.runs.emergence import when
from pixfound_tasks.runs.metrics import Metrics
from pixfound_tasks.runs.outcomes import ByRule, find_failures
from pixfound_tasks.runs.provenance import Provenance, provenance
from pixfound_tasks.runs.repeated import EvidenceFound, Repeats, find_evidence, find_sensitivity
from pixfound_tasks.runs.run import Record, Run
from pixfound_tasks.runs.uncertainty import uncertainty


@dataclass(frozen=True)
class Summary:
    """One model on one benchmark. Scores are in 0..1; NaN means "not measured".

    Attributes:
        model: the model's name as lmms-eval reports it.
        benchmark: the benchmark's name.
        documents: number of images that every task of the run has.
        known_documents: number of images in the benchmark.
        partial: whether `documents` is below `known_documents`, or the run had a limit below it.
        answering: A, the pair accuracy on choice questions (plain accuracy if the benchmark has no pairs).
        accuracy: plain accuracy on choice questions.
        open_answering, open_accuracy: A-dagger and plain accuracy on open questions, as graded by the judge.
        unjudged: fraction of open answers without a verdict; they count as incorrect.
        grounding: M, the mean IoU.
        open_grounding: M-dagger, the mean IoU of the masks in open answers.
        score: S, the harmonic mean of the higher A and the higher M of those that were measured.
        oracle_miou: mean IoU of the best candidate mask of each image, selected by ground truth.
        chance_miou: the same for the candidate masks of as many random points.
        intervals: 95 % intervals of these scores, by name.
        unparsed_vqa, unparsed_ground: fractions of answers that could not be parsed.
        failures: the four outcomes, by kind of question ("choice", "open") and rule ("paper", "strict").
        patterns: scores by visual pattern and, on PixCV-Bench, by source and by task.
        when: when grounding emerges; None without groundings.
        sensitivity: prompt sensitivity, by the suffix of the task's name, for example `vqa_lang`.
        evidence: how often answers change if the target region is masked; None if that task was not run.
        faults: the fraction of answers with each fault, by the suffix of the task's name; see `analysis.faults`.
        metrics: every metric of the tasks without variations, as lmms-eval aggregated it; see `runs.metrics`.
        provenance: how the run was made.
    """

    model: str
    benchmark: str
    documents: int
    known_documents: int
    partial: bool
    answering: float
    accuracy: float
    open_answering: float
    open_accuracy: float
    unjudged: float
    grounding: float
    open_grounding: float
    score: float
    oracle_miou: float
    chance_miou: float
    intervals: Mapping[str, Interval]
    unparsed_vqa: float
    unparsed_ground: float
    failures: Mapping[str, ByRule]
    patterns: tuple[BreakdownRow, ...]
    when: Emergence | None
    sensitivity: Repeats
    evidence: EvidenceFound | None
    faults: Mapping[str, Mapping[str, float]]
    metrics: Metrics
    provenance: Provenance

    @property
    def is_scored(self) -> bool:
        """Whether answers or groundings were scored; not so if only tasks with variations were run."""
        scores = (self.answering, self.open_answering, self.grounding, self.open_grounding)
        return any(not math.isnan(score) for score in scores)

    @property
    def unit(self) -> str:
        """The unit of `answering`: "pairs" or "images"."""
        return get_benchmark(self.benchmark).unit

    @property
    def warnings(self) -> list[str]:
        """What keeps many answers from being scored, with what to do about it, for each task."""
        return [
            f"{self.benchmark}_{end}: {warning}" for end, found in self.faults.items() for warning in warnings(found)
        ]

    @property
    def unreadable(self) -> list[str]:
        """The tasks most of whose answers are missing or could not be read."""
        ends = (
            end
            for end, found in self.faults.items()
            if sum(found.get(name, 0) for name in UNREADABLE) > MOST_UNREADABLE
        )
        return [f"{self.benchmark}_{end}" for end in ends]

    @property
    def main_questions(self) -> str:
        """The kind of question whose outcomes represent the run: "choice" if it was run, otherwise "open"."""
        return "open" if "open" in self.failures and "choice" not in self.failures else "choice"


def summarize(run: Run) -> Summary:
    """Computes every number that the report shows for a run."""
    records = run.records
    protocols: tuple[scores.Protocol, ...] = ("vqa", "open", "ground", "when")
    asked = {name: scores.answers(records, name) for name in protocols}
    answering, open_answering = scores.answering(records, "vqa"), scores.answering(records, "open")
    grounding, open_grounding = scores.miou(records), scores.open_miou(records)
    found, emergence = find_failures(run), when(records)
    documents = _documents(run, [name for name, part in asked.items() if part])
    known = get_benchmark(run.benchmark).document_count
    return Summary(
        run.model,
        run.benchmark,
        documents=documents,
        known_documents=known,
        partial=(documents < known and bool(records)) or _is_limited(run, known),
        answering=answering,
        accuracy=scores.accuracy(records, "vqa"),
        open_answering=open_answering,
        open_accuracy=scores.accuracy(records, "open"),
        unjudged=scores.mean("unjudged", asked["open"]),
        grounding=grounding,
        open_grounding=open_grounding,
        score=metrics.score((answering, open_answering), (grounding, open_grounding)),
        oracle_miou=emergence.oracle_miou if emergence else metrics.mean([]),
        chance_miou=emergence.chance_miou if emergence else metrics.mean([]),
        intervals=_intervals(records, emergence),
        unparsed_vqa=scores.mean("unparsed", asked["vqa"]),
        unparsed_ground=scores.mean("unparsed", asked["ground"]),
        failures=found,
        patterns=break_down(records, found),
        when=emergence,
        sensitivity=find_sensitivity(run),
        evidence=find_evidence(run),
        faults={end: shares(faults) for end, faults in sorted(run.faults.items())},
        metrics=run.metrics,
        provenance=provenance(run),
    )


def _documents(run: Run, ran: Sequence[str]) -> int:
    """Counts the images that every task has. If only repeated tasks ran, counts the images that any of them has."""
    if ran:
        return sum(all(getattr(record, name) for name in ran) for record in run.records)
    return len({sample.id for samples in run.repeated.values() for sample in samples})


def _is_limited(run: Run, known: int) -> bool:
    limit = run.settings.get("limit")
    return isinstance(limit, (int, float)) and 0 < limit < known


def _intervals(records: Sequence[Record], emergence: Emergence | None) -> dict[str, Interval]:
    found = uncertainty(records)._asdict()
    if emergence:
        found |= {"oracle_miou": emergence.intervals.oracle, "chance_miou": emergence.intervals.chance}
    return found
