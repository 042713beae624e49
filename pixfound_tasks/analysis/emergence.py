"""When grounding emerges: where in the answer the phrase stands whose mask fits best (arXiv 2502.04192)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from pixfound_tasks import masks
from pixfound_tasks.masks import Rle
from pixfound_tasks.response import Response, all_candidates
from pixfound_tasks.scoring import metrics

BINS = 10


class GroundedImage(NamedTuple):
    """An image that has a referring expression: its id, the response about it, and the true mask (empty: absent)."""

    id: str
    response: Response
    truth: Rle


class Moment(NamedTuple):
    """The phrase with the best candidate; `location` is its first character over the answer's length, in 0..1."""

    image: str
    phrase: str
    location: float
    iou: float


@dataclass(frozen=True)
class Emergence:
    """When, and how well at best.

    `bins` counts the moments by tenths of the answer. `oracle_miou` and the control's `chance_miou` are in 0..1, an
    absent object counting 1 for both; NaN where there is no image, or no response with a control.
    `candidates` is the mean number of candidate masks per image.
    """

    moments: tuple[Moment, ...]
    bins: tuple[int, ...]
    oracle_miou: float
    chance_miou: float
    candidates: float


def analyse(images: Iterable[GroundedImage]) -> Emergence:
    """Only images whose object is there, and whose best phrase has a place in the answer, have a moment."""
    images = list(images)
    moments = tuple(filter(None, map(_moment, images)))
    bins = [0] * BINS
    for moment in moments:
        bins[min(int(moment.location * BINS), BINS - 1)] += 1
    controlled = images if any(image.response.control for image in images) else []
    return Emergence(
        moments,
        tuple(bins),
        oracle_miou=metrics.mean(metrics.response_oracle(image.response, image.truth).iou for image in images),
        chance_miou=metrics.mean(metrics.oracle(image.response.control, image.truth).iou for image in controlled),
        candidates=metrics.mean(len(all_candidates(image.response.phrases)) for image in images),
    )


def _moment(image: GroundedImage) -> Moment | None:
    response = image.response
    best = metrics.oracle(response.phrases, image.truth)
    if masks.area(image.truth) == 0 or best.probe is None:
        return None
    phrase = response.phrases[best.probe]
    if phrase.chars is None or phrase.chars[0] >= len(response.text):
        return None
    return Moment(image.id, phrase.text, phrase.chars[0] / len(response.text), best.iou)
