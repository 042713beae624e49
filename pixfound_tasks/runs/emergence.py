"""When grounding emerges, computed from a run's `..._when` task or, without one, from its `..._ground` task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pixfound_tasks.analysis import emergence, metrics
from pixfound_tasks.analysis.best_phrase import EmergenceRecord
from pixfound_tasks.analysis.concept_agreement import CONCEPTS, make_classifier
from pixfound_tasks.analysis.curves import Band
from pixfound_tasks.analysis.emergence import Emergence, Hits
from pixfound_tasks.analysis.emergence_intervals import EmergenceIntervals, intervals
from pixfound_tasks.runs.run import Answer, Record
from pixfound_tasks.runs.uncertainty import unit_of


@dataclass(frozen=True)
class When:
    """Emergence over the images that have a referring expression.

    The best phrase of an image is the one whose candidate mask has the highest IoU with the ground truth. Only images
    whose object is present have one. All rates and IoUs are in 0..1.

    Attributes:
        images: number of images with a referring expression.
        present: number of those images whose object is present.
        candidates: mean number of candidate masks per image.
        oracle_miou: mean IoU of the best candidate mask of each image.
        chance_miou: mean IoU of the best candidate mask of as many random points (the random-point baseline).
        present_chance: `chance_miou` over the images whose object is present; the baseline of `curve`.
        location_bins, token_bins: number of best phrases per tenth of the answer, by characters and by tokens.
        located: number of best phrases whose position in the answer is known.
        median_location: median position of the best phrases' first tokens, as a fraction of the answer.
        exact_phrase_rate: fraction of best phrases that are the expression itself, compared by head noun.
        matches: how the best phrase matches the expression -> number of images.
        concepts: what the best phrase is about -> number of images.
        classified_by: name of the classifier that assigned the concepts.
        hits: how often points lie in the object, before any segmenter runs.
        intervals: the 95 % intervals of these values.
        curve: best IoU of the phrases so far, along the answer's tokens, if the object is present.
        absent_curve: fraction of the image covered by the candidates so far, if the object is absent.
        records: one record per image.
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
    """Computes emergence from a run's records. Returns None if no image with an expression has a grounding."""
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
    return _when(emergence.summarize(found, ", ".join(by)), intervals(found, units))


def _logged_concept(answer: Answer) -> tuple[str | None, str] | None:
    """Returns the concept that a `..._when` task logged and its classifier's name, or None if it logged none."""
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
