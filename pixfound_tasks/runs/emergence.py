"""What a report says of when grounding emerges, from a run's `..._when` task, or else from its groundings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pixfound_tasks.analysis import emergence
from pixfound_tasks.analysis.concepts import CONCEPTS, make_classifier
from pixfound_tasks.analysis.emergence import Emergence, Hits
from pixfound_tasks.analysis.emergence_intervals import EmergenceIntervals, intervals
from pixfound_tasks.runs.run import Answer, Record
from pixfound_tasks.runs.uncertainty import unit_of
from pixfound_tasks.scoring import metrics
from pixfound_tasks.scoring.best_phrase import EmergenceRecord
from pixfound_tasks.scoring.curves import Band


@dataclass(frozen=True)
class When:
    """Of the images with an expression; what is of best phrases is of those whose object is there.

    Attributes:
        images, present: how many there are, and of how many the object is there.
        candidates: mean number of candidate masks per image.
        oracle_miou, chance_miou: of the best candidates by the truth, and of those of random points; in 0..1.
        present_chance: the latter over the images whose object is there: what the curve is to be compared with.
        location_bins, token_bins: best phrases by tenths of the answer, by its characters and by its tokens.
        located: how many best phrases have a place in the answer.
        median_location: of the best phrases' first tokens, in 0..1 of the answer.
        exact_phrase_rate: share of the best phrases that are the expression itself, by its head noun.
        matches, concepts: how best phrases name the object, and what they are about -> images.
        classified_by: who said what they are about.
        hits: before any segmenter.
        intervals: of all these.
        curve, absent_curve: along the answer's tokens, the best IoU of the phrases so far, and where the object is
            absent the share of the image that their candidates cover.
        records: of every image.
    """

    images: int
    present: int
    candidates: float
    oracle_miou: float
    chance_miou: float
    present_chance: float
    location_bins: tuple[int, ...]
    token_bins: tuple[int, ...]
    located: int
    median_location: float
    exact_phrase_rate: float
    matches: dict[str, int]
    concepts: dict[str, int]
    classified_by: str
    hits: Hits
    intervals: EmergenceIntervals
    curve: Band
    absent_curve: Band
    records: tuple[EmergenceRecord, ...]

    @property
    def has_phrases(self) -> bool:
        return self.located > 0


def when(records: Sequence[Record]) -> When | None:
    """None where no image with an expression was asked about."""
    answered = [
        (record, answer)
        for record in records
        if record.document.expression is not None and (answer := record.when or record.ground)
    ]
    if not answered:
        return None
    classifier = make_classifier("words")
    logged = {record.document.id: _logged_concept(answer) for record, answer in answered}
    images = (
        emergence.GroundedImage(
            record.document.id, answer.response, record.document.mask, record.document.expression
        )
        for record, answer in answered
    )  # fmt: skip
    by = dict.fromkeys(by for _, by in filter(None, logged.values())) or {classifier.name: None}
    found = emergence.records(images, classifier)
    if any(logged.values()):
        found = [replace(record, concept=(logged[record.image] or (None,))[0]) for record in found]
    units = {record.document.id: unit_of(record.document.id, record.document.pair) for record, _ in answered}
    return _when(emergence.summarise(found, ", ".join(by)), intervals(found, units))


def _logged_concept(answer: Answer) -> tuple[str | None, str] | None:
    """What a `..._when` task logged of its best phrase, and who said so; None where it did not."""
    concept, by = answer.metrics.get("concept"), answer.metrics.get("classified_by")
    return (concept if concept in CONCEPTS else None, str(by)) if by else None


def _when(found: Emergence, of: EmergenceIntervals) -> When:
    present = [record for record in found.records if record.present]
    return When(
        images=len(found.records),
        present=len(present),
        candidates=found.candidates,
        oracle_miou=found.oracle_miou,
        chance_miou=found.chance_miou,
        present_chance=metrics.mean(record.chance_iou for record in present),
        location_bins=found.bins,
        token_bins=found.token_bins,
        located=len(found.moments),
        median_location=found.median_location,
        exact_phrase_rate=found.exact_phrase_rate,
        matches=_counted(found.matches),
        concepts=_counted(found.concepts),
        classified_by=found.classified_by or "",
        hits=found.hits,
        intervals=of,
        curve=found.curve(),
        absent_curve=found.curve(present=False),
        records=found.records,
    )


def _counted(ids: Mapping[str, Sequence[str]]) -> dict[str, int]:
    return {name: len(images) for name, images in ids.items()}
