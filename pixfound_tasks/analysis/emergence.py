"""When grounding emerges: the location in the answer of the phrase whose mask fits best (arXiv 2502.04192)."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pixfound_tasks.analysis import metrics
from pixfound_tasks.analysis.best_phrase import MATCHES, ConceptClassifier, EmergenceRecord, GroundedImage, records
from pixfound_tasks.analysis.concepts import CONCEPTS, split_concepts
from pixfound_tasks.analysis.curves import Band, band
from pixfound_tasks.analysis.emergence_intervals import EmergenceIntervals, intervals

__all__ = [
    "Emergence", "EmergenceRecord", "GroundedImage", "analyse", "image_values", "records", "summarize", "tenth",
]  # fmt: skip

BINS = 10


class Hits(NamedTuple):
    """Hits and attention mass before any segmenter: means of the records' fields of the same names, in 0..1.

    NaN means undefined. `area` is the mean fraction of the image that the objects behind `mass` cover, which is the
    mass of a uniform map.
    """

    point_hit: float
    answer_hit: float
    hit_share: float
    chance_hit_share: float
    mass: float
    area: float


@dataclass(frozen=True)
class Emergence:
    """When grounding emerges, over images that have a referring expression.

    The best phrase of an image is the one whose candidate mask has the highest IoU with the ground truth. Only images
    whose object is present have one. All rates and IoUs are in 0..1; an absent object counts as 1 for both mean IoUs.
    NaN means undefined: no image, or for `chance_miou` no response with a baseline.

    Attributes:
        images: number of images.
        present: number of images whose object is present.
        candidates: mean number of candidate masks per image.
        oracle_miou: mean IoU of the best candidate mask of each image.
        chance_miou: mean IoU of the best candidate mask of as many random points (the random-point baseline).
        present_chance: `chance_miou` over the images whose object is present; the baseline of `curve`.
        location_bins, token_bins: number of best phrases per tenth of the answer, by first character and first token.
        located: number of best phrases whose first character in the answer is known.
        median_location: median position of the best phrases' first tokens, as a fraction of the answer.
        exact_phrase_rate: fraction of best phrases that are the expression itself, compared by head noun.
        matches: how the best phrase matches the expression -> number of images; empty without expressions.
        concepts: what the best phrase is about -> number of images; empty if nothing was classified. An image whose
            phrase has two concepts counts for both, as in the study.
        classified_by: name of the classifier that assigned the concepts; "" if there was none.
        hits: how often points lie in the object, before any segmenter runs.
        intervals: the 95 % intervals of these values.
        curve: best IoU of the phrases so far, along the answer's tokens, if the object is present.
        absent_curve: fraction of the image covered by the candidates so far, if the object is absent.
        records: one record per image, in order.
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
    records: tuple[EmergenceRecord, ...] = field(repr=False)

    @property
    def has_phrases(self) -> bool:
        return self.located > 0


def analyse(images: Iterable[GroundedImage], classifier: ConceptClassifier | None = None) -> Emergence:
    """Emergence over images."""
    return summarize(records(images, classifier), classifier.name if classifier else "")


def summarize(
    found: Iterable[EmergenceRecord], classified_by: str = "", unit_of: Mapping[str, Hashable] | None = None
) -> Emergence:
    """Emergence over records of a run, or of any subset, such as those whose oracle finds the object.

    `classified_by` is the name of the classifier of their concepts. `unit_of` maps an image's id to the pair or image
    that is resampled with it; by default each image is resampled alone.
    """
    found = tuple(found)
    present = [record for record in found if record.present]
    token_locations = image_values(found, lambda record: record.token_location)
    char_locations = image_values(found, lambda record: record.char_location)
    return Emergence(
        images=len(found),
        present=len(present),
        candidates=metrics.mean(record.candidates for record in found),
        oracle_miou=metrics.mean(record.oracle_iou for record in found),
        chance_miou=metrics.mean(record.chance_iou for record in found),
        present_chance=metrics.mean(record.chance_iou for record in present),
        location_bins=_binned(char_locations),
        token_bins=_binned(token_locations),
        located=len(char_locations),
        median_location=metrics.median(token_locations),
        exact_phrase_rate=metrics.mean(record.match == "exact" for record in found if record.match),
        matches=_counted([record.match for record in found], MATCHES),
        concepts=_counted([name for record in found for name in split_concepts(record.concept)], CONCEPTS),
        classified_by=classified_by,
        hits=_hits(found),
        intervals=intervals(found, unit_of or {record.image: record.image for record in found}),
        curve=band([record.curve.so_far for record in present if record.curve]),
        absent_curve=band([record.curve.so_far for record in found if record.curve and not record.present]),
        records=found,
    )


def image_values(found: Iterable[EmergenceRecord], value: Callable[[EmergenceRecord], float | None]) -> list[float]:
    """The defined values, one per image, in order; the bootstrap over images resamples them."""
    return [float(known) for known in map(value, found) if known is not None and not math.isnan(known)]


def tenth(location: float) -> int:
    """The tenth of the answer, 0 to 9, that contains a location in 0..1."""
    return min(int(location * BINS), BINS - 1)


def _binned(locations: Iterable[float]) -> tuple[int, ...]:
    bins = [0] * BINS
    for location in locations:
        bins[tenth(location)] += 1
    return tuple(bins)


def _counted(values: Sequence[str | None], order: Iterable[str]) -> dict[str, int]:
    """How often each value occurs; empty if none does."""
    counts = {key: values.count(key) for key in order}
    return counts if any(counts.values()) else {}


def _hits(found: Sequence[EmergenceRecord]) -> Hits:
    def mean(value: Callable[[EmergenceRecord], float | None]) -> float:
        return metrics.mean(image_values(found, value))

    masses = [record.mass for record in found if record.mass is not None and not math.isnan(record.mass.mass)]
    return Hits(
        mean(lambda record: record.point_hit),
        mean(lambda record: record.answer_hit),
        mean(lambda record: record.hit_share),
        mean(lambda record: record.chance_hit_share),
        metrics.mean(mass.mass for mass in masses),
        metrics.mean(mass.area for mass in masses),
    )
