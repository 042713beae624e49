"""Per image, the phrase whose mask fits the object best, and all that is known of it (arXiv 2502.04192)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from pixfound_tasks import masks
from pixfound_tasks.grounding.phrases import content_words, named_words, rule_phrases
from pixfound_tasks.masks import Rle
from pixfound_tasks.response import Phrase, Probe, Response, all_candidates
from pixfound_tasks.scoring import metrics
from pixfound_tasks.scoring.curves import Curve, curve, token_location
from pixfound_tasks.scoring.map_mass import MapMass, coarse_mass, phrase_mass

if TYPE_CHECKING:
    from pixfound_tasks.attention.look import Look

# How a phrase names what the expression names: by the same head noun, by another word of it, or not.
MATCHES = ("exact", "overlap", "other")


class ConceptClassifier(Protocol):
    """Says what phrases are about; `name` says who does and goes into every result."""

    @property
    def name(self) -> str: ...

    def classify(self, phrase: str, answer: str = "") -> str | None:
        """One of `concepts.CONCEPTS`, of a phrase of an answer; None where it cannot be told."""


class GroundedImage(NamedTuple):
    """An image that has a referring expression: its id, the response about it, and the true mask (empty: absent).

    `look` is what `save_attention` wrote for it, where it is at hand.
    """

    id: str
    response: Response
    truth: Rle
    expression: str | None = None
    look: Look | None = None


@dataclass(frozen=True)
class EmergenceRecord:
    """An image, and its best phrase: that of the candidate with the highest IoU, the later one on ties.

    IoUs, locations and shares are in 0..1. None is "not defined": whatever is of the best phrase where the object is
    absent or no phrase has a candidate; a location where the phrase has no place in the answer; `match` without an
    expression; `concept` without a classifier, or where it cannot tell; what is of points where there are none, or the
    object is absent; `mass` without a look or a map. A best phrase may have an IoU of 0, as the authors count it:
    `oracle_iou` says.

    Attributes:
        answer_iou: of the response's own masks, after the segmenter.
        oracle_iou: of the best candidate; of the response's own masks where it has no candidates.
        chance_iou: of the best of the control's candidates; None where there is no control.
        char_location: the best phrase's first character over the answer's length (the authors').
        token_location: its first token over the answer's tokens.
        match: one of `MATCHES`.
        concept: one of `concepts.CONCEPTS`.
        point_hit: whether its point lies in the true mask. The phrase is chosen by the truth: compare `hit_share`.
        answer_hit: the same of the phrase that the response selected.
        hit_share: share of all phrases' points that lie in the true mask; `chance_hit_share` of the control's.
    """

    image: str
    present: bool
    candidates: int
    answer_iou: float
    oracle_iou: float
    chance_iou: float | None = None
    phrase: str | None = None
    char_location: float | None = None
    token_location: float | None = None
    match: str | None = None
    concept: str | None = None
    point_hit: bool | None = None
    answer_hit: bool | None = None
    hit_share: float | None = None
    chance_hit_share: float | None = None
    mass: MapMass | None = None
    curve: Curve | None = None

    @property
    def gain(self) -> float | None:
        """Oracle minus chance, in -1..1; 0 for an absent object. None without a control."""
        return None if self.chance_iou is None else self.oracle_iou - self.chance_iou


def records(images: Iterable[GroundedImage], classifier: ConceptClassifier | None = None) -> list[EmergenceRecord]:
    """A record for each image.

    Where any response has a control, one without has no phrase to try as many points as: chance then finds nothing.
    """
    images = list(images)
    controlled = any(image.response.control for image in images)
    return [record(image, classifier, controlled) for image in images]


def record(
    image: GroundedImage, classifier: ConceptClassifier | None = None, controlled: bool | None = None
) -> EmergenceRecord:
    """The record of one image; `controlled` says whether its run has controls, None: if its response has one."""
    response, truth = image.response, image.truth
    controlled = bool(response.control) if controlled is None else controlled
    object_pixels = masks.decode(truth) if masks.area(truth) else None
    best = metrics.response_oracle(response, truth)
    best_phrase = None if best.probe is None else response.phrases[best.probe]
    selected = response.selected.phrase if response.selected else None
    chosen = response.phrases[selected] if selected is not None and selected < len(response.phrases) else None
    return EmergenceRecord(
        image=image.id,
        present=object_pixels is not None,
        candidates=len(all_candidates(response.phrases)),
        answer_iou=masks.iou(response.prediction(tuple(truth["size"])), truth),
        oracle_iou=best.iou,
        chance_iou=metrics.oracle(response.control, truth).iou if controlled else None,
        point_hit=_hits(best_phrase, object_pixels),
        answer_hit=_hits(chosen, object_pixels),
        hit_share=_hit_share(response.phrases, object_pixels),
        chance_hit_share=_hit_share(response.control, object_pixels),
        curve=curve(response, truth),
        **({} if best_phrase is None else _of_phrase(image, best_phrase, classifier)),
    )


def _of_phrase(image: GroundedImage, phrase: Phrase, classifier: ConceptClassifier | None) -> dict[str, Any]:
    """The fields of a record that say how and where its best phrase stands."""
    response = image.response
    chars = phrase.chars if phrase.chars is not None and phrase.chars[0] < len(response.text) else None
    return {
        "phrase": phrase.text,
        "char_location": None if chars is None else chars[0] / len(response.text),
        "token_location": token_location(phrase, response),
        "match": match(phrase, image.expression) if image.expression is not None else None,
        "concept": classifier.classify(phrase.text, response.text) if classifier else None,
        "mass": _mass(image, phrase, chars),
    }


def _mass(image: GroundedImage, phrase: Phrase, chars: tuple[int, int] | None) -> MapMass | None:
    """Of the phrase's whole map where its look is at hand, else of the coarse one that it carries."""
    if image.look is not None and chars is not None:
        return phrase_mass(image.look, chars, image.truth)
    return None if phrase.map is None else coarse_mass(phrase.map, image.truth)


def match(phrase: Phrase, expression: str) -> str:
    """Whether a phrase has the head noun of what the expression names, else shares a word with it: one of `MATCHES`.

    Words are compared in the singular, owners without their 's: "the dog" overlaps "the dog's ears".
    """
    words = content_words(phrase.text)
    head = (content_words(phrase.root) or words)[-1:]
    if head and head == named_words(expression)[-1:]:
        return "exact"
    asked = [word for part in rule_phrases(expression) for word in content_words(part.text)]
    return "overlap" if _owners(words) & _owners(asked or content_words(expression)) else "other"


def _owners(words: Iterable[str]) -> set[str]:
    return {word.removesuffix("'s").removesuffix("\u2019s") for word in words}


def _hits(probe: Probe | None, pixels: np.ndarray | None) -> bool | None:
    """Whether a point lies in a mask, bool (height, width); None where there is no point, or nothing to hit."""
    if probe is None or probe.point is None or pixels is None:
        return None
    height, width = pixels.shape
    x, y = probe.point
    return bool(pixels[min(int(y * height), height - 1), min(int(x * width), width - 1)])


def _hit_share(probes: Sequence[Probe], pixels: np.ndarray | None) -> float | None:
    hits = [hit for hit in (_hits(probe, pixels) for probe in probes) if hit is not None]
    return sum(hits) / len(hits) if hits else None
