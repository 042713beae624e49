"""The fields of a response, and writing a response as one string."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pixfound_tasks import masks
from pixfound_tasks.masks import Rle, Size
from pixfound_tasks.response import maps
from pixfound_tasks.response.maps import CoarseMap, TokenMap

SCHEMA = "pixfound/1"
BOX_CORNERS = ("x_min", "y_min", "x_max", "y_max")

Point = tuple[float, float]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Candidate:
    """One mask that a segmenter produced for a point, and its confidence score (higher is better)."""

    mask: Rle
    score: float = 0.0


@dataclass(frozen=True)
class PromptedMasks:
    """A point on the image, (x, y) in 0..1, and the candidate masks that a segmenter produced for it."""

    point: Point | None = None
    candidates: tuple[Candidate, ...] = ()


@dataclass(frozen=True)
class Phrase(PromptedMasks):
    """A noun phrase of the answer, with the point that its tokens attend to most.

    `similarity` to the referring expression is a cosine or similar value in -1..1; None if it was not measured. `map`
    is the phrase's coarse attention map; None if it was not recorded, is flat, or has no positive value.
    """

    text: str = ""
    root: str = ""
    chars: tuple[int, int] | None = None
    tokens: tuple[int, int] | None = None
    similarity: float | None = None
    map: CoarseMap | None = None


@dataclass(frozen=True)
class Selection:
    """How the answer's mask was chosen. `phrase` and `candidate` are indices; None means "not there"."""

    by: str
    phrase: int | None = None
    candidate: int | None = None


@dataclass(frozen=True)
class Draft:
    """What a model wrote before its answer: its thinking, with its markup, and the number of its tokens.

    Its phrases have points and coarse maps, but no candidate masks: nothing is selected from a draft, and nothing in it
    is scored.
    """

    text: str
    tokens: int | None = None
    phrases: tuple[Phrase, ...] = ()


@dataclass(frozen=True)
class Response:
    """A model's answer.

    The union of `masks` is the prediction. Empty `masks` mean "not there"; None means that no masks came. `text`,
    `phrases` and `tokens` are about the answer alone; what a thinking model wrote before it is the `draft`.
    `token_maps` are the coarse maps of the answer's first tokens. `problems` lists what could not be read.
    """

    text: str = ""
    masks: tuple[Rle, ...] | None = None
    boxes: tuple[Box, ...] | None = None
    points: tuple[Point, ...] | None = None
    scores: tuple[float, ...] = ()
    phrases: tuple[Phrase, ...] = ()
    selected: Selection | None = None
    control: tuple[PromptedMasks, ...] = ()
    tokens: int | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    draft: Draft | None = None
    token_maps: tuple[TokenMap, ...] = ()

    @property
    def is_grounded(self) -> bool:
        """Whether masks, boxes or points came, even if they are empty ("not there") or unreadable."""
        return any(found is not None for found in (self.masks, self.boxes, self.points))

    def prediction(self, size: Size) -> Rle:
        """The answer as one mask: the union of its masks, else of its filled boxes, else of its points' pixels."""
        if self.masks is not None:
            return masks.union(self.masks, size)
        if self.boxes:
            return masks.union([masks.from_box(box, size) for box in self.boxes], size)
        return masks.union([masks.from_point(point, size) for point in self.points or ()], size)


def all_candidates(prompts_with_masks: Iterable[PromptedMasks]) -> list[tuple[int, int, Candidate]]:
    """Every candidate, in order, with the index of its probe and its own index in the probe."""
    return [
        (i, j, candidate) for i, probe in enumerate(prompts_with_masks) for j, candidate in enumerate(probe.candidates)
    ]


def to_text(response: Response) -> str:
    """The response as JSON on one line, without empty fields. `from_text` is the inverse.

    No text in it can be taken for a tag: lmms-eval would cut the line at a `</think>`, and the JSON with it.
    """
    fields: dict[str, Any] = {"schema": SCHEMA, "text": response.text, "masks": response.masks}
    if response.boxes is not None:
        fields["boxes"] = [dict(zip(BOX_CORNERS, box)) for box in response.boxes]
    fields |= {"points": response.points, "scores": response.scores or None}
    fields["phrases"] = [_phrase_fields(phrase) for phrase in response.phrases] or None
    fields["selected"] = vars(response.selected) if response.selected else None
    fields["control"] = [_prompted_fields(probe) for probe in response.control] or None
    fields |= {"tokens": response.tokens, "provenance": response.provenance or None}
    fields["problems"] = response.problems or None
    fields["draft"] = _draft_fields(response.draft) if response.draft else None
    fields["token_maps"] = maps.to_token_fields(response.token_maps)
    written = json.dumps({name: value for name, value in fields.items() if value is not None}, separators=(",", ":"))
    return written.replace("<", "\\u003c")  # `<` is in strings only, so this is the same JSON


def _draft_fields(draft: Draft) -> dict[str, Any]:
    fields = {"text": draft.text, "tokens": draft.tokens, "phrases": [_phrase_fields(each) for each in draft.phrases]}
    return {name: value for name, value in fields.items() if value not in (None, [])}


def _prompted_fields(probe: PromptedMasks) -> dict[str, Any]:
    return {"point": probe.point, "candidates": [vars(candidate) for candidate in probe.candidates]}


def _phrase_fields(phrase: Phrase) -> dict[str, Any]:
    names = ("text", "root", "chars", "tokens", "similarity")
    fields = {name: getattr(phrase, name) for name in names} | _prompted_fields(phrase)
    fields["map"] = maps.to_fields(phrase.map) if phrase.map else None
    return {name: value for name, value in fields.items() if value is not None}
