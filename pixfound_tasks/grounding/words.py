"""The simple baselines: boxes or points in a model's words, turned into masks by a segmenter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from pixfound_tasks.grounding.coordinates.reading import check_convention, convention_of_architecture, read_coordinates
from pixfound_tasks.grounding.segmenters.base import Segmenter
from pixfound_tasks.grounding.selection import surest_candidate
from pixfound_tasks.masks import Size
from pixfound_tasks.response import Box, Candidate, Point, Probe, Response, from_text, parse_json
from pixfound_tasks.settings import read_setting

if TYPE_CHECKING:
    from pixfound_tasks.attention.lens import Answer

Segment = Callable[[Sequence[Box | Point]], list[tuple[Candidate, ...]]]


def read_words(text: str, size: Size, convention: str | None = None, kind: str | None = None) -> Response:
    """What a model's output says of an image of `size`, never raising: masks, or boxes, or points.

    JSON of the response contract is taken as it is; anything else is read by `read_coordinates`, under the declared
    convention and given what was asked for (`kind`), and what was assumed goes into the response's provenance. Boxes or
    points in JSON that does not say it is of the contract are the contract's fractions only where no convention is
    declared and all of them are in 0..1.
    """
    response = from_text(text, size)
    if response.masks is not None or _is_contract(parse_json(text), convention):
        return response
    reading = read_coordinates(text, size, convention, kind)
    provenance = {"coordinates": reading.convention}
    return Response(text, None, reading.boxes, reading.points, provenance=provenance, problems=reading.problems)


def _is_contract(fields: Any, convention: str | None) -> bool:
    if not isinstance(fields, dict) or "schema" in fields or convention:
        return isinstance(fields, dict) and "schema" in fields
    items = [fields[name] for name in ("boxes", "points") if isinstance(fields.get(name), list)]
    return bool(items) and all(0 <= number <= 1 for item in chain(*items) for number in _numbers(item))


def _numbers(item: Any) -> list[float]:
    values = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
    return [value for value in values if type(value) in (int, float)]


def with_masks(response: Response, segment: Segment, segmenter: str) -> Response:
    """The response with the surest mask of each of its boxes, or else points; unchanged where it has neither.

    `segment` is not called where the answer is "not there". `segmenter` is what it is called in the provenance.
    """
    prompts: Sequence[Box | Point] = response.boxes or response.points or ()
    if response.masks is not None or not response.is_grounded:
        return response
    distinct = list(dict.fromkeys(prompts))  # who loops writes the same box for ever
    probes = [Probe(None, candidates) for candidates in segment(distinct)] if distinct else []
    surest = {prompt: probe.candidates[surest_candidate(probe)].mask for prompt, probe in zip(distinct, probes)}
    masks = tuple(surest[prompt] for prompt in prompts)
    return replace(response, masks=masks, provenance=response.provenance | {"segmenter": segmenter})


def convention_of(config: Any, processor: Any) -> str | None:
    """The convention of a transformers model's coordinates: what PIXFOUND_COORDINATES says, else its family's.

    What the image processor does to an image is taken from it. None where neither is known: then only what the syntax
    of an answer says is read. Raises ValueError for a convention that there is not.
    """
    if named := read_setting("PIXFOUND_COORDINATES"):
        check_convention(named)
        return named
    convention, images = convention_of_architecture(config.model_type), getattr(processor, "image_processor", None)
    if convention == "resized" and images is not None:
        bounds = images.size["shortest_edge"], images.size["longest_edge"]
        return f"resized:{images.patch_size * images.merge_size}:{bounds[0]}:{bounds[1]}"
    if convention == "fraction_padded" and getattr(images, "do_center_crop", False):
        return "fraction_cropped"
    return convention


@dataclass(frozen=True)
class WordGrounder:
    """The boxes or points (`kind`) that a model was asked for, through a segmenter."""

    segmenter: Segmenter
    kind: str
    convention: str | None
    provenance: dict[str, Any] = field(default_factory=dict)

    def ground(self, answer: Answer, image: Image.Image, prompt: str) -> Response:
        """The response to a prompt about an image (RGB); words without coordinates leave it without masks."""

        def segment(prompts: Sequence[Box | Point]) -> list[tuple[Candidate, ...]]:
            self.segmenter.set_image(np.asarray(image))
            return self.segmenter.segment(prompts)

        response = read_words(answer.text, (image.height, image.width), self.convention, self.kind)
        response = with_masks(response, segment, self.segmenter.name)
        provenance = self.provenance | response.provenance | {"prompt": prompt}
        return replace(response, tokens=answer.tokens, provenance=provenance)
