"""When grounding emerges: where in the answer the phrase stands whose mask fits best (arXiv 2502.04192)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from pixfound_tasks.analysis.concepts import CONCEPTS
from pixfound_tasks.scoring import metrics
from pixfound_tasks.scoring.best_phrase import (
    MATCHES,
    ConceptClassifier,
    EmergenceRecord,
    GroundedImage,
    records,
)
from pixfound_tasks.scoring.curves import Band, band

__all__ = [
    "Emergence", "EmergenceRecord", "GroundedImage", "Moment", "analyse", "image_values", "records", "summarise",
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
    """Before any segmenter: means of the records' fields of these names, in 0..1, and of their masses; NaN: undefined.

    `area` is the mean share of the image that the objects of `mass` are: what looking everywhere alike would give.
    """

    point_hit: float
    answer_hit: float
    hit_share: float
    chance_hit_share: float
    mass: float
    area: float


@dataclass(frozen=True)
class Emergence:
    """When, and how well at best.

    `bins` counts the moments by tenths of the answer. `oracle_miou` and the control's `chance_miou` are in 0..1, an
    absent object counting 1 for both; NaN where there is no image, or no response with a control.
    `candidates` is the mean number of candidate masks per image.

    Attributes:
        token_bins: best phrases by tenths of the answer's tokens.
        median_location: of the best phrases' first tokens, in 0..1; NaN where none is known.
        median_char_location: the same of their first characters.
        gain: mean of oracle minus chance over images; NaN without a control.
        exact_phrase_rate: share of the best phrases that are the expression itself, by its head noun; NaN without any.
        matches: how best phrases name the object -> the images' ids.
        concepts: what best phrases are about -> the images' ids; empty where nothing was classified.
        classified_by: the classifier's name; None where there was none.
        hits: before any segmenter.
        records: of every image, in order.
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
        """The band of the curves of images whose object is there, or absent."""
        curves = [record.curve for record in self.records if record.present == present and record.curve]
        return band([getattr(curve, kind) for curve in curves])


def analyse(images: Iterable[GroundedImage], classifier: ConceptClassifier | None = None) -> Emergence:
    """Only images whose object is there, and whose best phrase has a place in the answer, have a moment."""
    return summarise(records(images, classifier), classifier.name if classifier else None)


def summarise(found: Iterable[EmergenceRecord], classified_by: str | None = None) -> Emergence:
    """Of records, of one run or of any part of it, such as those whose oracle finds the object.

    `classified_by` is the name of who said their concepts.
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
    """The values of the images that have one, in order: what a bootstrap over images draws from."""
    return [float(known) for known in map(value, found) if known is not None and not math.isnan(known)]


def tenth(location: float) -> int:
    """The tenth of the answer that a location in 0..1 lies in."""
    return min(int(location * BINS), BINS - 1)


def _binned(locations: Iterable[float]) -> tuple[int, ...]:
    bins = [0] * BINS
    for location in locations:
        bins[tenth(location)] += 1
    return tuple(bins)


def _listed(found: Sequence[EmergenceRecord], name: str, order: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """For each value of a field the ids of its images; nothing where no record has one."""
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
