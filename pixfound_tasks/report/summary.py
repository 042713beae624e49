"""The numbers of a run: one summary for each model and benchmark, computed from its samples alone.

`as_json` gives what stands in `report.json`: shares are in 0..1 and unrounded, what was not measured is null.

| key | meaning |
|---|---|
| `model`, `benchmark` | the model's name as lmms-eval has it; `pixmmvp`, `pixcvbench` or `pixmini` |
| `documents`, `known_documents` | images that every task of the run has, and those of the benchmark |
| `partial` | whether the former are fewer |
| `answering`, `accuracy` | A of choice questions (pair accuracy; plain where there are no pairs), and plain accuracy |
| `open_answering`, `open_accuracy` | the same of open questions, as judged: A-dagger, and plain accuracy |
| `unjudged` | share of open answers without a verdict, which count as wrong |
| `grounding`, `open_grounding` | M (mean IoU), and M-dagger (of masks that came with open answers) |
| `score` | S: the harmonic mean of the higher A and the higher M of those that were measured |
| `oracle_miou`, `chance_miou` | mean IoU of the best candidates by the truth, and of those of random points |
| `intervals` | of those scores and of `gain`, oracle minus chance: see `analysis.intervals.Interval` for the keys |
| `candidates` | candidate masks per image |
| `unparsed_vqa`, `unparsed_ground` | shares of answers that could not be read |
| `failures` | per rule (`paper`, `strict`): outcome -> number of pairs; null without pairs or one of the tasks |
| `incomplete_pairs` | pairs left out there, because an image was not run |
| `location_bins`, `located` | best phrases by tenths of the answer, and how many those are; null where there are none |
| `token_bins` | the same by tenths of the answer's tokens; null where there are none |
| `median_location` | of the best phrases, in 0..1 of the answer's tokens |
| `exact_phrase_rate` | share of the best phrases that are the expression itself, by its head noun |
| `matches` | how best phrases name the object (`exact`, `overlap`, `other`) -> images |
| `concepts`, `classified_by` | what best phrases are about -> images, and who said so |
| `hits` | shares of points, and of the map, inside the object before any segmenter: see `analysis.emergence.Hits` |
| `patterns` | scores by visual pattern, and of PixCV-Bench by source and by task, see the next table |
| `provenance` | what lmms-eval and the responses say of how they were made; `origin` of the data; `judges` |

| key in `patterns` | meaning |
|---|---|
| `kind`, `name` | `pattern`, `source` or `task`, and which; of a pattern it is under `pattern` too |
| `images` | how many there are of it in the run |
| `accuracy`, `pair_accuracy`, `open_accuracy`, `miou` | as above; pairs count whole ones only |
| `outcomes` | of a pattern its pairs' outcomes by the `paper` rule, else null |
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pixfound_tasks import masks
from pixfound_tasks.analysis import emergence, failures
from pixfound_tasks.analysis.concepts import make_classifier
from pixfound_tasks.analysis.emergence import Hits
from pixfound_tasks.analysis.failures import Failures, ImageFacts
from pixfound_tasks.analysis.intervals import Interval
from pixfound_tasks.benchmarks import DOCUMENT_COUNTS
from pixfound_tasks.report import scores
from pixfound_tasks.report.breakdown import BreakdownRow, break_down
from pixfound_tasks.report.run import Record, Run
from pixfound_tasks.report.scores import iou, is_right
from pixfound_tasks.report.uncertainty import uncertainty
from pixfound_tasks.scoring import metrics

_LISTED = 5  # values of one point of provenance; it may differ from image to image


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
    open_answering: float
    open_accuracy: float
    unjudged: float
    grounding: float
    open_grounding: float
    score: float
    oracle_miou: float
    chance_miou: float
    intervals: dict[str, Interval]
    candidates: float
    unparsed_vqa: float
    unparsed_ground: float
    failures: dict[str, dict[str, int]] | None
    incomplete_pairs: int
    location_bins: tuple[int, ...] | None
    located: int
    token_bins: tuple[int, ...] | None
    median_location: float
    exact_phrase_rate: float
    matches: dict[str, int]
    concepts: dict[str, int]
    classified_by: str
    hits: Hits
    patterns: tuple[BreakdownRow, ...]
    provenance: dict[str, Any]


def summarise(run: Run) -> Summary:
    records = run.records
    asked = {name: scores.answers(records, name) for name in ("vqa", "open", "ground")}
    answering, open_answering = scores.answering(records, "vqa"), scores.answering(records, "open")
    grounding, open_grounding = scores.miou(records), scores.open_miou(records)
    found = find_failures(run)
    when = emergence.analyse(
        (
            emergence.GroundedImage(
                record.document.id, record.ground.response, record.document.mask, record.document.expression
            )
            for record in records
            if record.ground and record.document.expression is not None
        ),
        make_classifier("words"),
    )
    ran = [name for name, part in asked.items() if part]
    documents = sum(all(getattr(record, name) for name in ran) for record in records) if ran else 0
    known = DOCUMENT_COUNTS[run.benchmark]
    return Summary(
        run.model,
        run.benchmark,
        documents=documents,
        known_documents=known,
        partial=documents < known,
        answering=answering,
        accuracy=scores.accuracy(records, "vqa"),
        open_answering=open_answering,
        open_accuracy=scores.accuracy(records, "open"),
        unjudged=scores.mean("unjudged", asked["open"]),
        grounding=grounding,
        open_grounding=open_grounding,
        score=metrics.score((answering, open_answering), (grounding, open_grounding)),
        oracle_miou=when.oracle_miou,
        chance_miou=when.chance_miou,
        intervals=uncertainty(records, when.records)._asdict(),
        candidates=when.candidates,
        unparsed_vqa=scores.mean("unparsed", asked["vqa"]),
        unparsed_ground=scores.mean("unparsed", asked["ground"]),
        failures={rule: result.counts for rule, result in found.items()} if found else None,
        incomplete_pairs=len(found["paper"].incomplete) if found else 0,
        location_bins=when.bins if when.moments else None,
        located=len(when.moments),
        token_bins=when.token_bins if any(when.token_bins) else None,
        median_location=when.median_location,
        exact_phrase_rate=when.exact_phrase_rate,
        matches={name: len(images) for name, images in when.matches.items()},
        concepts={name: len(images) for name, images in when.concepts.items()},
        classified_by=when.classified_by,
        hits=when.hits,
        patterns=break_down(records, found),
        provenance=_provenance(run),
    )


def find_failures(run: Run) -> dict[str, Failures] | None:
    """The failure analysis by each rule; None where no image of a pair has answers to both protocols."""
    answered = (record for record in run.records if record.vqa and record.ground)
    facts = [_facts(record) for record in answered if record.document.pair is not None]
    return {rule: failures.analyse(facts, rule) for rule in failures.RULES} if facts else None


def as_json(summaries: Iterable[Summary]) -> list[dict[str, Any]]:
    """The summaries as JSON values, NaN as None."""
    values = [_without_nan(asdict(summary)) for summary in summaries]
    for row in (row for value in values for row in value["patterns"] if row["kind"] == "pattern"):
        row["pattern"] = row["name"]
    return values


def _without_nan(value: Any) -> Any:
    if isinstance(value, (Interval, Hits)):
        value = value._asdict()
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


def _provenance(run: Run) -> dict[str, Any]:
    """How the answers were made; where the responses differ in a point, the values that occur."""
    responses = [
        answer.response for record in run.records for answer in (record.ground, record.vqa, record.open) if answer
    ]
    values: dict[str, dict[str, None]] = {}
    for response in responses:
        for name, value in response.provenance.items():
            values.setdefault(name, {})[str(value)] = None
    origins = dict.fromkeys(record.document.origin for record in run.records if record.document.origin)
    return {
        **{name: run.settings.get(name) for name in ("model", "model_args", "lmms_eval_version", "date", "limit")},
        "origin": ", ".join(origins),
        "judges": _listed(_judges(run.records)),
        "responses": {name: _listed(list(seen)) for name, seen in values.items()},
    }


def _judges(records: Iterable[Record]) -> list[str]:
    """Who judged open answers."""
    judgements = (answer.metrics.get("judgement") for answer in scores.answers(records, "open"))
    found = (judgement.get("by") for judgement in judgements if isinstance(judgement, dict))
    return list(dict.fromkeys(str(name) for name in found if name))


def _listed(values: Sequence[str]) -> str:
    more = len(values) - _LISTED
    return ", ".join(values[:_LISTED]) + (f" and {more} more" if more > 0 else "")
