"""Which half fails, the answering or the grounding: four outcomes over pairs (PixFoundation, arXiv 2502.04192)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from pixfound_tasks.choices import check_choice
from pixfound_tasks.scoring.metrics import HIT_IOU

OUTCOMES = ("both_right", "vqa_only_failure", "grounding_only_failure", "both_wrong")
_OUTCOME_OF = {  # (answered, grounded)
    (True, True): "both_right",
    (False, True): "vqa_only_failure",
    (True, False): "grounding_only_failure",
    (False, False): "both_wrong",
}


class ImageFacts(NamedTuple):
    """What the analysis needs of one image: IoU in 0..1, areas in pixels."""

    pair: int
    pattern: str
    right: bool
    iou: float
    true_area: int
    predicted_area: int
    image_area: int


@dataclass(frozen=True)
class Failures:
    """The pairs behind each outcome, in order, by one rule; `incomplete` are those of which an image is missing.

    `by_pattern` counts outcomes per visual pattern; a pair counts under every pattern that its images have.
    """

    rule: str
    pairs: dict[str, tuple[int, ...]]
    by_pattern: dict[str, dict[str, int]]
    incomplete: tuple[int, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        return {name: len(pairs) for name, pairs in self.pairs.items()}


# When the grounding of an image without a true mask succeeds.
RULES: dict[str, Callable[[ImageFacts], bool]] = {
    "paper": lambda image: 2 * image.predicted_area < image.image_area,
    "strict": lambda image: image.predicted_area == 0,
}


def is_grounded(image: ImageFacts, rule: str) -> bool:
    """Whether an image's grounding succeeds: IoU above 0.5, or where nothing is there, the rule's condition."""
    return image.iou > HIT_IOU if image.true_area else RULES[rule](image)


def analyse(images: Iterable[ImageFacts], rule: str = "paper") -> Failures:
    """Sort pairs into the four outcomes; a pair answers (grounds) rightly when both its images do."""
    check_choice("the rule", rule, RULES)
    by_pair: dict[int, list[ImageFacts]] = {}
    for image in images:
        by_pair.setdefault(image.pair, []).append(image)

    pairs: dict[str, list[int]] = {name: [] for name in OUTCOMES}
    by_pattern: dict[str, dict[str, int]] = {}
    incomplete = []
    for pair, halves in sorted(by_pair.items()):
        if len(halves) != 2:
            incomplete.append(pair)
            continue
        outcome = _OUTCOME_OF[all(half.right for half in halves), all(is_grounded(half, rule) for half in halves)]
        pairs[outcome].append(pair)
        for pattern in {half.pattern for half in halves}:
            by_pattern.setdefault(pattern, dict.fromkeys(OUTCOMES, 0))[outcome] += 1
    return Failures(rule, {name: tuple(ids) for name, ids in pairs.items()}, by_pattern, tuple(incomplete))
