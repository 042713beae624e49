"""Which half fails, the answering or the grounding: four outcomes over pairs (PixFoundation, arXiv 2502.04192).

If images have no pairs (PixCV-Bench), each image is a unit of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from pixfound_tasks.analysis.intervals import Interval, fraction_interval
from pixfound_tasks.analysis.metrics import HIT_IOU
from pixfound_tasks.choices import check_choice

OUTCOMES = ("both_right", "vqa_only_failure", "grounding_only_failure", "both_wrong")
_OUTCOME_OF = {  # (answered, grounded)
    (True, True): "both_right",
    (False, True): "vqa_only_failure",
    (True, False): "grounding_only_failure",
    (False, False): "both_wrong",
}

Unit = tuple[str, ...]  # the ids of a pair's two images, or of an image without a pair


class ImageFacts(NamedTuple):
    """What the analysis needs of one image: IoU in 0..1, areas in pixels.

    The answer and the mask may come from two different runs. `groups` maps kinds of groups to the image's group:
    `{"pattern": "Text"}`, `{"source": "COCO", "task": "Count"}`.
    """

    id: str
    pair: int | None
    groups: Mapping[str, str]
    correct: bool
    iou: float
    true_area: int
    predicted_area: int
    image_area: int


@dataclass(frozen=True)
class Outcomes:
    """The units behind each outcome, in order."""

    units: Mapping[str, tuple[Unit, ...]]

    @property
    def counts(self) -> dict[str, int]:
        return {name: len(units) for name, units in self.units.items()}

    @cached_property
    def by_image(self) -> dict[str, str]:
        """The outcome of each image's unit, by the image's id."""
        return {id: outcome for outcome, units in self.units.items() for unit in units for id in unit}

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def shares(self) -> dict[str, Interval]:
        """The fraction of each outcome, with Wilson's interval; NaN if there is no unit."""
        return {name: fraction_interval(count, self.total) for name, count in self.counts.items()}


@dataclass(frozen=True)
class Failures(Outcomes):
    """The outcomes by one rule, over all units, and `by` kind and name of the images' groups.

    A pair counts in every group that one of its images is in. `incomplete` are the pairs with a missing image.
    """

    rule: str = "paper"
    by: Mapping[str, Mapping[str, Outcomes]] = field(default_factory=dict)
    incomplete: tuple[int, ...] = ()


# Whether grounding succeeds if the object is absent.
RULES: dict[str, Callable[[ImageFacts], bool]] = {
    "paper": lambda image: 2 * image.predicted_area < image.image_area,
    "strict": lambda image: image.predicted_area == 0,
}


def is_grounded(image: ImageFacts, rule: str) -> bool:
    """Whether an image's grounding succeeds: IoU above 0.5, or the rule's condition if the object is absent."""
    return image.iou > HIT_IOU if image.true_area else RULES[rule](image)


def analyse(images: Iterable[ImageFacts], rule: str = "paper") -> Failures:
    """Sort pairs, or images without pairs, into the four outcomes.

    A pair's answer (grounding) is correct if both its images' are. Raises ValueError for an unknown rule.
    """
    check_choice("the rule", rule, RULES)
    by_unit: dict[tuple[bool, int | str], list[ImageFacts]] = {}
    for image in images:
        by_unit.setdefault((True, image.pair) if image.pair is not None else (False, image.id), []).append(image)
    incomplete = [first.pair for first, *others in by_unit.values() if first.pair is not None and len(others) != 1]
    whole = [
        sorted(members, key=lambda image: _in_order(image.id))
        for (is_pair, _), members in by_unit.items()
        if not is_pair or len(members) == 2
    ]
    whole.sort(key=lambda members: _in_order(members[0].id))
    groups: dict[str, dict[str, list[Sequence[ImageFacts]]]] = {}
    for members in whole:
        for kind, name in dict.fromkeys(item for image in members for item in image.groups.items()):
            groups.setdefault(kind, {}).setdefault(name, []).append(members)
    return Failures(
        _sorted_out(whole, rule),
        rule,
        {
            kind: {name: Outcomes(_sorted_out(of_name, rule)) for name, of_name in sorted(names.items())}
            for kind, names in groups.items()
        },
        tuple(sorted(incomplete)),
    )


def _sorted_out(units: Iterable[Sequence[ImageFacts]], rule: str) -> dict[str, tuple[Unit, ...]]:
    found: dict[str, list[Unit]] = {name: [] for name in OUTCOMES}
    for members in units:
        outcome = _OUTCOME_OF[all(m.correct for m in members), all(is_grounded(m, rule) for m in members)]
        found[outcome].append(tuple(image.id for image in members))
    return {name: tuple(of_outcome) for name, of_outcome in found.items()}


def _in_order(id: str) -> tuple[int, str]:
    return (int(id), id) if id.isdecimal() else (0, id)
