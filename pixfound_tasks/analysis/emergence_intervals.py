"""Confidence intervals of the emergence statistics over documents, and a check against the random-point baseline."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from pixfound_tasks.analysis.best_phrase import MATCHES, EmergenceRecord
from pixfound_tasks.analysis.concepts import CONCEPTS, split_concepts
from pixfound_tasks.analysis.intervals import Interval, Values, mean_interval, median_interval, rate_interval


class EmergenceIntervals(NamedTuple):
    """The intervals of the statistics in `emergence.Emergence`, over the same records; fractions are in 0..1.

    `gain` is oracle IoU minus baseline IoU, image by image. `hit_gain` is the fraction of the phrases' points that lie
    in the object, minus that of random points. `mass` is the fraction of the best phrase's map that lies in the object;
    `mass_gain` is `mass` minus the fraction of the image that the object covers. `matches` and `concepts` are fractions
    of the best phrases. A phrase with two concepts counts for both, so those fractions may add up to more than 1.
    """

    oracle: Interval
    chance: Interval
    gain: Interval
    point_hit: Interval
    answer_hit: Interval
    hit_gain: Interval
    mass: Interval
    mass_gain: Interval
    median_location: Interval
    median_char_location: Interval
    exact_phrase_rate: Interval
    matches: dict[str, Interval]
    concepts: dict[str, Interval]

    @property
    def is_above_chance(self) -> bool | None:
        """Whether the interval of `gain` lies above 0, so that the best candidates beat random points.

        None if `gain` has no interval.
        """
        return None if self.gain.reason else self.gain.low > 0


def intervals(found: Sequence[EmergenceRecord], unit_of: Mapping[str, Hashable]) -> EmergenceIntervals:
    """The intervals over records. `unit_of` maps an image's id to the pair or image that is resampled with it."""

    def values(of: Callable[[EmergenceRecord], float | None]) -> Values:
        return Values([of(record) for record in found], [unit_of[record.image] for record in found])

    matches = {key: rate_interval(values(partial(_matches, key))) for key in MATCHES}
    return EmergenceIntervals(
        oracle=mean_interval(values(lambda record: record.oracle_iou)),
        chance=mean_interval(values(lambda record: record.chance_iou)),
        gain=mean_interval(values(lambda record: record.gain)),
        point_hit=rate_interval(values(lambda record: record.point_hit)),
        answer_hit=rate_interval(values(lambda record: record.answer_hit)),
        hit_gain=mean_interval(values(_hit_gain)),
        mass=mean_interval(values(lambda record: record.mass.mass if record.mass else None)),
        mass_gain=mean_interval(values(lambda record: record.mass.mass - record.mass.area if record.mass else None)),
        median_location=median_interval(values(lambda record: record.token_location)),
        median_char_location=median_interval(values(lambda record: record.char_location)),
        exact_phrase_rate=matches["exact"],
        matches=matches,
        concepts={key: rate_interval(values(partial(_is_about, key))) for key in CONCEPTS},
    )


def _matches(key: str, record: EmergenceRecord) -> float | None:
    return None if record.match is None else float(record.match == key)


def _is_about(key: str, record: EmergenceRecord) -> float | None:
    return None if record.concept is None else float(key in split_concepts(record.concept))


def _hit_gain(record: EmergenceRecord) -> float | None:
    if record.hit_share is None or record.chance_hit_share is None:
        return None
    return record.hit_share - record.chance_hit_share
