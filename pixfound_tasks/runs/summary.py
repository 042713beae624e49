"""The numbers of a run: one summary for each model and benchmark, computed from its samples alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pixfound_tasks.analysis.intervals import Interval
from pixfound_tasks.benchmarks.registry import get_benchmark
from pixfound_tasks.runs import scores
from pixfound_tasks.runs.breakdown import BreakdownRow, break_down
from pixfound_tasks.runs.emergence import When, when
from pixfound_tasks.runs.outcomes import ByRule, find_failures
from pixfound_tasks.runs.provenance import provenance
from pixfound_tasks.runs.repeated import EvidenceFound, Repeats, find_evidence, find_sensitivity
from pixfound_tasks.runs.run import Record, Run
from pixfound_tasks.runs.uncertainty import uncertainty
from pixfound_tasks.scoring import metrics


@dataclass(frozen=True)
class Summary:
    """One model on one benchmark. Scores are in 0..1; NaN is "not measured".

    Attributes:
        model, benchmark: the model's name as lmms-eval has it; the benchmark's name.
        documents, known_documents: images that every task of the run has, and those of the benchmark.
        partial: whether the former are fewer, or the run had a limit under the latter.
        answering, accuracy: A of choice questions (pair accuracy; plain where there are no pairs), plain accuracy.
        open_answering, open_accuracy: the same of open questions, as judged: A-dagger, and plain accuracy.
        unjudged: share of open answers without a verdict, which count as wrong.
        grounding, open_grounding: M (mean IoU), and M-dagger (of masks that came with open answers).
        score: S, the harmonic mean of the higher A and the higher M of those that were measured.
        oracle_miou, chance_miou: mean IoU of the best candidates by the truth, and of those of random points.
        intervals: 95 % intervals of these, by name.
        unparsed_vqa, unparsed_ground: shares of answers that could not be read.
        failures: the four outcomes, by kind of questions ("choice", "open") and rule ("paper", "strict").
        patterns: scores by visual pattern, and of PixCV-Bench by source and by task.
        when: when grounding emerges; None without groundings.
        sensitivity: by the end of the task's name, for instance `vqa_lang`.
        evidence: whether answers rest on the evidence; None where it was not asked.
        provenance: what lmms-eval and the responses say of how they were made; see there.
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
    when: When | None
    sensitivity: Repeats
    evidence: EvidenceFound | None
    provenance: Mapping[str, Any]

    @property
    def unit(self) -> str:
        """What answering is counted by: "pairs" or "images"."""
        return get_benchmark(self.benchmark).unit

    @property
    def main_questions(self) -> str:
        """Those whose outcomes stand for the run: the choice questions, else the open ones."""
        return "open" if "open" in self.failures and "choice" not in self.failures else "choice"


def summarise(run: Run) -> Summary:
    """All that the report says of a run, in numbers."""
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
        provenance=provenance(run),
    )


def _documents(run: Run, ran: Sequence[str]) -> int:
    """The images that every task has; of tasks that ask several times alone, those that any has."""
    if ran:
        return sum(all(getattr(record, name) for name in ran) for record in run.records)
    return len({sample.id for samples in run.repeated.values() for sample in samples})


def _is_limited(run: Run, known: int) -> bool:
    limit = run.settings.get("limit")
    return isinstance(limit, (int, float)) and 0 < limit < known


def _intervals(records: Sequence[Record], emergence: When | None) -> dict[str, Interval]:
    found = uncertainty(records)._asdict()
    if emergence:
        found |= {"oracle_miou": emergence.intervals.oracle, "chance_miou": emergence.intervals.chance}
    return found
