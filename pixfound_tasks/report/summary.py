"""The numbers of a run: one summary for each model and benchmark, computed from its samples alone.

`as_json` gives what stands in `report.json`: shares are in 0..1 and unrounded, what was not measured is null.

| key | meaning |
|---|---|
| `model`, `benchmark` | the model's name as lmms-eval has it; `pixmmvp` or `pixmini` |
| `documents`, `known_documents` | images that every task of the run has, and those of the benchmark |
| `partial` | whether the former are fewer |
| `answering`, `accuracy` | A (pair accuracy; plain accuracy where images have no pairs), and plain accuracy |
| `grounding`, `score` | M (mean IoU), and S (the harmonic mean of A and M) |
| `oracle_miou`, `chance_miou` | mean IoU of the best candidates by the truth, and of those of random points |
| `candidates` | candidate masks per image |
| `unparsed_vqa`, `unparsed_ground` | shares of answers that could not be read |
| `failures` | per rule (`paper`, `strict`): outcome -> number of pairs; null without pairs or one of the tasks |
| `incomplete_pairs` | pairs left out there, because an image was not run |
| `location_bins`, `located` | best phrases by tenths of the answer, and how many those are; null where there are none |
| `patterns` | per visual pattern: `images`, `accuracy`, `pair_accuracy`, `miou`, and `outcomes` by the `paper` rule |
| `provenance` | what lmms-eval and the responses say of how they were made; `origin` of the data |
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pixfound_tasks import masks
from pixfound_tasks.analysis import emergence, failures
from pixfound_tasks.analysis.failures import Failures, ImageFacts
from pixfound_tasks.benchmarks import DOCUMENT_COUNTS
from pixfound_tasks.report.run import Answer, Record, Run
from pixfound_tasks.scoring import metrics

_LISTED = 5  # values of one point of provenance; it may differ from image to image


@dataclass(frozen=True)
class PatternRow:
    """The scores of one visual pattern, in 0..1; `outcomes` counts pairs, and is None where failures are."""

    pattern: str
    images: int
    accuracy: float
    pair_accuracy: float
    miou: float
    outcomes: dict[str, int] | None


@dataclass(frozen=True)
class Summary:
    """One model on one benchmark; the module's docstring explains the fields. NaN is "not measured"."""

    model: str
    benchmark: str
    documents: int
    known_documents: int
    partial: bool
    answering: float
    accuracy: float
    grounding: float
    score: float
    oracle_miou: float
    chance_miou: float
    candidates: float
    unparsed_vqa: float
    unparsed_ground: float
    failures: dict[str, dict[str, int]] | None
    incomplete_pairs: int
    location_bins: tuple[int, ...] | None
    located: int
    patterns: tuple[PatternRow, ...]
    provenance: dict[str, Any]


def summarise(run: Run) -> Summary:
    records = run.records
    vqa, ground = ([record for record in records if getattr(record, name)] for name in ("vqa", "ground"))
    accuracy, grounding = _accuracy(records), _miou(records)
    has_pairs = any(record.document.pair is not None for record in records)
    answering = _pair_accuracy(records) if has_pairs else accuracy
    found = find_failures(run)
    when = emergence.analyse(
        emergence.GroundedImage(record.document.id, record.ground.response, record.document.mask)
        for record in ground
        if record.document.expression is not None
    )
    documents, known = min(len(part) for part in (vqa, ground) if part), DOCUMENT_COUNTS[run.benchmark]
    return Summary(
        run.model,
        run.benchmark,
        documents=documents,
        known_documents=known,
        partial=documents < known,
        answering=answering,
        accuracy=accuracy,
        grounding=grounding,
        score=metrics.harmonic_mean((answering, grounding)),
        oracle_miou=when.oracle_miou,
        chance_miou=when.chance_miou,
        candidates=when.candidates,
        unparsed_vqa=_mean("unparsed", (record.vqa for record in vqa)),
        unparsed_ground=_mean("unparsed", (record.ground for record in ground)),
        failures={rule: result.counts for rule, result in found.items()} if found else None,
        incomplete_pairs=len(found["paper"].incomplete) if found else 0,
        location_bins=when.bins if when.moments else None,
        located=len(when.moments),
        patterns=_pattern_rows(records, found),
        provenance=_provenance(run),
    )


def find_failures(run: Run) -> dict[str, Failures] | None:
    """The failure analysis by each rule; None where no image of a pair has answers to both protocols."""
    answered = (record for record in run.records if record.vqa and record.ground)
    facts = [_facts(record) for record in answered if record.document.pair is not None]
    return {rule: failures.analyse(facts, rule) for rule in failures.RULES} if facts else None


def iou(record: Record) -> float:
    """IoU of the grounding answer and the truth, in 0..1, of images without a referring expression too."""
    return masks.iou(record.ground.response.prediction(record.document.size), record.document.mask)


def is_right(record: Record) -> bool:
    """Whether the question was answered rightly, by the rule that the score goes by."""
    return record.vqa.metrics.get("accuracy") == 1


def as_json(summaries: Iterable[Summary]) -> list[dict[str, Any]]:
    """The summaries as JSON values, NaN as None."""
    return [_without_nan(asdict(summary)) for summary in summaries]


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _facts(record: Record) -> ImageFacts:
    document = record.document
    predicted_area = masks.area(record.ground.response.prediction(document.size))
    return ImageFacts(
        document.pair,
        document.pattern,
        is_right(record),
        iou(record),
        masks.area(document.mask),
        predicted_area,
        document.width * document.height,
    )


def _accuracy(records: Iterable[Record]) -> float:
    return _mean("accuracy", (record.vqa for record in records if record.vqa))


def _pair_accuracy(records: Iterable[Record]) -> float:
    parts = (record.vqa.metrics.get("pair_accuracy") for record in records if record.vqa)
    return metrics.pair_accuracy(metrics.PairPart(int(part[0]), bool(part[1])) for part in parts if part is not None)


def _miou(records: Iterable[Record]) -> float:
    return _mean("miou", (record.ground for record in records if record.ground))


def _mean(metric: str, answers: Iterable[Answer]) -> float:
    return metrics.mean(answer.metrics.get(metric) for answer in answers)


def _pattern_rows(records: Sequence[Record], found: dict[str, Failures] | None) -> tuple[PatternRow, ...]:
    by_pattern: dict[str, list[Record]] = {}
    for record in records:
        by_pattern.setdefault(record.document.pattern, []).append(record)
    nothing = dict.fromkeys(failures.OUTCOMES, 0)
    return tuple(
        PatternRow(
            pattern,
            len(members),
            _accuracy(members),
            _pair_accuracy(members),
            _miou(members),
            found["paper"].by_pattern.get(pattern, nothing) if found else None,
        )
        for pattern, members in sorted(by_pattern.items())
    )


def _provenance(run: Run) -> dict[str, Any]:
    """How the answers were made; where the responses differ in a point, the values that occur."""
    responses = [answer.response for record in run.records for answer in (record.ground, record.vqa) if answer]
    values: dict[str, dict[str, None]] = {}
    for response in responses:
        for name, value in response.provenance.items():
            values.setdefault(name, {})[str(value)] = None
    origins = dict.fromkeys(record.document.origin for record in run.records if record.document.origin)
    return {
        **{name: run.settings.get(name) for name in ("model", "model_args", "lmms_eval_version", "date", "limit")},
        "origin": ", ".join(origins),
        "responses": {name: _listed(list(seen)) for name, seen in values.items()},
    }


def _listed(values: Sequence[str]) -> str:
    more = len(values) - _LISTED
    return ", ".join(values[:_LISTED]) + (f" and {more} more" if more > 0 else "")
