"""When grounding emerges: the location in the answer of the phrase whose mask fits best (arXiv 2502.04192)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from pixfound_tasks.analysis import metrics
from pixfound_tasks.analysis.best_phrase import (
    MATCHES,
    ConceptClassifier,
    EmergenceRecord,
    GroundedImage,
    records,
)
from pixfound_tasks.analysis.concept_agreement import CONCEPTS
from pixfound_tasks.analysis.curves import Band, band

__all__ = [
    "Emergence", "EmergenceRecord", "GroundedImage", "Moment", "analyse", "image_values", "records", "summarize",
    "tenth",
]  # fmt: skip

BINS = 10


class Moment(NamedTuple):
    """The phrase with the best candidate; `location` is its first character over the answer's length, in 0..1."""

    image: str
    phrase: str
    location: float
    iou: float


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
    """When grounding emerges in a run, and how well the best phrases fit.

    `bins` counts the moments by tenths of the answer. `oracle_miou` and the random-point baseline's `chance_miou` are
    in 0..1; an absent object counts as 1 for both. They are NaN if there is no image, or no response with a baseline.
    `candidates` is the mean number of candidate masks per image.

    Attributes:
        token_bins: best phrases by tenths of the answer's tokens.
        median_location: median over the best phrases' first tokens, in 0..1; NaN if none is known.
        median_char_location: the same for their first characters.
        gain: mean over images of oracle IoU minus baseline IoU; NaN without a baseline.
        exact_phrase_rate: fraction of the best phrases with the head noun of the expression; NaN if there are none.
        matches: how best phrases name the object -> the images' ids.
        concepts: what best phrases are about -> the images' ids; empty if nothing was classified.
        classified_by: the classifier's name; None if there was none.
        hits: hits and attention mass before any segmenter.
        records: one per image, in order.
    """

    moments: tuple[Moment, ...]
    bins: tuple[int, ...]
    oracle_miou: float
    chance_miou: float
    candidates: float
    token_bins: tuple[int, ...]
    median_location: float
    median_char_location: float
    gain: float
    exact_phrase_rate: float
    matches: dict[str, tuple[str, ...]]
    concepts: dict[str, tuple[str, ...]]
    classified_by: str | None
    hits: Hits
    records: tuple[EmergenceRecord, ...] = field(repr=False)

    def curve(self, kind: Literal["so_far", "here"] = "so_far", present: bool = True) -> Band:
        """The band of the curves of images whose object is present, or absent."""
        curves = [record.curve for record in self.records if record.present == present and record.curve]
        return band([getattr(curve, kind) for curve in curves])


def analyse(images: Iterable[GroundedImage], classifier: ConceptClassifier | None = None) -> Emergence:
    """Emergence over images.

    Only images whose object is present, and whose best phrase has a known place in the answer, have a moment.
    """
    return summarize(records(images, classifier), classifier.name if classifier else None)


def summarize(found: Iterable[EmergenceRecord], classified_by: str | None = None) -> Emergence:
    """Emergence over records of a run, or of any subset, such as those whose oracle finds the object.

    `classified_by` is the name of the classifier of their concepts.
    """
    found = tuple(found)
    moments = tuple(
        Moment(record.image, record.phrase, record.char_location, record.oracle_iou)
        for record in found
        if record.char_location is not None and record.phrase is not None
    )
    token_locations = [record.token_location for record in found if record.token_location is not None]
    matches = _listed(found, "match", MATCHES)
    return Emergence(
        moments,
        _binned([moment.location for moment in moments]),
        oracle_miou=metrics.mean(record.oracle_iou for record in found),
        chance_miou=metrics.mean(record.chance_iou for record in found),
        candidates=metrics.mean(record.candidates for record in found),
        token_bins=_binned(token_locations),
        median_location=metrics.median(token_locations),
        median_char_location=metrics.median([moment.location for moment in moments]),
        gain=metrics.mean(record.gain for record in found),
        exact_phrase_rate=metrics.mean(record.match == "exact" for record in found if record.match),
        matches=matches,
        concepts=_listed(found, "concept", CONCEPTS),
        classified_by=classified_by,
        hits=_hits(found),
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


def _listed(found: Sequence[EmergenceRecord], name: str, order: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The image ids for each value of a field; empty if no record has a value."""
    ids = {key: tuple(r.image for r in found if getattr(r, name) == key) for key in order}
    return ids if any(ids.values()) else {}


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
