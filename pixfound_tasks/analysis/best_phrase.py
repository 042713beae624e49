"""For each image, the phrase whose mask overlaps the object best, and what is known about it (arXiv 2502.04192)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pixfound_tasks import masks
from pixfound_tasks.analysis import metrics
from pixfound_tasks.analysis.curves import Curve, curve, token_location
from pixfound_tasks.analysis.map_mass import MapMass, coarse_mass, phrase_mass
from pixfound_tasks.analysis.metrics import Oracle
from pixfound_tasks.grounding.phrases import content_words, named_words, rule_phrases
from pixfound_tasks.masks import Rle
from pixfound_tasks.response import Phrase, PromptedMasks, Response, all_candidates

if TYPE_CHECKING:
    from pixfound_tasks.attention.look import Look

# A phrase names what the expression names by the same head noun, by another shared word, or not at all.
MATCHES = ("exact", "overlap", "other")


class ConceptClassifier(Protocol):
    """Classifies phrases by concept. Its `name` is stored with every result."""

    @property
    def name(self) -> str: ...

    def classify(self, phrase: str, answer: str = "") -> str | None:
        """One of `concepts.CONCEPTS` for a phrase of an answer, or several joined by ", "; None if it cannot tell."""


@dataclass(frozen=True)
class GroundedImage:
    """An image with a referring expression: its id, the response, and the ground-truth mask (empty: absent).

    `look` is the attention that `save_attention` wrote for the image, if available. Masks are compared once.
    """

    id: str
    response: Response
    target: Rle
    expression: str | None = None
    look: Look | None = None

    @cached_property
    def prediction(self) -> Rle:
        """The union of the response's masks."""
        return self.response.prediction(tuple(self.target["size"]))

    @cached_property
    def iou(self) -> float:
        """IoU of the prediction with the ground truth, also without a referring expression."""
        return masks.iou(self.prediction, self.target)

    @cached_property
    def oracle(self) -> Oracle:
        """The best candidate mask, or the prediction if there are no candidates."""
        return metrics.response_oracle(self.response, self.target)


@dataclass(frozen=True)
class EmergenceRecord:
    """An image and its best phrase: the phrase of the candidate mask with the highest IoU, the later one on ties.

    IoUs, locations and fractions are in 0..1. None means "not defined":

    - all fields of the best phrase, if the object is absent or no phrase has a candidate;
    - a location, if the phrase's place in the answer is unknown;
    - `match`, without an expression;
    - `concept`, without a classifier or if the classifier cannot tell;
    - fields about points, if there are no points or the object is absent;
    - `mass`, if there is neither recorded attention nor a coarse map.

    The best phrase may have an IoU of 0, as in the authors' scripts; see `oracle_iou`.

    Attributes:
        answer_iou: IoU of the response's own masks, after the segmenter.
        oracle_iou: IoU of the best candidate, or of the response's own masks if it has no candidates.
        chance_iou: IoU of the best candidate of the random-point baseline; None if the run has no baseline.
        char_location: the best phrase's first character over the answer's length, as in the authors' scripts.
        token_location: the best phrase's first token over the answer's tokens.
        match: one of `MATCHES`.
        concept: one of `concepts.CONCEPTS`, or several joined by ", ", see `concepts.split_concepts`.
        point_hit: whether the best phrase's point lies in the ground-truth mask. The phrase is chosen using the ground
            truth, so compare this with `hit_share`.
        answer_hit: the same for the phrase that the response selected.
        hit_share: the fraction of all phrases' points that lie in the ground-truth mask.
        chance_hit_share: the same for the baseline's random points.
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
        """Oracle IoU minus baseline IoU, in -1..1; 0 for an absent object. None without a baseline."""
        return None if self.chance_iou is None else self.oracle_iou - self.chance_iou


def records(images: Iterable[GroundedImage], classifier: ConceptClassifier | None = None) -> list[EmergenceRecord]:
    """A record for each image.

    If any response has a random-point baseline, a response without one has no phrases and so no random points. Its
    baseline then counts as an empty list of candidates.
    """
    images = list(images)
    controlled = any(image.response.control for image in images)
    return [record(image, classifier, controlled) for image in images]


def record(
    image: GroundedImage, classifier: ConceptClassifier | None = None, controlled: bool | None = None
) -> EmergenceRecord:
    """The record of one image.

    `controlled` says whether the run has random-point baselines; None means: if this response has one.
    """
    response, target = image.response, image.target
    controlled = bool(response.control) if controlled is None else controlled
    object_pixels = masks.decode(target) if masks.area(target) else None
    best_phrase = None if image.oracle.probe is None else response.phrases[image.oracle.probe]
    selected = response.selected.phrase if response.selected else None
    chosen = response.phrases[selected] if selected is not None and selected < len(response.phrases) else None
    return EmergenceRecord(
        image=image.id,
        present=object_pixels is not None,
        candidates=len(all_candidates(response.phrases)),
        answer_iou=image.iou,
        oracle_iou=image.oracle.iou,
        chance_iou=metrics.oracle(response.control, target).iou if controlled else None,
        point_hit=_hits(best_phrase, object_pixels),
        answer_hit=_hits(chosen, object_pixels),
        hit_share=_hit_share(response.phrases, object_pixels),
        chance_hit_share=_hit_share(response.control, object_pixels),
        curve=curve(response, target),
        **({} if best_phrase is None else _of_phrase(image, best_phrase, classifier)),
    )


def _of_phrase(image: GroundedImage, phrase: Phrase, classifier: ConceptClassifier | None) -> dict[str, Any]:
    """The record's fields that describe its best phrase: wording, location, match, concept and attention mass."""
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
    """The mass of the phrase's full map if its attention is available, else of its coarse map."""
    if image.look is not None and chars is not None:
        return phrase_mass(image.look.answer(), chars, image.target)
    return None if phrase.map is None else coarse_mass(phrase.map, image.target)


def match(phrase: Phrase, expression: str) -> str:
    """How a phrase names what the expression names; one of `MATCHES`.

    "exact": both have the same head noun. "overlap": they share another word. "other": neither. Words are compared in
    the singular and without the possessive 's: "the dog" overlaps "the dog's ears".
    """
    words = content_words(phrase.text)
    head = (content_words(phrase.root) or words)[-1:]
    if head and head == named_words(expression)[-1:]:
        return "exact"
    asked = [word for part in rule_phrases(expression) for word in content_words(part.text)]
    return "overlap" if _owners(words) & _owners(asked or content_words(expression)) else "other"


def _owners(words: Iterable[str]) -> set[str]:
    return {word.removesuffix("'s").removesuffix("\u2019s") for word in words}


def _hits(probe: PromptedMasks | None, pixels: np.ndarray | None) -> bool | None:
    """Whether a point lies in a mask, bool (height, width); None without a point or a mask."""
    if probe is None or probe.point is None or pixels is None:
        return None
    return bool(pixels[masks.pixel_of(probe.point, pixels.shape)])


def _hit_share(prompts_with_masks: Sequence[PromptedMasks], pixels: np.ndarray | None) -> float | None:
    hits = [hit for hit in (_hits(probe, pixels) for probe in prompts_with_masks) if hit is not None]
    return sum(hits) / len(hits) if hits else None
